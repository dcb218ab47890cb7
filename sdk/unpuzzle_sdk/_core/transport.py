"""The pools of connections that requests are sent over."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import AsyncGenerator, Callable

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
                    self._client = own_pool(Pool, self._transport)
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
        self._pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Opened] = weakref.WeakKeyDictionary()

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
        pool = await self._pool()
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
        opened = self._pools.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            await opened.close()

    async def _pool(self) -> httpx.AsyncClient:
        if self._closed:
            raise UnpuzzleError("the client is closed")
        if self._client is not None:
            if self._client.is_closed:
                raise UnpuzzleError("the http_client is closed")
            return self._client
        loop = asyncio.get_running_loop()
        opened = self._pools.get(loop)
        if opened is None:
            opened = self._pools[loop] = _Opened(own_pool(AsyncPool, self._transport), self, loop)
            await opened.begin()
        return opened.pool


class _Opened:
    """The pool of an event loop: closed with the loop, or once nobody has its client any more."""

    def __init__(self, pool: AsyncPool, owner: AsyncTransport, loop: asyncio.AbstractEventLoop) -> None:
        self.pool = pool
        self._pools, self._loop = owner._pools, loop
        # What a loop closes at its end are the asynchronous generators that were begun in it, and nothing else.
        self._until_the_end = self._held()
        self._let_go = weakref.finalize(owner, self._close_soon)
        self._let_go.atexit = False
        if pool.is_shared:
            self._let_go.detach()

    async def begin(self) -> None:
        await anext(self._until_the_end)

    async def close(self) -> None:
        await self._until_the_end.aclose()

    async def _held(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._let_go.detach()
            self._pools.pop(self._loop, None)
            await self.pool.aclose()

    def _close_soon(self) -> None:
        # In whichever thread; a loop that is closed has closed this.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._begin_to_close)

    def _begin_to_close(self) -> None:
        self._closing = self._loop.create_task(self.close())
