"""The sandbox is an issuer as OAuth 2, OpenID Connect and PKCE have it: it refuses what a real one refuses."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from browser import Browser, Visitor, hidden, query
from joserfc import jwt
from joserfc.jwk import KeySet

from harness import Server
from unpuzzle_sdk import PKCE
from unpuzzle_server.auth.tokens import derived_key
from unpuzzle_server.oauth_sandbox import keys
from unpuzzle_server.oauth_sandbox.people import OAUTH_ONLY

VISITOR = Visitor("visitor@example.com", "Grace Hopper")
OIDC = ["google", "gitlab", "microsoft", "linkedin", "slack", "twitch", "my-company"]


class Relying:
    """A client of the sandbox, at one provider."""

    def __init__(self, server: Server, browser: Browser, provider: str) -> None:
        self.server, self.browser, self.provider = server, browser, provider
        self.issuer = f"{server.base_url}/oauth-sandbox/{provider}"
        self.key = derived_key(server.settings.secret_key, "oauth-sandbox")
        self.secret = keys.client_secret(self.key)
        self.redirect_uri = f"{server.base_url}/api/v1/auth/oauth/callback/"
        self.pkce = PKCE.new()

    def authorize_url(self, **changes: str | None) -> str:
        asked = {
            "response_type": "code",
            "client_id": keys.CLIENT_ID,
            "redirect_uri": self.redirect_uri,
            "scope": "openid email",
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": self.pkce.challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        known = {name: value for name, value in asked.items() if value is not None}
        return str(httpx.URL(f"{self.issuer}/authorize", params=known))

    def code(self, visitor: Visitor = VISITOR, **changes: str | None) -> str:
        left = self.browser.consent(self.authorize_url(**changes), visitor)
        assert left.status_code == 303, left.text
        return query(left.headers["location"])["code"]

    def token(self, code: str, *, accept: str = "application/json", **changes: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.pkce.verifier,
            "client_id": keys.CLIENT_ID,
            "client_secret": self.secret,
            **changes,
        }
        return self.browser.client.post(f"{self.issuer}/token", data=form, headers={"Accept": accept})

    def userinfo(self, token: str, path: str = "userinfo") -> httpx.Response:
        return self.browser.client.get(f"{self.issuer}/{path}", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def browser(server: Server) -> Iterator[Browser]:
    with Browser(server.base_url) as found:
        yield found


@pytest.fixture
def google(server: Server, browser: Browser) -> Relying:
    return Relying(server, browser, "google")


def refused(answer: httpx.Response, status: int, error: str) -> bool:
    return (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("provider", OIDC)
def test_an_issuer_is_discovered_and_its_id_tokens_stand_under_its_keys(server: Server, browser: Browser, provider: str) -> None:
    relying = Relying(server, browser, provider)
    found = browser.client.get(f"{relying.issuer}/.well-known/openid-configuration").json()
    assert (found["issuer"], found["code_challenge_methods_supported"]) == (relying.issuer, ["S256"])
    answer = relying.token(relying.code())
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    key_set = KeySet.import_key_set(browser.client.get(found["jwks_uri"]).json())
    claims = jwt.decode(answer.json()["id_token"], key_set, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["aud"], claims["exp"] - claims["iat"]) == (relying.issuer, keys.CLIENT_ID, 600)
    assert claims.get("nonce") == (None if provider == "linkedin" else "a-nonce")
    told = relying.userinfo(answer.json()["access_token"]).json()
    assert (told["sub"], told["email"]) == (claims["sub"], VISITOR.email)


@pytest.mark.parametrize("provider", sorted(OAUTH_ONLY))
def test_a_provider_without_id_tokens_tells_who_somebody_is_when_asked(server: Server, browser: Browser, provider: str) -> None:
    relying = Relying(server, browser, provider)
    assert browser.client.get(f"{relying.issuer}/.well-known/openid-configuration").status_code == 404
    answer = relying.token(relying.code()).json()
    assert "id_token" not in answer
    told = relying.userinfo(answer["access_token"])
    assert VISITOR.name in told.text
    assert (VISITOR.email in told.text) == (provider != "github")


def test_github_answers_a_form_unless_it_is_asked_for_json(server: Server, browser: Browser) -> None:
    relying = Relying(server, browser, "github")
    answer = relying.token(relying.code(), accept="*/*")
    assert answer.headers["content-type"] == "application/x-www-form-urlencoded"
    token = dict(parse_qsl(answer.text))["access_token"]
    primary = [item for item in relying.userinfo(token, "userinfo/emails").json() if item["primary"]]
    assert [(item["email"], item["verified"]) for item in primary] == [(VISITOR.email, True)]


def test_keys_do_not_change_from_process_to_process() -> None:
    first, second = (keys.signing_key(b"x" * 32) for _ in range(2))
    assert first.as_dict(private=True) == second.as_dict(private=True)
    assert keys.signing_key(b"y" * 32).kid != first.kid
    assert "d" not in keys.public_set(b"x" * 32)["keys"][0]


def test_a_code_is_good_once_and_its_second_use_ends_what_the_first_gave(google: Relying) -> None:
    code = google.code()
    token = google.token(code).json()["access_token"]
    assert google.userinfo(token).status_code == 200
    assert refused(google.token(code), 400, "invalid_grant")
    assert google.userinfo(token).status_code == 401


def test_codes_live_a_minute_and_tokens_ten(google: Relying) -> None:
    code, token = google.code(), google.token(google.code()).json()["access_token"]
    try:
        google.server.clock.offset = timedelta(seconds=60)
        assert refused(google.token(code), 400, "invalid_grant")
        assert google.userinfo(token).status_code == 200
        google.server.clock.offset = timedelta(minutes=10)
        assert google.userinfo(token).status_code == 401
    finally:
        google.server.clock.offset = timedelta()


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"code_verifier": PKCE.new().verifier}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"redirect_uri": "https://evil.example/"}, 400, "invalid_grant"),
        ({"code": "guessed"}, 400, "invalid_grant"),
        ({"client_secret": "guessed"}, 401, "invalid_client"),
        ({"client_id": "another"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token"}, 400, "unsupported_grant_type"),
    ],
)
def test_what_is_wrong_at_the_token_endpoint_is_refused(google: Relying, change: dict[str, str], status: int, error: str) -> None:
    answer = google.token(**{"code": google.code(), **change})
    assert refused(answer, status, error)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_code_of_one_provider_is_no_good_at_another(server: Server, browser: Browser, google: Relying) -> None:
    gitlab = Relying(server, browser, "gitlab")
    gitlab.pkce = google.pkce
    assert refused(gitlab.token(google.code()), 400, "invalid_grant")
    token = google.token(google.code()).json()["access_token"]
    assert gitlab.userinfo(token).status_code == 401


@pytest.mark.parametrize("change", [{"client_id": "another"}, {"redirect_uri": "https://evil.example/"}, {"redirect_uri": None}])
def test_where_it_is_not_sure_whom_to_tell_it_leads_nowhere(google: Relying, change: dict[str, Any]) -> None:
    page = google.browser.client.get(google.authorize_url(**change))
    assert (page.status_code, "location" in page.headers) == (400, False)
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_what_the_client_asks_wrongly_is_told_to_the_client(google: Relying, change: dict[str, Any], error: str) -> None:
    answer = google.browser.client.get(google.authorize_url(**change))
    told = query(answer.headers["location"])
    assert answer.headers["location"].startswith(google.redirect_uri)
    assert (told["error"], told["state"], told["iss"]) == (error, "a-state", google.issuer)


def test_a_consent_page_that_was_changed_on_its_way_is_refused(google: Relying) -> None:
    url = google.authorize_url()
    fields = hidden(google.browser.client.get(url))
    changed = fields["asked"].replace(google.redirect_uri, "https://evil.example/")
    for wrong in ({"asked": changed}, {"seal": "0" * 64}, {"asked": "", "seal": ""}):
        answer = google.browser.client.post(url, data={**fields, **VISITOR.fields, **wrong})
        assert (answer.status_code, "location" in answer.headers) == (400, False)


def test_what_is_typed_is_shown_as_text(google: Relying) -> None:
    page = google.browser.client.get(google.authorize_url(scope="<script>alert(1)</script>", state='"><b>'))
    assert "<script>alert" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_apple_is_told_who_asks_by_a_signature(server: Server, browser: Browser) -> None:
    apple = Relying(server, browser, "apple")
    now = int(server.clock.timestamp())
    said = {"iss": keys.TEAM_ID, "sub": keys.CLIENT_ID, "aud": apple.issuer, "iat": now, "exp": now + 300}
    own, other = keys.signing_key(apple.key, "apple"), keys.signing_key(apple.key, "another")
    form = {"redirect_uri": apple.redirect_uri.replace("callback/", "callback/form/")}

    def answer(claims: dict[str, Any], key: Any = own) -> httpx.Response:
        page = browser.consent(apple.authorize_url(**form, response_mode="form_post"), VISITOR)
        code = hidden(page)["code"]
        return apple.token(code, **form, client_secret=jwt.encode({"alg": "ES256"}, claims, key))

    assert answer(said).status_code == 200
    for wrong in ({"aud": "https://appleid.apple.com"}, {"iss": "ANOTHER"}, {"sub": "another"}, {"exp": now - 600}):
        assert refused(answer({**said, **wrong}), 401, "invalid_client")
    assert refused(answer(said, other), 401, "invalid_client")
    assert refused(apple.token("any", client_secret=apple.secret), 401, "invalid_client")


def test_a_form_that_is_no_form_is_refused(google: Relying) -> None:
    url = f"{google.issuer}/token"
    for content in (b"code=%ff", b"a=" + b"x" * 70_000):
        answer = google.browser.client.post(url, content=content, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.json()["error"] == "invalid_request"


def test_what_expired_is_not_kept(google: Relying) -> None:
    google.code()
    google.server.clock.offset = timedelta(hours=1)
    try:
        google.code()
        left = google.server.sql("SELECT count(*) FROM oauth_sandbox_grants WHERE expires_at < now() + interval '1 hour'")
        assert left == [(0,)]
    finally:
        google.server.clock.offset = timedelta()
