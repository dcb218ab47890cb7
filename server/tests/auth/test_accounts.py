"""Accounts: sign-up, sign-in, the profile, and becoming an instructor."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest

from harness import PASSWORD, Api, Person, code_of, fields_of, in_parallel, running_server

SIGN_UP, SIGN_IN, PROFILE = "/api/v1/auth/signup/", "/api/v1/auth/signin/", "/api/v1/auth/profile/"
UPDATE, APPLY = "/api/v1/auth/profile/update/", "/api/v1/auth/instructor/apply/"


def body(**fields: object) -> dict[str, object]:
    return {"email": f"{uuid4().hex[:12]}@example.com", "password": PASSWORD, "full_name": "Ada Lovelace", **fields}


def test_signing_up_signs_in_and_keeps_the_metadata(api: Api) -> None:
    response = api.post(SIGN_UP, json=body(metadata={"source": "web"}))
    assert response.status_code == 201
    session = response.json()
    assert session["user"]["roles"] == ["student"]
    assert session["user"]["subscription"] == {"plan": "free", "ai_limit": 3, "ai_used": 0, "valid_until": None}
    assert (session["token_type"], session["expires_in"]) == ("Bearer", 3600)
    kept = api.server.sql("SELECT metadata FROM users WHERE id = %s", session["user"]["id"])
    assert kept == [({"source": "web"},)]


def test_an_address_is_taken_whatever_its_case(api: Api) -> None:
    taken = body(email="Some.One@Example.com")
    assert api.post(SIGN_UP, json=taken).json()["user"]["email"] == "some.one@example.com"
    response = api.post(SIGN_UP, json={**taken, "email": "SOME.one@example.COM"})
    assert (response.status_code, code_of(response)) == (409, "EMAIL_TAKEN")


def test_two_sign_ups_at_once_make_one_account(api: Api) -> None:
    same = body()
    statuses = in_parallel(api.server, [lambda caller: caller.post(SIGN_UP, json=same).status_code] * 8)
    assert sorted(statuses) == [201] + [409] * 7


@pytest.mark.parametrize("password", ["password", "PASSWORD", "12345678", "qwertyuiop"])
def test_a_common_password_is_refused(api: Api, password: str) -> None:
    response = api.post(SIGN_UP, json=body(password=password))
    assert (response.status_code, code_of(response)) == (422, "WEAK_PASSWORD")


def test_a_password_that_holds_the_address_is_refused(api: Api) -> None:
    response = api.post(SIGN_UP, json=body(email="marvellous@example.com", password="I am Marvellous!"))
    assert code_of(response) == "WEAK_PASSWORD"


def test_every_problem_is_named_at_once_and_none_quotes_the_password(api: Api) -> None:
    response = api.post(SIGN_UP, json={"email": "nobody", "password": "s3cr3t", "full_name": " ", "role": "admin"})
    assert response.status_code == 422
    assert fields_of(response) == {"email", "password", "full_name", "role"}
    assert "s3cr3t" not in response.text


def test_signing_in_answers_the_account_and_its_tokens(api: Api, learner: Person) -> None:
    response = api.post(SIGN_IN, json={"email": learner.email.upper(), "password": PASSWORD})
    assert response.status_code == 200
    assert response.json()["user"]["id"] == learner.id


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(api: Api, learner: Person) -> None:
    wrong = api.post(SIGN_IN, json={"email": learner.email, "password": "wrong password"})
    unknown = api.post(SIGN_IN, json={"email": "nobody@example.com", "password": "wrong password"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["error"] == unknown.json()["error"]
    assert code_of(wrong) == "AUTH_INVALID_CREDENTIALS"


def test_an_unknown_address_is_not_told_by_the_time_it_takes(api: Api) -> None:
    with running_server(api.server.owner_url, password_memory_kib=65536, password_passes=4) as slow, Api(slow) as other:
        other.post(SIGN_IN, json={"email": "first@example.com", "password": "warms the dummy hash up"})
        started = time.perf_counter()
        other.post(SIGN_IN, json={"email": "nobody@example.com", "password": "wrong password"})
        assert time.perf_counter() - started > 0.05  # a hash of this cost takes longer than that, nothing else does


def test_a_suspended_account_may_not_sign_in_nor_go_on(api: Api, learner: Person) -> None:
    api.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", learner.id)
    assert code_of(learner.get(PROFILE)) == "ACCOUNT_SUSPENDED"
    refused = api.post(SIGN_IN, json={"email": learner.email, "password": PASSWORD})
    assert (refused.status_code, code_of(refused)) == (403, "ACCOUNT_SUSPENDED")
    assert (
        code_of(api.post("/api/v1/auth/refresh/", json={"refresh_token": learner.tokens["refresh_token"]})) == "ACCOUNT_SUSPENDED"
    )


def test_the_profile_merges_what_is_sent(learner: Person) -> None:
    first = learner.put(UPDATE, json={"bio": "Countess", "preferences": {"learning_reminders": False}})
    assert first.json()["message"] == "Profile updated successfully"
    second = learner.put(UPDATE, json={"full_name": "Ada King", "preferences": {"timezone": "Europe/London"}}).json()["profile"]
    assert (second["full_name"], second["bio"]) == ("Ada King", "Countess")
    assert second["preferences"] == {"email_notifications": True, "learning_reminders": False, "timezone": "Europe/London"}
    assert learner.put(UPDATE, json={"bio": None}).json()["profile"]["bio"] is None
    assert learner.get(PROFILE).json()["full_name"] == "Ada King"


def test_nothing_sent_changes_nothing(learner: Person) -> None:
    before = learner.get(PROFILE).json()
    assert learner.put(UPDATE, json={}).json()["profile"] == before


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "europe/nowhere", "../etc/passwd".replace(".", "a"), "A" * 64, "/etc/localtime"]
)
def test_an_unknown_time_zone_is_refused(learner: Person, zone: str) -> None:
    response = learner.put(UPDATE, json={"preferences": {"timezone": zone}})
    assert (response.status_code, code_of(response)) == (422, "TIMEZONE_UNKNOWN")


def test_a_profile_is_changed_only_in_the_version_that_was_read(learner: Person) -> None:
    tag = learner.get(PROFILE).headers["etag"]
    assert learner.put(UPDATE, json={"bio": "one"}, headers={"If-Match": tag}).status_code == 200
    stale = learner.put(UPDATE, json={"bio": "two"}, headers={"If-Match": tag})
    assert (stale.status_code, code_of(stale)) == (412, "PRECONDITION_FAILED")
    assert learner.get(PROFILE).json()["bio"] == "one"


def test_an_unchanged_profile_is_answered_304(learner: Person) -> None:
    tag = learner.get(PROFILE).headers["etag"]
    assert learner.get(PROFILE, headers={"If-None-Match": tag}).status_code == 304
    learner.put(UPDATE, json={"bio": "changed"})
    assert learner.get(PROFILE, headers={"If-None-Match": tag}).status_code == 200


def test_applying_gives_the_role_at_once_and_only_once(learner: Person) -> None:
    response = learner.post(APPLY, json={"motivation": "To teach"})
    assert (response.status_code, response.json()["status"]) == (201, "approved")
    assert "instructor" in learner.get(PROFILE).json()["roles"]
    assert (again := learner.post(APPLY, json={})).status_code == 409
    assert code_of(again) == "CONFLICT"


def test_an_application_waits_where_the_setting_says_so(api: Api) -> None:
    with running_server(api.server.owner_url, instructor_auto_approve=False) as strict, Api(strict) as other:
        person = other.sign_up()
        response = person.post(APPLY, json={})
        assert (response.json()["status"], response.json()["roles"]) == ("pending", ["student"])
        assert code_of(person.post(APPLY, json={})) == "CONFLICT"
        assert person.post("/api/v1/instructor/courses/create/", json={"title": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", PROFILE), ("put", UPDATE), ("post", APPLY), ("get", "/api/v1/auth/csrf-token/"), ("post", "/api/v1/auth/signout/")],
)
def test_an_anonymous_caller_has_no_account(api: Api, method: str, path: str) -> None:
    response = getattr(api, method)(path)
    assert (response.status_code, code_of(response)) == (401, "AUTH_REQUIRED")


def test_the_token_of_a_deleted_account_says_so(learner: Person) -> None:
    learner.api.server.sql("DELETE FROM users WHERE id = %s", learner.id)
    assert code_of(learner.get(PROFILE)) == "AUTH_USER_NOT_FOUND"


def test_an_access_token_ends_after_an_hour(api: Api, learner: Person) -> None:
    api.server.clock.offset = timedelta(minutes=59, seconds=50)
    try:
        assert learner.get(PROFILE).status_code == 200
        api.server.clock.offset = timedelta(minutes=60, seconds=1)
        assert code_of(learner.get(PROFILE)) == "AUTH_INVALID_TOKEN"
    finally:
        api.server.clock.offset = timedelta()
