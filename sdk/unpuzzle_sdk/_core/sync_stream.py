"""The stream for plain programs: events to iterate over, over a connection that comes back where the API can go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, Self, TypeVar

from .errors import UnpuzzleError
from .events import Event, StreamCourse, StreamOperation, no_stream
from .operation import Arguments
from .response import Answer

T = TypeVar("T")
F = TypeVar("F")


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
        self._course = StreamCourse(operation, arguments)
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
                raise no_stream(answer)
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
