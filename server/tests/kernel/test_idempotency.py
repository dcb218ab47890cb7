"""Idempotency keys: the same call twice is done once, and a crash in between leaves all of it or nothing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg

from harness import Api, Person, code_of, in_parallel

CREATE = "/api/v1/instructor/courses/create/"


def create(person: Person, key: str, **body: Any) -> Any:
    return person.post(CREATE, json={"title": "Once", **body}, headers={"Idempotency-Key": key})


def test_the_same_key_and_body_answer_what_the_first_call_answered(instructor: Person) -> None:
    key = str(uuid4())
    first, second = create(instructor, key), create(instructor, key)
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert all(second.headers[name] == first.headers[name] for name in ("location", "etag", "content-type"))
    assert instructor.get("/api/v1/instructor/courses/").json()["count"] == 1


def test_another_body_under_the_same_key_is_refused(instructor: Person) -> None:
    key = str(uuid4())
    create(instructor, key)
    refused = create(instructor, key, price=1)
    assert (refused.status_code, code_of(refused)) == (422, "IDEMPOTENCY_MISMATCH")


def test_a_key_belongs_to_one_user_and_one_operation(instructor: Person, other_instructor: Person) -> None:
    key = str(uuid4())
    mine, theirs = create(instructor, key).json(), create(other_instructor, key).json()
    assert mine["id"] != theirs["id"]
    response = instructor.post(f"/api/v1/instructor/courses/{mine['id']}/duplicate/", headers={"Idempotency-Key": key})
    assert (response.status_code, "idempotency-replayed" in response.headers) == (201, False)


def test_the_same_body_for_another_course_is_another_request(instructor: Person) -> None:
    one, two = instructor.course(), instructor.course()
    key = {"Idempotency-Key": str(uuid4())}
    path = "/api/v1/instructor/courses/{}/duplicate/"
    instructor.post(path.format(one["id"]), headers=key)
    assert code_of(instructor.post(path.format(two["id"]), headers=key)) == "IDEMPOTENCY_MISMATCH"


def test_a_deletion_is_replayed_too(instructor: Person) -> None:
    path = f"/api/v1/instructor/courses/{instructor.course()['id']}/"
    key = {"Idempotency-Key": str(uuid4())}
    assert [instructor.delete(path, headers=key).status_code for _ in range(2)] == [204, 204]
    assert instructor.delete(path).status_code == 404


def test_a_refusal_can_be_tried_again_with_its_key(instructor: Person) -> None:
    course = instructor.course()
    path, key = f"/api/v1/instructor/courses/{course['id']}/publish/", {"Idempotency-Key": str(uuid4())}
    assert instructor.post(path, headers=key).status_code == 422
    ready = {"description": "d", "price": 0, "category_id": instructor.api.category()["id"]}
    instructor.patch(f"/api/v1/instructor/courses/{course['id']}/", json=ready)
    instructor.lesson(instructor.section(course, is_published=True))
    assert instructor.post(path, headers=key).status_code == 200


def test_the_second_of_two_calls_at_once_is_told_to_wait_or_gets_the_answer(api: Api, instructor: Person) -> None:
    key = str(uuid4())
    headers = {**instructor.headers, "Idempotency-Key": key}
    answers = in_parallel(api.server, [lambda caller: caller.post(CREATE, json={"title": "Race"}, headers=headers)] * 12)
    done = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert len(done) + len(waiting) == 12
    assert {code_of(answer) for answer in waiting} <= {"IDEMPOTENCY_IN_PROGRESS"}
    assert len({answer.json()["id"] for answer in done}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in done) == 1


def test_while_the_first_call_is_under_way_the_second_is_refused(api: Api, instructor: Person) -> None:
    key = str(uuid4())
    scope = f"{instructor.id}:courses.create:{key}"
    with psycopg.connect(api.server.owner_url) as first_call:
        first_call.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [scope])
        refused = create(instructor, key)
        assert (refused.status_code, code_of(refused)) == (409, "IDEMPOTENCY_IN_PROGRESS")
    assert create(instructor, key).status_code == 201


def test_an_answer_is_kept_for_a_day(api: Api, instructor: Person) -> None:
    key = str(uuid4())
    first = create(instructor, key).json()
    try:
        api.server.clock.offset = timedelta(minutes=59)
        assert create(instructor, key).json()["id"] == first["id"]
    finally:
        api.server.clock.offset = timedelta()
    api.server.sql("UPDATE idempotency_keys SET created_at = created_at - interval '24 hours 1 second' WHERE key = %s", key)
    assert create(instructor, key).json()["id"] != first["id"]


def test_an_answer_with_secrets_is_never_kept(api: Api, learner: Person) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    body = {"email": learner.email, "password": "correct horse battery"}
    answers = [api.post("/api/v1/auth/signin/", json=body, headers=key).json() for _ in range(2)]
    assert answers[0]["refresh_token"] != answers[1]["refresh_token"]
    kept = api.server.sql(
        "SELECT count(*) FROM idempotency_keys WHERE operation LIKE 'auth.sign_%' AND operation <> 'auth.sign_out'"
    )
    assert kept == [(0,)]
