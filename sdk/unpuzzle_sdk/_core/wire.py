"""How requests and answers look to httpx, which this module and `transport` alone know."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any, TypeAlias, TypeVar

import httpx

from .errors import APIConnectionError, APITimeoutError, InvalidRequestError, UnpuzzleError
from .headers import canonical
from .log import hide_secrets_from_libraries
from .operation import Request
from .response import Answer

HttpClient: TypeAlias = httpx.Client
AsyncHttpClient: TypeAlias = httpx.AsyncClient
BaseTransport: TypeAlias = httpx.BaseTransport
AsyncBaseTransport: TypeAlias = httpx.AsyncBaseTransport
Timeout: TypeAlias = float | httpx.Timeout | None
P = TypeVar("P", "Pool", "AsyncPool")

# How long a body is, whoever sends it knows; what the caller says of it could only be wrong.
_OF_THE_BODY = ("Content-Length", "Transfer-Encoding")
_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30.0)

# The API sends something every 15 seconds; a stream that is silent for longer than this is dead.
_SILENCE = 45.0
# Whoever gives a time of their own can't mean a shorter one.
_SHORTEST_SILENCE = 20.0
# A server that does not accept within this time is not there; answers may take longer.
_CONNECT_TIMEOUT = 5.0

_PIECE = 128 * 1024

# A proxy that leads nowhere has seen no request yet: it was asked for a tunnel.
_UNCONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# A host name or a header that can't be encoded is a UnicodeError.
_MALFORMED = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError)
FAILURES = (httpx.RequestError, *_MALFORMED)

hide_secrets_from_libraries()


@cache
def _ssl_context() -> ssl.SSLContext:
    """Give the one context of all clients: loading the certificates takes 20 ms."""
    return httpx.create_ssl_context()


class _NoCookies(httpx.Cookies):
    """Keeps none.

    The session is in the tokens. Cookies beside them could outlive a sign-out, or meet another account's token.
    """

    def extract_cookies(self, response: httpx.Response) -> None:
        """Leave them where they are."""


class Pool(httpx.Client):
    """The SDK's own pool. It has no settings to merge into requests, which takes httpx a fifth of its time."""

    cookies = _NoCookies()  # type: ignore[override]
    is_shared = False
    """Whether it sends over a transport that others may send over too."""

    def __init__(self, transport: httpx.BaseTransport | None) -> None:
        """Send over this transport, if there is one."""
        self._process = os.getpid()
        super().__init__(transport=transport, verify=_ssl_context(), limits=_LIMITS)
        self.hop_headers = _hop_headers(self)

    def __del__(self) -> None:
        """Close what was let go without being closed; a forked process leaves what its parent has alone."""
        try:
            if not self.is_shared and self._process == os.getpid():
                self.close()
        except Exception:
            # At the end of a program even `os` and `contextlib` may be gone before this is.
            return


class AsyncPool(httpx.AsyncClient):
    """The SDK's own pool of an event loop, as above."""

    cookies = _NoCookies()  # type: ignore[override]
    is_shared = False

    def __init__(self, transport: httpx.AsyncBaseTransport | None) -> None:
        """Send over this transport, if there is one."""
        super().__init__(transport=transport, verify=_ssl_context(), limits=_LIMITS)
        self.hop_headers = _hop_headers(self)


def check_pool(http_client: object, transport: object, *, is_async: bool) -> None:
    """Refuse a client of the caller's that can't be sent with."""
    if transport is not None:
        raise ValueError("give an http_client or a transport, not both")
    kind = AsyncHttpClient if is_async else HttpClient
    if not isinstance(http_client, kind):
        raise TypeError(f"http_client must be an httpx.{kind.__name__}, not {type(http_client).__name__}")


def own_pool(kind: type[P], given: Any) -> P:
    """Make a pool of the SDK's own, over a transport of the caller's, or that a function of theirs makes."""
    is_made = isinstance(given, (BaseTransport, AsyncBaseTransport))
    transport: Any = given if is_made or given is None else given()
    try:
        pool = kind(transport)
        pool.is_shared = is_made
        return pool
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
    # Outside the handler, as in `failure_of`: the address of a proxy may hold a password.
    named = "a proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) or certificates (SSL_CERT_FILE, SSL_CERT_DIR)"
    raise UnpuzzleError(f"the environment names {named} that can't be used ({reason})")


def built(
    pool: httpx.Client | httpx.AsyncClient, url: str, request: Request, timeout: Timeout, at_most: float | None
) -> httpx.Request:
    """Build what a pool sends; a client that the caller has made adds its own headers, parameters and cookies."""
    is_async = isinstance(pool, httpx.AsyncClient)
    headers: dict[str, str] = dict(request.headers)
    for name in _OF_THE_BODY:
        headers.pop(name, None)
    content: Any = request.content
    if content is not None and len(content) > _PIECE:
        # What sends it would copy the whole of it, more than once.
        headers["Content-Length"] = str(len(content))
        content = _async_pieces(content) if is_async else _pieces(content)
    extensions = {"timeout": _limits(timeout, at_most, streams=request.streams)}
    if isinstance(pool, (Pool, AsyncPool)):
        headers = {**pool.hop_headers, **headers}
        return httpx.Request(request.method, url, headers=headers, content=content, extensions=extensions)
    return pool.build_request(request.method, url, headers=headers, content=content, extensions=extensions)


def _hop_headers(pool: httpx.Client | httpx.AsyncClient) -> dict[str, str]:
    # What httpx can decode, and that the connection stays; its other headers are about itself.
    return canonical({name: pool.headers[name] for name in ("accept-encoding", "connection")})


def _limits(timeout: Timeout, at_most: float | None, *, streams: bool) -> dict[str, float | None]:
    """Give how long each phase of an attempt may take."""
    limits: dict[str, float | None]
    if isinstance(timeout, httpx.Timeout):
        limits = dict(timeout.as_dict())
    else:
        connect = None if timeout is None else min(timeout, _CONNECT_TIMEOUT)
        limits = {"connect": connect, "read": timeout, "write": timeout, "pool": timeout}
    if at_most is not None:
        limits = {phase: at_most if limit is None else min(limit, at_most) for phase, limit in limits.items()}
    return {**limits, "read": _silence(timeout)} if streams else limits


def _silence(timeout: Timeout) -> float | None:
    """Give how long a stream may be silent: `timeout` is about whole answers, unless it says what reading may take."""
    if not isinstance(timeout, httpx.Timeout):
        return _SILENCE
    return None if timeout.read is None else max(timeout.read, _SHORTEST_SILENCE)


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]


async def _async_pieces(content: bytes) -> AsyncIterator[bytes]:
    for piece in _pieces(content):
        yield piece


def answer_of(response: httpx.Response, chunks: Any = None) -> Answer:
    """Give what came, with the pieces to come if it is a stream."""
    # Not `dict(response.headers)`, which goes through all of them for each.
    headers = dict(response.headers.items())
    return Answer(response.status_code, headers, b"" if chunks else response.content, chunks)


def is_stream(response: httpx.Response) -> bool:
    """Tell whether an answer comes event by event."""
    return response.is_success and response.headers.get("content-type", "").startswith("text/event-stream")


def failure_of(request: Request, error: Exception) -> APIConnectionError:
    """Make our exception of one of `FAILURES`.

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


class Chunks:
    """The pieces of a stream. The connection is free again when they are closed."""

    def __init__(self, request: Request, response: httpx.Response) -> None:
        """Read this response."""
        self._request = request
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Give the pieces as they come."""
        try:
            yield from self._response.iter_bytes()
        except FAILURES as error:
            failure = failure_of(self._request, error)
        else:
            return
        raise failure

    def close(self) -> None:
        """End the response."""
        self._response.close()


class AsyncChunks:
    """The pieces of a stream. The connection is free again when they are closed."""

    def __init__(self, request: Request, response: httpx.Response) -> None:
        """Read this response."""
        self._request = request
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces as they come."""
        try:
            async for chunk in self._response.aiter_bytes():
                yield chunk
        except FAILURES as error:
            failure = failure_of(self._request, error)
        else:
            return
        raise failure

    async def close(self) -> None:
        """End the response."""
        await self._response.aclose()
