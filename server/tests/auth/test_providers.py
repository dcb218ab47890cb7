"""What a provider says is believed only where it is the provider's own word, about this person, for us, and now."""

import base64
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from issuer import CLIENT_ID, CLIENT_SECRET, Issuer, new_key, running_issuer

from harness import NUMBERS, Api, Server, code_of, running_server
from unpuzzle_sdk import PKCE
from unpuzzle_server.auth.oauth.providers import registrations
from unpuzzle_server.kernel.settings import Settings, SettingsError

APP_URL = "https://app.unpuzzle.com/auth/callback"


@pytest.fixture(scope="module")
def the_issuer() -> Iterator[Issuer]:
    with running_issuer() as found:
        yield found


@pytest.fixture
def issuer(the_issuer: Issuer) -> Issuer:
    """As it was in the beginning."""
    the_issuer.reset()
    return the_issuer


@pytest.fixture(scope="module")
def at(server: Server, the_issuer: Issuer) -> Iterator[Api]:
    with knowing(server, the_issuer) as api:
        yield api


@pytest.fixture
def newly_at(server: Server, issuer: Issuer) -> Iterator[Api]:
    """A server that has not yet asked the issuer for anything."""
    with knowing(server, issuer) as api:
        yield api


@contextmanager
def knowing(server: Server, issuer: Issuer) -> Iterator[Api]:
    """A server that knows the issuer, as an OIDC provider of no name and in the place of some that have one."""
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    plain = {f"{name}_url": f"{issuer.url}/{name}" for name in ("authorize", "token", "userinfo")}
    providers = {
        "okta": {**client, "issuer": issuer.url},
        "microsoft": {**client, "issuer": issuer.url},
        "linkedin": {**client, "issuer": issuer.url},
        **{name: {**client, **plain} for name in ("github", "twitter", "discord", "facebook")},
    }
    with running_server(server.owner_url, oauth_sandbox=False, oauth_providers=providers) as found, Api(found) as api:
        yield api


def come_in(api: Api, issuer: Issuer, provider: str = "okta") -> httpx.Response:
    """Somebody comes back from the issuer with a code."""
    pkce = PKCE.new()
    body = {"provider": provider, "redirect_url": APP_URL, "code_challenge": pkce.challenge}
    started = api.post("/api/v1/auth/oauth/signin/", json=body)
    assert started.status_code == 200, started.text
    asked = dict(httpx.URL(started.json()["auth_url"]).params)
    issuer.nonce = asked.get("nonce", "")
    body = {"provider": provider, "code": "a-code", "state": asked["state"], "code_verifier": pkce.verifier}
    return api.post("/api/v1/auth/oauth/callback/", json=body)


def new_person(issuer: Issuer) -> str:
    number = next(NUMBERS)
    issuer.claims |= {"sub": f"person-{number}", "email": f"oidc{number}@example.com"}
    return str(issuer.claims["email"])


def test_a_person_comes_in_by_an_issuer_that_is_found_by_discovery(at: Api, issuer: Issuer) -> None:
    email = new_person(issuer)
    answer = come_in(at, issuer)
    assert (answer.status_code, answer.json()["user"]["email"]) == (200, email)
    _, headers, form = next(request for request in issuer.requests if request[0] == "/token")
    assert headers["authorization"] == "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    assert (form["grant_type"], form["code"], len(form["code_verifier"])) == ("authorization_code", "a-code", 43)
    assert form["redirect_uri"] == f"{at.server.base_url}/api/v1/auth/oauth/callback/"


def test_where_a_provider_is_and_its_keys_are_asked_for_once_an_hour(newly_at: Api, issuer: Issuer) -> None:
    for _ in range(3):
        new_person(issuer)
        assert come_in(newly_at, issuer).status_code == 200
    asked = [path for path, _, _ in issuer.requests]
    assert (asked.count("/.well-known/openid-configuration"), asked.count("/keys")) == (1, 1)


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "expired": {"exp": int(time.time()) - 120},
    "no expiry": {"exp": None},
    "issued in the future": {"iat": int(time.time()) + 3600},
    "not yet": {"nbf": int(time.time()) + 3600},
    "for another client": {"aud": "another-client"},
    "for nobody": {"aud": None},
    "for several clients and authorized by another": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "of another issuer": {"iss": "https://accounts.google.com"},
    "of no issuer": {"iss": None},
    "about nobody": {"sub": None},
    "about an empty name": {"sub": ""},
}


@pytest.mark.parametrize("claims", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_an_id_token_with_a_wrong_claim_is_refused(at: Api, issuer: Issuer, claims: dict[str, Any]) -> None:
    new_person(issuer)
    issuer.claims |= claims
    refused = come_in(at, issuer)
    assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")


def unsigned(issuer: Issuer) -> str:
    _, payload, _ = issuer.id_token().split(".")
    return f"{in_base64(json.dumps({'alg': 'none'}).encode())}.{payload}."


def in_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def tampered(issuer: Issuer) -> str:
    header, _, signature = issuer.id_token().split(".")
    issuer.claims["email"] = "victim@example.com"
    return ".".join([header, issuer.id_token().split(".")[1], signature])


def signed_with_the_public_key(issuer: Issuer) -> str:
    """HS256, the secret being what everybody may read."""
    header = in_base64(json.dumps({"alg": "HS256", "kid": issuer.keys[0].kid}).encode())
    signed = f"{header}.{issuer.id_token().split('.')[1]}"
    return f"{signed}.{in_base64(hmac.digest(issuer.keys[0].as_pem(private=False), signed.encode(), 'sha256'))}"


def signed_with_a_key_of_its_own(issuer: Issuer) -> str:
    """It brings the key that it wants to be checked with."""
    issuer.signs_with = new_key()
    issuer.header = {"jwk": issuer.signs_with.as_dict(private=False)}
    return issuer.id_token()


def signed_under_the_name_of_another_key(issuer: Issuer) -> str:
    issuer.signs_with = new_key()
    issuer.header = {"kid": issuer.keys[0].kid}
    return issuer.id_token()


def no_token(issuer: Issuer) -> str:
    return "not.a.token"


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        tampered,
        signed_with_the_public_key,
        signed_with_a_key_of_its_own,
        signed_under_the_name_of_another_key,
        no_token,
    ],
)
def test_a_forged_id_token_is_refused(at: Api, issuer: Issuer, forge: Any) -> None:
    new_person(issuer)
    issuer.forge = forge
    refused = come_in(at, issuer)
    assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")


def test_a_new_key_of_the_provider_is_learned_when_it_is_first_used(newly_at: Api, issuer: Issuer) -> None:
    for _ in range(2):
        new_person(issuer)
        assert come_in(newly_at, issuer).status_code == 200
        issuer.signs_with = new_key()
        issuer.keys.append(issuer.signs_with)
    assert [path for path, _, _ in issuer.requests].count("/keys") == 2


def test_a_key_that_was_withdrawn_is_forgotten_within_the_hour(newly_at: Api, issuer: Issuer) -> None:
    new_person(issuer)
    assert come_in(newly_at, issuer).status_code == 200
    issuer.keys = [new_key()]
    now = newly_at.server.clock
    now.offset = timedelta(hours=1, seconds=1)
    try:
        issuer.claims |= {"iat": int(now.timestamp()), "exp": int(now.timestamp()) + 600}
        assert code_of(come_in(newly_at, issuer)) == "OAUTH_FAILED"
    finally:
        now.offset = timedelta()


@pytest.mark.parametrize("verified", [False, None, "false", "yes", 1])
def test_only_a_confirmed_address_counts(at: Api, issuer: Issuer, verified: Any) -> None:
    new_person(issuer)
    issuer.claims["email_verified"] = verified
    assert code_of(come_in(at, issuer)) == "EMAIL_NOT_VERIFIED"


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"email_verified": True}, 403),  # Microsoft has no such claim: an admin of a tenant could have made it up
        ({"xms_edov": True}, 200),
        ({"xms_edov": "1"}, 200),
        ({"xms_edov": False}, 403),
        ({"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"}, 200),
    ],
)
def test_microsoft_vouches_for_addresses_of_confirmed_domains_and_of_its_own(
    at: Api, issuer: Issuer, claims: dict[str, Any], status: int
) -> None:
    new_person(issuer)
    issuer.claims |= {"email_verified": None, **claims}
    assert come_in(at, issuer, "microsoft").status_code == status


def test_the_issuer_of_a_microsoft_token_is_the_tenant_it_names(newly_at: Api, issuer: Issuer) -> None:
    configuration = issuer.configuration()
    issuer.answers["/.well-known/openid-configuration"] = 200, {**configuration, "issuer": issuer.url + "/{tenantid}/v2.0"}
    new_person(issuer)
    issuer.claims |= {"xms_edov": True, "tid": "tenant-1", "iss": f"{issuer.url}/tenant-1/v2.0"}
    assert come_in(newly_at, issuer, "microsoft").status_code == 200
    issuer.claims["iss"] = f"{issuer.url}/tenant-2/v2.0"
    assert code_of(come_in(newly_at, issuer, "microsoft")) == "OAUTH_FAILED"


def test_linkedin_sends_no_nonce(at: Api, issuer: Issuer) -> None:
    new_person(issuer)
    issuer.claims["nonce"] = None
    assert come_in(at, issuer, "linkedin").status_code == 200


def test_an_address_that_the_token_leaves_out_is_asked_for(at: Api, issuer: Issuer) -> None:
    email = new_person(issuer)
    told = {"sub": issuer.claims["sub"], "email": email, "email_verified": True}
    issuer.claims |= {"email": None, "email_verified": None}
    issuer.answers["/userinfo"] = 200, told
    assert come_in(at, issuer).json()["user"]["email"] == email
    _, headers, _ = next(request for request in issuer.requests if request[0] == "/userinfo")
    assert headers["authorization"] == "Bearer an-access-token"


def test_what_is_told_of_somebody_else_is_refused(at: Api, issuer: Issuer) -> None:
    new_person(issuer)
    issuer.claims |= {"email": None, "email_verified": None}
    issuer.answers["/userinfo"] = 200, {"sub": "another", "email": "victim@example.com", "email_verified": True}
    assert code_of(come_in(at, issuer)) == "OAUTH_FAILED"


BROKEN: dict[str, tuple[str, str, int, Any, int, str]] = {
    "refuses the code": ("okta", "/token", 400, {"error": "invalid_grant"}, 400, "OAUTH_FAILED"),
    "refuses the client": ("okta", "/token", 401, {"error": "invalid_client"}, 400, "OAUTH_FAILED"),
    "answers a page": ("okta", "/token", 200, b"<html>", 400, "OAUTH_FAILED"),
    "answers no token": ("okta", "/token", 200, {}, 400, "OAUTH_FAILED"),
    "answers no id token": ("okta", "/token", 200, {"access_token": "a", "token_type": "Bearer"}, 400, "OAUTH_FAILED"),
    "is down": ("okta", "/token", 503, {}, 503, "SERVICE_UNAVAILABLE"),
    "forgets who it is about": ("github", "/userinfo", 200, {}, 400, "OAUTH_FAILED"),
    "answers a list": ("discord", "/userinfo", 200, [], 400, "OAUTH_FAILED"),
    "does not know its own token": ("discord", "/userinfo", 401, {}, 400, "OAUTH_FAILED"),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_a_provider_that_fails_is_told_as_such(at: Api, issuer: Issuer, case: tuple[str, str, int, Any, int, str]) -> None:
    provider, path, given, said, status, code = case
    new_person(issuer)
    issuer.answers[path] = given, said
    refused = come_in(at, issuer, provider)
    assert (refused.status_code, code_of(refused)) == (status, code)
    assert CLIENT_SECRET not in refused.text


@pytest.mark.parametrize(("given", "said", "status"), [(500, {}, 503), (200, {"keys": "none"}, 400), (200, [], 400)])
def test_without_keys_nothing_is_believed(newly_at: Api, issuer: Issuer, given: int, said: Any, status: int) -> None:
    new_person(issuer)
    issuer.answers["/keys"] = given, said
    assert come_in(newly_at, issuer).status_code == status


def test_a_provider_that_can_t_be_reached_is_told_as_away(server: Server) -> None:
    nobody = {"client_id": "a", "client_secret": "b", "issuer": "http://127.0.0.1:9"}
    with running_server(server.owner_url, oauth_sandbox=False, oauth_providers={"okta": nobody}) as away, Api(away) as api:
        body = {"provider": "okta", "redirect_url": APP_URL, "code_challenge": PKCE.new().challenge}
        refused = api.post("/api/v1/auth/oauth/signin/", json=body)
    assert (refused.status_code, code_of(refused), refused.headers["retry-after"]) == (503, "SERVICE_UNAVAILABLE", "30")


def test_an_issuer_that_says_that_it_is_another_is_not_gone_to(newly_at: Api, issuer: Issuer) -> None:
    issuer.answers["/.well-known/openid-configuration"] = 200, {**issuer.configuration(), "issuer": "https://accounts.google.com"}
    body = {"provider": "okta", "redirect_url": APP_URL, "code_challenge": PKCE.new().challenge}
    refused = newly_at.post("/api/v1/auth/oauth/signin/", json=body)
    assert (refused.status_code, code_of(refused)) == (400, "OAUTH_FAILED")


def test_github_s_primary_address_counts_and_no_other(at: Api, issuer: Issuer) -> None:
    number = next(NUMBERS)
    primary = {"email": f"primary{number}@example.com", "primary": True, "verified": True}
    issuer.answers["/userinfo"] = 200, {"id": number, "login": "octocat", "name": None, "email": "public@example.com"}
    other = {"email": "other@example.com", "primary": False, "verified": True}
    issuer.answers["/userinfo/emails"] = 200, [other, primary]
    user = come_in(at, issuer, "github").json()["user"]
    assert (user["email"], user["full_name"]) == (primary["email"], "octocat")
    issuer.answers["/userinfo/emails"] = 200, [other]
    issuer.answers["/userinfo"] = 200, {"id": number + 1_000_000, "login": "other"}
    assert code_of(come_in(at, issuer, "github")) == "EMAIL_NOT_VERIFIED"


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"OAUTH_GITHUB_CLIENT_ID": "a"}, "OAUTH_GITHUB_CLIENT_SECRET is missing."),
        ({"OAUTH_GITHUB_CLIENT_SECRET": "a"}, "OAUTH_GITHUB_CLIENT_ID is missing."),
        ({"OAUTH_OKTA_CLIENT_ID": "a", "OAUTH_OKTA_CLIENT_SECRET": "b"}, "OAUTH_OKTA_ISSUER is missing."),
        (
            {"OAUTH_APPLE_CLIENT_ID": "a", "OAUTH_APPLE_TEAM_ID": "b"},
            "OAUTH_APPLE_KEY_ID and OAUTH_APPLE_PRIVATE_KEY are missing.",
        ),
    ],
)
def test_settings_that_are_not_whole_say_what_is_missing(given: dict[str, str], missing: str) -> None:
    with pytest.raises(SettingsError) as raised:
        registrations(Settings.from_environment(given).oauth_providers)
    assert str(raised.value) == missing


def test_secrets_of_providers_show_nowhere() -> None:
    settings = Settings.from_environment({"OAUTH_GITHUB_CLIENT_ID": "an-id", "OAUTH_GITHUB_CLIENT_SECRET": "a-secret"})
    assert "a-secret" not in repr(settings) + repr(registrations(settings.oauth_providers))
