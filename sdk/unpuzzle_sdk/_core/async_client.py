"""The client for asyncio, which is imported by what runs in it: to load it takes longer than all the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakKeyDictionary

from .auth import TokenStore
from .base_client import BaseClient, ad_hoc_arguments, elsewhere
from .flow import Block, Flow, Need, Send, Shield, Sleep
from .operation import Arguments, Operation
from .options import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_MAX_RETRY_TIME,
    Options,
    choose_store,
    choose_timeout,
    default_headers,
)
from .pages import AsyncPage, AsyncPager, PageModel, check_max_items
from .response import Answer, RawResponse
from .unset import UNSET, Unset

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from .async_stream import AsyncStream
    from .events import StreamOperation
    from .middleware import AsyncMiddleware
    from .transport import AsyncTransport
    from .wire import AsyncBaseTransport, AsyncHttpClient, Timeout

T = TypeVar("T")
F = TypeVar("F")
M = TypeVar("M", bound=PageModel)


class AsyncClient(BaseClient["AsyncMiddleware"]):
    """Calls operations in asyncio."""

    def __init__(
        self,
        *,
        base_url: str | None = None,
        token: str | None = None,
        api_key: str | None = None,
        timeout: Timeout | Unset = UNSET,
        max_retries: int = DEFAULT_MAX_RETRIES,
        max_retry_time: float | None = DEFAULT_MAX_RETRY_TIME,
        http_client: AsyncHttpClient | None = None,
        transport: AsyncBaseTransport | Callable[[], AsyncBaseTransport] | None = None,
        token_store: TokenStore | None = None,
        headers: Mapping[str, str] | None = None,
        middleware: Sequence[AsyncMiddleware] = (),
    ) -> None:
        """Make a client. Nothing is sent before the first call.

        Args:
            base_url: The address of the API; by default UNPUZZLE_BASE_URL, else production.
            token: An access token; by default UNPUZZLE_TOKEN.
            api_key: An API key in its place; by default UNPUZZLE_API_KEY.
            timeout: Seconds to wait for the server in each attempt, 30 by default, unless `http_client` has limits of
                its own; None waits for ever.
            max_retries: How often to try again what is safe to repeat, 2 by default.
            max_retry_time: After how many seconds not to try again, nor to wait for another attempt; 60 by default,
                None for no limit.
            http_client: An httpx client to send with, which stays yours to close, and to renew after a fork.
            transport: An httpx transport to send over, such as one with a proxy; closed with the client. It is yours to
                renew for another event loop; a function that makes one is called for each.
            token_store: Where to keep the tokens of a session, asked for them with each request; by default in memory.
            headers: More headers for every request.
            middleware: What to put around every attempt, the outermost first; see `types.AsyncMiddleware`.
        """
        try:
            store = choose_store(token, api_key, token_store)
            options = Options(
                choose_timeout(timeout, http_client),
                max_retries,
                max_retry_time,
                headers={**default_headers(), **(headers or {})},
                middleware=tuple(middleware),
            )
        finally:
            # A traceback may show locals.
            del token, api_key, headers
        super().__init__(base_url, store, options)
        self._wire = _AsyncWire(self.base_url, http_client, transport)

    async def call(self, operation: Operation[T], arguments: Arguments) -> T:
        """Call an operation of the contract; the resources do."""
        return operation.parse(await self.answer(operation, arguments))

    def page(
        self, operation: Operation[M], items: Callable[[M], Sequence[T]], max_items: int | None, arguments: Arguments
    ) -> AsyncPager[T, M]:
        """Call a list operation of the contract when the result is awaited; the resources do."""
        check_max_items(max_items)

        async def fetch() -> AsyncPage[T, M]:
            answer = await self.answer(operation, arguments)
            return self.page_from(answer, operation, items, max_items, arguments)

        return AsyncPager(fetch, max_items)

    def stream(self, operation: StreamOperation[T, F], arguments: Arguments) -> AsyncStream[T, F]:
        """Call an operation of the contract that answers with events, when the first is asked for; the resources do."""
        from .async_stream import AsyncStream

        return AsyncStream(lambda asked: self.answer(operation, asked), operation, arguments, self._sleep)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = UNSET,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send any request, with the session, the retries and the errors of the client.

        A write is tried again only if it was never sent, or if `headers` have an `Idempotency-Key`: give one where the
        API takes it.

        Args:
            method: The HTTP method.
            path: The path, or an address that begins with `base_url`; it may have a query.
            params: The query parameters, or more of them.
            json: The body.
            content: The body, if it is not JSON.
            headers: More headers.

        Returns:
            The decoded JSON of the answer; None if it is empty.

        Raises:
            errors.UnpuzzleError: As any call.

        Example:
            ```python
            answer = await client.request("GET", "/api/v1/courses/", params={"search": "python"})
            print(answer["count"])
            ```
        """
        arguments = ad_hoc_arguments(params, json, content, headers)
        # A traceback may show locals, and a link may be signed.
        del params, json, content, headers
        try:
            operation = self.ad_hoc(method, path)
        finally:
            del path
        return await self.call(operation, arguments)

    async def answer(self, operation: Operation[Any], arguments: Arguments) -> Answer:
        """Call an operation and give its answer, unless that is an error."""
        answer = await self.exchange(operation, arguments)
        answer.raise_for_status()
        return answer

    async def exchange(self, operation: Operation[Any], arguments: Arguments) -> Answer:
        """Call an operation and give its answer, whatever it says."""
        return await self._run(self._exchange.call(operation, arguments))

    def page_from(
        self,
        answer: Answer,
        operation: Operation[M],
        items: Callable[[M], Sequence[T]],
        max_items: int | None,
        arguments: Arguments,
    ) -> AsyncPage[T, M]:
        """Make a page that can fetch the next one."""
        data = operation.parse(answer)
        page = AsyncPage(data, items(data), max_items)
        page._fetch = lambda number, left: self.page(operation, items, left, arguments.of_page(number))
        return page

    async def send_elsewhere(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Send bytes once to an address that the API has given, as one of storage; the session does not go along."""
        origin, request = elsewhere(method, url, headers, content)
        # A traceback may show locals.
        del url, headers, content
        return await self._wire.transport.send(request, self._options.timeout, origin=origin)

    async def close(self) -> None:
        """Close the connections of the running event loop.

        Example:
            ```python
            await client.system.health()
            await client.close()  # as `async with` does
            ```
        """
        await self._wire.transport.close()

    async def __aenter__(self) -> Self:
        """Give the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections of the running event loop."""
        await self.close()

    async def _run(self, flow: Flow[T]) -> T:
        try:
            need = next(flow)
            while True:
                try:
                    result = await self._do(need)
                except BaseException as error:
                    need = flow.throw(error)
                else:
                    need = flow.send(result)
        except StopIteration as end:
            value: T = end.value
            return value

    async def _do(self, need: Need) -> Any:
        import asyncio

        if isinstance(need, Send):
            return await self._send(need)
        if isinstance(need, Sleep):
            return await self._sleep(need.seconds)
        if isinstance(need, Block):
            return await (asyncio.to_thread(need.call) if need.is_short else _in_thread(need))
        return await asyncio.shield(self._shielded(need))

    async def _sleep(self, seconds: float) -> None:
        # Whatever waits to try again does it here, so that a mock need not.
        import asyncio

        await asyncio.sleep(seconds)

    async def _send(self, need: Send) -> Answer:
        transport, timeout = self._wire.transport, self._options.timeout
        if not self._options.middleware:
            return await transport.send(need.request, timeout, need.at_most)
        from .middleware import async_send_through

        return await async_send_through(
            self._options.middleware, need, lambda request: transport.send(request, timeout, need.at_most)
        )

    def _shielded(self, need: Shield) -> asyncio.Task[Any]:
        import asyncio

        # Whoever waits may be cancelled; what they wait for goes on. A refresh token that has been sent is spent,
        # so the answer must be saved, and a lock that a thread is about to get must be given back.
        running = self._wire.running.setdefault(asyncio.get_running_loop(), {})
        key = need.key or object()

        def end(task: asyncio.Task[Any]) -> None:
            del running[key]
            if not task.cancelled():
                # Seen, also if everybody who waited for it is gone: asyncio would complain.
                task.exception()

        if key not in running:
            running[key] = asyncio.create_task(self._run(need.start()))
            running[key].add_done_callback(end)
        return running[key]


async def _in_thread(need: Block) -> Any:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    # In a thread of its own: those who wait for a lock could fill the shared pool, so that its holder never goes on.
    pool = ThreadPoolExecutor(1)
    done = pool.submit(need.call)
    try:
        return await asyncio.wrap_future(done)
    except asyncio.CancelledError:
        # The end of a loop cancels everything. A lock that the thread gets thereafter would stay closed.
        if need.undo and not done.cancel():
            pool.submit(_undo, done, need.undo)
        raise
    finally:
        pool.shutdown(wait=False)


def _undo(done: Future[Any], undo: Callable[[], Any]) -> None:
    if not done.cancelled() and done.exception() is None:
        undo()


class _AsyncWire:
    """The transport and the shared tasks of all views of a client."""

    def __init__(
        self,
        base_url: str,
        http_client: AsyncHttpClient | None,
        transport: AsyncBaseTransport | Callable[[], AsyncBaseTransport] | None,
    ) -> None:
        if http_client is not None:
            from .wire import check_pool

            check_pool(http_client, transport, is_async=True)
        self._base_url = base_url
        self._http_client = http_client
        self._base_transport = transport
        self._transport: dict[int, AsyncTransport] = {}
        self.running: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, asyncio.Task[Any]]] = (
            WeakKeyDictionary()
        )

    @property
    def transport(self) -> AsyncTransport:
        if self._transport:
            return self._transport[0]
        # With the first request: importing httpx takes longer than everything else.
        from .transport import AsyncTransport

        # One for the loops of all threads: of those that two make at once, whoever is first has made it.
        return self._transport.setdefault(0, AsyncTransport(self._base_url, self._http_client, self._base_transport))


class AsyncRawCaller:
    """Calls operations for `client.raw`: the results are whole responses."""

    def __init__(self, client: AsyncClient) -> None:
        """Call with this client."""
        self._client = client

    async def call(self, operation: Operation[Any], arguments: Arguments) -> Any:
        """Call an operation of the contract; the resources do."""
        answer = await self._client.answer(operation, arguments)
        return RawResponse.of(answer, operation.parse(answer))

    def page(
        self,
        operation: Operation[Any],
        items: Callable[[Any], Sequence[Any]],
        max_items: int | None,
        arguments: Arguments,
    ) -> Any:
        """Call a list operation of the contract when the result is awaited; the resources do."""
        check_max_items(max_items)

        async def fetch() -> RawResponse[Any]:
            answer = await self._client.answer(operation, arguments)
            return RawResponse.of(answer, self._client.page_from(answer, operation, items, max_items, arguments))

        return fetch()

    def stream(self, operation: StreamOperation[Any, Any], arguments: Arguments) -> Any:
        """Call an operation of the contract that answers with events; the resources do."""

        async def begin() -> RawResponse[Any]:
            stream = await self._client.stream(operation, arguments)
            return RawResponse.of(stream.answer, stream)

        return begin()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = UNSET,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse[Any]:
        """Send any request, with the session and the retries of the client. An error answer is not raised.

        A write is tried again only if it was never sent, or if `headers` have an `Idempotency-Key`.

        Args:
            method: The HTTP method.
            path: The path, or an address that begins with `base_url`; it may have a query.
            params: The query parameters, or more of them.
            json: The body.
            content: The body, if it is not JSON.
            headers: More headers.

        Returns:
            The answer, whatever its status; `parsed` is its JSON, else its text, None if it is empty.

        Raises:
            errors.APIConnectionError: No answer came.

        Example:
            ```python
            response = await client.raw.request("GET", "/api/v1/courses/no-such-course/")
            print(response.status_code, response.parsed)
            ```
        """
        arguments = ad_hoc_arguments(params, json, content, headers)
        # As in `request` of the client.
        del params, json, content, headers
        try:
            operation = self._client.ad_hoc(method, path)
        finally:
            del path
        answer = await self._client.exchange(operation, arguments)
        return RawResponse.of(answer, answer.body)
