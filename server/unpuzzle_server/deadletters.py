"""The tasks that were given up: what the commands `tasks failed|retry` and `webhooks failed|replay` do."""

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

EVENTS = "payments.apply_event"
LIST = text("""
    SELECT id, name, attempts, failed_at, error, args FROM failed_tasks WHERE name = :name OR :name = ''
     ORDER BY failed_at DESC, id
""")
# The dispatcher of a worker sends them; their attempts count anew.
RETRY = text("""
    WITH again AS (DELETE FROM failed_tasks WHERE id = :id OR CAST(:id AS uuid) IS NULL RETURNING *)
    INSERT INTO tasks (id, name, args, state, due_at, sends, error, created_at)
    SELECT id, name, args, 'waiting', clock_timestamp(), 0, error, created_at FROM again
""")
# An event is followed by a new task, whether an earlier one was given up or has done it.
REPLAY = text("""
    WITH given_up AS (
        DELETE FROM failed_tasks f USING stripe_events e
         WHERE f.name = :name AND f.args->>'event_id' = e.id AND (e.id = :event OR CAST(:event AS text) IS NULL) RETURNING e.id
    ), wanted AS (SELECT id FROM given_up UNION SELECT id FROM stripe_events WHERE id = :event)
    INSERT INTO tasks (id, name, args, state, due_at, sends, created_at)
    SELECT gen_random_uuid(), :name, jsonb_build_object('event_id', id), 'waiting', clock_timestamp(), 0, clock_timestamp()
      FROM wanted
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


def listed(data_dir: Path, settings: Settings, name: str = "") -> str:
    """All of them, or those of one name."""
    with connection(data_dir, settings) as owner:
        rows = owner.execute(LIST, {"name": name}).all()
    return _table(rows) if rows else "No event was given up." if name else "No task was given up."


def retry(data_dir: Path, settings: Settings, task_id: str | None) -> str:
    """Gives one task to the workers again, or all; answers a sentence on what was done."""
    wanted = _id(task_id) if task_id else None
    with connection(data_dir, settings) as owner:
        count = owner.execute(RETRY, {"id": wanted}).rowcount
    if wanted and not count:
        raise ServeError(f"No task {wanted} was given up: see `unpuzzle-server tasks failed`.")
    return f"{count} task{'' if count == 1 else 's'} will be done by the workers."


def replay(data_dir: Path, settings: Settings, event_id: str | None) -> str:
    """Has one event followed again, or all that were given up; answers a sentence on what was done."""
    with connection(data_dir, settings) as owner:
        count = owner.execute(REPLAY, {"name": EVENTS, "event": event_id}).rowcount
    if event_id and not count:
        raise ServeError(f"Stripe has sent no event {event_id}.")
    return f"{count} event{'' if count == 1 else 's'} will be followed by the workers."


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
