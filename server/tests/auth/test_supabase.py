"""Accounts that Supabase Auth keeps: signing up and in there, its tokens here, and the mirror of its users."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from gotrue import ANON_KEY, SECRET, GoTrue, User, new_key, running_gotrue
from joserfc.jwk import OctKey

from harness import NUMBERS, PASSWORD, Api, Server, code_of, running_server
from unpuzzle_sdk import PKCE

PROFILE = "/api/v1/auth/profile/"
APP_URL = "https://app.unpuzzle.com/auth/callback"


@pytest.fixture(scope="module")
def project() -> Iterator[GoTrue]:
    with running_gotrue() as found:
        yield found


@pytest.fixture(scope="module")
def supabase(server: Server, project: GoTrue) -> Iterator[Api]:
    with using(server, project) as api:
        yield api


@pytest.fixture
def gotrue(project: GoTrue) -> Iterator[GoTrue]:
    yield project
    project.confirms = project.down = project.busy = False
    project.signs_with = project.keys[0]


@contextmanager
def using(server: Server, project: GoTrue, **changes: Any) -> Iterator[Api]:
    """A server whose accounts a project keeps."""
    settings = {"auth_backend": "supabase", "supabase_url": project.url, "supabase_anon_key": ANON_KEY, **changes}
    with running_server(server.owner_url, oauth_sandbox=False, **settings) as found, Api(found) as api:
        yield api


def address() -> str:
    return f"supabase{next(NUMBERS)}@example.com"


def sign_up(api: Api, **fields: Any) -> httpx.Response:
    return api.post(
        "/api/v1/auth/signup/", json={"email": address(), "password": PASSWORD, "full_name": "Ada Lovelace", **fields}
    )


def refresh(api: Api, token: str) -> httpx.Response:
    return api.post("/api/v1/auth/refresh/", json={"refresh_token": token})


def profile(api: Api, token: str) -> httpx.Response:
    return api.get(PROFILE, headers={"Authorization": f"Bearer {token}"})


# Signing up and in


def test_who_signs_up_has_an_account_there_and_here(supabase: Api, gotrue: GoTrue) -> None:
    answer = sign_up(supabase, metadata={"plan": "trial"})
    assert answer.status_code == 201
    there = gotrue.users[answer.json()["user"]["email"]]
    assert (there.id, there.metadata) == (answer.json()["user"]["id"], {"plan": "trial", "full_name": "Ada Lovelace"})
    here = profile(supabase, answer.json()["access_token"]).json()
    assert (here["id"], here["full_name"], here["email_verified"]) == (there.id, "Ada Lovelace", True)


def test_signing_in_refreshing_and_out_go_there(supabase: Api, gotrue: GoTrue) -> None:
    email = sign_up(supabase).json()["user"]["email"]
    session = supabase.post("/api/v1/auth/signin/", json={"email": email, "password": PASSWORD}).json()
    assert session["expires_in"] == 3600
    again = refresh(supabase, session["refresh_token"])
    assert again.status_code == 200
    token = again.json()["access_token"]
    assert profile(supabase, token).status_code == 200
    assert (
        code_of(supabase.post("/api/v1/auth/refresh/", json={"refresh_token": session["refresh_token"]})) == "AUTH_INVALID_TOKEN"
    )
    out = supabase.post("/api/v1/auth/signout/", headers={"Authorization": f"Bearer {token}"})
    assert (out.status_code, gotrue.signed_out[-1]) == (200, token)
    assert code_of(profile(supabase, token)) == code_of(profile(supabase, session["access_token"])) == "AUTH_INVALID_TOKEN"
    assert code_of(refresh(supabase, again.json()["refresh_token"])) == "AUTH_INVALID_TOKEN"


def test_a_cookie_signs_out_too(supabase: Api, gotrue: GoTrue) -> None:
    with httpx.Client(base_url=supabase.server.base_url) as browser:
        token = browser.post("/api/v1/auth/signup/", json={"email": address(), "password": PASSWORD, "full_name": "A"}).json()[
            "access_token"
        ]
        csrf = browser.get("/api/v1/auth/csrf-token/").json()["csrf_token"]
        assert browser.post("/api/v1/auth/signout/", headers={"X-CSRF-Token": csrf}).status_code == 200
    assert gotrue.signed_out[-1] == token


def test_where_addresses_are_confirmed_first_nobody_is_signed_in_and_known_ones_look_the_same(
    supabase: Api, gotrue: GoTrue
) -> None:
    gotrue.confirms = True
    email = address()
    first, second = sign_up(supabase, email=email), sign_up(supabase, email=email)
    assert (first.status_code, first.json()) == (second.status_code, second.json()) == (202, first.json())
    refused = supabase.post("/api/v1/auth/signin/", json={"email": email, "password": PASSWORD})
    assert (refused.status_code, code_of(refused)) == (403, "EMAIL_NOT_VERIFIED")
    assert supabase.post("/api/v1/auth/email/resend/", json={"email": email}).status_code == 202
    link = {"token": f"link-to-{email}".replace("@", "-").replace(".", "-")}
    gotrue.links[link["token"]] = gotrue.links.pop(f"link-to-{email}")
    assert supabase.post("/api/v1/auth/email/verify/", json=link).status_code == 200
    assert code_of(supabase.post("/api/v1/auth/email/verify/", json=link)) == "TOKEN_INVALID"
    assert supabase.post("/api/v1/auth/signin/", json={"email": email, "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [({"password": "too-short"}, 422, "WEAK_PASSWORD"), ({"email": "taken@example.com"}, 409, "EMAIL_TAKEN")],
)
def test_what_supabase_refuses_is_told_in_our_words(
    supabase: Api, gotrue: GoTrue, fields: dict[str, str], status: int, code: str
) -> None:
    gotrue.add("taken@example.com", PASSWORD)
    refused = sign_up(supabase, **fields)
    assert (refused.status_code, code_of(refused)) == (status, code)


def test_a_wrong_password_and_an_unknown_address_look_the_same(supabase: Api, gotrue: GoTrue) -> None:
    email = sign_up(supabase).json()["user"]["email"]
    answers = [
        supabase.post("/api/v1/auth/signin/", json={"email": each, "password": "wrong"}) for each in (email, "nobody@example.com")
    ]
    assert {(answer.status_code, code_of(answer)) for answer in answers} == {(401, "AUTH_INVALID_CREDENTIALS")}
    assert answers[0].json()["error"] == answers[1].json()["error"]


def test_a_project_that_is_away_or_busy_says_when_to_come_back(supabase: Api, gotrue: GoTrue) -> None:
    session = sign_up(supabase).json()
    gotrue.down = True
    away = refresh(supabase, session["refresh_token"])
    assert (away.status_code, code_of(away), away.headers["retry-after"]) == (503, "SERVICE_UNAVAILABLE", "5")
    assert profile(supabase, session["access_token"]).status_code == 200  # who is known needs no word from there
    gotrue.down, gotrue.busy = False, True
    busy = refresh(supabase, session["refresh_token"])
    assert (busy.status_code, code_of(busy)) == (429, "RATE_LIMIT_EXCEEDED")
    gotrue.busy = False
    assert refresh(supabase, session["refresh_token"]).status_code == 200


def test_who_is_banned_there_or_suspended_here_stays_out(supabase: Api, gotrue: GoTrue) -> None:
    session = sign_up(supabase).json()
    user = gotrue.users[session["user"]["email"]]
    user.banned = True
    body = {"email": user.email, "password": PASSWORD}
    assert code_of(supabase.post("/api/v1/auth/signin/", json=body)) == "ACCOUNT_SUSPENDED"
    user.banned = False
    supabase.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", user.id)
    assert code_of(supabase.post("/api/v1/auth/signin/", json=body)) == "ACCOUNT_SUSPENDED"
    assert code_of(profile(supabase, session["access_token"])) == "ACCOUNT_SUSPENDED"
    assert code_of(refresh(supabase, session["refresh_token"])) == "ACCOUNT_SUSPENDED"


def test_passwords_and_addresses_are_changed_there(supabase: Api, gotrue: GoTrue) -> None:
    session = sign_up(supabase).json()
    email, headers = session["user"]["email"], {"Authorization": f"Bearer {session['access_token']}"}
    other = supabase.post("/api/v1/auth/signin/", json={"email": email, "password": PASSWORD}).json()
    wrong = {"current_password": "wrong", "new_password": "another horse battery"}
    assert code_of(supabase.post("/api/v1/auth/password/change/", json=wrong, headers=headers)) == "AUTH_INVALID_CREDENTIALS"
    same = {"current_password": PASSWORD, "new_password": PASSWORD}
    assert code_of(supabase.post("/api/v1/auth/password/change/", json=same, headers=headers)) == "WEAK_PASSWORD"
    right = {**wrong, "current_password": PASSWORD}
    assert supabase.post("/api/v1/auth/password/change/", json=right, headers=headers).status_code == 200
    assert profile(supabase, other["access_token"]).status_code == 401
    assert profile(supabase, session["access_token"]).status_code == 200
    assert supabase.post("/api/v1/auth/password/reset/", json={"email": email}).status_code == 202
    gotrue.links["a-link"] = gotrue.links.pop(f"link-to-{email}")
    reset = {"token": "a-link", "password": "a third horse battery"}
    assert supabase.post("/api/v1/auth/password/reset/confirm/", json=reset).status_code == 200
    assert gotrue.users[email].password == "a third horse battery"
    change = {"email": address(), "password": "a third horse battery"}
    assert supabase.post("/api/v1/auth/email/change/", json=change, headers=headers).status_code == 202
    assert change["email"] in gotrue.users


# Providers


def test_a_person_comes_in_by_a_provider_that_supabase_talks_to(supabase: Api, gotrue: GoTrue) -> None:
    listed = supabase.get("/api/v1/auth/oauth/providers/").json()["results"]
    assert [(item["provider"], item["name"]) for item in listed] == [("github", "GitHub"), ("google", "Google")]
    pkce, user = PKCE.new(), gotrue.add(address(), full_name="Grace Hopper")
    body = {"provider": "github", "redirect_url": APP_URL, "code_challenge": pkce.challenge}
    started = supabase.post("/api/v1/auth/oauth/signin/", json=body).json()
    url = httpx.URL(started["auth_url"])
    assert (url.host, url.path, url.params["provider"]) == ("127.0.0.1", "/auth/v1/authorize", "github")
    assert url.params["code_challenge"] != pkce.challenge
    gotrue.codes["a-code"] = (user.email, url.params["code_challenge"])
    back = supabase.get(str(httpx.URL(url.params["redirect_to"]).copy_merge_params({"code": "a-code"})))
    told = httpx.URL(back.headers["location"]).params
    callback = {"provider": "github", "code": told["code"], "state": told["state"], "code_verifier": pkce.verifier}
    answer = supabase.post("/api/v1/auth/oauth/callback/", json=callback)
    assert (answer.status_code, answer.json()["is_new_user"]) == (200, True)
    assert (answer.json()["user"]["id"], answer.json()["user"]["full_name"]) == (user.id, "Grace Hopper")
    assert code_of(supabase.post("/api/v1/auth/oauth/callback/", json=callback)) == "OAUTH_FAILED"
    refused = supabase.post("/api/v1/auth/oauth/signin/", json={**body, "provider": "apple"})
    assert (refused.status_code, code_of(refused)) == (409, "NOT_CONFIGURED")


def test_a_code_that_supabase_does_not_know_is_refused(supabase: Api, gotrue: GoTrue) -> None:
    pkce = PKCE.new()
    body = {"provider": "github", "redirect_url": APP_URL, "code_challenge": pkce.challenge}
    state = supabase.post("/api/v1/auth/oauth/signin/", json=body).json()["state"]
    callback = {"provider": "github", "code": "made-up", "state": state, "code_verifier": pkce.verifier}
    refused = supabase.post("/api/v1/auth/oauth/callback/", json=callback)
    assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")


# Tokens


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_whoever_has_a_token_of_the_project_is_known_at_first_sight(server: Server, gotrue: GoTrue, algorithm: str) -> None:
    key = new_key(algorithm)
    gotrue.keys.append(key)
    user = gotrue.add(address(), name="Mary Shelley")
    with using(server, gotrue) as api:
        shown = profile(api, gotrue.token(user, key=key)).json()
    assert (shown["id"], shown["email"], shown["full_name"], shown["roles"]) == (user.id, user.email, "Mary Shelley", ["student"])


@pytest.mark.parametrize("name", ["", "  ", "\x00", 7, ["a"], {}, "x" * 5000])
def test_whatever_somebody_calls_themselves_there_they_have_a_name_here(supabase: Api, gotrue: GoTrue, name: Any) -> None:
    user = gotrue.add(address(), full_name=name)
    shown = profile(supabase, gotrue.token(user))
    assert (shown.status_code, 1 <= len(shown.json()["full_name"]) <= 200) == (200, True)


def test_while_the_keys_can_t_be_read_nobody_waits_for_them_twice(server: Server, gotrue: GoTrue) -> None:
    token = gotrue.token(gotrue.add(address()))
    gotrue.down = True
    with using(server, gotrue) as api:
        for _ in range(3):
            assert code_of(profile(api, token)) == "SERVICE_UNAVAILABLE"
        gotrue.down = False
        assert code_of(profile(api, token)) == "SERVICE_UNAVAILABLE"
        api.server.clock.offset = timedelta(seconds=6)
        assert profile(api, token).status_code == 200


def test_tokens_under_the_project_s_secret_are_taken_where_it_is_set(server: Server, gotrue: GoTrue) -> None:
    token = gotrue.token(gotrue.add(address()), key=OctKey.import_key(SECRET))
    with using(server, gotrue) as without, using(server, gotrue, supabase_jwt_secret=SECRET) as knowing:
        assert code_of(profile(without, token)) == "AUTH_INVALID_TOKEN"
        assert profile(knowing, token).status_code == 200
        assert profile(knowing, gotrue.token(gotrue.add(address()))).status_code == 200


def test_a_rotated_key_is_learned_and_a_withdrawn_one_forgotten(server: Server, gotrue: GoTrue) -> None:
    user, old, new = gotrue.add(address()), gotrue.signs_with, new_key("ES256")
    with using(server, gotrue) as api:
        assert profile(api, gotrue.token(user)).status_code == 200
        gotrue.keys = [new]
        for _ in range(3):  # not so often that it would be a burden
            assert code_of(profile(api, gotrue.token(user, key=new))) == "AUTH_INVALID_TOKEN"
        asked = gotrue.asked_for_keys
        api.server.clock.offset = timedelta(seconds=11)
        assert profile(api, gotrue.token(user, key=new)).status_code == 200
        assert gotrue.asked_for_keys == asked + 1
        assert code_of(profile(api, gotrue.token(user, key=old))) == "AUTH_INVALID_TOKEN"
        gotrue.down = True
        api.server.clock.offset = timedelta(minutes=11)
        assert code_of(profile(api, gotrue.token(user, key=new))) == "SERVICE_UNAVAILABLE"
    gotrue.keys = [old]


def other_project(gotrue: GoTrue, user: User) -> str:
    return gotrue.token(user, key=new_key("ES256"))


def under_the_name_of_our_key(gotrue: GoTrue, user: User) -> str:
    return gotrue.token(user, key=new_key("ES256"), header={"kid": gotrue.keys[0].kid})


def with_a_key_of_its_own(gotrue: GoTrue, user: User) -> str:
    key = new_key("ES256")
    return gotrue.token(user, key=key, header={"jwk": key.as_dict(private=False)})


def with_a_shared_secret(gotrue: GoTrue, user: User) -> str:
    return gotrue.token(user, key=OctKey.import_key("x" * 32), header={"kid": gotrue.keys[0].kid})


def unsigned(gotrue: GoTrue, user: User) -> str:
    return f"eyJhbGciOiJub25lIn0.{gotrue.token(user).split('.')[1]}."


CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": 1},
    "no end": {"exp": None},
    "another issuer": {"iss": "https://other.supabase.co/auth/v1"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "other"},
    "the key of the page": {"role": "anon"},
    "the key of the service": {"role": "service_role"},
    "anonymous": {"is_anonymous": True},
    "nobody": {"sub": None},
    "no UUID": {"sub": "somebody"},
    "no address": {"email": None},
    "from the future": {"iat": 99999999999},
    "a text for a time": {"exp": "tomorrow"},
}


@pytest.mark.parametrize(
    "forge", [other_project, under_the_name_of_our_key, with_a_key_of_its_own, with_a_shared_secret, unsigned]
)
def test_a_forged_token_is_refused(supabase: Api, gotrue: GoTrue, forge: Any) -> None:
    refused = profile(supabase, forge(gotrue, gotrue.add(address())))
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_INVALID_TOKEN")


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS.keys())
def test_a_token_that_is_no_person_s_of_this_project_and_of_now_is_refused(
    supabase: Api, gotrue: GoTrue, claims: dict[str, Any]
) -> None:
    refused = profile(supabase, gotrue.token(gotrue.add(address()), **claims))
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_INVALID_TOKEN")


def test_a_token_of_this_server_s_own_is_refused(supabase: Api, api: Api) -> None:
    assert code_of(profile(supabase, api.sign_up().tokens["access_token"])) == "AUTH_INVALID_TOKEN"


def test_api_keys_and_roles_are_this_server_s(supabase: Api, gotrue: GoTrue) -> None:
    session = sign_up(supabase).json()
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    supabase.post("/api/v1/auth/instructor/apply/", json={}, headers=headers)
    made = supabase.post("/api/v1/auth/api-keys/", json={"name": "k", "scopes": ["profile:read"]}, headers=headers)
    shown = profile(supabase, made.json()["key"]).json()
    assert (shown["id"], shown["roles"]) == (session["user"]["id"], ["student", "instructor"])


def test_an_address_that_moved_to_another_user_there_moves_here(supabase: Api, gotrue: GoTrue) -> None:
    """The first was deleted without our hearing of it."""
    email = address()
    first = gotrue.token(gotrue.add(email))
    assert profile(supabase, first).status_code == 200
    second = gotrue.add(email)
    assert profile(supabase, gotrue.token(second, str(uuid4()))).json()["id"] == second.id
    assert code_of(profile(supabase, first)) == "AUTH_INVALID_TOKEN"
