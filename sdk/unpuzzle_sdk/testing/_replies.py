"""What a test wants an operation to answer in the place of its example."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, Self

import httpx
from attrs import define

from .._core.codec import to_json
from .._core.errors import APIStatusError
from ._answers import Answers, example, page
from ._assertions import as_sent
from ._contract import Operation, contract
from ._failures import What, act_of
from ._requests import RecordedRequest
from ._rules import Rules

Reply = Callable[[RecordedRequest], httpx.Response]


class ImpossibleReply(ValueError):
    """A test wants an answer that the API never gives."""


@cache
def _answered() -> Rules:
    return Rules(contract().schemas, closed=True)


@define
class _Waiting:
    reply: Reply
    times: int | None


class Route:
    """What a mock answers to one operation, or to those of its requests that have some parameters.

    Replies with `times` come first, in their order, and then the one without. When none is left, the example does.
    """

    def __init__(self, answers: Answers, operation: Operation, where: Mapping[str, Any], *, strict: bool) -> None:
        """Begin without a reply; `where` are the parameters that a request must have."""
        known = [parameter["name"] for parameter in operation.parameters]
        for name in where:
            if name not in known:
                raise ValueError(f"{operation.id} has no parameter {name!r}, but {', '.join(known)}")
        self._answers = answers
        self._operation = operation
        self._where = {name: as_sent(value) for name, value in where.items()}
        self._strict = strict
        self._waiting: list[_Waiting] = []
        self._lock = threading.Lock()

    @property
    def where(self) -> Mapping[str, str]:
        """The parameters that a request must have."""
        return self._where

    def reply(
        self, value: Any = None, /, *, status_code: int | None = None, times: int | None = None, **fields: Any
    ) -> Self:
        """Answer this.

        Args:
            value: A model or a dict as the whole answer, or bytes; without it, the example of the contract.
            status_code: The status, where the operation has more than one.
            times: How often; for ever if absent.
            fields: What to change in it. An object in it is changed field by field.
        """
        status = self._operation.usual if status_code is None else status_code
        if status not in self._operation.answers:
            raise ImpossibleReply(f"{self._operation.id} answers {[*self._operation.answers]}, never {status}")
        made = self._made(value, fields, status)
        return self._add(lambda _: self._answers.value(self._operation, made, status), times)

    def reply_with(self, answer: Callable[[RecordedRequest], Any], *, times: int | None = None) -> Self:
        """Answer what a function makes of a request.

        It may give a model, a dict, bytes, None for the example, or an `httpx.Response`, which is not checked, and
        raise one of `errors`.
        """
        return self._add(partial(self._asked, answer), times)

    def reply_pages(self, items: Iterable[Any], *, times: int | None = None) -> Self:
        """Answer a list with these items, in pages of the size that is asked for.

        Args:
            items: Models, or what to change in the example of an item.
            times: How often; for ever if absent.
        """
        name, envelope = self._operation.items, example(self._operation)
        if not name:
            raise ImpossibleReply(f"{self._operation.id} is no list")
        found = [_merged(envelope[name][0], to_json(item)) for item in items]
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
        """
        events = self._operation.stream.get("events")
        if not events:
            raise ImpossibleReply(f"{self._operation.id} streams no events")
        made = [(name, self._event(events, name, value)) for name, value in told]
        return self._add(lambda request: self._answers.events(request, self._operation, made, broken=broken), times)

    def fail(self, what: What, *, times: int | None = None, **about: Any) -> Self:
        """Fail, as `MockUnpuzzle.fail_next` says it; for ever if there is no `times`."""
        said = {name: about.pop(name, None) for name in ("message", "retry_after")}
        act = act_of(self._answers, what, about=about, **said)
        return self._add(lambda _: act(), times)

    def take(self, request: RecordedRequest) -> Reply | None:
        """Give the next reply to a request; None if this is not about it, or has none left."""
        asked = {**request.query, **request.path_params}
        if request.operation != self._operation.id or not self._where.items() <= asked.items():
            return None
        with self._lock:
            waiting = next(iter(self._waiting), None)
            if waiting is not None and waiting.times is not None:
                waiting.times -= 1
                if not waiting.times:
                    self._waiting.pop(0)
        return waiting.reply if waiting else None

    def _add(self, reply: Reply, times: int | None) -> Self:
        if times is not None and times < 1:
            raise ValueError("times must be 1 or more")
        with self._lock:
            for_ever = [waiting for waiting in self._waiting if waiting.times is None]
            counted = [waiting for waiting in self._waiting if waiting.times is not None]
            added = [_Waiting(reply, times)]
            self._waiting = [*counted, *added] if times is None else [*counted, *added, *for_ever]
        return self

    def _asked(self, answer: Callable[[RecordedRequest], Any], request: RecordedRequest) -> httpx.Response:
        try:
            found = answer(request)
        except APIStatusError as error:
            return act_of(self._answers, error, about={})()
        if isinstance(found, httpx.Response):
            return found
        return self._answers.value(self._operation, self._made(found, {}, self._operation.usual))

    def _made(self, value: Any, fields: Mapping[str, Any], status: int) -> Any:
        if isinstance(value, bytes):
            return value
        value = example(self._operation, status) if value is None else to_json(value)
        if fields and not isinstance(value, dict):
            raise ImpossibleReply(f"{self._operation.id} answers no object with fields")
        made = _merged(value, to_json(fields)) if fields else value
        self._check(made, status)
        return made

    def _event(self, events: Mapping[str, str], name: str, value: Any) -> Any:
        if name not in events:
            raise ImpossibleReply(f"{self._operation.id} has no event {name!r}, but {', '.join(events)}")
        made = _merged(contract().example(events[name]), to_json(value))
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


def _merged(value: Any, changes: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(changes, dict):
        return changes
    return {**value, **{name: _merged(value.get(name), change) for name, change in changes.items()}}
