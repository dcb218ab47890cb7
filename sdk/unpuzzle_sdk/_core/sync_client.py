"""The client for plain programs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .auth import TokenStore
from .base_client import BaseClient, ad_hoc_arguments, elsewhere
from .flow import Block, Flow, Need, Send, Sleep
from .forks import forgets_after_fork
from .operation import Arguments, Operation
from .options import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_MAX_RETRY_TIME,
    Options,
    choose_store,
    choose_timeout,
    default_headers,
)
from .pages import Page, PageModel, check_max_items
from .response import Answer, RawResponse
from .unset import UNSET, Unset

if TYPE_CHECKING:
    from .events import StreamOperation
    from .middleware import Middleware
    from .sync_stream import Stream
    from .transport import Transport
    from .wire import BaseTransport, HttpClient, Timeout

T = TypeVar("T")
F = TypeVar("F")
M = TypeVar("M", bound=PageModel)


class SyncClient(BaseClient["Middleware"]):
    """Calls operations and waits for the answers."""

    def __init__(
        self,
        *,
        base_url: str | None = None,
        token: str | None = None,
        api_key: str | None = None,
        timeout: Timeout | Unset = UNSET,
        max_retries: int = DEFAULT_MAX_RETRIES,
        max_retry_time: float | None = DEFAULT_MAX_RETRY_TIME,
        http_client: HttpClient | None = None,
        transport: BaseTransport | Callable[[], BaseTransport] | None = None,
        token_store: TokenStore | None = None,
        headers: Mapping[str, str] | None = None,
        middleware: Sequence[Middleware] = (),
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
                renew after a fork; a function that makes one is called in each process.
            token_store: Where to keep the tokens of a session, asked for them with each request; by default in memory.
            headers: More headers for every request.
            middleware: What to put around every attempt, the outermost first; see `types.Middleware`.
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
        self._wire = _Wire(self.base_url, http_client, transport)

    def call(self, operation: Operation[T], arguments: Arguments) -> T:
        """Call an operation of the contract; the resources do."""
        return operation.parse(self.answer(operation, arguments))

    def page(
        self, operation: Operation[M], items: Callable[[M], Sequence[T]], max_items: int | None, arguments: Arguments
    ) -> Page[T, M]:
        """Call a list operation of the contract; the resources do."""
        check_max_items(max_items)
        return self.page_from(self.answer(operation, arguments), operation, items, max_items, arguments)

    def stream(self, operation: StreamOperation[T, F], arguments: Arguments) -> Stream[T, F]:
        """Call an operation of the contract that answers with events, when the first is asked for; the resources do."""
        from .sync_stream import Stream

        return Stream(lambda asked: self.answer(operation, asked), operation, arguments, self._sleep)

    def request(
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
            answer = client.request("GET", "/api/v1/courses/", params={"search": "python"})
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
        return self.call(operation, arguments)

    def answer(self, operation: Operation[Any], arguments: Arguments) -> Answer:
        """Call an operation and give its answer, unless that is an error."""
        answer = self.exchange(operation, arguments)
        answer.raise_for_status()
        return answer

    def exchange(self, operation: Operation[Any], arguments: Arguments) -> Answer:
        """Call an operation and give its answer, whatever it says."""
        return self._run(self._exchange.call(operation, arguments))

    def page_from(
        self,
        answer: Answer,
        operation: Operation[M],
        items: Callable[[M], Sequence[T]],
        max_items: int | None,
        arguments: Arguments,
    ) -> Page[T, M]:
        """Make a page that can fetch the next one."""
        data = operation.parse(answer)
        page = Page(data, items(data), max_items)
        page._fetch = lambda number, left: self.page(operation, items, left, arguments.of_page(number))
        return page

    def send_elsewhere(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Answer:
        """Send bytes once to an address that the API has given, as one of storage; the session does not go along."""
        origin, request = elsewhere(method, url, headers, content)
        # A traceback may show locals.
        del url, headers, content
        return self._wire.transport.send(request, self._options.timeout, origin=origin)

    def close(self) -> None:
        """Close the connections.

        Example:
            ```python
            client.system.health()
            client.close()  # as `with` does
            ```
        """
        self._wire.close()

    def __enter__(self) -> Self:
        """Give the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def _run(self, flow: Flow[T]) -> T:
        try:
            need = next(flow)
            while True:
                try:
                    result = self._do(need)
                except BaseException as error:
                    need = flow.throw(error)
                else:
                    need = flow.send(result)
        except StopIteration as end:
            value: T = end.value
            return value

    def _do(self, need: Need) -> Any:
        if isinstance(need, Send):
            return self._send(need)
        if isinstance(need, Sleep):
            return self._sleep(need.seconds)
        if isinstance(need, Block):
            return need.call()
        # Threads exclude each other by the lock of the token store, which the flow takes.
        return self._run(need.start())

    def _sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        # Whatever waits to try again does it here, so that a mock need not.
        if stop is None:
            time.sleep(seconds)
        else:
            stop.wait(seconds)

    def _send(self, need: Send) -> Answer:
        transport, timeout = self._wire.transport, self._options.timeout
        if not self._options.middleware:
            return transport.send(need.request, timeout, need.at_most)
        from .middleware import send_through

        return send_through(
            self._options.middleware, need, lambda request: transport.send(request, timeout, need.at_most)
        )


class _Wire:
    """The transport, made with the first request: importing httpx takes longer than everything else."""

    def __init__(
        self,
        base_url: str,
        http_client: HttpClient | None,
        transport: BaseTransport | Callable[[], BaseTransport] | None,
    ) -> None:
        if http_client is not None:
            from .wire import check_pool

            check_pool(http_client, transport, is_async=False)
        self._base_url = base_url
        self._http_client = http_client
        self._base_transport = transport
        self._transport: Transport | None = None
        self._after_fork()
        forgets_after_fork(self)

    def _after_fork(self) -> None:
        """Open the lock, in a child process."""
        self._lock = threading.Lock()

    @property
    def transport(self) -> Transport:
        if self._transport is None:
            with self._lock:
                if self._transport is None:
                    from .transport import Transport

                    self._transport = Transport(self._base_url, self._http_client, self._base_transport)
        return self._transport

    def close(self) -> None:
        self.transport.close()


class RawCaller:
    """Calls operations for `client.raw`: the results are whole responses."""

    def __init__(self, client: SyncClient) -> None:
        """Call with this client."""
        self._client = client

    def call(self, operation: Operation[Any], arguments: Arguments) -> Any:
        """Call an operation of the contract; the resources do."""
        answer = self._client.answer(operation, arguments)
        return RawResponse.of(answer, operation.parse(answer))

    def page(
        self,
        operation: Operation[Any],
        items: Callable[[Any], Sequence[Any]],
        max_items: int | None,
        arguments: Arguments,
    ) -> Any:
        """Call a list operation of the contract; the resources do."""
        check_max_items(max_items)
        answer = self._client.answer(operation, arguments)
        return RawResponse.of(answer, self._client.page_from(answer, operation, items, max_items, arguments))

    def stream(self, operation: StreamOperation[Any, Any], arguments: Arguments) -> Any:
        """Call an operation of the contract that answers with events; the resources do."""
        stream = self._client.stream(operation, arguments).open()
        return RawResponse.of(stream.answer, stream)

    def request(
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
            response = client.raw.request("GET", "/api/v1/courses/no-such-course/")
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
        answer = self._client.exchange(operation, arguments)
        return RawResponse.of(answer, answer.body)
