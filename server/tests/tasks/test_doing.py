"""Doing a task: once, patiently, and to its end, whoever dies meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from unpuzzle_server import deadletters
from unpuzzle_server.kernel.runner import Runner
from unpuzzle_server.kernel.tasks import TASKS
from unpuzzle_server.serving import ServeError
from workplace import Workplace


def failures(place: Workplace) -> list[tuple[Any, ...]]:
    return place.sql("SELECT id::text, name, args, attempts, error FROM failed_tasks")


@pytest.mark.parametrize("name", ["tests.note", "tests.deed"])
def test_a_task_is_done_once_however_often_its_message_comes(place: Workplace, name: str) -> None:
    task_id = place.enqueue(name, note="once")

    async def together(runner: Runner) -> None:
        await asyncio.gather(*(runner.perform(task_id) for _ in range(5)))

    place.run(together)
    place.perform(task_id)
    assert place.notes("once") == 1
    assert place.states(task_id) == []


def test_a_task_that_fails_leaves_nothing_and_is_tried_again_until_it_is_given_up(place: Workplace) -> None:
    task_id = place.enqueue("tests.fails", note="a trace")
    for _ in range(2):
        place.perform(task_id)
        assert place.states(task_id) == ["waiting"]
        place.make_due(task_id)
    place.perform(task_id)
    assert (place.states(task_id), place.notes("a trace")) == ([], 0)
    assert failures(place) == [(task_id, "tests.fails", {"note": "a trace"}, 3, "RuntimeError: no luck")]


def test_a_task_that_failed_is_not_tried_before_its_pause_is_over(place: Workplace) -> None:
    task_id = place.enqueue("tests.fails", note="a")
    place.perform(task_id)
    place.perform(task_id)
    assert place.sql("SELECT attempts, error FROM tasks") == [(1, "RuntimeError: no luck")]


def test_pauses_grow_exponentially_with_full_jitter_up_to_a_limit() -> None:
    task = TASKS["system.purge"]
    assert (task.first_pause, task.longest_pause) == (2, 900)
    for attempt, longest in ((1, 2), (2, 4), (5, 32), (9, 512), (10, 900), (60, 900)):
        pauses = [task.pause(attempt) for _ in range(300)]
        assert 0 <= min(pauses) < longest * 0.1
        assert longest * 0.9 < max(pauses) <= longest


def test_to_give_up_ends_in_the_dead_letters_at_once(place: Workplace) -> None:
    task_id = place.enqueue("tests.gives_up")
    place.perform(task_id)
    assert failures(place) == [(task_id, "tests.gives_up", {}, 1, "GiveUp: there is no such mailbox")]


def test_a_task_that_takes_too_long_is_stopped(place: Workplace) -> None:
    place.perform(place.enqueue("tests.hangs"))
    assert [row[4] for row in failures(place)] == ["TimeoutError"]


def test_dead_letters_hold_no_secrets(place: Workplace) -> None:
    settings = place.server.settings
    worker_password = settings.database_worker_url.split(":")[2].partition("@")[0]
    message = f"smtp://ada:hunter2@mail: {settings.secret_key} {settings.database_app_url} password={worker_password}\nmore"
    task_id = place.enqueue("tests.fails", note="a", message="")
    place.sql("UPDATE tasks SET args = jsonb_build_object('note', 'a', 'message', %s::text), attempts = 2", message)
    place.perform(task_id)
    [(*_, error)] = failures(place)
    assert error.startswith("RuntimeError: smtp://…@mail")
    for secret in ("hunter2", settings.secret_key, worker_password, "_app:", "more"):
        assert secret not in error


def test_an_error_of_the_database_is_told_without_the_values_that_it_quotes(place: Workplace) -> None:
    task_id = place.enqueue("tests.note", note="a")
    place.sql("ALTER TABLE tests.notes ADD CONSTRAINT no_whisper CHECK (note <> 'a')")
    try:
        place.perform(task_id)
        assert place.sql("SELECT error FROM tasks") == [("CheckViolation on no_whisper",)]
    finally:
        place.sql("ALTER TABLE tests.notes DROP CONSTRAINT no_whisper")


def test_what_was_given_up_can_be_retried(place: Workplace) -> None:
    task_id = place.enqueue("tests.gives_up")
    other_id = place.enqueue("tests.gives_up")
    place.perform(task_id)
    place.perform(other_id)
    assert place.retry(task_id) == "1 task will be done by the workers."
    place.make_due(task_id)
    assert (task_id, "tests.gives_up") in place.handed_over
    place.perform(task_id)
    assert {row[0]: row[3] for row in failures(place)} == {task_id: 1, other_id: 1}
    assert place.retry(None) == "2 tasks will be done by the workers."
    assert failures(place) == []


def test_what_was_given_up_is_listed_with_what_it_was_about(place: Workplace) -> None:
    assert deadletters.listed(place.home, place.owner_settings) == "No task was given up."
    task_id = place.enqueue("tests.gives_up")
    place.perform(task_id)
    heading, line = deadletters.listed(place.home, place.owner_settings).splitlines()
    assert heading.split() == ["ID", "TASK", "ATTEMPTS", "FAILED", "ERROR", "ARGUMENTS"]
    assert line.startswith(f"{task_id}  tests.gives_up  1")
    assert line.endswith("GiveUp: there is no such mailbox  {}")


@pytest.mark.parametrize("task_id", ["x", "00000000-0000-0000-0000-000000000000"])
def test_to_retry_what_was_not_given_up_is_refused(place: Workplace, task_id: str) -> None:
    with pytest.raises(ServeError, match="see `unpuzzle-server tasks failed`"):
        place.retry(task_id)


def test_a_task_whose_worker_died_is_sent_again_after_its_lease(place: Workplace) -> None:
    task_id = place.enqueue("tests.note", note="a")
    place.die_doing(task_id)
    place.run(lambda runner: runner.send_due())
    assert (place.states(task_id), place.handed_over) == (["running"], [])
    place.make_due(task_id)
    assert place.handed_over == [(task_id, "tests.note")]
    place.perform(task_id)
    assert place.notes("a") == 1


def test_a_worker_that_was_thought_dead_changes_nothing_any_more(place: Workplace) -> None:
    task_id = place.enqueue("tests.note", note="late", seconds=0.3)

    async def late(runner: Runner) -> None:
        performing = asyncio.create_task(runner.perform(task_id))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(place.sql, "UPDATE tasks SET attempts = attempts + 1")  # another has taken it over
        await performing

    place.run(late)
    assert (place.states(task_id), place.notes("late")) == (["running"], 0)


def test_a_worker_renews_the_leases_of_its_tasks(place: Workplace) -> None:
    task_id = place.enqueue("tests.deed", note="long", seconds=0.4)

    async def renewed(runner: Runner) -> list[tuple[Any, ...]]:
        performing = asyncio.create_task(runner.perform(task_id))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(place.sql, "UPDATE tasks SET due_at = now()")
        await runner.renew()
        found = await asyncio.to_thread(place.sql, "SELECT due_at FROM tasks")
        await performing
        return found

    [(due_at,)] = place.run(renewed)
    assert due_at > datetime.now(UTC) + timedelta(seconds=10)


def test_a_task_that_kills_its_workers_is_given_up(place: Workplace) -> None:
    task_id = place.enqueue("tests.fails", note="a")
    for _ in range(3):
        place.die_doing(task_id)
        place.make_due(task_id)
    place.perform(task_id)
    assert [(row[3], row[4]) for row in failures(place)] == [(3, "the worker died while it ran")]


def test_a_message_that_is_lost_is_sent_again_ever_more_patiently(place: Workplace) -> None:
    task_id = place.enqueue("tests.note", note="a")
    pauses = []
    for _ in range(4):
        place.make_due(task_id)
        pauses.append(place.sql("SELECT extract(epoch FROM due_at - clock_timestamp())::int FROM tasks")[0][0])
    lease = place.server.settings.task_lease_seconds
    assert pauses == pytest.approx([lease * 2, lease * 4, lease * 8, lease * 16], abs=2)


def test_a_periodic_task_is_asked_for_once_however_many_workers_run(place: Workplace) -> None:
    async def many(runner: Runner) -> None:
        await asyncio.gather(*(runner.ask_for_periodic() for _ in range(8)))

    periodic = {name for name, task in TASKS.items() if task.every}
    assert {"system.purge", "auth.purge"} <= periodic
    place.run(many)
    place.run(many)
    assert sorted(row[0] for row in place.sql("SELECT name FROM tasks")) == sorted(periodic)
    place.sql("UPDATE periodic_tasks SET next_at = now() - interval '3 days' WHERE name = 'auth.purge'")
    place.run(many)
    assert place.sql("SELECT count(*) FROM tasks WHERE name = 'auth.purge'") == [(2,)]
