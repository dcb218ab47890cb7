"""Rate limits that are exact over all workers and machines: the counters live in PostgreSQL, or in Redis by setting."""

import asyncio
import math
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import text

from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import Database
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import Exchange
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.kernel.spec import Operation

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FLUSHES_BETWEEN_PURGES = 1000
REDIS_CONNECTIONS = 20

COUNT = text("""
    INSERT INTO rate_limits AS r (key, used, resets_at)
    SELECT key, hits, resets_at
      FROM unnest(CAST(:keys AS text[]), CAST(:hits AS int[]), CAST(:resets AS timestamptz[])) AS hit (key, hits, resets_at)
     ORDER BY key  -- one order for everybody, so that two processes can't deadlock
    ON CONFLICT (key) DO UPDATE
       SET used = CASE WHEN r.resets_at <= :now THEN excluded.used ELSE r.used + excluded.used END,
           resets_at = CASE WHEN r.resets_at <= :now THEN excluded.resets_at ELSE r.resets_at END
    RETURNING key, used, resets_at
""")
PURGE = text("DELETE FROM rate_limits WHERE resets_at < :now")


@dataclass(frozen=True)
class Limit:
    """`requests` in a `period` that begins with the first of them."""

    requests: int
    period: timedelta


@dataclass(frozen=True)
class Count:
    used: int
    resets_at: datetime


class Counters(Protocol):
    async def hit(self, key: str, period: timedelta) -> Count:
        """Counts one request for `key` and tells how many that makes in its period."""

    async def close(self) -> None: ...


class PostgresCounters:
    """Counts in one statement at a time per process: what arrives meanwhile goes into the next one.

    Each request gets its own exact number, yet under load many of them share a round trip.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.waiting: list[tuple[str, timedelta, asyncio.Future[Count]]] = []
        self.flusher: asyncio.Task[None] | None = None
        self.flushes = 0

    async def hit(self, key: str, period: timedelta) -> Count:
        future: asyncio.Future[Count] = asyncio.get_running_loop().create_future()
        self.waiting.append((key, period, future))
        if self.flusher is None or self.flusher.done():
            self.flusher = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        while self.waiting:
            batch, self.waiting = self.waiting, []
            try:
                counts = await self._count(batch)
            except Exception as error:  # each waiting request answers with it
                for _, _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for key, _, future in batch:
                first = counts[key]
                counts[key] = Count(first.used + 1, first.resets_at)
                if not future.done():  # its client may have gone
                    future.set_result(first)

    async def _count(self, batch: list[tuple[str, timedelta, asyncio.Future[Count]]]) -> dict[str, Count]:
        """The number of the first hit of each key in the batch."""
        now = self.clock.now()
        hits = Counter(key for key, _, _ in batch)
        periods = {key: period for key, period, _ in batch}
        values = {"keys": list(hits), "hits": list(hits.values()), "resets": [now + periods[key] for key in hits], "now": now}
        async with self.database.autocommit.connect() as connection:
            rows = (await connection.execute(COUNT, values)).all()
            self.flushes += 1
            if self.flushes % FLUSHES_BETWEEN_PURGES == 0:
                await connection.execute(PURGE, {"now": now})
        return {row.key: Count(row.used - hits[row.key] + 1, row.resets_at) for row in rows}

    async def close(self) -> None:
        if self.flusher is not None:
            await asyncio.gather(self.flusher, return_exceptions=True)


class RedisCounters:
    """The same counters in Redis, for deployments that have one anyway."""

    def __init__(self, url: str, clock: Clock) -> None:
        import redis.asyncio  # only where it is used: it costs every start 60 ms

        self.failure = redis.RedisError
        # Blocking: one request more than there are connections waits for one, where the plain pool refuses it.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=REDIS_CONNECTIONS, socket_timeout=2, socket_connect_timeout=2
        )
        self.client = redis.asyncio.Redis.from_pool(pool)
        self.clock = clock

    async def hit(self, key: str, period: timedelta) -> Count:
        name = f"unpuzzle:limit:{key}"
        async with self.client.pipeline(transaction=True) as pipeline:
            pipeline.set(name, 0, px=period, nx=True)
            pipeline.incr(name)
            pipeline.pttl(name)
            try:
                _, used, milliseconds = await pipeline.execute()
            except self.failure as error:
                raise ConnectionError("Redis does not answer") from error
        return Count(used, self.clock.now() + timedelta(milliseconds=max(milliseconds, 0)))

    async def close(self) -> None:
        await self.client.aclose()


class RateLimiter:
    """Which counter a request counts on, and what its caller is told."""

    def __init__(self, counters: Counters, settings: Settings, clock: Clock) -> None:
        self.counters = counters
        self.clock = clock
        self.anonymous = Limit(settings.rate_limit_anonymous, HOUR)
        self.authenticated = Limit(settings.rate_limit_authenticated, HOUR)
        self.named = {
            "sign_in": Limit(settings.rate_limit_sign_in, MINUTE),
            "sign_up": Limit(settings.rate_limit_sign_up, HOUR),
            "reset": Limit(settings.rate_limit_reset, HOUR),
        }

    async def count(self, exchange: Exchange, operation: Operation) -> None:
        """Counts a request before its body is read; those with a limit by a field of it are counted later."""
        name = operation.limit.get("name")
        if name == "none" or "by" in operation.limit:
            return
        if name is not None:
            await self._hit(exchange, f"{name}:{exchange.address}", self.named[name])
        elif exchange.identity is not None:
            await self._hit(exchange, f"user:{exchange.identity.user_id}", self.authenticated)
        else:
            await self._hit(exchange, f"address:{exchange.address}", self.anonymous)

    async def count_by_field(self, exchange: Exchange, operation: Operation, body: dict[str, str]) -> None:
        """Counts a request with a limit of its own for each value of a field, such as sign-in by account."""
        if "by" in operation.limit:
            name, field = operation.limit["name"], operation.limit["by"]
            await self._hit(exchange, f"{name}:{exchange.address}:{body[field].lower()}", self.named[name])

    async def _hit(self, exchange: Exchange, key: str, limit: Limit) -> None:
        count = await self.counters.hit(key, limit.period)
        seconds = max(0, math.ceil((count.resets_at - self.clock.now()).total_seconds()))
        exchange.headers_out |= {
            "X-RateLimit-Limit": str(limit.requests),
            "X-RateLimit-Remaining": str(max(0, limit.requests - count.used)),
            "X-RateLimit-Reset": str(math.ceil(count.resets_at.timestamp())),
            "X-RateLimit-Reset-After": str(seconds),
        }
        if count.used > limit.requests:
            raise Problem("RATE_LIMIT_EXCEEDED", "Too many requests. Please try again later.", retry_after=seconds)
