"""Taking a course."""

from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, code_of, in_parallel


def enroll_path(id_or_slug: str) -> str:
    return f"/api/v1/courses/{id_or_slug}/enroll/"


@pytest.mark.parametrize(("name", "body"), [("id", {}), ("slug", {"json": {}}), ("slug", {"json": {"coupon_code": "FREE"}})])
def test_a_free_course_is_taken_by_id_or_slug_with_or_without_a_body(
    instructor: Person, learner: Person, name: str, body: dict[str, Any]
) -> None:
    course = instructor.published_course(title=f"Free {uuid4().hex}")
    response = learner.post(enroll_path(course[name]), **body)
    assert response.status_code == 201
    enrollment = response.json()
    assert (enrollment["course_id"], enrollment["user_id"], enrollment["payment"]) == (course["id"], learner.id, None)
    assert enrollment["message"] == "Successfully enrolled in course"


def test_a_second_time_is_refused(instructor: Person, learner: Person) -> None:
    course = instructor.published_course()
    learner.post(enroll_path(course["id"]))
    refused = learner.post(enroll_path(course["slug"]))
    assert (refused.status_code, code_of(refused)) == (409, "ENROLLMENT_EXISTS")


def test_sixteen_times_at_once_make_one_enrolment(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course()
    act = lambda caller: caller.post(enroll_path(course["id"]), headers=learner.headers).status_code  # noqa: E731
    assert sorted(in_parallel(api.server, [act] * 16)) == [201] + [409] * 15
    assert api.get(f"/api/v1/courses/{course['id']}/").json()["students_count"] == 1


def test_whoever_left_may_come_back(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course()
    first = learner.post(enroll_path(course["id"])).json()
    api.server.sql("UPDATE enrollments SET status = 'cancelled' WHERE id = %s", first["enrollment_id"])
    assert learner.post(enroll_path(course["id"])).json()["enrollment_id"] == first["enrollment_id"]


def test_a_course_with_a_price_needs_a_payment(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course(price=49.99)
    refused = learner.post(enroll_path(course["id"]))
    assert (refused.status_code, code_of(refused)) == (402, "PAYMENT_REQUIRED")
    assert "49.99 USD" in refused.json()["error"]["message"]
    assert api.get(f"/api/v1/courses/{course['id']}/").json()["students_count"] == 0


def test_whoever_has_a_course_with_a_price_is_told_so_first(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course(price=49.99)
    api.server.sql("INSERT INTO enrollments (user_id, course_id) VALUES (%s, %s)", learner.id, course["id"])
    assert code_of(learner.post(enroll_path(course["id"]))) == "ENROLLMENT_EXISTS"


def test_what_is_not_published_cannot_be_taken(instructor: Person, learner: Person) -> None:
    draft, archived = instructor.course(), instructor.published_course()
    instructor.post(f"/api/v1/instructor/courses/{archived['id']}/archive/")
    for course in (draft, archived):
        refused = learner.post(enroll_path(course["id"]))
        assert (refused.status_code, code_of(refused)) == (409, "COURSE_NOT_PUBLISHED")


def test_what_is_not_there_cannot_be_taken(learner: Person) -> None:
    for name in (str(uuid4()), "nothing-of-this-name"):
        refused = learner.post(enroll_path(name))
        assert (refused.status_code, code_of(refused)) == (404, "COURSE_NOT_FOUND")


def test_ones_own_course_cannot_be_taken(instructor: Person) -> None:
    refused = instructor.post(enroll_path(instructor.published_course()["id"]))
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")


def test_an_anonymous_caller_cannot_enrol(api: Api, instructor: Person) -> None:
    refused = api.post(enroll_path(instructor.published_course()["id"]))
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_REQUIRED")
