"""Refresh tokens under all that can happen to them: theft, races, the end of the session, the end of the account."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest

from harness import PASSWORD, Api, Person, Server, code_of, fields_of, in_parallel
from unpuzzle_server.auth.tokens import derived_key

PROFILE, REFRESH, SIGN_OUT = "/api/v1/auth/profile/", "/api/v1/auth/refresh/", "/api/v1/auth/signout/"


class Time:
    """Moves the server's clock on."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def is_now(self, **later: float) -> None:
        self.server.clock.offset = timedelta(**later)


@pytest.fixture
def time(server: Server) -> Iterator[Time]:
    yield Time(server)
    server.clock.offset = timedelta()


def refresh(api: Api, token: str) -> httpx.Response:
    return api.post(REFRESH, json={"refresh_token": token})


def refreshed(api: Api, token: str) -> str:
    response = refresh(api, token)
    assert response.status_code == 200, response.text
    new: str = response.json()["refresh_token"]
    return new


def is_alive(api: Api, access_token: str) -> bool:
    return api.get(PROFILE, headers={"Authorization": f"Bearer {access_token}"}).status_code == 200


def test_the_grace_of_a_spent_token_begins_with_its_first_use(api: Api, learner: Person, time: Time) -> None:
    first = learner.tokens["refresh_token"]
    refreshed(api, first)
    time.is_now(seconds=8)
    refreshed(api, first)
    time.is_now(seconds=12)
    assert refresh(api, first).status_code == 401
    assert not is_alive(api, learner.tokens["access_token"])


def test_the_theft_of_an_old_token_ends_what_came_of_it_and_no_other_session(api: Api, learner: Person, time: Time) -> None:
    other = api.post("/api/v1/auth/signin/", json={"email": learner.email, "password": PASSWORD}).json()
    oldest = learner.tokens["refresh_token"]
    newest = refreshed(api, refreshed(api, refreshed(api, oldest)))
    time.is_now(minutes=5)
    stolen = refresh(api, oldest)
    assert (stolen.status_code, code_of(stolen)) == (401, "AUTH_INVALID_TOKEN")
    assert stolen.headers["www-authenticate"] == 'Bearer realm="unpuzzle", error="invalid_token"'
    assert refresh(api, newest).status_code == 401
    assert is_alive(api, other["access_token"])
    assert refresh(api, other["refresh_token"]).status_code == 200


def test_each_refresh_token_lives_thirty_days_from_its_own_birth(api: Api, learner: Person, time: Time) -> None:
    time.is_now(days=29, hours=23)
    newer = refreshed(api, learner.tokens["refresh_token"])
    time.is_now(days=59)
    newest = refreshed(api, newer)
    time.is_now(days=89, seconds=1)
    assert refresh(api, newest).status_code == 401


def test_an_expired_token_that_was_never_used_is_refused(api: Api, learner: Person, time: Time) -> None:
    time.is_now(days=30, seconds=1)
    assert code_of(refresh(api, learner.tokens["refresh_token"])) == "AUTH_INVALID_TOKEN"


def test_an_access_token_ends_on_the_second(api: Api, learner: Person, time: Time) -> None:
    payload = jwt.decode(learner.tokens["access_token"], options={"verify_signature": False})
    assert payload["exp"] - payload["iat"] == 3600
    time.is_now(minutes=59, seconds=50)
    assert is_alive(api, learner.tokens["access_token"])
    time.is_now(hours=1)
    assert not is_alive(api, learner.tokens["access_token"])
    new = refresh(api, learner.tokens["refresh_token"]).json()
    assert is_alive(api, new["access_token"])


def test_a_refresh_goes_on_with_the_same_session(api: Api, learner: Person) -> None:
    new = refresh(api, learner.tokens["refresh_token"]).json()
    sessions = {
        jwt.decode(token, options={"verify_signature": False})["sid"]
        for token in (learner.tokens["access_token"], new["access_token"])
    }
    assert len(sessions) == 1
    learner.post(SIGN_OUT)
    assert not is_alive(api, new["access_token"])
    assert refresh(api, new["refresh_token"]).status_code == 401


def test_signing_out_while_refreshing_leaves_nothing_alive(api: Api) -> None:
    for _ in range(5):
        person = api.sign_up()
        token = person.tokens["refresh_token"]

        def sign_out(caller: Api, headers: dict[str, str] = person.headers) -> httpx.Response:
            return caller.post(SIGN_OUT, headers=headers)

        def go_on(caller: Api, token: str = token) -> httpx.Response:
            return refresh(caller, token)

        ended, *others = in_parallel(api.server, [sign_out, go_on, go_on])
        assert ended.status_code == 200
        for answer in others:
            assert answer.status_code in (200, 401)
            if answer.status_code == 200:
                assert not is_alive(api, answer.json()["access_token"])
                assert refresh(api, answer.json()["refresh_token"]).status_code == 401


def test_a_thief_and_the_owner_at_once_end_with_a_dead_session(api: Api, learner: Person, time: Time) -> None:
    spent = learner.tokens["refresh_token"]
    current = refreshed(api, spent)
    time.is_now(seconds=11)
    answers = in_parallel(api.server, [lambda caller: refresh(caller, spent), lambda caller: refresh(caller, current)])
    assert answers[0].status_code == 401
    assert not is_alive(api, learner.tokens["access_token"])
    newest = answers[1].json()["refresh_token"] if answers[1].status_code == 200 else current
    assert refresh(api, newest).status_code == 401


def test_the_tokens_of_a_deleted_account_refresh_nothing(api: Api, learner: Person) -> None:
    api.server.sql("DELETE FROM users WHERE id = %s", learner.id)
    assert code_of(refresh(api, learner.tokens["refresh_token"])) == "AUTH_INVALID_TOKEN"
    assert code_of(learner.get(PROFILE)) == "AUTH_USER_NOT_FOUND"
    assert code_of(learner.get("/api/v1/courses/")) == "AUTH_USER_NOT_FOUND"


def test_a_suspended_account_keeps_its_sessions_for_afterwards(api: Api, learner: Person) -> None:
    api.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", learner.id)
    refused = refresh(api, learner.tokens["refresh_token"])
    assert (refused.status_code, code_of(refused)) == (403, "ACCOUNT_SUSPENDED")
    assert code_of(learner.get("/api/v1/courses/")) == "ACCOUNT_SUSPENDED"
    api.server.sql("UPDATE users SET suspended_at = NULL WHERE id = %s", learner.id)
    assert refresh(api, learner.tokens["refresh_token"]).status_code == 200


def test_one_kind_of_token_is_not_the_other(api: Api, learner: Person) -> None:
    assert code_of(refresh(api, learner.tokens["access_token"])) == "AUTH_INVALID_TOKEN"
    assert not is_alive(api, learner.tokens["refresh_token"])


@pytest.mark.parametrize(
    "body", [{"refresh_token": None}, {"refresh_token": ""}, {"refresh_token": "x" * 513}, {"refresh_token": ["x"]}]
)
def test_a_refresh_token_is_a_text(api: Api, body: dict[str, Any]) -> None:
    response = api.post(REFRESH, json=body)
    assert (response.status_code, fields_of(response)) == (422, {"refresh_token"})
    assert fields_of(api.post(REFRESH, json={"refresh_token": "x", "token": "x"})) == {"token"}


def test_a_refresh_does_not_ask_who_is_signed_in(api: Api, learner: Person) -> None:
    headers = {"Authorization": "Bearer x", "Cookie": "unpuzzle_access=x"}
    assert api.post(REFRESH, json={"refresh_token": learner.tokens["refresh_token"]}, headers=headers).status_code == 200


def test_a_token_for_the_session_of_somebody_else_is_no_good(api: Api, learner: Person) -> None:
    other = api.sign_up()
    key = derived_key(api.server.settings.secret_key, "access-token")
    mine, theirs = (jwt.decode(person.tokens["access_token"], options={"verify_signature": False}) for person in (learner, other))
    assert is_alive(api, jwt.encode(mine, key, algorithm="HS256"))
    assert not is_alive(api, jwt.encode({**mine, "sid": theirs["sid"]}, key, algorithm="HS256"))
    assert not is_alive(api, jwt.encode({**mine, "sub": theirs["sub"]}, key, algorithm="HS256"))


def test_a_changed_letter_makes_a_token_worthless(api: Api, learner: Person) -> None:
    head, payload, signature = learner.tokens["access_token"].split(".")
    flip = {"A": "B"}
    for forged in (
        f"{head}.{payload}.{flip.get(signature[0], 'A')}{signature[1:]}",
        f"{head}.{flip.get(payload[9], 'A')}{payload}.{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}..{signature}",
        f"{head}.{payload}.{signature}.{signature}",
    ):
        assert not is_alive(api, forged)


def test_a_deeply_nested_header_of_a_token_breaks_nothing(api: Api) -> None:
    for header in (b"[" * 3000, b'{"a":' * 3000, b"[]", b'{"alg":["HS256"]}', b'{"alg":"HS256","crit":["x"]}', b"\xff"):
        token = f"{jwt.utils.base64url_encode(header).decode()}.e30.e30"
        response = api.get(PROFILE, headers={"Authorization": f"Bearer {token}"})
        assert (response.status_code, code_of(response)) == (401, "AUTH_INVALID_TOKEN")
