"""Whatever many do in one course at the same moment, no two of their transactions wait for each other."""

from functools import partial
from typing import Any

from harness import Api, Person, in_parallel, running_server

Act = tuple[str, str, dict[str, Any]]

ENROL: Act = ("POST", "/api/v1/courses/{course}/enroll/", {})
LEAVE: Act = ("POST", "/api/v1/courses/{course}/unenroll/", {})
WATCH: Act = ("PUT", "/api/v1/student/lessons/{lesson}/progress/", {"json": {"active_seconds": 5}})
COMPLETE: Act = ("POST", "/api/v1/student/lessons/{lesson}/complete/", {})
REVIEW: Act = ("POST", "/api/v1/student/courses/{course}/review/", {"json": {"rating": 4}})
STORIES: list[list[Act]] = [
    [ENROL],
    [ENROL, WATCH],
    [ENROL, COMPLETE],
    [ENROL, LEAVE],
    [ENROL, REVIEW],
    [ENROL, WATCH, COMPLETE],
    [ENROL, COMPLETE, LEAVE],
    [ENROL, LEAVE, ENROL],
]
"""What learners do in a course of one lesson; the last of it all at once."""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


class Course:
    def __init__(self, instructor: Person) -> None:
        self.id: str = instructor.published_course()["id"]
        ((self.lesson,),) = instructor.api.server.sql("SELECT id::text FROM lessons WHERE course_id = %s", self.id)

    def act(self, caller: Api, person: Person, act: Act) -> None:
        method, path, body = act
        path = path.format(course=self.id, lesson=self.lesson)
        answered = caller.request(method, path, headers=person.headers, **body)
        assert answered.status_code in (200, 201), answered.text


def test_of_those_who_come_learn_review_and_leave_at_once_none_wait_for_each_other(
    api: Api, instructor: Person, postgres: str
) -> None:
    before = api.server.sql(DEADLOCKS)
    with running_server(postgres) as server:
        for _ in range(2):
            course, last = Course(instructor), []
            for story in STORIES * 2:
                learner = api.sign_up()
                for act in story[:-1]:
                    course.act(api, learner, act)
                last.append(partial(course.act, person=learner, act=story[-1]))
            in_parallel(server, last)
    assert api.server.sql(DEADLOCKS) == before  # those of a server that has stopped are all counted
