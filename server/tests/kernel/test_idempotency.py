"""Safe repetition: one key, one effect, one answer."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from harness import CONTRACT, PASSWORD, Api, Person, Server, code_of, in_parallel, wait_for

CREATE, OWN = "/api/v1/instructor/courses/create/", "/api/v1/instructor/courses/"
UPDATE, PROFILE, APPLY = "/api/v1/auth/profile/update/", "/api/v1/auth/profile/", "/api/v1/auth/instructor/apply/"

UNDER_WAY = """
    SELECT 1 FROM pg_locks
     WHERE locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)
"""


def key(value: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": value or f"key-{uuid4()}"}


def replayed(response: httpx.Response) -> bool:
    return response.headers.get("idempotency-replayed") == "true"


@pytest.fixture
def later(server: Server) -> Iterator[Callable[[timedelta], None]]:
    def moved(offset: timedelta) -> None:
        server.clock.offset = offset

    yield moved
    server.clock.offset = timedelta()


def test_the_same_call_again_is_answered_the_same_and_does_nothing(instructor: Person) -> None:
    headers, body = key(), {"title": "Once"}
    first, second = (instructor.post(CREATE, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, replayed(first)) == (201, False)
    assert (second.status_code, replayed(second)) == (201, True)
    assert second.content == first.content
    assert {name: second.headers[name] for name in ("location", "etag", "content-type")} == {
        name: first.headers[name] for name in ("location", "etag", "content-type")
    }
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert instructor.get(OWN).json()["count"] == 1


def test_without_a_key_every_call_counts(instructor: Person) -> None:
    for _ in range(2):
        assert not replayed(instructor.post(CREATE, json={"title": "Twice"}))
    assert instructor.get(OWN).json()["count"] == 2


def test_a_replay_comes_in_the_envelope_where_that_is_asked_for(instructor: Person) -> None:
    headers, body = key(), {"title": "Wrapped"}
    plain = instructor.post(CREATE, json=body, headers=headers)
    wrapped = instructor.post(CREATE, json=body, headers={**headers, "Prefer": "envelope=standard"})
    assert replayed(wrapped)
    assert wrapped.json()["data"] == plain.json()


def test_a_replay_of_a_delete_has_no_body_and_is_no_404(instructor: Person) -> None:
    headers, path = key(), f"{OWN}{instructor.course()['id']}/"
    first, second = instructor.delete(path, headers=headers), instructor.delete(path, headers=headers)
    assert (first.status_code, second.status_code, second.content) == (204, 204, b"")
    assert (replayed(first), replayed(second)) == (False, True)
    assert instructor.delete(path, headers=key()).status_code == 404


def test_what_makes_a_request_another_one_is_what_it_says_not_how(instructor: Person) -> None:
    headers = {**key(), "Content-Type": "application/json"}
    assert instructor.post(CREATE, content=b'{"title":"Same","price":1}', headers=headers).status_code == 201
    same = instructor.post(CREATE, content=b' { "price" : 1, "title" : "S\\u0061me" } ', headers=headers)
    assert (same.status_code, replayed(same)) == (201, True)


@pytest.mark.parametrize("changed", [{"title": "Other"}, {"title": "First", "description": None}, {"title": "First", "price": 1}])
def test_a_key_with_another_body_is_a_mistake(instructor: Person, changed: dict[str, Any]) -> None:
    headers = key()
    instructor.post(CREATE, json={"title": "First"}, headers=headers)
    response = instructor.post(CREATE, json=changed, headers=headers)
    assert (response.status_code, code_of(response)) == (422, "IDEMPOTENCY_MISMATCH")
    assert instructor.get(OWN).json()["count"] == 1


def test_a_key_with_another_path_or_precondition_is_a_mistake_too(instructor: Person) -> None:
    one, other = (f"{OWN}{instructor.course()['id']}/" for _ in range(2))
    headers = key()
    assert instructor.patch(one, json={"title": "x"}, headers=headers).status_code == 200
    assert code_of(instructor.patch(other, json={"title": "x"}, headers=headers)) == "IDEMPOTENCY_MISMATCH"
    assert code_of(instructor.patch(one, json={"title": "x"}, headers={**headers, "If-Match": "*"})) == "IDEMPOTENCY_MISMATCH"


def test_a_key_belongs_to_one_user_and_one_operation(instructor: Person, other_instructor: Person) -> None:
    headers = key()
    mine, theirs = (person.post(CREATE, json={"title": "Mine"}, headers=headers) for person in (instructor, other_instructor))
    assert not replayed(theirs)
    assert mine.json()["id"] != theirs.json()["id"]
    assert not replayed(instructor.put(UPDATE, json={"bio": "x"}, headers=headers))


def test_keys_differ_in_case_and_may_be_any_visible_ascii(instructor: Person) -> None:
    for value in ("Key", "key", "'; DROP TABLE users; --".replace(" ", ""), "%00", "k" * 255, '~!{}[]"\\'):
        response = instructor.post(CREATE, json={"title": "Same"}, headers=key(value))
        assert (response.status_code, replayed(response)) == (201, False)


def test_a_failed_call_can_be_tried_again_under_its_key(instructor: Person) -> None:
    headers, body = key(), {"title": "Categorised", "category_id": "00000000-0000-0000-0000-000000000000"}
    assert code_of(instructor.post(CREATE, json=body, headers=headers)) == "CATEGORY_UNKNOWN"
    assert code_of(instructor.post(CREATE, json=body, headers=headers)) == "CATEGORY_UNKNOWN"
    assert instructor.post(CREATE, json={"title": "Uncategorised"}, headers=headers).status_code == 201


def test_an_invalid_call_uses_no_key_up(instructor: Person) -> None:
    headers = key()
    assert instructor.post(CREATE, json={"title": ""}, headers=headers).status_code == 422
    assert instructor.post(CREATE, json={"title": "Valid"}, headers=headers).status_code == 201


def test_a_key_is_kept_for_a_day(instructor: Person, later: Callable[[timedelta], None]) -> None:
    headers, body = key(), {"bio": "first"}
    instructor.put(UPDATE, json=body, headers=headers)
    later(timedelta(hours=23, minutes=59))
    credentials = {"email": instructor.email, "password": PASSWORD}
    token = instructor.api.post("/api/v1/auth/signin/", json=credentials).json()["access_token"]
    fresh = {**headers, "Authorization": f"Bearer {token}"}
    assert replayed(instructor.put(UPDATE, json=body, headers=fresh))
    later(timedelta(hours=24, seconds=1))
    another = instructor.put(UPDATE, json={"bio": "another"}, headers=fresh)
    assert (another.status_code, replayed(another)) == (200, False)


def test_older_keys_are_thrown_away(instructor: Person, server: Server) -> None:
    instructor.put(UPDATE, json={}, headers=key("old"))
    server.sql("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE user_id = %s", instructor.id)
    instructor.put(UPDATE, json={}, headers=key("new"))
    assert server.sql("SELECT key FROM idempotency_keys WHERE user_id = %s", instructor.id) == [("new",)]


def test_a_call_that_is_under_way_is_not_done_twice(learner: Person, server: Server) -> None:
    headers, answers = key(), list[httpx.Response]()

    def change() -> None:
        with Api(server) as caller:
            answers.append(caller.put(UPDATE, json={"bio": "slow"}, headers={**learner.headers, **headers}))

    with psycopg.connect(server.owner_url) as holding:
        holding.execute("SELECT FROM users WHERE id = %s FOR UPDATE", (learner.id,))
        first = threading.Thread(target=change)
        first.start()
        wait_for(lambda: server.sql(UNDER_WAY, f"{learner.id}:auth.update_profile:{headers['Idempotency-Key']}"))
        second = learner.put(UPDATE, json={"bio": "slow"}, headers=headers)
        assert (second.status_code, code_of(second)) == (409, "IDEMPOTENCY_IN_PROGRESS")
        assert not answers
        holding.rollback()
    first.join(10)
    assert (answers[0].status_code, replayed(answers[0])) == (200, False)
    assert replayed(learner.put(UPDATE, json={"bio": "slow"}, headers=headers))


def test_many_calls_at_once_with_one_key_have_one_effect(instructor: Person) -> None:
    headers = {**instructor.headers, **key()}
    answers = in_parallel(
        instructor.api.server, [lambda caller: caller.post(CREATE, json={"title": "Raced"}, headers=headers)] * 10
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {code_of(answer) for answer in answers if answer.status_code == 409} <= {"IDEMPOTENCY_IN_PROGRESS"}
    assert [replayed(answer) for answer in answers if answer.status_code == 201].count(False) == 1
    assert instructor.get(OWN).json()["count"] == 1


def test_answers_that_carry_secrets_are_not_stored(api: Api, learner: Person) -> None:
    headers = key()
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "full_name": "Ada"}
    assert api.post("/api/v1/auth/signup/", json=body, headers=headers).status_code == 201
    assert code_of(api.post("/api/v1/auth/signup/", json=body, headers=headers)) == "EMAIL_TAKEN"
    credentials = {"email": learner.email, "password": PASSWORD}
    signed_in = [api.post("/api/v1/auth/signin/", json=credentials, headers=headers).json()["refresh_token"] for _ in range(2)]
    refresh = {"refresh_token": signed_in[0]}
    refreshed = [api.post("/api/v1/auth/refresh/", json=refresh, headers=headers).json()["refresh_token"] for _ in range(2)]
    assert len({*signed_in, *refreshed}) == 4
    assert api.server.sql("SELECT count(*) FROM idempotency_keys WHERE key = %s", headers["Idempotency-Key"]) == [(0,)]


def test_every_change_by_a_user_that_carries_no_secret_takes_a_key() -> None:
    unsafe = {item.id for item in CONTRACT.operations.values() if item.method != "GET" and item.role not in ("public", "service")}
    taking = {operation.id for operation in CONTRACT.operations.values() if operation.has("Idempotency-Key")}
    secretive = {"sign_out", "change_password", "change_email", "create_api_key", "link_identity"}
    with_a_client_secret = {f"payments.{verb}_intent" for verb in ("create", "confirm", "cancel")}
    with_a_client_secret |= {
        f"subscriptions.{verb}" for verb in ("create", "change", "cancel", "resume", "update_payment_method")
    }
    with_a_token = {"media.initiate_upload", "media.renew_upload", "enrollments.accept_invitation"}
    assert unsafe - taking == {f"auth.{verb}" for verb in secretive} | with_a_client_secret | with_a_token


def test_applying_to_teach_twice_under_one_key_is_no_conflict(learner: Person) -> None:
    headers = key()
    first, second = (learner.post(APPLY, json={"motivation": "x"}, headers=headers) for _ in range(2))
    assert (second.status_code, second.json(), replayed(second)) == (201, first.json(), True)


def test_a_key_on_a_read_means_nothing(learner: Person) -> None:
    headers = key()
    before = learner.get(PROFILE, headers=headers).json()
    learner.put(UPDATE, json={"bio": "changed"})
    assert learner.get(PROFILE, headers=headers).json() != before


def test_stored_answers_are_their_users_own(instructor: Person, server: Server) -> None:
    instructor.post(CREATE, json={"title": "Private"}, headers=key())
    with psycopg.connect(server.settings.database_app_url) as stranger:
        assert stranger.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (0,)
