"""What was watched counts once, whatever the order, the pieces and the devices in which it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.engine import Engine

from harness import Api, Person, Server, in_parallel

QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
LENGTH = 600
Range = tuple[int, int]


def progress(lesson: dict[str, Any]) -> str:
    return f"/api/v1/student/lessons/{lesson['id']}/progress/"


def video_of(instructor: Person, course: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return instructor.lesson(
        instructor.section(course, is_published=True), type="video", **{"duration_seconds": LENGTH, **fields}
    )


def taken_by(learner: Person, course: dict[str, Any]) -> None:
    assert learner.post(f"/api/v1/courses/{course['id']}/enroll/").status_code == 201


@pytest.fixture(scope="module")
def teacher(server: Server) -> Iterator[Person]:
    with Api(server) as api:
        yield api.sign_up_instructor()


@pytest.fixture(scope="module")
def viewer(teacher: Person) -> Person:
    return teacher.api.sign_up()


@pytest.fixture(scope="module")
def taken(teacher: Person, viewer: Person) -> dict[str, Any]:
    course: dict[str, Any] = teacher.published_course()
    taken_by(viewer, course)
    return course


def union(ranges: list[Range]) -> set[int]:
    """Plainly: every millisecond of every tenth of a second, once."""
    return {moment for start, end in ranges for moment in range(start, end)}


def as_seconds(ranges: list[Range]) -> list[dict[str, float]]:
    return [{"start": start / 10, "end": end / 10} for start, end in ranges]


tenths = st.integers(0, LENGTH * 10 + 500)
ranges = st.lists(st.tuples(tenths, tenths).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=6)


@QUICK
@given(told=st.lists(ranges, min_size=1, max_size=4), again=st.booleans(), at_once=st.booleans())
def test_the_watch_time_is_that_of_the_union(
    teacher: Person, viewer: Person, taken: dict[str, Any], told: list[list[Range]], again: bool, at_once: bool
) -> None:
    video = video_of(teacher, taken)
    writes = told + (told[::-1] if again else [])

    def write(caller: Any, part: list[Range]) -> None:
        body = {"watched": as_seconds(part), "position_seconds": part[-1][1] / 10}
        assert caller.put(progress(video), json=body, headers=viewer.headers).status_code == 200

    if at_once:  # two devices
        devices = [writes[::2], writes[1::2]]
        in_parallel(teacher.api.server, [lambda one, mine=mine: [write(one, part) for part in mine] for mine in devices])
    else:
        for part in writes:
            write(viewer.api, part)
    found = viewer.put(progress(video), json={}).json()
    expected = {moment for moment in union([item for part in told for item in part]) if moment < LENGTH * 10}
    watched = [(round(item["start"] * 10), round(item["end"] * 10)) for item in found["watched"]]
    assert union(watched) == expected
    assert watched == sorted(watched)
    assert all(end < start for (_, end), (start, _) in pairwise(watched))  # apart
    assert (found["watch_time_seconds"], found["time_spent_seconds"]) == (len(expected) // 10, len(expected) // 10)
    assert found["is_completed"] is (len(expected) >= LENGTH * 9)


def test_a_hundred_writes_at_once_lose_nothing(teacher: Person, viewer: Person, taken: dict[str, Any]) -> None:
    video = video_of(teacher, taken, duration_seconds=1000)
    acts = [
        lambda one, start=start: one.put(
            progress(video), json={"watched": as_seconds([(start, start + 50)])}, headers=viewer.headers
        )
        for start in range(0, 10_000, 100)
    ]
    assert {answer.status_code for answer in in_parallel(teacher.api.server, acts)} == {200}
    found = viewer.put(progress(video), json={}).json()
    assert len(found["watched"]) == 100
    assert found["watch_time_seconds"] == 500


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("page", ["progress", "learn"])
def test_a_course_of_three_hundred_lessons_takes_as_many_queries_as_one_of_three(
    api: Api, instructor: Person, learner: Person, page: str
) -> None:
    small, large = instructor.published_course(), instructor.published_course()
    for course, lessons in ((small, 2), (large, 299)):
        section = instructor.section(course, is_published=True)
        api.server.sql(
            "INSERT INTO lessons (section_id, course_id, title, position)"
            " SELECT %s, %s, 'Lesson', n FROM generate_series(1, %s) n",
            section["id"],
            course["id"],
            lessons,
        )
        taken_by(learner, course)
    statements = []
    for course in (small, large):
        with counted() as seen:
            assert learner.get(f"/api/v1/student/courses/{course['id']}/{page}/").status_code == 200
        statements.append(seen)
    assert statements[0] == statements[1]
    assert len(statements[0]) <= 6
