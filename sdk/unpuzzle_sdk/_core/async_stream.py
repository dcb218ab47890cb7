"""The stream for asyncio: events to iterate over, over a connection that comes back where the API can go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from .errors import UnpuzzleError
from .events import Event, StreamCourse, StreamOperation, no_stream
from .operation import Arguments
from .response import Answer

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
F = TypeVar("F")


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
        self._course = StreamCourse(operation, arguments)
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
                raise no_stream(answer)
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
