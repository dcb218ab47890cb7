"""Does tasks, hands them to the broker when they are due, and asks for those that come round by themselves."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from sqlalchemy import text

from unpuzzle_server.kernel import tasks
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.exchange import Identity
from unpuzzle_server.kernel.operations import Kernel
from unpuzzle_server.kernel.tasks import GiveUp, Task, told, where

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
PERIODIC_SECONDS = 5
BATCH = 100

# The number of the attempt is a fencing token: a worker that was thought dead can't end what another has begun since.
CLAIM = text("""
    UPDATE tasks SET state = 'running', attempts = attempts + 1, due_at = clock_timestamp() + :lease
     WHERE id = :id AND state = 'sent' RETURNING id, name, args, attempts
""")
DONE = text("DELETE FROM tasks WHERE id = :id AND attempts = :attempt RETURNING 1")
TRY_AGAIN = text("""
    UPDATE tasks SET state = 'waiting', due_at = clock_timestamp() + :pause, sends = 0, error = :error
     WHERE id = :id AND attempts = :attempt
""")
BURY = text("""
    WITH gone AS (DELETE FROM tasks WHERE id = :id AND attempts = :attempt RETURNING *)
    INSERT INTO failed_tasks (id, name, args, attempts, error, created_at)
    SELECT id, name, args, :attempts, coalesce(:error, error, 'the worker died while it ran'), created_at FROM gone
""")
RENEW = text("""
    UPDATE tasks SET due_at = clock_timestamp() + :lease
      FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS int[])) AS mine (id, attempt)
     WHERE tasks.id = mine.id AND attempts = attempt AND state = 'running'
""")
# A message that is not heard of is sent again after one lease, then two, four, … up to an hour: a long queue is no loss.
SEND = text("""
    WITH due AS (SELECT id FROM tasks WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT :batch FOR UPDATE SKIP LOCKED)
    UPDATE tasks SET state = 'sent', sends = sends + 1,
                     due_at = clock_timestamp() + least(:lease * power(2, least(sends, 12)), interval '1 hour')
      FROM due WHERE tasks.id = due.id RETURNING tasks.id, tasks.name
""")
NOT_YET = text("SELECT name FROM periodic_tasks WHERE next_at > clock_timestamp()")
# Whoever gets the row asks for the task, in the same transaction; periods that nobody was there for are not made up for.
COMES_ROUND = text("""
    INSERT INTO periodic_tasks AS p (name, next_at) VALUES (:name, clock_timestamp() + :every)
    ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at WHERE p.next_at <= clock_timestamp() RETURNING name
""")

Publish = Callable[[list[tuple[str, str]]], None]
"""Sends messages for tasks, given as (id, name), to the broker."""


class SupersededError(Exception):
    """Another worker has taken this task over."""


@dataclass(frozen=True)
class TaskContext:
    """The first argument of a task that opens its own transactions."""

    kernel: Kernel
    task_id: UUID
    """The same in every attempt."""

    def transaction(self, identity: Identity | None = None) -> AbstractAsyncContextManager[Transaction]:
        return self.kernel.database.transaction(identity)


@dataclass(frozen=True)
class Claim:
    """One attempt at a task."""

    id: UUID
    name: str
    args: dict[str, Any]
    attempt: int

    @property
    def key(self) -> dict[str, Any]:
        return {"id": self.id, "attempt": self.attempt}


class Runner:
    """What one worker does, apart from listening to the broker."""

    def __init__(self, kernel: Kernel, publish: Publish) -> None:
        self.kernel = kernel
        self.publish = publish
        self.lease = timedelta(seconds=kernel.settings.task_lease_seconds)
        self.running: set[tuple[UUID, int]] = set()

    async def perform(self, task_id: str) -> None:
        """One attempt at the task that a message names; none if it is done already, under way, or not yet due again."""
        claim = await self._claim(task_id)
        if claim is None:
            return
        task = tasks.TASKS[claim.name]
        self.running.add((claim.id, claim.attempt))
        try:
            if claim.attempt > task.attempts:
                await self._bury(claim, None)
            else:
                await self._attempt(task, claim)
        finally:
            self.running.discard((claim.id, claim.attempt))

    async def _claim(self, task_id: str) -> Claim | None:
        async with self.kernel.database.transaction(None) as tx:
            row = await tx.row(CLAIM, id=task_id, lease=self.lease)
            return Claim(row.id, row.name, row.args, row.attempts) if row else None

    async def _attempt(self, task: Task, claim: Claim) -> None:
        try:
            async with asyncio.timeout(task.seconds):
                await self._run(task, claim)
        except SupersededError:
            log.warning("task taken over by another worker", extra={"task": task.name, "task_id": claim.id})
        except Exception as error:
            await self._failed(task, claim, error)

    async def _run(self, task: Task, claim: Claim) -> None:
        if task.runs_in == "ctx":
            await task.run(TaskContext(self.kernel, claim.id), **claim.args)
        async with self.kernel.database.transaction(None) as tx:
            if task.runs_in == "tx":
                await task.run(tx, **claim.args)
            if not await tx.value(DONE, **claim.key):
                raise SupersededError

    async def _failed(self, task: Task, claim: Claim, error: Exception) -> None:
        message = told(error, self.kernel.settings)
        gives_up = isinstance(error, GiveUp) or claim.attempt >= task.attempts
        extra = {"task": task.name, "task_id": claim.id, "attempt": claim.attempt, "error": message, "trace": where(error)}
        log.log(logging.ERROR if gives_up else logging.WARNING, "task given up" if gives_up else "task failed", extra=extra)
        if gives_up:
            await self._bury(claim, message)
            return
        async with self.kernel.database.transaction(None) as tx:
            await tx.execute(TRY_AGAIN, **claim.key, pause=timedelta(seconds=task.pause(claim.attempt)), error=message)

    async def _bury(self, claim: Claim, error: str | None) -> None:
        async with self.kernel.database.transaction(None) as tx:
            made = claim.attempt if error else claim.attempt - 1
            await tx.execute(BURY, **claim.key, attempts=made, error=error)

    async def send_due(self) -> int:
        """Hands tasks to the broker whose time has come, or which nobody has been heard of; answers how many."""
        async with self.kernel.database.transaction(None) as tx:
            due = await tx.rows(SEND, batch=BATCH, lease=self.lease)
            if due:
                await asyncio.to_thread(self.publish, [(str(row.id), row.name) for row in due])
            return len(due)

    async def renew(self) -> None:
        """Says of the tasks that run here that they still do."""
        if self.running:
            ids, attempts = zip(*self.running, strict=True)
            async with self.kernel.database.transaction(None) as tx:
                await tx.execute(RENEW, ids=list(ids), attempts=list(attempts), lease=self.lease)

    async def ask_for_periodic(self) -> None:
        async with self.kernel.database.transaction(None) as tx:
            early = {row.name for row in await tx.rows(NOT_YET)}
            for task in sorted(tasks.TASKS.values(), key=lambda task: task.name):
                if task.every and task.name not in early and await tx.value(COMES_ROUND, name=task.name, every=task.every):
                    await tx.enqueue(task.name)

    async def tend(self) -> None:
        """Everything that goes on beside the tasks, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again_and_again(self._dispatch, POLL_SECONDS))
            group.create_task(_again_and_again(self.renew, self.lease.total_seconds() / 3))
            group.create_task(_again_and_again(self.ask_for_periodic, PERIODIC_SECONDS))

    async def _dispatch(self) -> None:
        """Sends what is due, at once where it is told, else when it looks."""
        url = self.kernel.settings.database_worker_url
        async with await AsyncConnection.connect(url, autocommit=True, connect_timeout=5) as connection:
            await connection.execute("LISTEN unpuzzle_tasks")
            while True:
                while await self.send_due() == BATCH:
                    pass
                async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass


async def _again_and_again(act: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Whether it succeeds or not: a database or a broker that is away comes back."""
    while True:
        try:
            await act()
        except Exception as error:
            log.warning("the worker could not reach the database or the broker", extra={"error": type(error).__name__})
        await asyncio.sleep(seconds)
