"""Answers that come bit by bit: events to iterate over, over a connection that comes back where the API can go on."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

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

if TYPE_CHECKING:
    import asyncio

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


class _Course(Generic[T, F]):
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


class Stream(Generic[T, F]):
    """Events as they come. Iterating opens the connection, and leaving the loop, however that is done, closes it.

    Within a `with` block it stays open until the end of the block, so that another loop, or `final`, goes on. `next`
    gives one event. `close` ends a loop, in another thread too.

    Where the API can go on after an event, a connection that is lost comes back by itself: for as long as it takes, at
    most half a minute after the last attempt. What the API refuses is raised.

    Example:
        ```python
        with client.notifications.stream() as stream:
            for event in stream:
                print(event.id, event.data.title)
                break
        print(stream.last_event_id)
        ```
    """

    def __init__(
        self,
        connect: Callable[[Arguments], Answer],
        operation: StreamOperation[T, F],
        arguments: Arguments,
        sleep: Callable[[float, threading.Event], None],
    ) -> None:
        """Connect like this, when the first event is wanted, and sleep like this before coming back."""
        self._connect = connect
        self._sleep = sleep
        self._course = _Course(operation, arguments)
        self._answer: Answer | None = None
        self._chunks: Any = None
        self._is_held = False
        self._closed = threading.Event()

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event, to go on after it later."""
        return self._course.last_id or None

    @property
    def answer(self) -> Answer:
        """The answer that is being read."""
        return self.open()._answer  # type: ignore[return-value]  # it has just been opened

    def open(self) -> Self:
        """Open the connection, if it is not open; raises what the API refuses.

        Returns:
            The stream itself.

        Raises:
            errors.APIStatusError: The API refuses it.
            errors.APIConnectionError: No connection came about.

        Example:
            ```python
            stream = client.notifications.stream().open()
            print(stream.answer.status)
            stream.close()
            ```
        """
        if self._closed.is_set():
            raise UnpuzzleError("this stream is closed")
        if self._answer is None:
            answer = self._connect(self._course.asked())
            if answer.chunks is None:
                raise _no_stream(answer)
            self._answer, self._chunks = answer, iter(answer.chunks)
            self._course.begin()
        return self

    def __iter__(self) -> Iterator[Event[T]]:
        """Give the events as they come."""
        try:
            while (event := self._next()) is not None:
                yield event
        finally:
            if not self._is_held:
                self._disconnect()

    def __next__(self) -> Event[T]:
        """Give the next event."""
        event = self._next()
        if event is None:
            raise StopIteration
        return event

    def _next(self) -> Event[T] | None:
        """Give the next event; None at the end."""
        if not self._course.has_begun and not self._closed.is_set():
            self.open()
        while not self._closed.is_set():
            error = None
            try:
                if (event := self._read()) is not None:
                    return event
            except Exception as failure:
                error = failure
            self._disconnect()
            # To read what somebody has closed fails in many ways.
            pause = None if self._closed.is_set() else self._course.pause(error)
            if pause is None:
                self._closed.set()
            else:
                self._sleep(pause, self._closed)
        return None

    def _read(self) -> Event[T] | None:
        """Give the next event of an answer; None at its end."""
        answer = self.answer
        while (event := self._course.next()) is None and not self._course.is_over and not self._closed.is_set():
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            self._course.feed(answer, chunk)
        return event

    def text_deltas(self) -> Iterator[str]:
        """Give the text piece by piece.

        Returns:
            The pieces as they come; together they are the text.

        Raises:
            errors.StreamInterrupted: The connection broke off, and the API can't go on.
            errors.UnpuzzleError: The stream tells no text.

        Example:
            ```python
            for piece in client.ai.stream_message(message="What is a closure?").text_deltas():
                print(piece, end="")
            ```
        """
        self._course.wait_for_text()
        for event in self:
            if (text := self._course.text(event)) is not None:
                yield text

    def final(self) -> F:
        """Give what the last event tells, and read what has not been read before.

        Returns:
            The model of the last event.

        Raises:
            errors.UnpuzzleError: The stream has no last event, or did not come to it.

        Example:
            ```python
            answer = client.ai.stream_message(message="What is a closure?").final()
            print(answer.response)
            ```
        """
        if self._course.final is None:
            self._course.wait_for_final()
            for _ in self:
                pass
        return self._course.ended()

    def close(self) -> None:
        """Close the connection for good: whoever reads the stream comes to its end.

        Example:
            ```python
            stream = client.notifications.stream()
            for event in stream:
                print(event.data.title)
                stream.close()
                break
            ```
        """
        self._closed.set()
        self._disconnect()

    def _disconnect(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.chunks.close()

    def __enter__(self) -> Self:
        """Open the connection."""
        self._is_held = True
        return self.open()

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()


class AsyncStream(Generic[T, F]):
    """Events as they come. Iterating opens the connection, and leaving the loop, however that is done, closes it.

    Within an `async with` block it stays open until the end of the block, so that another loop, or `final`, goes on.
    `anext` gives one event. `close` ends a loop, in another task too.

    Where the API can go on after an event, a connection that is lost comes back by itself: for as long as it takes, at
    most half a minute after the last attempt. What the API refuses is raised.

    Example:
        ```python
        async with client.notifications.stream() as stream:
            async for event in stream:
                print(event.id, event.data.title)
                break
        print(stream.last_event_id)
        ```
    """

    def __init__(
        self,
        connect: Callable[[Arguments], Awaitable[Answer]],
        operation: StreamOperation[T, F],
        arguments: Arguments,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Connect like this, when the first event is wanted, and sleep like this before coming back."""
        self._connect = connect
        self._sleep = sleep
        self._course = _Course(operation, arguments)
        self._answer: Answer | None = None
        self._chunks: Any = None
        self._is_held = False
        self._is_closed = False
        self._pause: asyncio.Future[None] | None = None

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event, to go on after it later."""
        return self._course.last_id or None

    @property
    def answer(self) -> Answer:
        """The answer that is being read."""
        if self._answer is None:
            raise RuntimeError("the stream is not open")
        return self._answer

    async def open(self) -> Self:
        """Open the connection, if it is not open; raises what the API refuses.

        Returns:
            The stream itself.

        Raises:
            errors.APIStatusError: The API refuses it.
            errors.APIConnectionError: No connection came about.

        Example:
            ```python
            stream = await client.notifications.stream().open()
            print(stream.answer.status)
            await stream.close()
            ```
        """
        if self._is_closed:
            raise UnpuzzleError("this stream is closed")
        if self._answer is None:
            answer = await self._connect(self._course.asked())
            if answer.chunks is None:
                raise _no_stream(answer)
            self._answer, self._chunks = answer, aiter(answer.chunks)
            self._course.begin()
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        """Open the connection."""
        return self.open().__await__()

    async def __aiter__(self) -> AsyncIterator[Event[T]]:
        """Give the events as they come."""
        try:
            while (event := await self._next()) is not None:
                yield event
        finally:
            if not self._is_held:
                await self._disconnect()

    async def __anext__(self) -> Event[T]:
        """Give the next event."""
        event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def _next(self) -> Event[T] | None:
        """Give the next event; None at the end."""
        if not self._course.has_begun and not self._is_closed:
            await self.open()
        while not self._is_closed:
            error = None
            try:
                if (event := await self._read()) is not None:
                    return event
            except Exception as failure:
                error = failure
            await self._disconnect()
            # To read what somebody has closed fails in many ways.
            pause = None if self._is_closed else self._course.pause(error)
            if pause is None:
                self._is_closed = True
            else:
                await self._paused(pause)
        return None

    async def _paused(self, seconds: float) -> None:
        import asyncio

        self._pause = asyncio.ensure_future(self._sleep(seconds))
        try:
            # Not awaited itself: that it is cancelled means that the stream is closed, and not whoever reads it.
            await asyncio.wait({self._pause})
        finally:
            self._pause.cancel()

    async def _read(self) -> Event[T] | None:
        """Give the next event of an answer; None at its end."""
        answer = (await self.open()).answer
        while (event := self._course.next()) is None and not self._course.is_over and not self._is_closed:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return None
            self._course.feed(answer, chunk)
        return event

    async def text_deltas(self) -> AsyncIterator[str]:
        """Give the text piece by piece.

        Returns:
            The pieces as they come; together they are the text.

        Raises:
            errors.StreamInterrupted: The connection broke off, and the API can't go on.
            errors.UnpuzzleError: The stream tells no text.

        Example:
            ```python
            async for piece in client.ai.stream_message(message="What is a closure?").text_deltas():
                print(piece, end="")
            ```
        """
        self._course.wait_for_text()
        async for event in self:
            if (text := self._course.text(event)) is not None:
                yield text

    async def final(self) -> F:
        """Give what the last event tells, and read what has not been read before.

        Returns:
            The model of the last event.

        Raises:
            errors.UnpuzzleError: The stream has no last event, or did not come to it.

        Example:
            ```python
            answer = await client.ai.stream_message(message="What is a closure?").final()
            print(answer.response)
            ```
        """
        if self._course.final is None:
            self._course.wait_for_final()
            async for _ in self:
                pass
        return self._course.ended()

    async def close(self) -> None:
        """Close the connection for good: whoever reads the stream comes to its end.

        Example:
            ```python
            stream = client.notifications.stream()
            async for event in stream:
                print(event.data.title)
                await stream.close()
                break
            ```
        """
        self._is_closed = True
        if self._pause is not None:
            self._pause.cancel()
        await self._disconnect()

    async def _disconnect(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            await answer.chunks.close()

    async def __aenter__(self) -> Self:
        """Open the connection."""
        self._is_held = True
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self.close()


def _no_stream(answer: Answer) -> InvalidResponseError:
    return answer.invalid("is no stream of events")
