"""Signing in with a provider: from the app to the provider (the sandbox plays all) and back, and who is who then."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from browser import APP_URL, Browser, Visitor, query

from harness import NUMBERS, PASSWORD, Api, Person, Server, code_of, in_parallel, running_server
from unpuzzle_sdk import PKCE
from unpuzzle_server.auth.oauth.providers import PROVIDERS

SIGN_IN, CALLBACK = "/api/v1/auth/oauth/signin/", "/api/v1/auth/oauth/callback/"
IDENTITIES = "/api/v1/auth/oauth/identities/"
VOUCHING = sorted(PROVIDERS.keys() - {"spotify"})
"""Providers that confirm addresses."""


def somebody(**fields: Any) -> Visitor:
    return Visitor(f"visitor{next(NUMBERS)}@example.com", **fields)


@pytest.fixture
def browser(server: Server) -> Iterator[Browser]:
    with Browser(server.base_url) as found:
        yield found


def begin(api: Api, provider: str = "google", **fields: Any) -> tuple[httpx.Response, PKCE]:
    pkce = PKCE.new()
    body = {"provider": provider, "redirect_url": APP_URL, "code_challenge": pkce.challenge, **fields}
    return api.post(SIGN_IN, json=body), pkce


def walked(api: Api, browser: Browser, visitor: Visitor, provider: str = "google") -> dict[str, str]:
    """The body of the callback when the visitor has been to the provider and back."""
    started, pkce = begin(api, provider)
    back = browser.walk(started.json()["auth_url"], visitor)
    return {"provider": provider, "code": back["code"], "state": back["state"], "code_verifier": pkce.verifier}


def enter(api: Api, browser: Browser, visitor: Visitor, provider: str = "google") -> httpx.Response:
    return api.post(CALLBACK, json=walked(api, browser, visitor, provider))


def link(person: Person, browser: Browser, visitor: Visitor, provider: str = "google") -> httpx.Response:
    linked: httpx.Response = person.post(IDENTITIES, json=walked(person.api, browser, visitor, provider))
    return linked


def bearer(signed_in: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed_in.json()['access_token']}"}


@pytest.mark.parametrize("provider", VOUCHING)
def test_whoever_a_provider_vouches_for_gets_an_account_once(api: Api, browser: Browser, provider: str) -> None:
    visitor = somebody(name="Ada Lovelace")
    first, second = (enter(api, browser, visitor, provider) for _ in range(2))
    assert [(answer.status_code, answer.json()["is_new_user"]) for answer in (first, second)] == [(200, True), (200, False)]
    user = api.get("/api/v1/auth/profile/", headers=bearer(second)).json()
    assert user["id"] == first.json()["user"]["id"]
    assert (user["email"], user["email_verified"], user["full_name"]) == (visitor.email, True, "Ada Lovelace")


def test_a_provider_that_confirms_no_address_is_a_way_in_once_it_is_linked(api: Api, browser: Browser) -> None:
    visitor, person = somebody(), api.sign_up()
    assert code_of(enter(api, browser, visitor, "spotify")) == "EMAIL_NOT_VERIFIED"
    assert link(person, browser, visitor, "spotify").status_code == 201
    assert enter(api, browser, visitor, "spotify").json()["user"]["id"] == person.id


@pytest.mark.parametrize("provider", VOUCHING)
def test_an_address_that_the_provider_has_not_confirmed_lets_nobody_in(api: Api, browser: Browser, provider: str) -> None:
    for visitor in (somebody(verified=False), Visitor(api.sign_up().email, verified=False)):
        refused = enter(api, browser, visitor, provider)
        assert (refused.status_code, code_of(refused)) == (403, "EMAIL_NOT_VERIFIED")


@pytest.mark.parametrize("address", ["ada@münchen.de", "ü@example.com", "a..b@example.com"])
def test_an_address_that_the_contract_has_no_form_for_is_none(api: Api, browser: Browser, admin: Person, address: str) -> None:
    """Refused before anything is written: no list of an admin's could show it."""
    before = admin.get("/api/v1/admin/users/").json()["count"]
    refused = enter(api, browser, Visitor(address))
    assert (refused.status_code, code_of(refused)) == (403, "EMAIL_NOT_VERIFIED")
    assert admin.get("/api/v1/admin/users/").json()["count"] == before


def test_a_name_that_nobody_could_sign_up_with_is_none(api: Api, browser: Browser) -> None:
    visitor = somebody(name="\u200b")
    assert enter(api, browser, visitor).json()["user"]["full_name"] == visitor.email.partition("@")[0]


def test_a_confirmed_address_leads_to_the_account_that_has_confirmed_it_too(api: Api, browser: Browser) -> None:
    person = api.sign_up()
    api.server.sql("UPDATE users SET email_verified = true WHERE id = %s", person.id)
    answer = enter(api, browser, Visitor(person.email.upper()))
    assert (answer.json()["user"]["id"], answer.json()["is_new_user"]) == (person.id, False)
    again = api.post("/api/v1/auth/signin/", json={"email": person.email, "password": PASSWORD})
    assert again.status_code == 200
    assert person.get("/api/v1/auth/profile/").status_code == 200


def test_what_was_left_in_an_account_by_whoever_did_not_confirm_its_address_ends(api: Api, browser: Browser) -> None:
    """Somebody may have signed up with an address of others, to be in their account later."""
    squatter = api.sign_up()
    key = squatter.post("/api/v1/auth/api-keys/", json={"name": "later", "scopes": ["profile:read"]}).json()["key"]
    theirs = somebody()
    assert link(squatter, browser, theirs, "github").status_code == 201
    owner = enter(api, browser, Visitor(squatter.email))
    assert (owner.status_code, owner.json()["user"]["id"]) == (200, squatter.id)
    assert squatter.get("/api/v1/auth/profile/").status_code == 401
    assert api.get("/api/v1/auth/profile/", headers={"Authorization": f"Bearer {key}"}).status_code == 401
    assert code_of(api.post("/api/v1/auth/refresh/", json={"refresh_token": squatter.tokens["refresh_token"]})) == (
        "AUTH_INVALID_TOKEN"
    )
    assert code_of(api.post("/api/v1/auth/signin/", json={"email": squatter.email, "password": PASSWORD})) == (
        "AUTH_INVALID_CREDENTIALS"
    )
    assert enter(api, browser, theirs, "github").json()["user"]["id"] != squatter.id


def test_who_came_by_a_provider_sets_a_password_by_mail(api: Api, browser: Browser) -> None:
    visitor = somebody()
    entered = enter(api, browser, visitor).json()
    token = "a-token-of-a-mail-to-somebody-without-a-password"
    api.server.sql(
        """INSERT INTO one_time_tokens (hash, user_id, purpose, email, expires_at)
           VALUES (sha256(%s::bytea), %s, 'password_reset', %s, now() + interval '1 hour')""",
        token,
        entered["user"]["id"],
        visitor.email,
    )
    assert api.post("/api/v1/auth/password/reset/confirm/", json={"token": token, "password": PASSWORD}).status_code == 200
    assert api.post("/api/v1/auth/signin/", json={"email": visitor.email, "password": PASSWORD}).status_code == 200


def test_who_is_suspended_stays_out(api: Api, browser: Browser) -> None:
    visitor = somebody()
    entered = enter(api, browser, visitor).json()
    api.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", entered["user"]["id"])
    refused = enter(api, browser, visitor)
    assert (refused.status_code, code_of(refused)) == (403, "ACCOUNT_SUSPENDED")


def test_the_same_person_twice_at_once_gets_one_account(api: Api, browser: Browser) -> None:
    visitor = somebody()
    bodies = [walked(api, browser, visitor) for _ in range(6)]
    answers = in_parallel(api.server, [lambda caller, body=body: caller.post(CALLBACK, json=body) for body in bodies])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["user"]["id"] for answer in answers}) == 1
    assert sorted(answer.json()["is_new_user"] for answer in answers) == [False] * 5 + [True]


# The attempt


def test_a_code_is_good_once(api: Api, browser: Browser) -> None:
    body = walked(api, browser, somebody())
    assert api.post(CALLBACK, json=body).status_code == 200
    refused = api.post(CALLBACK, json=body)
    assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")


def test_one_of_several_callbacks_at_once_wins(api: Api, browser: Browser) -> None:
    body = walked(api, browser, somebody())
    answers = in_parallel(api.server, [lambda caller: caller.post(CALLBACK, json=body)] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7


@pytest.mark.parametrize(
    "change",
    [
        {"state": "0" * 43},
        {"code_verifier": PKCE.new().verifier},
        {"code_verifier": None},
        {"provider": "github"},
        {"code": "another-code"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_does_not_belong_to_the_attempt_is_refused(api: Api, browser: Browser, change: dict[str, Any]) -> None:
    body = walked(api, browser, somebody())
    refused = api.post(CALLBACK, json={**body, **change})
    assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")
    if change.keys() & {"state", "code_verifier", "provider"}:
        assert api.post(CALLBACK, json=body).status_code == 200  # who guesses ends no attempt of others


def test_a_code_of_one_attempt_is_no_good_in_another(api: Api, browser: Browser) -> None:
    stolen, own = walked(api, browser, somebody()), walked(api, browser, somebody())
    refused = api.post(CALLBACK, json={**own, "code": stolen["code"]})
    assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")


def test_an_attempt_lasts_ten_minutes(api: Api, browser: Browser) -> None:
    body = walked(api, browser, somebody())
    api.server.clock.offset = timedelta(minutes=10)
    try:
        assert code_of(api.post(CALLBACK, json=body)) == "OAUTH_FAILED"
        assert code_of(api.get(CALLBACK, params={"state": body["state"], "code": "c"})) == "OAUTH_FAILED"
    finally:
        api.server.clock.offset = timedelta()


def test_without_a_challenge_the_attempt_is_bound_to_the_browser_that_began_it(server: Server, browser: Browser) -> None:
    started = browser.client.post(server.base_url + SIGN_IN, json={"provider": "google", "redirect_url": APP_URL})
    cookie = started.headers["set-cookie"]
    assert cookie.startswith("unpuzzle_oauth=")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/api/v1/auth/oauth/", "Max-Age=600"))
    back = browser.walk(started.json()["auth_url"], somebody())
    body = {"provider": "google", "code": back["code"], "state": back["state"]}
    with Api(server) as elsewhere:
        refused = elsewhere.post(CALLBACK, json=body)
        assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")
        assert "cookie" in refused.json()["error"]["message"]
        other = {"Cookie": f"unpuzzle_oauth={'x' * 43}"}
        assert elsewhere.post(CALLBACK, json=body, headers=other).status_code == 400
    assert browser.client.post(server.base_url + CALLBACK, json=body).status_code == 200


def test_two_tabs_of_a_browser_don_t_end_each_other_s_attempts(server: Server, browser: Browser) -> None:
    begun = [
        browser.client.post(server.base_url + SIGN_IN, json={"provider": "google", "redirect_url": APP_URL}) for _ in range(2)
    ]
    for started in begun:
        back = browser.walk(started.json()["auth_url"], somebody())
        body = {"provider": "google", "code": back["code"], "state": back["state"]}
        assert browser.client.post(server.base_url + CALLBACK, json=body).status_code == 200


# Where it leads


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/auth/callback",
        "https://app.unpuzzle.com/auth/callback/",
        "https://app.unpuzzle.com/auth/callback?next=1",
        "https://app.unpuzzle.com.evil.example/auth/callback",
        "https://app.unpuzzle.com@evil.example/auth/callback",
        "http://app.unpuzzle.com/auth/callback",
        "https://127.0.0.1/auth/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://me@127.0.0.1:1/callback",
        "http://localhost:3000/callback",
        "http://127.0.0.1:3000/callback#fragment",
        "http://127.0.0.1:99999/callback",
    ],
)
def test_it_leads_only_to_addresses_of_the_settings_and_to_the_client_s_own_machine(api: Api, url: str) -> None:
    refused, _ = begin(api, redirect_url=url)
    assert (refused.status_code, code_of(refused)) == (422, "REDIRECT_NOT_ALLOWED")


def test_to_the_client_s_own_machine_it_leads_with_a_challenge_alone(api: Api, browser: Browser) -> None:
    refused, _ = begin(api, redirect_url="http://127.0.0.1:4711/callback", code_challenge=None)
    assert (refused.status_code, code_of(refused)) == (422, "REDIRECT_NOT_ALLOWED")
    for url in ("http://127.0.0.1:4711/callback", "http://[::1]:4711/back?a=1"):
        started, _ = begin(api, redirect_url=url)
        back = browser.come_back(browser.consent(started.json()["auth_url"], somebody()))
        assert back.headers["location"].startswith(url)
        assert query(back.headers["location"]).keys() >= {"code", "state", "provider"}


def test_the_settings_say_where_the_app_is(server: Server) -> None:
    own = {"oauth_redirect_urls": ("http://localhost:3000/auth/callback",)}
    with running_server(server.owner_url, **own) as other, Api(other) as api:
        assert begin(api, redirect_url="http://localhost:3000/auth/callback")[0].status_code == 200
        assert code_of(begin(api)[0]) == "REDIRECT_NOT_ALLOWED"


def test_a_person_who_says_no_is_led_back_with_that(api: Api, browser: Browser) -> None:
    for provider in ("google", "apple"):
        started, _ = begin(api, provider)
        left = browser.consent(started.json()["auth_url"], somebody(answer="deny"))
        back = browser.come_back(left)
        told = query(back.headers["location"])
        assert (told["error"], told["state"], told["provider"]) == ("access_denied", started.json()["state"], provider)
        assert "code" not in told


def test_what_comes_back_from_nowhere_is_refused(api: Api) -> None:
    started, _ = begin(api)
    state = started.json()["state"]
    for refused in (
        api.get(CALLBACK, params={"state": "unknown", "code": "c"}),
        api.get(CALLBACK, params={"state": state}),
        api.get(CALLBACK, params={"state": state, "code": "c", "iss": "https://another.example"}),
        api.post(f"{CALLBACK}form/", data={"state": "unknown", "code": "c"}),
    ):
        assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")


def test_parameters_that_a_provider_adds_are_ignored(api: Api) -> None:
    state = begin(api)[0].json()["state"]
    added = {"state": state, "code": "a/b+c d&e", "scope": "email", "authuser": "0", "hd": "example.com"}
    back = api.get(CALLBACK, params=added)
    assert back.status_code == 302
    assert query(back.headers["location"]) == {"code": "a/b+c d&e", "state": state, "provider": "google"}
    form = api.post(f"{CALLBACK}form/", data={"state": state, "code": "c", "id_token": "x.y.z"})
    assert form.status_code == 303


# Providers


def test_the_providers_are_listed_by_name(api: Api) -> None:
    listed = api.get("/api/v1/auth/oauth/providers/", params={"page_size": 5, "page": 3}).json()
    assert (listed["count"], listed["total_pages"]) == (12, 3)
    assert [item["provider"] for item in listed["results"]] == ["twitch", "twitter"]
    assert all(item["is_sandbox"] for item in listed["results"])


def test_without_credentials_there_are_none(server: Server) -> None:
    with running_server(server.owner_url, oauth_sandbox=False) as plain, Api(plain) as api:
        assert api.get("/api/v1/auth/oauth/providers/").json()["results"] == []
        refused, _ = begin(api)
        assert (refused.status_code, code_of(refused)) == (409, "NOT_CONFIGURED")
        body = {"provider": "google", "code": "c", "state": "s"}
        assert code_of(api.post(CALLBACK, json=body)) == "NOT_CONFIGURED"
        assert code_of(api.sign_up().post(IDENTITIES, json=body)) == "NOT_CONFIGURED"
        assert api.get("/oauth-sandbox/google/keys").status_code == 404


# Identities


def test_identities_are_linked_listed_and_unlinked(api: Api, browser: Browser) -> None:
    person, visitor = api.sign_up(), somebody(name="Other Name")
    linked = link(person, browser, visitor, "github")
    assert (linked.status_code, linked.json()["provider"], linked.json()["email"]) == (201, "github", visitor.email)
    assert link(person, browser, visitor, "github").json()["id"] == linked.json()["id"]
    link(person, browser, somebody(), "google")
    listed = person.get(IDENTITIES).json()
    assert [item["provider"] for item in listed["results"]] == ["github", "google"]
    assert listed["results"][0] == linked.json()
    assert enter(api, browser, visitor, "github").json()["user"]["id"] == person.id
    assert person.delete(f"{IDENTITIES}{linked.json()['id']}/").status_code == 204
    assert [item["provider"] for item in person.get(IDENTITIES).json()["results"]] == ["google"]


def test_an_identity_is_one_account_s(api: Api, browser: Browser) -> None:
    visitor, first, second = somebody(), api.sign_up(), api.sign_up()
    identity = link(first, browser, visitor).json()
    refused = link(second, browser, visitor)
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert second.get(IDENTITIES).json()["count"] == 0
    assert code_of(second.delete(f"{IDENTITIES}{identity['id']}/")) == "NOT_FOUND"
    assert first.get(IDENTITIES).json()["count"] == 1


def test_the_last_way_in_is_not_unlinked(api: Api, browser: Browser) -> None:
    visitor = somebody()
    signed_in = enter(api, browser, visitor)
    person = Person(api, signed_in.json()["user"]["id"], visitor.email, signed_in.json())
    (only,) = person.get(IDENTITIES).json()["results"]
    refused = person.delete(f"{IDENTITIES}{only['id']}/")
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    other = link(person, browser, somebody(), "github").json()
    both = [lambda caller, each=each: person_on(caller, person).delete(f"{IDENTITIES}{each['id']}/") for each in (only, other)]
    assert sorted(answer.status_code for answer in in_parallel(api.server, both)) == [204, 409]
    assert person.get(IDENTITIES).json()["count"] == 1


def person_on(api: Api, person: Person) -> Person:
    return Person(api, person.id, person.email, person.tokens)
