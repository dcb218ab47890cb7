"""A mock of the API: real clients over a transport in memory that answers what the contract documents."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from .. import AsyncUnpuzzle, Unpuzzle
from .._core.codec import to_json
from .._core.unset import UNSET
from .._spec import BASE_URL
from ._answers import Answers, lost
from ._assertions import check_called
from ._checks import refused
from ._contract import contract
from ._failures import Failure, Failures, What, act_of
from ._idempotency import Idempotency
from ._names import OperationName
from ._replies import Route
from ._requests import RecordedRequest, recorded

TOKEN = "a-token-of-the-mock"  # noqa: S105 - nobody's


class MockUnpuzzle:
    """An Unpuzzle API in memory, for tests of what calls it.

    Attributes:
        requests: What clients have asked, each attempt of a call for itself.
        waits: The seconds that clients would have slept before they tried again.
        transport: An httpx transport of either kind, for a client of your own.

    Example:
        ```python
        from unpuzzle_sdk.testing import MockUnpuzzle

        with MockUnpuzzle() as mock:
            mock.on("courses.get").reply(title="Mine")
            assert mock.client().courses.get("any-course").title == "Mine"
            mock.assert_called("courses.get", times=1)
        ```
    """

    def __init__(self, *, strict: bool = True, sleep: bool = False) -> None:
        """Make a mock. Every operation answers its documented example.

        Args:
            strict: Whether to refuse what the API would: bodies, parameters and paths that the contract does not
                allow, and operations that need somebody to be signed in.
            sleep: Whether clients really sleep before they try again.
        """
        self.requests: list[RecordedRequest] = []
        self.waits: list[float] = []
        self.transport: httpx.MockTransport = httpx.MockTransport(self._answer)
        self._strict = strict
        self._sleeps = sleep
        self._answers = Answers()
        self._failures = Failures()
        self._idempotency = Idempotency(self._answers)
        self._routes: list[Route] = []
        self._bases: set[str] = set()

    def client(self, **options: Any) -> Unpuzzle:
        """Give a client of the mock, who is signed in unless there is a `token`, an `api_key` or a `token_store`.

        Args:
            options: What `Unpuzzle` takes.

        Returns:
            A real client, whose requests go to the mock.

        Example:
            ```python
            client = mock.client(max_retries=0)
            print(client.system.health().status)
            ```
        """
        from ._clients import MockedUnpuzzle

        return MockedUnpuzzle(self._wait, **self._options(options))

    def async_client(self, **options: Any) -> AsyncUnpuzzle:
        """Give a client of the mock, who is signed in unless there is a `token`, an `api_key` or a `token_store`.

        Args:
            options: What `AsyncUnpuzzle` takes.

        Returns:
            A real client, whose requests go to the mock.

        Example:
            ```python
            client = mock.async_client(max_retries=0)
            print((await client.system.health()).status)
            ```
        """
        from ._clients import MockedAsyncUnpuzzle

        return MockedAsyncUnpuzzle(self._async_wait, **self._options(options))

    def fail_next(
        self,
        what: What,
        *,
        times: int = 1,
        operation: OperationName | None = None,
        message: str | None = None,
        retry_after: float | None = None,
        **about: Any,
    ) -> None:
        """Let the next request fail; clients try again as they would.

        Args:
            what: A status, an error code such as `COURSE_NOT_FOUND`, or an exception: one of `errors`, ConnectionError
                for a server that is not there, ConnectionResetError for a connection that is lost, TimeoutError for
                a server that does not answer, or one of httpx.
            times: How many requests fail.
            operation: Only those of this operation, such as `courses.get`.
            message: What the error says.
            retry_after: In how many seconds the API wants to be asked again.
            about: What else the error tells, such as `decline_code`.

        Example:
            ```python
            mock.fail_next(503, times=2, retry_after=1)
            print(mock.client().system.health().status)  # the third attempt
            assert mock.waits[0] >= 1
            ```
        """
        act = act_of(self._answers, what, message=message, retry_after=retry_after, about=about)
        self._failures.add(Failure(f"fail_next({what!r})", act, times, operation or ""))

    def lose_next_answer(self, *, times: int = 1, operation: OperationName | None = None) -> None:
        """Let the next request be carried out, and lose the connection before its answer.

        Args:
            times: How many answers get lost.
            operation: Only those of this operation.

        Example:
            ```python
            mock.lose_next_answer(operation="courses.create")
            mock.client().courses.create(title="Advanced React")
            first, second = mock.calls("courses.create")
            assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
            ```
        """
        self._failures.add(Failure("lose_next_answer()", lost, times, operation or "", after=True))

    def on(self, operation: OperationName, **where: Any) -> Route:
        """Say what an operation answers: `mock.on("courses.get").reply(title="Mine")`.

        Args:
            operation: The operation, such as `courses.get`.
            where: Parameters of the path or the query: it holds for requests that have these.

        Returns:
            What says the answers; the same for the same requests.

        Raises:
            ValueError: The contract has no such operation, or the operation no such parameter.

        Example:
            ```python
            mock.on("courses.get", course_id="mine").reply(title="Mine")
            assert mock.client().courses.get("mine").title == "Mine"
            ```
        """
        new = Route(self._answers, contract().operation(operation), where, strict=self._strict)
        route = next((known for known in self._routes if known.about == new.about), new)
        self._routes = [route, *(known for known in self._routes if known is not route)]
        # The more it says of a request, the sooner it is asked; of those that say as much, the latest.
        self._routes.sort(key=lambda item: -len(item.where))
        return route

    def calls(self, operation: OperationName) -> list[RecordedRequest]:
        """Give the requests of an operation.

        Returns:
            The requests, the first first; each attempt of a call is one.

        Example:
            ```python
            mock.client().courses.create(title="Advanced React")
            (request,) = mock.calls("courses.create")
            assert request.json == {"title": "Advanced React"}
            ```
        """
        name = contract().operation(operation).id
        return [request for request in self.requests if request.operation == name]

    def assert_called(
        self, operation: OperationName, *, times: int | None = None, json: Any = UNSET, **parameters: Any
    ) -> None:
        """Fail unless an operation was asked for.

        Args:
            operation: The operation, such as `courses.create`.
            times: How often exactly; each attempt of a call counts. At least once if absent.
            json: The whole body.
            parameters: Parameters of the path or the query.

        Raises:
            AssertionError: It was not, or otherwise: with what was asked instead.
            ValueError: The contract has no such operation, or the operation no such parameter.

        Example:
            ```python
            mock.client().courses.create(title="Advanced React")
            mock.assert_called("courses.create", times=1, json={"title": "Advanced React"})
            ```
        """
        known = contract().operation(operation)
        known.check_parameters(parameters)
        check_called(known.id, self.requests, times, json if json is UNSET else to_json(json), parameters)

    def reset(self) -> None:
        """Forget what was asked, and what was to be answered and to go wrong.

        Example:
            ```python
            mock.client().system.health()
            mock.reset()
            assert mock.requests == []
            ```
        """
        self.requests.clear()
        self.waits.clear()
        self._routes.clear()
        self._failures.clear()
        self._answers.clear()
        self._idempotency.clear()

    def __enter__(self) -> Self:
        """Give the mock."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Fail a test that has passed although something that was to go wrong never did."""
        left = [*self._failures.left(), *(name for route in self._routes for name in route.left)]
        if left and kind is None:
            raise AssertionError(f"{', '.join(left)} never came to be: no such request was sent")

    def _options(self, options: dict[str, Any]) -> dict[str, Any]:
        signed_in = options.keys() & {"token", "api_key", "token_store"}
        usual = {"base_url": BASE_URL, "transport": self.transport, **({} if signed_in else {"token": TOKEN})}
        chosen = {**usual, **options}
        self._bases.add(urlsplit(chosen["base_url"] or "").path.rstrip("/"))
        return chosen

    def _answer(self, sent: httpx.Request) -> httpx.Response:
        request = recorded(sent, sorted(self._bases, reverse=True))
        self.requests.append(request)
        response = self._outcome(request)
        request.status = response.status_code
        return response

    def _outcome(self, request: RecordedRequest) -> httpx.Response:
        failure = self._failures.take(request)
        if failure and not failure.after:
            return failure.act()
        response = self._response(request)
        return failure.act() if failure else response

    def _response(self, request: RecordedRequest) -> httpx.Response:
        refusal = refused(self._answers, request) if self._strict or not request.known else None
        if refusal:
            return refusal
        response = self._idempotency.answer(request, self._reply)
        return self._answers.unchanged(request, response) or response

    def _reply(self, request: RecordedRequest) -> httpx.Response:
        assert request.known is not None  # noqa: S101 - else it was refused
        for route in self._routes:
            if reply := route.take(request):
                return reply(request)
        return self._answers.usual(request, request.known)

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self._sleeps:
            time.sleep(seconds)

    async def _async_wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(seconds if self._sleeps else 0)
