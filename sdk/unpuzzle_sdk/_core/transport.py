"""The wire: the only module that knows httpx."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeAlias
from weakref import WeakKeyDictionary

import httpx

from .errors import APIConnectionError, APITimeoutError, InvalidRequestError, UnpuzzleError
from .operation import Request
from .response import Answer

HttpClient: TypeAlias = httpx.Client
AsyncHttpClient: TypeAlias = httpx.AsyncClient
BaseTransport: TypeAlias = httpx.BaseTransport
AsyncBaseTransport: TypeAlias = httpx.AsyncBaseTransport
Timeout: TypeAlias = float | httpx.Timeout | None

# A server that does not accept within this time is not there; answers may take longer.
_CONNECT_TIMEOUT = 5.0
_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30.0)

_PIECE = 128 * 1024

_UNCONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# A host name or a header that can't be encoded is a UnicodeError.
_MALFORMED = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError)
_FAILURES = (httpx.RequestError, *_MALFORMED)


@cache
def _ssl_context() -> ssl.SSLContext:
    # Loading the certificates takes 20 ms: once for all clients.
    return httpx.create_ssl_context()


def _no_cookies() -> CookieJar:
    # The session is in the tokens. Cookies beside them could outlive a sign-out, or meet another account's token.
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def _timeout(timeout: Timeout, at_most: float | None) -> httpx.Timeout:
    if not isinstance(timeout, httpx.Timeout):
        timeout = httpx.Timeout(timeout, connect=None if timeout is None else min(timeout, _CONNECT_TIMEOUT))
    if at_most is None:
        return timeout
    phases = timeout.as_dict().items()
    return httpx.Timeout(**{phase: at_most if limit is None else min(limit, at_most) for phase, limit in phases})


def _hide_cookies(record: logging.LogRecord) -> bool:
    record.msg = _COOKIE.sub("***", str(record.msg))
    return True


# At the level DEBUG httpcore logs the headers of answers. Those of a sign-in hold its tokens a second time, as cookies.
_COOKIE = re.compile(r"(?<=b'set-cookie', )b(['\"]).*?\1(?=\))", re.IGNORECASE)
for _name in ("httpcore.http11", "httpcore.http2"):
    logging.getLogger(_name).addFilter(_hide_cookies)


def _failure(request: Request, error: Exception) -> APIConnectionError:
    """Make our exception of one of `_FAILURES`.

    It is raised outside the handler, so that it keeps nothing of the other: what httpx raises leads to frames whose
    locals are headers and bodies.
    """
    what, kind = f"{request.method} {request.path}", type(error).__name__
    sent = not isinstance(error, (*_UNCONNECTED, *_MALFORMED))
    if isinstance(error, _MALFORMED):
        # Their texts repeat what is wrong, which may be a token.
        return InvalidRequestError(f"{what}: not sent, as the address or a header is malformed ({kind})", sent=sent)
    reason = f"{kind}: {error}".rstrip(": ")
    if isinstance(error, httpx.TimeoutException):
        return APITimeoutError(f"{what}: no answer in time ({reason})", sent=sent)
    return APIConnectionError(f"{what}: {reason}", sent=sent)


def _headers(request: Request) -> dict[str, str]:
    if not _is_large(request.content):
        return dict(request.headers)
    return {**request.headers, "Content-Length": str(len(request.content or b""))}


def _is_large(content: bytes | None) -> bool:
    return content is not None and len(content) > _PIECE


def _pieces(content: bytes | None) -> bytes | Iterator[bytes] | None:
    """Give a large body in pieces: what sends it would copy the whole of it, more than once."""
    return _cut(content) if content is not None and _is_large(content) else content


def _cut(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]


def _async_pieces(content: bytes | None) -> bytes | AsyncIterator[bytes] | None:
    return _async_cut(content) if content is not None and _is_large(content) else content


async def _async_cut(content: bytes) -> AsyncIterator[bytes]:
    for piece in _cut(content):
        yield piece


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)


class Transport:
    """Sends requests over one pool of connections."""

    def __init__(
        self, base_url: str, client: httpx.Client | None, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Use the pool of this httpx client, which stays the caller's to close; else an own one."""
        self._base_url = base_url
        self._client = client
        self._transport = transport
        self._owned = client is None
        self._closed = False
        self._lock = threading.Lock()

    def send(
        self, request: Request, timeout: Timeout, at_most: float | None = None, *, origin: str | None = None
    ) -> Answer:
        """Send a request once; to the API, unless another origin is given."""
        try:
            response = self._pool().request(
                request.method,
                (self._base_url if origin is None else origin) + request.target,
                headers=_headers(request),
                content=_pieces(request.content),
                timeout=_timeout(timeout, at_most),
                follow_redirects=False,
            )
        except _FAILURES as error:
            failure = _failure(request, error)
        else:
            return _answer(response)
        raise failure

    def close(self) -> None:
        """Close the connections."""
        self._closed = True
        if self._owned and self._client is not None:
            self._client.close()

    def _pool(self) -> httpx.Client:
        if self._closed:
            raise UnpuzzleError("the client is closed")
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = httpx.Client(
                        transport=self._transport, verify=_ssl_context(), limits=_LIMITS, cookies=_no_cookies()
                    )
        return self._client


class AsyncTransport:
    """Sends requests over one pool of connections for each event loop, as a connection belongs to its loop."""

    def __init__(
        self, base_url: str, client: httpx.AsyncClient | None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Use the pool of this httpx client, which stays the caller's to close; else own ones."""
        self._base_url = base_url
        self._client = client
        self._transport = transport
        self._closed = False
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def send(
        self, request: Request, timeout: Timeout, at_most: float | None = None, *, origin: str | None = None
    ) -> Answer:
        """Send a request once; to the API, unless another origin is given."""
        try:
            response = await self._pool().request(
                request.method,
                (self._base_url if origin is None else origin) + request.target,
                headers=_headers(request),
                content=_async_pieces(request.content),
                timeout=_timeout(timeout, at_most),
                follow_redirects=False,
            )
        except _FAILURES as error:
            failure = _failure(request, error)
        else:
            return _answer(response)
        raise failure

    async def close(self) -> None:
        """Close the connections of the running loop; those of other loops end with their loops."""
        self._closed = True
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    def _pool(self) -> httpx.AsyncClient:
        if self._closed:
            raise UnpuzzleError("the client is closed")
        if self._client is not None:
            return self._client
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = httpx.AsyncClient(
                transport=self._transport, verify=_ssl_context(), limits=_LIMITS, cookies=_no_cookies()
            )
            self._pools[loop] = pool
        return pool
