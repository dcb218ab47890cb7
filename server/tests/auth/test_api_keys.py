"""API keys: shown once, kept as a digest, good for what their scopes say and their owner may."""

from datetime import timedelta
from typing import Any

import pytest

from harness import Api, Person, code_of, fields_of, in_parallel
from unpuzzle_server.kernel import spec

KEYS, PROFILE, OWN = "/api/v1/auth/api-keys/", "/api/v1/auth/profile/", "/api/v1/instructor/courses/"
EVERYTHING: list[str] = spec.document()["components"]["schemas"]["Scope"]["enum"]


def test_a_key_is_shown_once(learner: Person) -> None:
    made = learner.post(KEYS, json={"name": " nightly ", "scopes": ["courses:read"], "expires_in_days": 30}).json()
    assert made["key"].startswith(made["prefix"])
    assert made["prefix"].startswith("unp_")
    assert (made["name"], made["scopes"], made["last_used_at"]) == ("nightly", ["courses:read"], None)
    listed = learner.get(KEYS).json()
    assert listed["results"] == [{name: value for name, value in made.items() if name != "key"}]
    assert made["key"] not in learner.get(KEYS).text


def test_a_key_is_nowhere_in_the_database(learner: Person) -> None:
    key = learner.with_key("profile:read").tokens["access_token"]
    rows = learner.api.server.sql("SELECT k::text FROM api_keys k WHERE user_id = %s", learner.id)
    assert rows
    assert key not in str(rows)


def test_a_key_does_what_its_scope_says(learner: Person) -> None:
    script = learner.with_key("profile:read")
    assert script.get(PROFILE).json()["id"] == learner.id
    refused = script.put("/api/v1/auth/profile/update/", json={"bio": "x"})
    assert (refused.status_code, code_of(refused)) == (403, "PERMISSION_DENIED")
    assert "profile:write" in refused.json()["error"]["message"]


def test_a_scope_gives_no_role(learner: Person) -> None:
    refused = learner.with_key(*EVERYTHING).get(OWN)
    assert (refused.status_code, "instructor" in refused.json()["error"]["message"]) == (403, True)


def test_public_operations_take_any_key(learner: Person) -> None:
    assert learner.with_key("reflections:read").get("/api/v1/courses/").status_code == 200


def test_a_key_ends_on_its_day(learner: Person) -> None:
    script = learner.with_key("profile:read", expires_in_days=1)
    learner.api.server.clock.offset = timedelta(days=1, seconds=1)
    try:
        refused = script.get(PROFILE)
        assert (refused.status_code, code_of(refused)) == (401, "AUTH_INVALID_TOKEN")
    finally:
        learner.api.server.clock.offset = timedelta()
    assert script.get(PROFILE).status_code == 200


def test_a_deleted_key_lets_nobody_in(learner: Person) -> None:
    script = learner.with_key("profile:read")
    key_id = learner.get(KEYS).json()["results"][0]["id"]
    assert learner.delete(f"{KEYS}{key_id}/").status_code == 204
    assert code_of(script.get(PROFILE)) == "AUTH_INVALID_TOKEN"
    assert learner.delete(f"{KEYS}{key_id}/").status_code == 404


def test_somebody_elses_key_is_not_there(learner: Person, instructor: Person) -> None:
    script = instructor.with_key("profile:read")
    key_id = instructor.get(KEYS).json()["results"][0]["id"]
    assert code_of(learner.delete(f"{KEYS}{key_id}/")) == "NOT_FOUND"
    assert learner.get(KEYS).json()["count"] == 0
    assert script.get(PROFILE).status_code == 200


def test_when_a_key_was_last_used_is_known_to_the_minute(learner: Person) -> None:
    script = learner.with_key("profile:read")
    script.get(PROFILE)
    used = learner.get(KEYS).json()["results"][0]["last_used_at"]
    assert used.endswith((":00Z", ":00.000000Z"))


def test_a_suspended_owner_is_out_with_the_key_too(learner: Person) -> None:
    script = learner.with_key("profile:read")
    learner.api.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", learner.id)
    assert (script.get(PROFILE).status_code, code_of(script.get(PROFILE))) == (403, "ACCOUNT_SUSPENDED")


@pytest.mark.parametrize("key", ["unp_", "unp_x", "unp_" + "a" * 43, "UNP_" + "a" * 43, "unp_" + "a" * 10_000])
def test_what_is_no_key_is_refused(api: Api, key: str) -> None:
    refused = api.get(PROFILE, headers={"Authorization": f"Bearer {key}"})
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_INVALID_TOKEN")


def test_a_key_in_the_cookie_acts_as_nobodys_session(learner: Person) -> None:
    script = learner.with_key("profile:write")
    sent = learner.api.put(
        "/api/v1/auth/profile/update/", json={}, headers={"Cookie": f"unpuzzle_access={script.tokens['access_token']}"}
    )
    assert (sent.status_code, code_of(sent)) == (401, "AUTH_INVALID_TOKEN")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["everything"]}, "scopes.0"),
        ({"name": "x", "scopes": ["courses:read", "courses:read"]}, "scopes"),
        ({"name": " ", "scopes": ["courses:read"]}, "name"),
        ({"name": "x", "scopes": ["courses:read"], "expires_in_days": 0}, "expires_in_days"),
    ],
)
def test_a_key_is_made_for_something(learner: Person, body: dict[str, Any], field: str) -> None:
    refused = learner.post(KEYS, json=body)
    assert (refused.status_code, fields_of(refused)) == (422, {field})


def test_fifty_keys_are_the_most_however_many_are_asked_for_at_once(learner: Person) -> None:
    statement = (
        "INSERT INTO api_keys (user_id, name, prefix, hash, scopes) SELECT %s, 'k', 'unp_', sha256(%s || n::text::bytea), '{}'"
    )
    learner.api.server.sql(f"{statement} FROM generate_series(1, 48) n", learner.id, learner.id.encode())
    body = {"name": "x", "scopes": ["courses:read"]}
    answers = in_parallel(learner.api.server, [lambda one: one.post(KEYS, json=body, headers=learner.headers)] * 6)
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
