"""The pools of connections that requests are sent over."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from weakref import WeakKeyDictionary

import httpx

from .errors import UnpuzzleError
from .forks import forgets_after_fork
from .operation import Request
from .response import Answer
from .wire import (
    FAILURES,
    AsyncChunks,
    AsyncPool,
    Chunks,
    Pool,
    Timeout,
    answer_of,
    built,
    failure_of,
    is_stream,
    own_pool,
    transport_of,
)


class Transport:
    """Sends requests over one pool of connections."""

    def __init__(
        self,
        base_url: str,
        client: httpx.Client | None,
        transport: httpx.BaseTransport | Callable[[], httpx.BaseTransport] | None = None,
    ) -> None:
        """Use the pool of this httpx client, which stays the caller's to close; else an own one."""
        self._base_url = base_url
        self._given = client
        self._transport = transport
        self._closed = False
        self._after_fork()
        forgets_after_fork(self)

    def _after_fork(self) -> None:
        """Begin without connections: those of the parent process are the parent's."""
        self._client = self._given
        self._lock = threading.Lock()

    def send(
        self, request: Request, timeout: Timeout, at_most: float | None = None, *, origin: str | None = None
    ) -> Answer:
        """Send a request once; to the API, unless another origin is given."""
        try:
            return self._sent(self._base_url if origin is None else origin, request, timeout, at_most)
        except FAILURES as error:
            failure = failure_of(request, error)
        raise failure

    def _sent(self, origin: str, request: Request, timeout: Timeout, at_most: float | None) -> Answer:
        pool = self._pool()
        sent = built(pool, origin + request.target, request, timeout, at_most)
        response = pool.send(sent, stream=request.streams, follow_redirects=False)
        if not request.streams:
            return answer_of(response)
        if is_stream(response):
            return answer_of(response, Chunks(request, response))
        with contextlib.closing(response):
            response.read()
            return answer_of(response)

    def close(self) -> None:
        """Close the connections."""
        self._closed = True
        if self._given is None and self._client is not None:
            self._client.close()

    def _pool(self) -> httpx.Client:
        if self._closed:
            raise UnpuzzleError("the client is closed")
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = own_pool(Pool, transport_of(self._transport))
        if self._client.is_closed:
            raise UnpuzzleError("the http_client is closed")
        return self._client


class AsyncTransport:
    """Sends requests over one pool of connections for each event loop, as a connection belongs to its loop."""

    def __init__(
        self,
        base_url: str,
        client: httpx.AsyncClient | None,
        transport: httpx.AsyncBaseTransport | Callable[[], httpx.AsyncBaseTransport] | None = None,
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
            return await self._sent(self._base_url if origin is None else origin, request, timeout, at_most)
        except FAILURES as error:
            failure = failure_of(request, error)
        raise failure

    async def _sent(self, origin: str, request: Request, timeout: Timeout, at_most: float | None) -> Answer:
        pool = self._pool()
        sent = built(pool, origin + request.target, request, timeout, at_most)
        response = await pool.send(sent, stream=request.streams, follow_redirects=False)
        if not request.streams:
            return answer_of(response)
        if is_stream(response):
            return answer_of(response, AsyncChunks(request, response))
        async with contextlib.aclosing(response):
            await response.aread()
            return answer_of(response)

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
            if self._client.is_closed:
                raise UnpuzzleError("the http_client is closed")
            return self._client
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            pool = own_pool(AsyncPool, transport_of(self._transport))
            self._pools[loop] = pool
        return pool
