"""Tasks that leave a trace, for the tests of tasks; a worker takes them by TASK_MODULES."""

import asyncio

from sqlalchemy import text

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import GiveUp, task

NOTE = text("INSERT INTO tests.notes (note) VALUES (:note)")
NOTES = """
    CREATE SCHEMA IF NOT EXISTS tests;
    CREATE TABLE IF NOT EXISTS tests.notes (note text NOT NULL);
    GRANT USAGE ON SCHEMA tests TO PUBLIC;
    GRANT INSERT ON tests.notes TO PUBLIC;
"""
"""Where the traces are; not in a table of the server's, because those are held against rules of their own."""


@task("tests.note")
async def note(tx: Transaction, note: str, seconds: float = 0) -> None:
    """Its effect and its end are one transaction."""
    await tx.execute(NOTE, note=note)
    await asyncio.sleep(seconds)


@task("tests.deed")
async def deed(ctx: TaskContext, note: str, seconds: float = 0) -> None:
    """Its effect is there before its end is noted."""
    async with ctx.transaction() as tx:
        await tx.execute(NOTE, note=f"begun {note}")
    await asyncio.sleep(seconds)
    async with ctx.transaction() as tx:
        await tx.execute(NOTE, note=note)


@task("tests.fails", attempts=3, first_pause=0.2, longest_pause=0.2)
async def fails(tx: Transaction, note: str, message: str = "no luck") -> None:
    await tx.execute(NOTE, note=note)
    raise RuntimeError(message)


@task("tests.gives_up")
async def gives_up(tx: Transaction) -> None:
    raise GiveUp("there is no such mailbox")


@task("tests.hangs", attempts=1, seconds=0.05)
async def hangs(ctx: TaskContext) -> None:
    await asyncio.sleep(60)
