"""A workplace for every test of tasks."""

from collections.abc import Iterator

import pytest
from psycopg.types.json import Jsonb

import sample_tasks
from harness import Server
from unpuzzle_server.kernel import broker
from workplace import Workplace


@pytest.fixture
def place(server: Server) -> Iterator[Workplace]:
    """As a worker that listens to PostgreSQL leaves it."""
    server.sql(sample_tasks.NOTES)
    for table in ("task_message", "tasks", "pgmq.q_unpuzzle"):  # sign-ups of other tests have left theirs
        server.sql(f"DELETE FROM {table}")
    server.sql("INSERT INTO task_message (template) VALUES (%s)", Jsonb(broker.template()))
    yield Workplace(server)
    for table in ("tasks", "failed_tasks", "periodic_tasks", "task_message", "pgmq.q_unpuzzle", "tests.notes"):
        server.sql(f"DELETE FROM {table}")
