"""The wire: the only module that knows httpx."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeAlias
from weakref import WeakKeyDictionary

import httpx

from .errors import APIConnectionError, APITimeoutError, UnpuzzleError
from .operation import Request
from .response import Answer

HttpClient: TypeAlias = httpx.Client
AsyncHttpClient: TypeAlias = httpx.AsyncClient
Timeout: TypeAlias = float | httpx.Timeout | None

# A server that does not accept within this time is not there; answers may take longer.
_CONNECT_TIMEOUT = 5.0
_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30.0)


@cache
def _ssl_context() -> ssl.SSLContext:
    # Loading the certificates takes 20 ms: once for all clients.
    return httpx.create_ssl_context()


def _no_cookies() -> CookieJar:
    # The session is in the tokens. Cookies beside them could outlive a sign-out, or meet another account's token.
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def _timeout(timeout: Timeout) -> httpx.Timeout:
    if isinstance(timeout, httpx.Timeout):
        return timeout
    return httpx.Timeout(timeout, connect=None if timeout is None else min(timeout, _CONNECT_TIMEOUT))


@contextmanager
def _translated(request: Request) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise APITimeoutError(f"{request.method} {request.path}: no answer in time ({_reason(error)})") from error
    except httpx.RequestError as error:
        raise APIConnectionError(f"{request.method} {request.path}: {_reason(error)}") from error


def _reason(error: httpx.RequestError) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)


class Transport:
    """Sends requests over one pool of connections."""

    def __init__(self, base_url: str, client: httpx.Client | None) -> None:
        """Use the pool of this httpx client, which stays the caller's to close; else an own one."""
        self._base_url = base_url
        self._client = client
        self._owned = client is None
        self._closed = False
        self._lock = threading.Lock()

    def send(self, request: Request, timeout: Timeout) -> Answer:
        """Send a request once."""
        with _translated(request):
            response = self._pool().request(
                request.method,
                self._base_url + request.target,
                headers=dict(request.headers),
                content=request.content,
                timeout=_timeout(timeout),
                follow_redirects=False,
            )
        return _answer(response)

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
                    self._client = httpx.Client(verify=_ssl_context(), limits=_LIMITS, cookies=_no_cookies())
        return self._client


class AsyncTransport:
    """Sends requests over one pool of connections for each event loop, as a connection belongs to its loop."""

    def __init__(self, base_url: str, client: httpx.AsyncClient | None) -> None:
        """Use the pool of this httpx client, which stays the caller's to close; else own ones."""
        self._base_url = base_url
        self._client = client
        self._closed = False
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def send(self, request: Request, timeout: Timeout) -> Answer:
        """Send a request once."""
        with _translated(request):
            response = await self._pool().request(
                request.method,
                self._base_url + request.target,
                headers=dict(request.headers),
                content=request.content,
                timeout=_timeout(timeout),
                follow_redirects=False,
            )
        return _answer(response)

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
            pool = httpx.AsyncClient(verify=_ssl_context(), limits=_LIMITS, cookies=_no_cookies())
            self._pools[loop] = pool
        return pool
