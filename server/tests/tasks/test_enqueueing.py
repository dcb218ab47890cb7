"""Asking for a task: with the transaction that asks, and only in ways in which it can be done."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from unpuzzle_server.kernel import broker, tasks
from unpuzzle_server.kernel.database import Transaction
from workplace import Workplace


class ChangedItsMindError(Exception):
    """Raised to roll back."""


def messages(place: Workplace) -> list[dict[str, Any]]:
    return [row[0] for row in place.sql("SELECT message FROM pgmq.q_unpuzzle ORDER BY msg_id")]


def shape(message: Any) -> Any:
    """A message without its values."""
    if isinstance(message, dict):
        return {key: shape(value) for key, value in message.items()}
    return type(message)


def test_what_is_rolled_back_was_never_asked_for(place: Workplace) -> None:
    async def ask(tx: Transaction) -> None:
        await tx.enqueue("tests.note", note="never")
        raise ChangedItsMindError

    with pytest.raises(ChangedItsMindError):
        place.in_transaction(ask)
    assert place.sql("SELECT * FROM tasks") == []
    assert messages(place) == []


def test_a_committed_task_is_a_row_and_a_message_that_names_it(place: Workplace) -> None:
    task_id = place.enqueue("tests.note", note="a")
    assert place.states(task_id) == ["sent"]
    [message] = messages(place)
    assert (message["headers"]["id"], message["headers"]["task"]) == (task_id, "tests.note")
    assert message["properties"]["correlation_id"] == message["properties"]["delivery_tag"] == task_id


def test_the_database_writes_messages_as_celery_does(place: Workplace) -> None:
    task_id = place.enqueue("tests.note", note="a")
    publish = broker.publisher(broker.connected(place.server.settings))
    publish([(task_id, "tests.note")])
    ours, celerys = messages(place)
    assert shape(ours) == shape(celerys)
    assert ours["body"] == celerys["body"]
    # The origin and the address for replies are those of the process that wrote the message.
    same = {key: value for key, value in celerys["headers"].items() if key != "origin"}
    assert {key: value for key, value in ours["headers"].items() if key != "origin"} == same


def test_arguments_stay_in_the_database(place: Workplace) -> None:
    place.enqueue("tests.note", note="between us")
    assert "between us" not in str(messages(place))


def test_a_task_for_later_waits(place: Workplace) -> None:
    task_id = place.in_transaction(lambda tx: tx.enqueue_in(timedelta(hours=1), "tests.note", note="later"))
    assert (place.states(task_id), messages(place)) == (["waiting"], [])
    due_at = place.sql("SELECT due_at FROM tasks")[0][0]
    assert timedelta(minutes=59) < due_at - datetime.now(UTC) < timedelta(minutes=61)


def test_behind_another_broker_a_task_waits_for_the_dispatcher(place: Workplace) -> None:
    place.sql("DELETE FROM task_message")
    task_id = place.enqueue("tests.note", note="a")
    assert (place.states(task_id), messages(place)) == (["waiting"], [])
    place.run(lambda runner: runner.send_due())
    assert place.states(task_id) == ["sent"]
    assert place.handed_over == [(task_id, "tests.note")]


@pytest.mark.parametrize(
    ("name", "args", "refusal"),
    [
        ("tests.unheard_of", {}, LookupError),
        ("tests.note", {}, TypeError),
        ("tests.note", {"note": "a", "colour": "red"}, TypeError),
        ("tests.note", {"note": uuid4()}, TypeError),
        ("tests.note", {"note": datetime.now(UTC)}, TypeError),
        ("tests.note", {"note": ("a", "tuple")}, TypeError),
        ("tests.note", {"note": {1: "a number for a key"}}, TypeError),
        ("tests.note", {"note": math.nan}, ValueError),
    ],
)
def test_a_task_that_could_not_be_done_is_refused_where_it_is_asked_for(
    place: Workplace, name: str, args: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        place.enqueue(name, **args)
    assert place.sql("SELECT * FROM tasks") == []


async def well(tx: Transaction) -> None: ...


async def unbound(request: Any) -> None: ...


async def careless(tx: Transaction, reset_token: str) -> None: ...


@pytest.mark.parametrize(
    ("name", "function", "refusal"),
    [
        ("nowhere", well, "is no name"),
        ("tests.note", well, "two tasks"),
        ("tests.unbound", unbound, "must be tx or ctx"),
        ("tests.careless", careless, "would be kept in the database"),
    ],
)
def test_a_task_that_is_none_is_refused_at_start(name: str, function: tasks.Function, refusal: str) -> None:
    with pytest.raises((TypeError, ValueError), match=refusal):
        tasks.task(name)(function)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM tasks",
        "UPDATE tasks SET args = '{}'",
        "DELETE FROM tasks",
        "SELECT * FROM failed_tasks",
        "INSERT INTO task_message (template) VALUES ('{}')",
        "SELECT * FROM pgmq.q_unpuzzle",
        "SELECT pgmq.send('unpuzzle', '{}')",
    ],
)
def test_the_application_may_ask_and_nothing_else(place: Workplace, statement: str) -> None:
    with (
        psycopg.connect(place.server.settings.database_app_url) as application,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        application.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT hash FROM passwords",
        "SELECT pgmq.create('mine')",
        "SELECT pgmq.drop_queue('unpuzzle')",
        "DELETE FROM users",
        "TRUNCATE tasks",
        "CREATE TABLE mine (id int)",
    ],
)
def test_a_worker_may_do_no_more_than_its_tasks_need(place: Workplace, statement: str) -> None:
    with (
        psycopg.connect(place.server.settings.database_worker_url) as worker,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        worker.execute(statement)
