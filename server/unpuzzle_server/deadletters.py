"""The tasks that were given up: what the commands `tasks failed` and `tasks retry` do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import orjson
from sqlalchemy import Connection, Row, create_engine, text

from unpuzzle_server import serving
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.serving import ServeError

LIST = text("SELECT id, name, attempts, failed_at, error, args FROM failed_tasks ORDER BY failed_at DESC, id")
# The dispatcher of a worker sends them; their attempts count anew.
RETRY = text("""
    WITH again AS (DELETE FROM failed_tasks WHERE id = :id OR CAST(:id AS uuid) IS NULL RETURNING *)
    INSERT INTO tasks (id, name, args, state, due_at, sends, error, created_at)
    SELECT id, name, args, 'waiting', clock_timestamp(), 0, error, created_at FROM again
""")


@contextmanager
def connection(data_dir: Path, settings: Settings) -> Iterator[Connection]:
    with serving.owners_database(data_dir, settings) as owner_url:
        engine = create_engine(sqlalchemy_url(owner_url), hide_parameters=True)
        try:
            with engine.begin() as found:
                yield found
        finally:
            engine.dispose()


def listed(data_dir: Path, settings: Settings) -> str:
    with connection(data_dir, settings) as owner:
        rows = owner.execute(LIST).all()
    return _table(rows) if rows else "No task was given up."


def retry(data_dir: Path, settings: Settings, task_id: str | None) -> str:
    """Gives one task to the workers again, or all; answers a sentence on what was done."""
    wanted = _id(task_id) if task_id else None
    with connection(data_dir, settings) as owner:
        count = owner.execute(RETRY, {"id": wanted}).rowcount
    if wanted and not count:
        raise ServeError(f"No task {wanted} was given up: see `unpuzzle-server tasks failed`.")
    return f"{count} task{'' if count == 1 else 's'} will be done by the workers."


def _id(written: str) -> UUID:
    try:
        return UUID(written)
    except ValueError:
        raise ServeError(f"{written} is not the id of a task: see `unpuzzle-server tasks failed`.") from None


def _table(rows: Sequence[Row[tuple[object, ...]]]) -> str:
    lines = [("ID", "TASK", "ATTEMPTS", "FAILED", "ERROR", "ARGUMENTS")]
    lines += [
        (str(row.id), row.name, str(row.attempts), rfc3339(row.failed_at), row.error, orjson.dumps(row.args).decode())
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
