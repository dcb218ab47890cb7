"""What instructors see of those who take their courses, and what they tell them."""

import time
from typing import Any

import pytest

from harness import Api, Person, code_of, running_server
from postman import Postman

LIST = "/api/v1/notifications/"
ENROLL_MANY = """
    WITH people AS (INSERT INTO users (id, email, full_name)
                    SELECT gen_random_uuid(), gen_random_uuid() || '@example.com', 'Ada' FROM generate_series(1, %s) RETURNING id)
    INSERT INTO enrollments (user_id, course_id) SELECT id, %s FROM people
"""
SCANS = "SELECT sum(seq_scan + coalesce(idx_scan, 0)) FROM pg_stat_user_tables WHERE relname IN ('lessons', 'lesson_progress')"


@pytest.fixture
def course(instructor: Person) -> dict[str, Any]:
    return instructor.published_course(title="Tea")


def taker(api: Api, course: dict[str, Any], name: str = "Ada Lovelace") -> Person:
    person = api.sign_up(full_name=name)
    assert person.post(f"/api/v1/courses/{course['id']}/enroll/").status_code == 201
    return person


def students(person: Person, course: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    answered = person.get(f"/api/v1/instructor/courses/{course['id']}/students/", params=query)
    assert answered.status_code == 200, answered.text
    found: list[dict[str, Any]] = answered.json()["results"]
    return found


def names(person: Person, course: dict[str, Any], **query: Any) -> list[str]:
    return [student["user"]["name"] for student in students(person, course, **query)]


def announce(person: Person, course: dict[str, Any], **body: Any) -> Any:
    path = f"/api/v1/instructor/courses/{course['id']}/announcements/"
    return person.post(path, json={"title": "Live on Friday", "message": "At six.", **body})


def test_an_instructor_sees_who_takes_their_course(api: Api, course: dict[str, Any], instructor: Person) -> None:
    ada, grace = taker(api, course, "Ada"), taker(api, course, "Grace")
    lesson = api.server.sql("SELECT id::text FROM lessons WHERE course_id = %s", course["id"])[0][0]
    ada.post(f"/api/v1/student/lessons/{lesson}/complete/")
    grace.post(f"/api/v1/courses/{course['id']}/unenroll/")
    assert names(instructor, course) == ["Grace", "Ada"]
    assert names(instructor, course, order="asc") == names(instructor, course, sort="last_accessed_at") == ["Ada", "Grace"]
    assert names(instructor, course, status="cancelled") == names(instructor, course, search="RAC") == ["Grace"]
    (found,) = students(instructor, course, search="ada")
    assert (found["status"], found["progress_percentage"], found["user"]["id"]) == ("completed", 100, ada.id)
    assert ada.email not in str(found)


def test_nobody_else_sees_them(course: dict[str, Any], learner: Person, other_instructor: Person) -> None:
    path = f"/api/v1/instructor/courses/{course['id']}/students/"
    assert code_of(other_instructor.get(path)) == "COURSE_NOT_FOUND"
    assert code_of(learner.get(path)) == "PERMISSION_DENIED"


def test_lessons_are_counted_for_those_on_the_page_alone(
    api: Api, course: dict[str, Any], instructor: Person, postgres: str
) -> None:
    api.server.sql(ENROLL_MANY, 1_000, course["id"])
    ((before,),) = api.server.sql(SCANS)
    path = f"/api/v1/instructor/courses/{course['id']}/students/"
    with running_server(postgres) as server, Api(server) as caller:
        found = caller.get(path, params={"page_size": 5}, headers=instructor.headers).json()
    ((after,),) = api.server.sql(SCANS)  # of a server that has stopped all scans are told
    assert (found["count"], len(found["results"])) == (1_000, 5)
    assert after - before < 500


def test_an_announcement_reaches_everybody_who_takes_the_course(api: Api, course: dict[str, Any], instructor: Person) -> None:
    ada, grace = taker(api, course), taker(api, course)
    grace.post(f"/api/v1/courses/{course['id']}/unenroll/")
    answered = announce(instructor, course)
    assert (answered.status_code, answered.json()["recipients_count"]) == (201, 1)
    told = ada.get(LIST).json()["results"][0]
    assert (told["type"], told["title"], told["message"], told["icon"]) == ("course", "Live on Friday", "At six.", "announcement")
    assert [item["title"] for item in grace.get(LIST).json()["results"]] == ["Welcome to the course"]


def test_it_comes_by_mail_to_those_who_want_that(api: Api, course: dict[str, Any], instructor: Person) -> None:
    ada, grace = taker(api, course), taker(api, course)
    ada.put("/api/v1/notifications/preferences/", json={"types": {"course": {"mail": True}}})
    announce(instructor, course)
    postman = Postman(api.server)
    for person in (ada, grace):
        (row,) = api.server.sql("SELECT id::text FROM notifications WHERE user_id = %s AND icon = 'announcement'", person.id)
        postman.deliver(row[0])
    assert [mail.subject for mail in postman.mails(ada.email)] == ["Live on Friday"]
    assert postman.mails(grace.email) == []


def test_thousands_are_told_by_one_statement(api: Api, course: dict[str, Any], instructor: Person) -> None:
    api.server.sql(ENROLL_MANY, 5_000, course["id"])
    began = time.monotonic()
    assert announce(instructor, course).json()["recipients_count"] == 5_000
    assert time.monotonic() - began < 5


def test_only_whoever_teaches_the_course_announces(course: dict[str, Any], learner: Person, other_instructor: Person) -> None:
    assert code_of(announce(other_instructor, course)) == "COURSE_NOT_FOUND"
    assert code_of(announce(learner, course)) == "PERMISSION_DENIED"
