"""Answers that come bit by bit: their events, and where a stream of them goes on."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from attrs import evolve, field, frozen

from .errors import (
    APIConnectionError,
    APIStatusError,
    InvalidRequestError,
    InvalidResponseError,
    StreamInterrupted,
    UnpuzzleError,
    status_of_class,
)
from .operation import Arguments, Operation
from .response import Answer, status_error
from .sse import Parser, ServerSentEvent

T = TypeVar("T")
F = TypeVar("F")

LAST_EVENT_ID = "Last-Event-ID"
ERROR = "error"
# Full jitter, as between the attempts of a call: those whom a server lost together come back apart.
_FIRST_BOUND = 1.0
_LAST_BOUND = 30.0


@frozen
class Event(Generic[T]):
    """Something that the API told.

    Attributes:
        event: What it is called.
        data: What it tells.
        id: What to give as `last_event_id` to go on after it later; None where that can't be.

    Example:
        ```python
        for event in client.notifications.stream():
            print(event.event, event.id, event.data.title)
            break
        ```
    """

    event: str
    data: T
    id: str | None = None


@frozen
class StreamOperation(Operation[Any], Generic[T, F]):
    """An operation that answers with events.

    Attributes:
        events: How to read what each event tells, by its name. Others are left out: later versions may have more.
        flag: The field of the body that asks for events; empty where there is nothing else.
        final: The last event; empty where there is none.
        text: The event that tells a piece of text, as its `text`; empty where none does.
        resumes: Whether it goes on after the event in `Last-Event-ID`.
    """

    events: Mapping[str, Callable[[Any], T]] = field(factory=dict)
    flag: str = ""
    final: str = ""
    text: str = ""
    resumes: bool = False
    streams: bool = True

    def asked(self, arguments: Arguments, last_id: str) -> Arguments:
        """Give the arguments with which to begin, or to go on after an event."""
        if self.flag:
            arguments = evolve(arguments, body={**arguments.body, self.flag: True})
        if last_id:
            arguments = evolve(arguments, headers={**arguments.headers, LAST_EVENT_ID: last_id})
        return arguments

    def read(self, answer: Answer, found: ServerSentEvent) -> Event[T] | None:
        """Read an event; None for one that this version does not know."""
        told = Answer(answer.status, {"x-request-id": answer.request_id or ""}, found.data.encode())
        if found.event == ERROR:
            raise _refusal(told)
        decode = self.events.get(found.event)
        return Event(found.event, told.decode(decode), found.id or None) if decode else None


def _refusal(told: Answer) -> APIStatusError:
    # Its status went out before it happened: the exception has the one that its code stands for.
    kind = type(status_error(evolve(told, status=500)))
    return status_error(evolve(told, status=status_of_class(kind)))


def _may_pass(error: Exception) -> bool:
    return isinstance(error, (APIConnectionError, APIStatusError)) and not isinstance(error, InvalidRequestError)


class StreamCourse(Generic[T, F]):
    """How far a stream is, and whether to come back when it breaks off."""

    def __init__(self, operation: StreamOperation[T, F], arguments: Arguments) -> None:
        self.operation = operation
        self.arguments = arguments
        self.last_id = ""
        self.is_over = False
        self.final: F | None = None
        self._parser = Parser()
        self._found: Iterator[Event[T]] = iter(())
        self._failures = 0
        self._began: float | None = None

    @property
    def has_begun(self) -> bool:
        return self._began is not None

    def begin(self) -> None:
        """Start to read an answer."""
        self._parser = Parser()
        self._found = iter(())
        self._began = time.monotonic()

    def feed(self, answer: Answer, chunk: bytes) -> None:
        """Take what has come, when the events before it are read."""
        self._found = self._read(answer, chunk)

    def next(self) -> Event[T] | None:
        """Give the next event of what has come; None where there is no other."""
        return next(self._found, None)

    def _read(self, answer: Answer, chunk: bytes) -> Iterator[Event[T]]:
        for found in self._parser.feed(chunk):
            event = self.operation.read(answer, found)
            self._failures = 0
            self.is_over = found.event == self.operation.final
            if event is not None:
                # Whoever leaves the loop at this event has it.
                self.last_id = found.id or self.last_id
                self.final = event.data if self.is_over else None  # type: ignore[assignment]  # the last event tells an F
                yield event
        self.last_id = self._parser.last_id or self.last_id

    def text(self, event: Event[T]) -> str | None:
        """Give the piece of text that an event tells; None for another event."""
        return str(event.data.text) if event.event == self.operation.text else None  # type: ignore[attr-defined]

    def wait_for_text(self) -> None:
        """Refuse to wait for ever for what never comes, as below."""
        if not self.operation.text:
            raise UnpuzzleError(f"{self.operation.name} tells no text")

    def wait_for_final(self) -> None:
        if not self.operation.final:
            raise UnpuzzleError(f"{self.operation.name} has no last event")

    def ended(self) -> F:
        if self.final is None:
            raise UnpuzzleError(f"{self.operation.name} has not come to a last event")
        return self.final

    def asked(self) -> Arguments:
        if self.has_begun and not self.operation.resumes:
            raise UnpuzzleError(
                "this stream has been read, or was left: call the method again, or read it within a `with` block"
            )
        return self.operation.asked(self.arguments, self.last_id)

    def pause(self, error: Exception | None) -> float | None:
        """Give the seconds after which to come back to a stream that ended, None if it is over. Raise what is final."""
        if error is not None and not _may_pass(error):
            raise error
        if self.is_over or (error is None and not self.operation.final and not self.operation.resumes):
            return None
        if not self.operation.resumes:
            if isinstance(error, APIStatusError):
                raise error
            raise StreamInterrupted(f"{self.operation.name}: the stream broke off ({error or 'no last event'})")
        if isinstance(error, APIStatusError) and error.status_code < 500 and error.status_code != 429:
            raise error
        if self._began is not None and time.monotonic() - self._began > _LAST_BOUND:
            self._failures = 0
        self._failures += 1
        bound = min(_LAST_BOUND, _FIRST_BOUND * 2 ** (self._failures - 1))
        told = error.retry_after if isinstance(error, APIStatusError) else self._parser.retry
        return min(_LAST_BOUND, (told or 0.0) + random.uniform(0, bound))


def no_stream(answer: Answer) -> InvalidResponseError:
    """Give the error of an answer that was to be a stream."""
    return answer.invalid("is no stream of events")
