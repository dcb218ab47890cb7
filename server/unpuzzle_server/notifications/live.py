"""Notifications as they happen, for whoever keeps a stream open: read from the table when PostgreSQL says that there are some."""

import asyncio
import time

from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.listening import Listener
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.streams import Event, Events, Mark
from unpuzzle_server.notifications import queries

BATCH = 100
MOST_STREAMS = 20
"""How many one user may keep open with one process."""
LIFE_SECONDS = 900.0
"""How long a stream lasts: whoever comes back after it has to be let in again."""
BUSY_SECONDS = 60


async def follow(ctx: Context, last_event_id: str | None) -> Events:
    """Everything after an event, or after now, in the order of its numbers, each once."""
    listener: Listener = ctx.kernel.gateways["listener"]
    user = str(ctx.user.user_id)
    if listener.waiting_for(user) >= MOST_STREAMS:
        raise Problem("RATE_LIMIT_EXCEEDED", f"You have {MOST_STREAMS} streams open.", retry_after=BUSY_SECONDS)
    end = time.monotonic() + LIFE_SECONDS
    async with listener.waiting(user) as flag:
        last = int(last_event_id) if last_event_id is not None else await _newest(ctx, listener)
        yield Mark(str(last))
        while True:
            flag.clear()
            events = await _after(ctx, listener, last)
            for event in events:
                yield event
                last = int(event.id or last)
            if len(events) == BATCH:
                continue
            try:
                async with asyncio.timeout(end - time.monotonic()):
                    await flag.wait()
            except TimeoutError:
                return


async def _newest(ctx: Context, listener: Listener) -> int:
    async with listener.turns, ctx.transaction() as tx:
        await tx.execute(queries.NUMBER)
        return int(await tx.value(queries.NEWEST, user=ctx.user.user_id))


async def _after(ctx: Context, listener: Listener, last: int) -> list[Event]:
    async with listener.turns, ctx.transaction() as tx:
        await tx.execute(queries.NUMBER)
        rows = await tx.rows(queries.AFTER, user=ctx.user.user_id, last=last, limit=BATCH)
        return [Event("notification", row.notification, str(row.number)) for row in rows]
