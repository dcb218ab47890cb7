"""Notifications: what makes one and what does not, in the transaction that causes it; and how they are read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine, event

from harness import Api, Person, Server, code_of, in_parallel

COURSES, LIST = "/api/v1/courses/", "/api/v1/notifications/"
MANY = 2_000
ENROLL_MANY = """
    WITH people AS (INSERT INTO users (id, email, full_name)
                    SELECT gen_random_uuid(), gen_random_uuid() || '@example.com', 'Ada' FROM generate_series(1, %s)
                    RETURNING id)
    INSERT INTO enrollments (user_id, course_id) SELECT id, %s FROM people
"""


def told(person: Person, **query: Any) -> list[dict[str, Any]]:
    """A person's notifications, the newest first; but for achievements, which come with whatever is done first."""
    found: list[dict[str, Any]] = person.get(LIST, params={"page_size": 100, **query}).json()["results"]
    return [item for item in found if item["icon"] != "achievement"]


def titles(person: Person) -> list[str]:
    return [notification["title"] for notification in told(person)]


def enroll(person: Person, course: dict[str, Any]) -> None:
    assert person.post(f"{COURSES}{course['id']}/enroll/").status_code == 201


def leave(person: Person, course: dict[str, Any]) -> None:
    assert person.post(f"{COURSES}{course['id']}/unenroll/").status_code == 200


def section_of(instructor: Person, course: dict[str, Any]) -> dict[str, Any]:
    section: dict[str, Any] = instructor.get(f"/api/v1/content/courses/{course['id']}/sections/").json()["results"][0]
    return section


def publish(instructor: Person, course: dict[str, Any], section: dict[str, Any], *, is_published: bool = True) -> None:
    path = f"/api/v1/content/courses/{course['id']}/sections/{section['id']}/"
    assert instructor.patch(path, json={"is_published": is_published}).status_code == 200


def lesson_ids(instructor: Person, section: dict[str, Any]) -> list[str]:
    return [lesson["id"] for lesson in instructor.get(f"/api/v1/content/sections/{section['id']}/lessons/").json()["results"]]


@pytest.fixture
def course(instructor: Person) -> dict[str, Any]:
    return instructor.published_course(title=f"Tea {uuid4().hex[:6]}")


@pytest.fixture
def taker(learner: Person, course: dict[str, Any]) -> Person:
    """Somebody who takes the course and has read that."""
    enroll(learner, course)
    learner.post(f"{LIST}read-all/")
    return learner


# What makes one


def test_enrolling_tells_the_learner(course: dict[str, Any], learner: Person) -> None:
    assert told(learner) == []
    enroll(learner, course)
    notification = told(learner)[0]
    assert {name: notification[name] for name in ("type", "title", "message", "is_read", "action_url", "icon", "read_at")} == {
        "type": "course",
        "title": "Welcome to the course",
        "message": f"You are enrolled in '{course['title']}'",
        "is_read": False,
        "action_url": f"/courses/{course['slug']}/learn",
        "icon": "enrollment",
        "read_at": None,
    }


def test_leaving_tells_nothing_and_coming_back_tells_again(course: dict[str, Any], taker: Person) -> None:
    leave(taker, course)
    assert titles(taker) == ["Welcome to the course"]
    enroll(taker, course)
    assert titles(taker) == ["Welcome to the course"] * 2


def test_what_is_refused_tells_nothing(course: dict[str, Any], taker: Person, instructor: Person) -> None:
    assert taker.post(f"{COURSES}{course['id']}/enroll/").status_code == 409
    assert taker.post(f"/api/v1/student/courses/{course['id']}/review/", json={"rating": 5}).status_code == 201
    assert taker.post(f"/api/v1/student/courses/{course['id']}/review/", json={"rating": 5}).status_code == 409
    assert instructor.post("/api/v1/auth/instructor/apply/", json={}).status_code == 409
    assert titles(taker) == ["Welcome to the course"]
    assert titles(instructor) == ["New review", "Application approved"]


def test_a_repeated_request_tells_once(course: dict[str, Any], learner: Person) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    answers = [learner.post(f"{COURSES}{course['id']}/enroll/", headers=key).status_code for _ in range(2)]
    assert (answers, len(told(learner))) == ([201, 201], 1)


def test_the_last_lesson_tells_that_the_course_is_completed_once(
    course: dict[str, Any], taker: Person, instructor: Person
) -> None:
    section = section_of(instructor, course)
    instructor.lesson(section)
    first, last = (f"/api/v1/student/lessons/{lesson}/complete/" for lesson in lesson_ids(instructor, section))
    taker.post(first)
    assert "Course completed" not in titles(taker)
    taker.post(last)
    completed = told(taker)[0]
    assert (completed["title"], completed["icon"]) == ("Course completed", "completion")
    assert completed["message"] == f"You have completed '{course['title']}'"
    taker.delete(last)
    taker.post(last)
    leave(taker, course)
    enroll(taker, course)
    assert titles(taker).count("Course completed") == 1


def test_a_lesson_in_a_published_section_is_told_to_those_who_take_the_course(
    api: Api, course: dict[str, Any], taker: Person, instructor: Person
) -> None:
    gone, other = api.sign_up(), api.sign_up()
    enroll(gone, course)
    leave(gone, course)
    taker.post(f"/api/v1/student/lessons/{lesson_ids(instructor, section_of(instructor, course))[0]}/complete/")
    instructor.lesson(section_of(instructor, course))
    notification = told(taker)[0]  # they have completed the course: that does not end it
    assert (notification["title"], notification["icon"]) == ("New lesson available", "lesson")
    assert notification["message"] == f"A new lesson has been added to '{course['title']}'"
    assert notification["action_url"] == f"/courses/{course['slug']}/learn"
    assert (titles(gone), titles(other)) == (["Welcome to the course"], [])
    assert "New lesson available" not in titles(instructor)


@pytest.mark.parametrize(
    ("lessons", "message"),
    [(1, "A new lesson has been added to '{}'"), (2, "2 new lessons have been added to '{}'")],
)
def test_a_section_tells_of_its_lessons_when_it_is_published(
    course: dict[str, Any], taker: Person, instructor: Person, lessons: int, message: str
) -> None:
    section = instructor.section(course)
    for _ in range(lessons):
        instructor.lesson(section)
    assert len(told(taker)) == 1
    publish(instructor, course, section)
    assert told(taker)[0]["message"] == message.format(course["title"])
    publish(instructor, course, section)
    assert len(told(taker)) == 2


def test_a_section_shown_again_tells_of_the_lessons_that_came_meanwhile_only(
    course: dict[str, Any], taker: Person, instructor: Person
) -> None:
    section = instructor.section(course, is_published=True)
    instructor.lesson(section)
    before = len(told(taker))
    publish(instructor, course, section, is_published=False)
    publish(instructor, course, section)
    assert len(told(taker)) == before
    publish(instructor, course, section, is_published=False)
    instructor.lesson(section)
    publish(instructor, course, section)
    assert len(told(taker)) == before + 1
    assert told(taker)[0]["message"] == f"A new lesson has been added to '{course['title']}'"


def test_what_learners_do_not_see_and_what_is_not_new_tells_nothing(
    course: dict[str, Any], taker: Person, instructor: Person
) -> None:
    section, empty = section_of(instructor, course), instructor.section(course)
    publish(instructor, course, empty)
    hidden = instructor.section(course)
    removed = instructor.lesson(hidden)
    instructor.patch(f"/api/v1/content/lessons/{removed['id']}/", json={"title": "Renamed", "is_preview": True})
    instructor.delete(f"/api/v1/content/lessons/{removed['id']}/")
    instructor.lesson(hidden)
    order = {"section_ids": [hidden["id"], empty["id"], section["id"]]}
    assert instructor.post(f"/api/v1/content/courses/{course['id']}/sections/reorder/", json=order).status_code == 200
    instructor.patch(f"/api/v1/instructor/courses/{course['id']}/", json={"title": "Coffee"})
    instructor.post(f"/api/v1/instructor/courses/{course['id']}/unpublish/")
    instructor.post(f"/api/v1/instructor/courses/{course['id']}/publish/")
    assert instructor.post(f"/api/v1/instructor/courses/{course['id']}/duplicate/").status_code == 201
    assert titles(taker) == ["Welcome to the course"]


def test_a_review_is_told_to_the_instructor_and_its_changes_are_not(
    course: dict[str, Any], taker: Person, instructor: Person
) -> None:
    path = f"/api/v1/student/courses/{course['id']}/review/"
    taker.post(path, json={"rating": 4, "comment": "Good."})
    notification = told(instructor)[0]
    assert (notification["title"], notification["icon"]) == ("New review", "review")
    assert notification["message"] == f"'{course['title']}' was rated 4 of 5"
    assert notification["action_url"] == f"/courses/{course['slug']}"
    taker.put(path, json={"rating": 1})
    taker.delete(path)
    assert titles(instructor).count("New review") == 1
    assert titles(taker) == ["Welcome to the course"]


def test_an_application_is_told_when_it_is_decided(api: Api) -> None:
    decisions = {"approved": "Application approved", "rejected": "Application declined"}
    for status, title in decisions.items():
        person = api.sign_up()
        api.server.sql("INSERT INTO instructor_applications (user_id) VALUES (%s)", person.id)
        assert told(person) == []
        for _ in range(2):
            api.server.sql("UPDATE instructor_applications SET status = %s WHERE user_id = %s", status, person.id)
        assert [(item["title"], item["type"]) for item in told(person)] == [(title, "system")]
    assert [item["title"] for item in told(api.sign_up_instructor())] == ["Application approved"]


@pytest.mark.parametrize("title", ['It\'s "quoted"', "100 % of %s and %1$I", "👩🏽‍🚀 שלום", "{braces} \\n $1 :name", "50%%"])
def test_titles_come_through_as_they_are(api: Api, instructor: Person, title: str) -> None:
    course, learner = instructor.published_course(title=title), api.sign_up()
    enroll(learner, course)
    learner.post(f"/api/v1/student/courses/{course['id']}/review/", json={"rating": 5})
    for lesson in lesson_ids(instructor, section_of(instructor, course)):
        learner.post(f"/api/v1/student/lessons/{lesson}/complete/")
    instructor.lesson(section_of(instructor, course))
    assert [notification["message"] for notification in told(learner)] == [
        f"A new lesson has been added to '{title}'",
        f"You have completed '{title}'",
        f"You are enrolled in '{title}'",
    ]
    assert told(instructor)[0]["message"] == f"'{title}' was rated 5 of 5"


@pytest.mark.parametrize(
    "cause",
    [
        "INSERT INTO enrollments (user_id, course_id) SELECT id, %(course)s FROM users WHERE id = %(instructor)s",
        "UPDATE enrollments SET completed_at = app.now() WHERE course_id = %(course)s",
        """INSERT INTO lessons (section_id, course_id, title, position)
           SELECT id, course_id, 'x', 9 FROM sections WHERE course_id = %(course)s AND is_published""",
        "UPDATE sections SET is_published = true WHERE course_id = %(course)s AND NOT is_published",
        """INSERT INTO reviews (enrollment_id, course_id, user_id, rating)
           SELECT id, course_id, user_id, 5 FROM enrollments WHERE course_id = %(course)s""",
        "UPDATE instructor_applications SET status = 'rejected' WHERE user_id = %(instructor)s AND status = 'pending'",
    ],
)
def test_a_notification_comes_and_goes_with_its_cause(
    api: Api, course: dict[str, Any], taker: Person, instructor: Person, cause: str
) -> None:
    instructor.lesson(instructor.section(course))
    api.server.sql("INSERT INTO instructor_applications (user_id) VALUES (%s)", instructor.id)
    count = """SELECT count(*) FROM notifications
                WHERE user_id IN (%(learner)s, %(instructor)s) AND icon <> 'achievement'"""
    names = {"course": course["id"], "learner": taker.id, "instructor": instructor.id}
    with psycopg.connect(api.server.owner_url) as connection:

        def counted() -> int:
            row = connection.execute(count, names).fetchone()
            assert row
            return int(row[0])

        before = counted()
        connection.execute(cause, names)
        assert counted() == before + 1
        connection.rollback()
        assert counted() == before


# Thousands of learners


@contextmanager
def statements_of_the_server() -> Iterator[list[str]]:
    """The statements that the server, which runs in this process, sends meanwhile."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_a_lesson_costs_the_server_as_many_statements_for_thousands_of_learners_as_for_none(api: Api, instructor: Person) -> None:
    statements = {}
    for learners in (0, MANY):
        course = instructor.published_course()
        api.server.sql(ENROLL_MANY, learners, course["id"])
        section = section_of(instructor, course)
        with statements_of_the_server() as statements[learners]:
            instructor.lesson(section)
        told = "SELECT count(*) FROM notifications JOIN enrollments USING (user_id) WHERE course_id = %s AND icon = 'lesson'"
        assert api.server.sql(told, course["id"]) == [(learners,)]
    assert statements[0] == statements[MANY]


# Reading them


INSERT = """
    INSERT INTO notifications (user_id, type, title, message, icon, created_at, read_at)
    SELECT %s, (ARRAY['course', 'payment', 'achievement', 'system'])[1 + n %% 4], 'N' || n, 'x', 'x',
           now() - interval '1 minute' * (n / 2), CASE WHEN n %% 3 = 0 THEN now() END
      FROM generate_series(1, 12) n
"""


@pytest.fixture
def reader(server: Server, learner: Person) -> Person:
    """Somebody with 12 notifications, 3 of each type, 4 of them read, some of the same moment."""
    server.sql(INSERT, learner.id)
    return learner


def test_the_newest_come_first_and_each_is_met_once(reader: Person) -> None:
    whole = told(reader)
    moments = [notification["created_at"] for notification in whole]
    assert moments == sorted(moments, reverse=True)
    pages = [reader.get(LIST, params={"page_size": 5, "page": page}).json() for page in (1, 2, 3)]
    assert [page["count"] for page in pages] == [12] * 3
    assert [item for page in pages for item in page["results"]] == whole


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 12),
        ({"unread_only": "true"}, 8),
        ({"unread_only": "false"}, 12),
        ({"type": "payment"}, 3),
        ({"type": "payment", "unread_only": "true"}, 2),
    ],
)
def test_filters_choose_and_leave_the_number_of_unread_alone(reader: Person, query: dict[str, str], count: int) -> None:
    page = reader.get(LIST, params=query).json()
    assert (page["count"], len(page["results"]), page["unread_count"]) == (count, count, 8)
    assert {item["type"] for item in page["results"]} <= {query.get("type", item["type"]) for item in page["results"]}
    assert not (query.get("unread_only") == "true" and any(item["is_read"] for item in page["results"]))


def test_one_is_read_once_and_keeps_when(reader: Person) -> None:
    chosen = told(reader, unread_only=True)[0]
    path = f"{LIST}{chosen['id']}/read/"
    assert reader.put(path).json() == {"message": "Notification marked as read", "notification_id": chosen["id"]}
    first = next(item for item in told(reader) if item["id"] == chosen["id"])
    assert first == {**chosen, "is_read": True, "read_at": first["read_at"]}
    assert reader.put(path).status_code == 200
    assert next(item for item in told(reader) if item["id"] == chosen["id"]) == first
    assert reader.get(LIST).json()["unread_count"] == 7


def test_all_are_read_and_counted_and_what_comes_later_is_not(reader: Person, course: dict[str, Any], instructor: Person) -> None:
    read_before = {item["id"]: item["read_at"] for item in told(reader) if item["is_read"]}
    others = instructor.get(LIST).json()["unread_count"]
    assert reader.post(f"{LIST}read-all/").json()["marked_count"] == 8
    assert reader.post(f"{LIST}read-all/").json()["marked_count"] == 0
    assert {item["id"]: item["read_at"] for item in told(reader) if item["id"] in read_before} == read_before
    enroll(reader, course)
    assert reader.get(LIST).json()["unread_count"] == 1
    assert titles(reader)[0] == told(reader, unread_only=True)[0]["title"] == "Welcome to the course"
    assert instructor.get(LIST).json()["unread_count"] == others == 1


def test_marking_all_at_once_twice_counts_each_once(api: Api, reader: Person) -> None:
    acts = [lambda caller: caller.post(f"{LIST}read-all/", headers=reader.headers).json()["marked_count"]] * 4
    assert sorted(in_parallel(api.server, acts)) == [0, 0, 0, 8]


def test_notifications_of_other_people_are_not_there(reader: Person, api: Api, admin: Person) -> None:
    theirs = told(reader, unread_only=True)[0]["id"]
    for somebody in (api.sign_up(), admin):
        for notification in (theirs, str(uuid4())):
            refused = somebody.put(f"{LIST}{notification}/read/")
            assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")
        assert theirs not in [item["id"] for item in told(somebody)]
    assert reader.get(LIST).json()["unread_count"] == 8
