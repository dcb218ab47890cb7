"""Transactions as somebody: row level security knows who asks, and every statement runs under it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
from psycopg.types.json import set_json_dumps, set_json_loads
from sqlalchemy import Row, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from unpuzzle_server.kernel import tasks
from unpuzzle_server.kernel.clock import Clock, rfc3339
from unpuzzle_server.kernel.exchange import Identity
from unpuzzle_server.kernel.settings import Settings

POOL_WAIT_SECONDS = 10
RETRIED = {"40001", "40P01"}
"""Serialization failure and deadlock: PostgreSQL asks to run the transaction again."""

BEGIN_AS = text("""
    SELECT set_config('app.user_id', :user, true), set_config('app.roles', :roles, true), set_config('app.now', :now, true)
""")
ENQUEUE = text("SELECT CAST(app.enqueue(:name, CAST(:args AS jsonb), :delay, :lease) AS text)")


class Transaction:
    """A handler's view of the database, of who asks, and of the time."""

    def __init__(self, connection: AsyncConnection, identity: Identity | None, clock: Clock, settings: Settings) -> None:
        self.connection = connection
        self.identity = identity
        self.clock = clock
        self.settings = settings

    @property
    def user(self) -> Identity:
        """Who asks, in operations that need somebody."""
        assert self.identity is not None, "this operation's role in the spec lets nobody in without a user"
        return self.identity

    async def execute(self, statement: TextClause, **values: Any) -> Any:
        return await self.connection.execute(statement, values)

    async def rows(self, statement: TextClause, **values: Any) -> list[Row[Any]]:
        return list((await self.connection.execute(statement, values)).all())

    async def row(self, statement: TextClause, **values: Any) -> Row[Any] | None:
        found: Row[Any] | None = (await self.connection.execute(statement, values)).one_or_none()
        return found

    async def value(self, statement: TextClause, **values: Any) -> Any:
        return (await self.connection.execute(statement, values)).scalar_one_or_none()

    async def enqueue(self, name: str, **args: Any) -> str:
        """Asks for a task, to be done once this transaction has committed; answers its id."""
        return await self.enqueue_in(timedelta(), name, **args)

    async def enqueue_in(self, delay: timedelta, name: str, **args: Any) -> str:
        """The same, after a while."""
        document, lease = tasks.arguments(name, args), timedelta(seconds=self.settings.task_lease_seconds)
        task_id: str = await self.value(ENQUEUE, name=name, args=document, delay=delay, lease=lease)
        return task_id

    async def become(self, identity: Identity) -> None:
        """Goes on as somebody who has just proved who they are."""
        self.identity = identity
        await self.connection.execute(BEGIN_AS, _session_values(identity, self.clock))


def _session_values(identity: Identity | None, clock: Clock) -> dict[str, str]:
    return {
        "user": str(identity.user_id) if identity else "",
        "roles": ",".join(sorted(identity.roles)) if identity else "",
        "now": rfc3339(clock.now()),
    }


class Database:
    """The pool of one process."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        set_json_loads(orjson.loads)
        set_json_dumps(orjson.dumps)
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(settings.database_app_url),
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            hide_parameters=True,  # errors are logged, and parameters may be secrets
            connect_args={"prepare_threshold": 5 if settings.database_prepared_statements else None, "connect_timeout": 5},
        )
        self.autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self, identity: Identity | None) -> AsyncIterator[Transaction]:
        """Commits at the end, rolls back when anything is raised."""
        async with self.engine.begin() as connection:
            await connection.execute(BEGIN_AS, _session_values(identity, self.clock))
            yield Transaction(connection, identity, self.clock, self.settings)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """For anonymous reads: no user to set, so no transaction to open."""
        async with self.autocommit.connect() as connection:
            yield Transaction(connection, None, self.clock, self.settings)

    async def ping(self) -> None:
        async with self.autocommit.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def sqlalchemy_url(url: str) -> str:
    """A PostgreSQL URL for SQLAlchemy on psycopg 3."""
    return "postgresql+psycopg://" + url.partition("://")[2]


def asks_to_retry(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in RETRIED


def violates(error: DBAPIError, constraint: str) -> bool:
    """Whether a statement failed on the named constraint."""
    diagnostics = getattr(error.orig, "diag", None)
    return diagnostics is not None and diagnostics.constraint_name == constraint


async def pause(attempt: int) -> None:
    await asyncio.sleep(0.01 * 2**attempt)
