"""Where somebody is signed in, and how that ends."""

from datetime import timedelta
from uuid import uuid4

import pytest

from harness import PASSWORD, Person, code_of

SESSIONS, SIGN_IN, PROFILE = "/api/v1/auth/sessions/", "/api/v1/auth/signin/", "/api/v1/auth/profile/"
REVOKE_ALL, CHANGE, KEYS = f"{SESSIONS}revoke-all/", "/api/v1/auth/password/change/", "/api/v1/auth/api-keys/"
REFRESH = "/api/v1/auth/refresh/"
NEW = "another horse, another battery"


def elsewhere(person: Person, device: str = "other/1.0") -> Person:
    """The same person on another device."""
    body = {"email": person.email, "password": PASSWORD}
    return Person(person.api, person.id, person.email, person.api.post(SIGN_IN, json=body, headers={"User-Agent": device}).json())


def listed(person: Person) -> list[dict[str, object]]:
    found: list[dict[str, object]] = person.get(SESSIONS).json()["results"]
    return found


def test_each_sign_in_is_a_session_with_its_device_and_address(learner: Person) -> None:
    other = elsewhere(learner, "phone/2.1")
    shown = {item["is_current"]: item for item in listed(other)}
    assert (shown[True]["device"], shown[True]["address"]) == ("phone/2.1", "127.0.0.1")
    assert [item["is_current"] for item in listed(learner)].count(True) == 1
    assert len(shown) == 2


def test_the_session_that_was_seen_last_comes_first(learner: Person) -> None:
    others = [elsewhere(learner) for _ in range(2)]
    learner.api.server.clock.offset = timedelta(minutes=5)
    try:
        refreshed = learner.api.post(REFRESH, json={"refresh_token": learner.tokens["refresh_token"]}).json()
        assert listed(Person(learner.api, learner.id, learner.email, refreshed))[0]["is_current"]
        assert not listed(others[0])[0]["is_current"]
    finally:
        learner.api.server.clock.offset = timedelta()


def test_a_revoked_session_is_over_at_once_with_all_its_tokens(learner: Person) -> None:
    other = elsewhere(learner)
    session = next(item["id"] for item in listed(learner) if not item["is_current"])
    assert learner.delete(f"{SESSIONS}{session}/").status_code == 204
    assert code_of(other.get(PROFILE)) == "AUTH_INVALID_TOKEN"
    refused = learner.api.post(REFRESH, json={"refresh_token": other.tokens["refresh_token"]})
    assert code_of(refused) == "AUTH_INVALID_TOKEN"
    assert [item["is_current"] for item in listed(learner)] == [True]
    assert learner.delete(f"{SESSIONS}{session}/").status_code == 404


def test_somebody_elses_session_is_not_there(learner: Person, instructor: Person) -> None:
    session = listed(instructor)[0]["id"]
    assert code_of(learner.delete(f"{SESSIONS}{session}/")) == "NOT_FOUND"
    assert instructor.get(PROFILE).status_code == 200


def test_ones_own_session_may_be_revoked_too(learner: Person) -> None:
    assert learner.delete(f"{SESSIONS}{listed(learner)[0]['id']}/").status_code == 204
    assert learner.get(PROFILE).status_code == 401


def test_all_other_sessions_end_together(learner: Person) -> None:
    others = [elsewhere(learner) for _ in range(3)]
    assert learner.post(REVOKE_ALL).json()["revoked_count"] == 3
    assert [other.get(PROFILE).status_code for other in others] == [401] * 3
    assert learner.get(PROFILE).status_code == 200
    assert learner.post(REVOKE_ALL).json()["revoked_count"] == 0


def test_sessions_whose_tokens_have_all_ended_are_not_shown(learner: Person) -> None:
    learner.api.server.sql("UPDATE sessions SET last_seen_at = now() - interval '31 days' WHERE user_id = %s", learner.id)
    other = elsewhere(learner)
    assert other.get(SESSIONS).json()["count"] == 1


def test_a_changed_password_ends_the_other_sessions_and_is_the_one_that_counts(learner: Person) -> None:
    other = elsewhere(learner)
    changed = learner.post(CHANGE, json={"current_password": PASSWORD, "new_password": NEW})
    assert changed.status_code == 200
    assert learner.get(PROFILE).status_code == 200
    assert other.get(PROFILE).status_code == 401
    assert learner.api.post(SIGN_IN, json={"email": learner.email, "password": PASSWORD}).status_code == 401
    assert learner.api.post(SIGN_IN, json={"email": learner.email, "password": NEW}).status_code == 200


def test_the_present_password_is_needed_to_change_it(learner: Person) -> None:
    refused = learner.post(CHANGE, json={"current_password": "not this one", "new_password": NEW})
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_INVALID_CREDENTIALS")
    assert learner.api.post(SIGN_IN, json={"email": learner.email, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize("weak", ["password1", "{email}"])
def test_a_weak_password_is_refused_and_the_old_one_stays(learner: Person, weak: str) -> None:
    refused = learner.post(CHANGE, json={"current_password": PASSWORD, "new_password": weak.format(email=learner.email)})
    assert (refused.status_code, code_of(refused)) == (422, "WEAK_PASSWORD")
    assert learner.api.post(SIGN_IN, json={"email": learner.email, "password": PASSWORD}).status_code == 200


def test_nothing_of_a_password_is_stored_for_an_idempotency_key(learner: Person) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW}
    learner.post(CHANGE, json=body, headers={"Idempotency-Key": uuid4().hex})
    assert learner.api.server.sql("SELECT 1 FROM idempotency_keys WHERE user_id = %s", learner.id) == []
