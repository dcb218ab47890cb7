"""What a test wants an operation to answer in the place of its example."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from inspect import iscoroutinefunction
from typing import Any, Self

import httpx
from attrs import define

from .._core.codec import to_json
from .._core.errors import APIStatusError
from ._answers import Answers, example, page, wants_events
from ._assertions import as_sent
from ._contract import Operation, contract
from ._failures import What, act_of
from ._requests import RecordedRequest
from ._rules import Rules

Reply = Callable[[RecordedRequest], httpx.Response]


class ImpossibleReply(ValueError):
    """A test wants an answer that the API never gives.

    Example:
        ```python
        from unpuzzle_sdk.testing import ImpossibleReply

        try:
            mock.on("courses.get").reply(rating="good")
        except ImpossibleReply as error:
            print(error)  # it is a number
        ```
    """


@cache
def _answered() -> Rules:
    return Rules(contract().schemas, closed=True)


@define
class _Waiting:
    reply: Reply
    times: int | None
    streams: bool | None
    """Whether it is for those who want events; None for everybody."""
    failure: str = ""
    """How a test has asked for what goes wrong; empty for a reply."""


class Route:
    """What a mock answers to one operation, or to those of its requests that have some parameters.

    Replies with `times` come first, in their order, and then the one without. When none is left, the example does.

    Example:
        ```python
        mock.on("courses.get").fail(503, times=1).reply(title="Mine", times=1)
        course = mock.client(max_retries=1).courses.get("any-course")
        assert course.title == "Mine"
        ```
    """

    def __init__(self, answers: Answers, operation: Operation, where: Mapping[str, Any], *, strict: bool) -> None:
        """Begin without a reply; `where` are the parameters that a request must have."""
        operation.check_parameters(where)
        self._answers = answers
        self._operation = operation
        self._where = {name: as_sent(value) for name, value in where.items()}
        self._strict = strict
        self._waiting: list[_Waiting] = []
        self._lock = threading.Lock()

    @property
    def about(self) -> tuple[str, Mapping[str, str]]:
        """The operation, and the parameters that a request must have."""
        return self._operation.id, self._where

    @property
    def where(self) -> Mapping[str, str]:
        """The parameters that a request must have."""
        return self._where

    def reply(
        self, value: Any = None, /, *, status_code: int | None = None, times: int | None = None, **fields: Any
    ) -> Self:
        """Answer this.

        Args:
            value: A model or bytes as the whole answer, or a dict of what to change in the example.
            status_code: The status, where the operation has more than one.
            times: How often; for ever if absent.
            fields: The same as keyword arguments. An object in the example is changed field by field.

        Returns:
            This route, for what comes after.

        Raises:
            ImpossibleReply: The API never answers this.

        Example:
            ```python
            mock.on("courses.get").reply(title="Mine", price=0)
            assert mock.client().courses.get("any-course").price == 0
            ```
        """
        status = self._operation.usual if status_code is None else status_code
        if status not in self._operation.answers:
            raise ImpossibleReply(f"{self._operation.id} answers {[*self._operation.answers]}, never {status}")
        if self._operation.stream and not self._operation.stream["flag"]:
            raise ImpossibleReply(f"{self._operation.id} answers with events: say them by reply_events")
        made = self._made(value, fields, status)
        return self._add(lambda _: self._answers.value(self._operation, made, status), times, streams=False)

    def reply_with(self, answer: Callable[[RecordedRequest], Any], *, times: int | None = None) -> Self:
        """Answer what a function makes of a request.

        It may give what `reply` takes, None for the example, or an `httpx.Response`, which is not checked, and raise
        one of `errors`.

        Raises:
            TypeError: The function is asynchronous: the mock is not.

        Example:
            ```python
            mock.on("courses.get").reply_with(
                lambda request: {"slug": request.path_params["course_id"]}
            )
            assert mock.client().courses.get("mine").slug == "mine"
            ```
        """
        if iscoroutinefunction(answer):
            raise TypeError(
                "reply_with takes a plain function: the mock answers clients of both kinds, and awaits none"
            )
        return self._add(partial(self._asked, answer), times)

    def reply_pages(self, items: Iterable[Any], *, times: int | None = None) -> Self:
        """Answer a list with these items, in pages of the size that is asked for.

        Args:
            items: Models, or what to change in the example of an item.
            times: How often; for ever if absent.

        Returns:
            This route, for what comes after.

        Raises:
            ImpossibleReply: The operation is no list, or never has such items.

        Example:
            ```python
            mock.on("courses.list").reply_pages([{"title": f"Course {number}"} for number in range(45)])
            assert len(list(mock.client().courses.list(page_size=20))) == 45
            ```
        """
        name, envelope = self._operation.items, example(self._operation)
        if not name:
            raise ImpossibleReply(f"{self._operation.id} is no list")
        found = [_laid(envelope[name][0], item) for item in items]
        self._check({**envelope, name: found}, self._operation.usual)
        return self._add(
            lambda request: self._answers.value(self._operation, page(request, self._operation, envelope, found)), times
        )

    def reply_events(self, told: Iterable[tuple[str, Any]], *, times: int | None = None, broken: bool = False) -> Self:
        """Answer a stream of events.

        Args:
            told: The name of each event, and a model, or what to change in its example.
            times: How often; for ever if absent.
            broken: Whether the connection is lost after them. Give `times`, else a client comes back for ever.

        Returns:
            This route, for what comes after.

        Raises:
            ImpossibleReply: The operation streams nothing, or no such events.

        Example:
            ```python
            mock.on("notifications.stream").reply_events([("notification", {"title": "Welcome"})])
            for event in mock.client().notifications.stream():
                assert event.data.title == "Welcome"
                break
            ```
        """
        events = self._operation.stream.get("events")
        if not events:
            raise ImpossibleReply(f"{self._operation.id} streams no events")
        made = [(name, self._event(events, name, value)) for name, value in told]
        return self._add(
            lambda request: self._answers.events(request, self._operation, made, broken=broken), times, streams=True
        )

    def fail(
        self,
        what: What,
        *,
        times: int | None = None,
        message: str | None = None,
        retry_after: float | None = None,
        **about: Any,
    ) -> Self:
        """Fail, as `MockUnpuzzle.fail_next` says it; for ever if there is no `times`.

        Args:
            what: What goes wrong.
            times: How often; for ever if absent.
            message: What the error says.
            retry_after: In how many seconds the API wants to be asked again.
            about: What else the error tells, such as `decline_code`.

        Returns:
            This route, for what comes after.

        Example:
            ```python
            from unpuzzle_sdk import errors

            mock.on("courses.get", course_id="gone").fail("COURSE_NOT_FOUND")
            try:
                mock.client().courses.get("gone")
            except errors.CourseNotFound as error:
                print(error.message)
            ```
        """
        act = act_of(self._answers, what, message=message, retry_after=retry_after, about=about)
        return self._add(lambda _: act(), times, failure=f"fail({what!r})")

    @property
    def left(self) -> list[str]:
        """The failures that were to come some times and have not."""
        counted = (waiting for waiting in self._waiting if waiting.times is not None)
        return [f"{waiting.failure} for {self._operation.id}" for waiting in counted if waiting.failure]

    def take(self, request: RecordedRequest) -> Reply | None:
        """Give the next reply to a request; None if this is not about it, or has none left."""
        asked = {**request.query, **request.path_params}
        if request.operation != self._operation.id or not self._where.items() <= asked.items():
            return None
        streams = wants_events(request, self._operation)
        with self._lock:
            waiting = next((item for item in self._waiting if item.streams in (None, streams)), None)
            if waiting is not None and waiting.times is not None:
                waiting.times -= 1
                if not waiting.times:
                    self._waiting.remove(waiting)
        return waiting.reply if waiting else None

    def _add(self, reply: Reply, times: int | None, *, streams: bool | None = None, failure: str = "") -> Self:
        if times is not None and times < 1:
            raise ValueError("times must be 1 or more")
        with self._lock:
            for_ever = [waiting for waiting in self._waiting if waiting.times is None]
            counted = [waiting for waiting in self._waiting if waiting.times is not None]
            self._waiting = [*counted, _Waiting(reply, times, streams, failure), *for_ever]
        return self

    def _asked(self, answer: Callable[[RecordedRequest], Any], request: RecordedRequest) -> httpx.Response:
        try:
            found = answer(request)
        except APIStatusError as error:
            return act_of(self._answers, error, about={})()
        if isinstance(found, httpx.Response):
            return found
        if found is None:
            return self._answers.usual(request, self._operation)
        return self._answers.value(self._operation, self._made(found, {}, self._operation.usual))

    def _made(self, value: Any, fields: Mapping[str, Any], status: int) -> Any:
        if isinstance(value, bytes):
            return value
        made = example(self._operation, status)
        if (fields or isinstance(value, Mapping)) and not isinstance(made, dict):
            raise ImpossibleReply(f"{self._operation.id} answers no object with fields")
        if value is not None:
            made = _laid(made, value)
        if fields:
            made = _laid(made, fields)
        self._check(made, status)
        return made

    def _event(self, events: Mapping[str, str], name: str, value: Any) -> Any:
        if name not in events:
            raise ImpossibleReply(f"{self._operation.id} has no event {name!r}, but {', '.join(events)}")
        made = _laid(contract().example(events[name]), value)
        self._raise(_answered().problems({"$ref": events[name]}, made))
        return made

    def _check(self, value: Any, status: int) -> None:
        schema = self._operation.answers[status].get("schema")
        if schema and not isinstance(value, bytes):
            self._raise(_answered().problems(schema, value))

    def _raise(self, problems: Iterable[tuple[str, str]]) -> None:
        found = [f"{name}: {message}" for name, message in problems] if self._strict else []
        if found:
            raise ImpossibleReply("\n  ".join([f"{self._operation.id} never answers this", *found]))


def _laid(made: Any, value: Any) -> Any:
    """Lay the changes that a dict tells over an example; a model stands for itself."""
    return _merged(made, to_json(value)) if isinstance(value, Mapping) else to_json(value)


def _merged(value: Any, changes: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(changes, dict):
        return changes
    return {**value, **{name: _merged(value.get(name), change) for name, change in changes.items()}}
