"""Sessions: tokens, their rotation and theft, cookies and CSRF."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from harness import PASSWORD, TEST_SETTINGS, Api, Person, code_of, in_parallel
from unpuzzle_server.auth.tokens import derived_key

PROFILE, REFRESH, SIGN_OUT = "/api/v1/auth/profile/", "/api/v1/auth/refresh/", "/api/v1/auth/signout/"
UPDATE, CSRF = "/api/v1/auth/profile/update/", "/api/v1/auth/csrf-token/"
KEY = derived_key(TEST_SETTINGS.secret_key, "access-token")


def refresh(api: Api, token: str) -> httpx.Response:
    return api.post(REFRESH, json={"refresh_token": token})


def test_a_refresh_gives_new_tokens_and_spends_the_old_one(api: Api, learner: Person) -> None:
    new = refresh(api, learner.tokens["refresh_token"]).json()
    assert new["refresh_token"] != learner.tokens["refresh_token"]
    assert api.get(PROFILE, headers={"Authorization": f"Bearer {new['access_token']}"}).status_code == 200


def test_a_spent_token_may_come_again_within_ten_seconds(api: Api, learner: Person) -> None:
    assert refresh(api, learner.tokens["refresh_token"]).status_code == 200
    again = refresh(api, learner.tokens["refresh_token"])
    assert again.status_code == 200
    assert refresh(api, again.json()["refresh_token"]).status_code == 200


def test_a_spent_token_that_comes_later_ends_the_whole_session(api: Api, learner: Person) -> None:
    new = refresh(api, learner.tokens["refresh_token"]).json()
    api.server.clock.offset = timedelta(seconds=11)
    try:
        stolen = refresh(api, learner.tokens["refresh_token"])
        assert (stolen.status_code, code_of(stolen)) == (401, "AUTH_INVALID_TOKEN")
        assert refresh(api, new["refresh_token"]).status_code == 401
        assert learner.get(PROFILE).status_code == 401
    finally:
        api.server.clock.offset = timedelta()


def test_a_refresh_token_ends_after_thirty_days(api: Api, learner: Person) -> None:
    api.server.clock.offset = timedelta(days=30, seconds=1)
    try:
        assert code_of(refresh(api, learner.tokens["refresh_token"])) == "AUTH_INVALID_TOKEN"
    finally:
        api.server.clock.offset = timedelta()


def test_refreshes_at_once_leave_a_session_that_works(api: Api, learner: Person) -> None:
    token = learner.tokens["refresh_token"]
    answers = in_parallel(api.server, [lambda caller: refresh(caller, token)] * 6)
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json()["refresh_token"] for answer in answers}) == 6


@pytest.mark.parametrize("token", ["x", "unr_" + "a" * 43, "é" * 10])
def test_an_unknown_refresh_token_is_refused(api: Api, token: str) -> None:
    assert code_of(refresh(api, token)) == "AUTH_INVALID_TOKEN"


def test_a_refresh_without_any_token_says_what_it_needs(api: Api) -> None:
    assert code_of(api.post(REFRESH)) == "AUTH_REQUIRED"
    assert code_of(api.post(REFRESH, json={})) == "AUTH_REQUIRED"


def test_signing_out_ends_this_session_and_no_other(api: Api, learner: Person) -> None:
    other = api.post("/api/v1/auth/signin/", json={"email": learner.email, "password": PASSWORD}).json()
    response = learner.post(SIGN_OUT)
    assert response.status_code == 200
    assert all("Max-Age=0" in cookie for cookie in response.headers.get_list("set-cookie"))
    assert code_of(learner.get(PROFILE)) == "AUTH_INVALID_TOKEN"
    assert refresh(api, learner.tokens["refresh_token"]).status_code == 401
    assert api.get(PROFILE, headers={"Authorization": f"Bearer {other['access_token']}"}).status_code == 200


def claims(person: Person, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(person.tokens["access_token"], options={"verify_signature": False})
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "another"},
        {"exp": int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())},
        {"exp": None},
        {"sub": "nobody"},
        {"sub": None},
        {"sid": None},
        {"sid": "00000000-0000-0000-0000-000000000000"},
    ],
    ids=str,
)
def test_a_token_with_other_claims_is_refused(api: Api, learner: Person, changes: dict[str, Any]) -> None:
    token = jwt.encode(claims(learner, **changes), KEY, algorithm="HS256")
    assert code_of(api.get(PROFILE, headers={"Authorization": f"Bearer {token}"})) == "AUTH_INVALID_TOKEN"


def test_the_forger_of_these_tests_could_make_a_good_one(api: Api, learner: Person) -> None:
    """Else the refusals above and below would prove nothing."""
    token = jwt.encode(claims(learner), KEY, algorithm="HS256")
    assert api.get(PROFILE, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("key", "algorithm"), [("k" * 64, "HS256"), (KEY * 2, "HS512"), (None, "none")], ids=["key", "algorithm", "none"]
)
def test_a_token_of_another_key_or_algorithm_is_refused(api: Api, learner: Person, key: Any, algorithm: str) -> None:
    token = jwt.encode(claims(learner), key, algorithm=algorithm)
    response = api.get(PROFILE, headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, code_of(response)) == (401, "AUTH_INVALID_TOKEN")


def test_a_bad_token_is_refused_on_public_operations_too(api: Api) -> None:
    assert api.get("/api/v1/courses/", headers={"Authorization": "Bearer x"}).status_code == 401
    assert api.get("/api/v1/courses/").status_code == 200


def cookies_of(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Cookie": f"unpuzzle_access={tokens['access_token']}; unpuzzle_refresh={tokens['refresh_token']}"}


def test_signing_in_sets_cookies_that_no_script_can_read(api: Api, learner: Person) -> None:
    response = api.post("/api/v1/auth/signin/", json={"email": learner.email, "password": PASSWORD})
    access, refreshing = response.headers.get_list("set-cookie")
    assert access.startswith("unpuzzle_access=")
    assert refreshing.startswith("unpuzzle_refresh=")
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in (access, refreshing))
    assert "Path=/api/v1/auth/" in refreshing


def test_reading_under_a_cookie_needs_nothing_else(api: Api, learner: Person) -> None:
    assert api.get(PROFILE, headers=cookies_of(learner.tokens)).json()["id"] == learner.id


def test_writing_under_a_cookie_needs_the_token_of_the_session(api: Api, learner: Person) -> None:
    cookies = cookies_of(learner.tokens)
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": "é"}):
        refused = api.put(UPDATE, json={"bio": "x"}, headers={**cookies, **{k: v.encode("latin-1") for k, v in wrong.items()}})
        assert (refused.status_code, code_of(refused)) == (403, "CSRF_FAILED")
    other = api.sign_up()
    foreign = api.get(CSRF, headers=cookies_of(other.tokens)).json()["csrf_token"]
    assert code_of(api.put(UPDATE, json={}, headers={**cookies, "X-CSRF-Token": foreign})) == "CSRF_FAILED"
    token = api.get(CSRF, headers=cookies).json()["csrf_token"]
    assert api.put(UPDATE, json={"bio": "x"}, headers={**cookies, "X-CSRF-Token": token}).status_code == 200


def test_a_cookie_client_refreshes_with_an_empty_body(api: Api, learner: Person) -> None:
    response = api.post(REFRESH, headers=cookies_of(learner.tokens))
    assert response.status_code == 200
    assert len(response.headers.get_list("set-cookie")) == 2


def test_an_empty_bearer_falls_back_to_the_cookie_and_a_wrong_one_does_not(api: Api, learner: Person) -> None:
    cookies = cookies_of(learner.tokens)
    assert api.get(PROFILE, headers={**cookies, "Authorization": "Bearer"}).status_code == 200
    assert api.get(PROFILE, headers={**cookies, "Authorization": "Bearer x"}).status_code == 401


def test_no_secret_is_kept_as_it_is(api: Api, learner: Person) -> None:
    rows = api.server.sql("SELECT hash FROM passwords WHERE user_id = %s", learner.id)
    assert rows[0][0].startswith("$argon2id$")
    assert PASSWORD not in rows[0][0]
    kept = api.server.sql("SELECT hash FROM refresh_tokens WHERE user_id = %s", learner.id)
    assert learner.tokens["refresh_token"].encode() not in bytes(kept[0][0])
