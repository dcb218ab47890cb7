"""What Supabase Auth tells: believed under its signature alone, once, and in whatever order it comes."""

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import uuid4

import httpx
import pytest
from gotrue import ANON_KEY, GoTrue, User, running_gotrue
from standardwebhooks import Webhook

from harness import NUMBERS, TEST_SETTINGS, Api, Server, code_of, in_parallel, running_server
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.settings import Settings, SettingsError

PATH = "/api/v1/auth/webhooks/auth/"
PLAIN, STANDARD = TEST_SETTINGS.auth_webhook_secrets
Event = dict[str, Any]


@pytest.fixture(scope="module")
def gotrue() -> Iterator[GoTrue]:
    with running_gotrue() as found:
        yield found


@pytest.fixture(scope="module")
def supabase(server: Server, gotrue: GoTrue) -> Iterator[Api]:
    settings = {"auth_backend": "supabase", "supabase_url": gotrue.url, "supabase_anon_key": ANON_KEY}
    with running_server(server.owner_url, **settings) as found, Api(found) as api:
        yield api


def event(kind: str, data: dict[str, Any], *, ago: float = 0) -> Event:
    happened = datetime.now(UTC) - timedelta(seconds=ago)
    return {"id": f"evt_{uuid4().hex}", "type": kind, "created_at": rfc3339(happened), "data": data}


def written(happening: Event) -> bytes:
    return json.dumps(happening).encode()


def as_documented(body: bytes, secret: str = PLAIN) -> dict[str, str]:
    return {"X-Supabase-Signature": hmac.digest(secret.encode(), body, "sha256").hex()}


def as_standard(body: bytes, secret: str = STANDARD, sent_at: datetime | None = None) -> dict[str, str]:
    sent_at = sent_at or datetime.now(UTC)
    signature = Webhook(secret.removeprefix("v1,")).sign("msg_1", sent_at, body.decode())
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(int(sent_at.timestamp())), "Webhook-Signature": signature}


def send(api: Api, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return api.post(PATH, content=body, headers={"Content-Type": "application/json", **headers})


def tell(api: Api, *happenings: Event) -> None:
    """Each signed in the one way or the other."""
    for number, happening in enumerate(happenings):
        body = written(happening)
        answer = send(api, body, as_standard(body) if number % 2 else as_documented(body))
        assert (answer.status_code, answer.json()) == (200, {"received": True})


def user_data(**fields: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "email": f"told{next(NUMBERS)}@example.com", "email_confirmed_at": None, **fields}


def known(api: Api, user_id: str) -> list[tuple[Any, ...]]:
    """The account, where it is one."""
    query = "SELECT email, full_name, email_verified FROM users WHERE id = %s AND deletes_at IS NULL AND erased_at IS NULL"
    return api.server.sql(query, user_id)


def test_a_user_is_mirrored_under_either_signature(supabase: Api) -> None:
    for sign in (as_documented, as_standard):
        data = user_data(email_confirmed_at="2026-01-01T00:00:00Z", user_metadata={"full_name": "Ada"}, phone="", extra=[1])
        body = written(event("user.created", data))
        assert send(supabase, body, sign(body)).status_code == 200
        assert known(supabase, data["id"]) == [(data["email"], "Ada", True)]


def test_a_signature_may_carry_its_name_and_stand_among_others(supabase: Api) -> None:
    body = written(event("user.created", user_data()))
    named = {"X-Supabase-Signature": "sha256=" + as_documented(body)["X-Supabase-Signature"].upper()}
    assert send(supabase, body, named).status_code == 200
    headers = as_standard(body)
    headers["Webhook-Signature"] = f"v1,AAAA v2,BBBB {headers['Webhook-Signature']}"
    assert send(supabase, body, headers).status_code == 200


def wrong_signatures(body: bytes) -> dict[str, dict[str, str]]:
    right, standard = as_documented(body), as_standard(body)
    other = "v1,whsec_" + b64encode(b"another secret of 24 byte").decode()
    return {
        "none": {},
        "empty of sense": {"X-Supabase-Signature": "x"},
        "of another secret": as_documented(body, "another secret that signs"),
        "of another body": as_documented(body + b" "),
        "half": {"X-Supabase-Signature": right["X-Supabase-Signature"][:-1]},
        "without a time": {name: value for name, value in standard.items() if name != "Webhook-Timestamp"},
        "without an id": {name: value for name, value in standard.items() if name != "Webhook-Id"},
        "of another time": {**standard, "Webhook-Timestamp": str(int(standard["Webhook-Timestamp"]) + 1)},
        "of no time at all": {**standard, "Webhook-Timestamp": "999999999999"},
        "of another id": {**standard, "Webhook-Id": "msg_2"},
        "standard, of another secret": as_standard(body, other),
        "too old": as_standard(body, sent_at=datetime.now(UTC) - timedelta(seconds=310)),
        "too new": as_standard(body, sent_at=datetime.now(UTC) + timedelta(seconds=310)),
    }


@pytest.mark.parametrize("wrong", wrong_signatures(b"").keys())
def test_without_a_good_signature_nothing_is_believed(supabase: Api, wrong: str) -> None:
    data = user_data()
    body = written(event("user.created", data))
    refused = send(supabase, body, wrong_signatures(body)[wrong])
    assert (refused.status_code, code_of(refused)) == (400, "INVALID_SIGNATURE")
    assert known(supabase, data["id"]) == []


@pytest.mark.parametrize("ago", [305, -310])
def test_a_documented_signature_is_good_for_five_minutes(supabase: Api, ago: int) -> None:
    body = written(event("user.created", user_data(), ago=ago))
    assert code_of(send(supabase, body, as_documented(body))) == "INVALID_SIGNATURE"


@pytest.mark.parametrize("moment", ["2026-06-30T23:59:60Z", "0000-01-01T00:00:00Z"])
def test_a_moment_that_no_clock_here_shows_is_refused(supabase: Api, moment: str) -> None:
    body = written({**event("user.created", user_data()), "created_at": moment})
    for headers in (as_documented(body), as_standard(body)):
        assert send(supabase, body, headers).status_code in (400, 422)


def test_while_a_secret_is_rotated_both_are_good(server: Server) -> None:
    secrets = ("the new secret that signs", "the old secret that signs")
    with running_server(server.owner_url, auth_webhook_secrets=secrets) as rotating, Api(rotating) as api:
        for secret in secrets:
            body = written(event("user.created", user_data()))
            assert send(api, body, as_documented(body, secret)).status_code == 200
        body = written(event("user.created", user_data()))
        assert send(api, body, as_documented(body, PLAIN)).status_code == 400


def test_without_a_secret_nothing_is_taken(server: Server) -> None:
    with running_server(server.owner_url, auth_webhook_secrets=()) as plain, Api(plain) as api:
        body = written(event("user.created", user_data()))
        for headers in ({}, as_documented(body, "")):
            assert code_of(send(api, body, headers)) == "NOT_CONFIGURED"


def test_supabase_s_secrets_have_a_comma_in_them() -> None:
    given = {"AUTH_WEBHOOK_SECRETS": f"{STANDARD}, {PLAIN},v1,whsec_b3RoZXIgb3RoZXI="}
    assert Settings.from_environment(given).auth_webhook_secrets == (STANDARD, PLAIN, "v1,whsec_b3RoZXIgb3RoZXI=")
    for short in ("v1", f"{PLAIN},short"):
        with pytest.raises(SettingsError, match="16 characters"):
            Settings.from_environment({"AUTH_WEBHOOK_SECRETS": short})


def test_an_event_is_followed_once(supabase: Api) -> None:
    data = user_data(user_metadata={"name": "First"})
    created = event("user.created", data)
    tell(supabase, created)
    supabase.server.sql("UPDATE users SET full_name = 'Changed' WHERE id = %s", data["id"])
    supabase.server.sql("UPDATE users SET told_at = NULL WHERE id = %s", data["id"])
    tell(supabase, created)
    assert known(supabase, data["id"])[0][1] == "Changed"


def test_the_same_event_many_times_at_once_is_followed_once(supabase: Api) -> None:
    data = user_data()
    body = written(event("user.created", data))
    answers = in_parallel(supabase.server, [lambda caller: send(caller, body, as_documented(body))] * 8)
    assert {answer.status_code for answer in answers} == {200}
    assert len(known(supabase, data["id"])) == 1


def test_events_of_other_types_are_taken_and_change_nothing(supabase: Api) -> None:
    data = user_data()
    tell(supabase, event("user.invited", data), event("user.created", {**data, "email": None}), event("session.created", data))
    assert known(supabase, data["id"]) == []


def test_in_any_order_the_same_users_are_left(supabase: Api) -> None:
    for order in permutations(range(3)):
        data = user_data()
        moved = {**data, "email": f"moved{next(NUMBERS)}@example.com", "user_metadata": {"full_name": "Later"}}
        last = {**moved, "email_confirmed_at": "2026-01-01T00:00:00Z"}
        told = [event("user.created", data, ago=30), event("user.updated", moved, ago=20), event("user.updated", last, ago=10)]
        tell(supabase, *(told[number] for number in order))
        assert known(supabase, data["id"]) == [(moved["email"], "Later", True)]


def test_who_was_deleted_stays_so_in_any_order(supabase: Api, gotrue: GoTrue) -> None:
    for order in permutations(range(3)):
        data = user_data()
        told = [event("user.created", data, ago=30), event("user.updated", data, ago=10), event("user.deleted", data, ago=20)]
        tell(supabase, *(told[number] for number in order))
        assert known(supabase, data["id"]) == []
        token = gotrue.token(User(data["email"], "", {}, confirmed=True, id=data["id"]))
        assert supabase.get("/api/v1/auth/profile/", headers={"Authorization": f"Bearer {token}"}).status_code == 401
        other = user_data(email=data["email"])
        tell(supabase, event("user.created", other))
        assert known(supabase, other["id"])[0][0] == data["email"]  # the address is free again


def test_who_is_deleted_is_signed_out_at_once(supabase: Api, gotrue: GoTrue) -> None:
    user = gotrue.add(f"leaves{next(NUMBERS)}@example.com")
    headers = {"Authorization": f"Bearer {gotrue.token(user)}"}
    assert supabase.get("/api/v1/auth/profile/", headers=headers).status_code == 200
    key = supabase.post("/api/v1/auth/api-keys/", json={"name": "k", "scopes": ["profile:read"]}, headers=headers).json()["key"]
    tell(supabase, event("user.deleted", {"id": user.id}))
    assert supabase.get("/api/v1/auth/profile/", headers=headers).status_code == 401
    assert supabase.get("/api/v1/auth/profile/", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_a_session_that_ended_stays_so_in_any_order(supabase: Api, gotrue: GoTrue) -> None:
    for order in permutations(range(3)):
        user = gotrue.add(f"session{next(NUMBERS)}@example.com")
        session = {"id": str(uuid4()), "user_id": user.id}
        told = [
            event("user.created", {"id": user.id, "email": user.email}, ago=30),
            event("session.created", session, ago=20),
            event("session.ended", session, ago=10),
        ]
        tell(supabase, *(told[number] for number in order))
        ended = {"Authorization": f"Bearer {gotrue.token(user, session['id'])}"}
        assert supabase.get("/api/v1/auth/profile/", headers=ended).status_code == 401
        other = {"Authorization": f"Bearer {gotrue.token(user)}"}
        assert supabase.get("/api/v1/auth/profile/", headers=other).status_code == 200


def test_a_name_changed_here_is_changed_by_news_and_not_by_signing_in(supabase: Api, gotrue: GoTrue) -> None:
    user = gotrue.add(f"named{next(NUMBERS)}@example.com", full_name="There")
    headers = {"Authorization": f"Bearer {gotrue.token(user)}"}
    supabase.put("/api/v1/auth/profile/update/", json={"full_name": "Here"}, headers=headers)
    again = {"Authorization": f"Bearer {gotrue.token(user)}"}
    assert supabase.get("/api/v1/auth/profile/", headers=again).json()["full_name"] == "Here"
    data = {"id": user.id, "email": user.email, "user_metadata": {"full_name": "News"}}
    tell(supabase, event("user.updated", data, ago=-2))
    assert supabase.get("/api/v1/auth/profile/", headers=again).json()["full_name"] == "News"


def test_an_account_from_before_supabase_with_the_same_address_is_set_aside_whole(supabase: Api, api: Api) -> None:
    person = api.sign_up()
    data = user_data(email=person.email)
    tell(supabase, event("user.created", data))
    assert known(supabase, data["id"])[0][0] == person.email
    kept = api.server.sql("SELECT suspended_at IS NOT NULL, deletes_at IS NULL FROM users WHERE id = %s", person.id)
    assert kept == [(True, True)]
