"""What PostgreSQL notifies of, for whoever waits for it in this process: one connection for all of them.

A notification says whom something has happened to, and no more. Whoever waits has a flag; what happened they read themselves,
when they come to it, from the tables. So nobody keeps anything for a reader who is slow, and what was told while the connection
was lost is not lost.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg import AsyncConnection

log = logging.getLogger(__name__)

PING_SECONDS = 30
PAUSE_SECONDS = 1
READY_SECONDS = 5
TURNS = 4
"""How many look at once: to tell a thousand takes no connection to the database from those who ask for something else."""


class Listener:
    """Listens to one channel, from when somebody first waits. A payload is keys with commas between them."""

    def __init__(self, url: str, channel: str) -> None:
        self.url = url
        self.channel = channel
        self.flags: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.listens = asyncio.Event()
        self.turns = asyncio.Semaphore(TURNS)
        """For those who look."""
        self.task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def waiting(self, key: str) -> AsyncIterator[asyncio.Event]:
        """A flag that is set when something has happened to `key`, or may have; whoever sees it set takes it down and looks."""
        if self.task is None:
            self.task = asyncio.create_task(self._listen())
        flag = asyncio.Event()
        self.flags[key].add(flag)
        try:
            await self._ready()
            yield flag
        finally:
            self._leave(key, flag)

    async def _ready(self) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self.listens.wait()
        except TimeoutError:
            raise ConnectionError("the database does not answer to LISTEN") from None

    def waiting_for(self, key: str) -> int:
        """How many wait for one key."""
        return len(self.flags[key]) if key in self.flags else 0

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    def _leave(self, key: str, flag: asyncio.Event) -> None:
        self.flags[key].discard(flag)
        if not self.flags[key]:
            del self.flags[key]

    async def _listen(self) -> None:
        """For as long as the process lives: a connection that is lost is made again, and everybody looks then."""
        while True:
            try:
                await self._connected()
            except Exception as error:
                log.warning("not listening to the database", extra={"channel": self.channel, "error": type(error).__name__})
            self.listens.clear()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _connected(self) -> None:
        async with await AsyncConnection.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            await connection.execute(f'LISTEN "{self.channel}"')
            self.listens.set()
            self._tell(list(self.flags))
            while True:
                async for notice in connection.notifies(timeout=PING_SECONDS):
                    self._tell(notice.payload.split(","))
                await connection.execute("SELECT 1")  # a connection that has died in silence says so now

    def _tell(self, keys: list[str]) -> None:
        for key in keys:
            for flag in self.flags.get(key, ()):
                flag.set()
