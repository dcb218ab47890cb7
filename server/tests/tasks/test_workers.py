"""Workers as processes: beside the server or alone, several at once, over PostgreSQL and over Redis."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import wait_for
from redis_server import Redis
from workplace import Workplace


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    found = Redis(tmp_path)
    found.start()
    yield found
    found.stop()


def test_a_worker_does_what_was_asked_for_before_and_after_its_start(place: Workplace) -> None:
    place.sql("DELETE FROM task_message")
    place.enqueue("tests.note", note="before")
    with place.worker():
        wait_for(lambda: place.notes("before") == 1)
        place.enqueue("tests.deed", note="after")
        wait_for(lambda: place.notes("after") == 1)
        wait_for(lambda: place.sql("SELECT * FROM tasks") == [])
        wait_for(lambda: place.sql("SELECT * FROM pgmq.q_unpuzzle") == [])


def test_two_workers_do_everything_once(place: Workplace) -> None:
    with place.worker(), place.worker():
        for number in range(40):
            place.enqueue("tests.note", note=f"{number}", seconds=0.01)
        wait_for(lambda: place.sql("SELECT * FROM tasks") == [], 20)
    assert place.sql("SELECT count(*), count(DISTINCT note) FROM tests.notes") == [(40, 40)]


def test_a_worker_tries_again_and_then_gives_up(place: Workplace) -> None:
    task_id = place.enqueue("tests.fails", note="a")
    with place.worker():
        wait_for(lambda: place.sql("SELECT id::text, attempts FROM failed_tasks") == [(task_id, 3)], 20)
    assert place.sql("SELECT * FROM tasks") == []


def test_a_worker_that_is_told_to_stop_ends_its_task_first(place: Workplace) -> None:
    with place.worker() as process:
        task_id = place.enqueue("tests.note", note="to its end", seconds=1)
        wait_for(lambda: place.states(task_id) == ["running"])
        process.terminate()
        assert process.wait(10) == 0
    assert (place.states(task_id), place.notes("to its end")) == ([], 1)


def test_over_redis_a_task_is_done_that_was_asked_for_in_a_transaction(place: Workplace, redis: Redis) -> None:
    with place.worker(CELERY_BROKER_URL=redis.url):
        place.enqueue("tests.note", note="first")
        wait_for(lambda: place.notes("first") == 1)
        task_id = place.enqueue("tests.deed", note="second", seconds=0.5)
        wait_for(lambda: place.states(task_id) == ["running"])
        assert place.sql("SELECT * FROM pgmq.q_unpuzzle") == []
        wait_for(lambda: place.states(task_id) == [])


def test_over_redis_another_worker_takes_over_from_one_that_was_killed(place: Workplace, redis: Redis) -> None:
    with place.worker(CELERY_BROKER_URL=redis.url) as process:
        task_ids = [place.enqueue("tests.deed", note=f"{number}", seconds=0.5) for number in range(6)]
        wait_for(lambda: ["running"] in [place.states(task_id) for task_id in task_ids])
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    with place.worker(CELERY_BROKER_URL=redis.url):
        wait_for(lambda: place.sql("SELECT * FROM tasks") == [], 20)
    assert {place.notes(f"{number}") for number in range(6)} == {1}


def test_what_was_sent_over_postgresql_goes_over_redis_when_that_is_configured(place: Workplace, redis: Redis) -> None:
    task_id = place.enqueue("tests.note", note="a")
    assert place.states(task_id) == ["sent"]
    with place.worker(CELERY_BROKER_URL=redis.url):
        wait_for(lambda: place.states(task_id) == [])
    assert (place.notes("a"), place.sql("SELECT * FROM pgmq.q_unpuzzle")) == (1, [])
