"""Answers that come bit by bit: server-sent events.

A handler gives back a `Stream`. What it raises before its first event is refused like anything else; what it raises later is the
event `error`, the last one. `None` in an event's place says that nothing has happened yet: the answer begins, or goes on.
No transaction and no connection to the database is open meanwhile, unless the handler's own code opens one.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.types import Send

from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import ClientGone, Exchange

HEARTBEAT_SECONDS = 15.0
"""How often something is sent where nothing happens: proxies and clients take silence for the end."""
STALLED_SECONDS = 30.0
"""How long somebody may leave unread what was sent to them."""
CONNECTION = "unpuzzle.connection"
"""Where the connection stands in the ASGI scope, if the server that runs us says."""
HEARTBEAT = b":\n\n"
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True)
class Event:
    """Something that is told: its name and its shape stand in the spec."""

    name: str
    data: Mapping[str, Any]
    id: str | None = None
    """With what a client that lost the connection says how far it got."""


@dataclass(frozen=True)
class Mark:
    """Nothing has happened up to here: a client that loses the connection before the first event goes on from this."""

    id: str


Events = AsyncGenerator[Event | Mark | None, None]
Frame = Callable[[Event], bytes]
"""How an event is written."""
Told = Callable[[Exception], bytes]
"""What is written of something that went wrong."""


@dataclass(frozen=True)
class Stream:
    """What a handler gives back that answers with events. They are closed when the last is sent, or nobody listens any more."""

    events: Events
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection(Protocol):
    """What a stream needs of the connection that it goes over."""

    on_shutdown: Callable[[], None] | None

    def abort(self) -> None: ...


@dataclass(frozen=True)
class End:
    """What is left when there are no more events: nothing, or what went wrong."""

    error: Exception | None = None


class Stalled(Exception):
    """Somebody does not read what is sent to them."""


class Sending:
    """One stream on its way to whoever asked for it."""

    def __init__(self, exchange: Exchange, send: Send, frame: Frame, told: Told) -> None:
        self.exchange = exchange
        self.send = send
        self.frame = frame
        self.told = told
        self.begun = False
        self.leaving = asyncio.Event()
        self.coming: asyncio.Queue[Event | Mark | End | None] = asyncio.Queue(maxsize=1)

    async def run(self, stream: Stream) -> None:
        """Until there are no more events, nobody listens, or the server stops. Raises what came before the first event."""
        connection: Connection | None = self.exchange.scope.get(CONNECTION)
        if connection is not None:
            connection.on_shutdown = self.leaving.set
        producer = asyncio.create_task(self._produce(stream.events))
        writer = asyncio.create_task(self._write(stream.headers))
        listener, end = asyncio.create_task(self._listens()), asyncio.create_task(self.leaving.wait())
        tasks = (producer, writer, listener, end)
        try:
            await asyncio.wait({writer, listener, end}, return_when=asyncio.FIRST_COMPLETED)
            if writer.done():
                writer.result()
            elif end.done():
                await self._leave(writer)
        except Stalled:
            if connection is not None:
                connection.abort()  # to close it would wait for what is not read
        finally:
            if connection is not None:
                connection.on_shutdown = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _produce(self, events: Events) -> None:
        """In a task of its own, which its generator never leaves, and whose end is the generator's."""
        try:
            async with aclosing(events):
                async for event in events:
                    await self.coming.put(event)
        except Exception as error:
            task = asyncio.current_task()
            if task and task.cancelling():  # nobody reads any more: there is no room to wait for
                raise
            await self.coming.put(End(error))
        else:
            await self.coming.put(End())

    async def _write(self, headers: Mapping[str, str]) -> None:
        item = await self._next()
        if isinstance(item, End) and item.error:
            raise item.error
        await self._begin(headers)
        while not isinstance(item, End):
            content = self._content(item)
            if isinstance(content, End):
                item = content
            else:
                await self._say(content)
                item = await self._next()
        await self._say(self.told(item.error) if item.error else b"", more=False)

    def _content(self, item: Event | Mark | None) -> bytes | End:
        """What is sent; an event that is not what the spec says is the end."""
        if isinstance(item, Mark):
            return f"id: {item.id}\n\n".encode()
        try:
            return HEARTBEAT if item is None else self.frame(item)
        except Exception as error:
            return End(error)

    async def _next(self) -> Event | Mark | End | None:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                return await self.coming.get()
        except TimeoutError:
            return None

    async def _begin(self, headers: Mapping[str, str]) -> None:
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in {**HEADERS, **headers}.items()]
        await self.send({"type": "http.response.start", "status": 200, "headers": raw})
        self.begun = True

    async def _say(self, content: bytes, *, more: bool = True) -> None:
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                await self.send({"type": "http.response.body", "body": content, "more_body": more})
        except TimeoutError:
            raise Stalled from None

    async def _listens(self) -> None:
        """Until whoever asked is gone."""
        while (await self.exchange.receive())["type"] != "http.disconnect":
            pass

    async def _leave(self, writer: asyncio.Task[None]) -> None:
        """The server stops: whoever listens is told that this is all, and comes back to another."""
        self.exchange.cut_short = True
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        if not self.begun:
            raise Problem("SERVICE_UNAVAILABLE", "The server is stopping.", retry_after=1)
        await self._say(b"", more=False)


async def send_stream(exchange: Exchange, send: Send, stream: Stream, frame: Frame, told: Told) -> None:
    """Sends a stream to its end; HEAD asks for no more than its beginning."""
    if exchange.scope["method"] == "HEAD":
        await stream.events.aclose()
        stream = Stream(_nothing(), stream.headers)
    sending = Sending(exchange, send, frame, told)
    await sending.run(stream)
    if not sending.begun:
        raise ClientGone


async def _nothing() -> Events:
    return
    yield None


async def only(event: Event) -> Events:
    """An answer that is whole already, as the one event of a stream."""
    yield event


def framed(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """An event as it goes over the wire; JSON has no line breaks of its own."""
    identified = f"id: {event_id}\n" if event_id is not None else ""
    return f"{identified}event: {name}\ndata: ".encode() + data + b"\n\n"
