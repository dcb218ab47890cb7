"""The sandbox's endpoints: discovery, keys, authorization, token and user-info, for each provider at an issuer of its own."""

import hmac
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from jinja2 import Environment, PackageLoader
from joserfc import errors as jose
from joserfc import jwt
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import Database
from unpuzzle_server.oauth_sandbox import keys, people
from unpuzzle_server.oauth_sandbox.store import TOKEN_LIFE, Consent, Store

PREFIX = "/oauth-sandbox"
CALLBACKS = ("/api/v1/auth/oauth/callback/", "/api/v1/auth/oauth/callback/form/")
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
EMAIL = re.compile(r"(?=.{3,254}$)[^\0\s@]+@[^\0\s@]+")
LARGEST_FORM = 64 * 1024
ID_TOKEN_LIFE = timedelta(minutes=10)
TITLES = {"github": "GitHub", "gitlab": "GitLab", "linkedin": "LinkedIn", "twitter": "X"}
PAGES = Environment(loader=PackageLoader("unpuzzle_server.oauth_sandbox", "pages"), autoescape=True)
POST_AT_ONCE = "document.forms[0].submit()"
SCRIPT_HASH = f"'sha256-{b64encode(sha256(POST_AT_ONCE.encode()).digest()).decode()}'"
UNCACHED = {"Cache-Control": "no-store"}

Form = dict[str, str]


class ProviderName(Convertor[str]):
    """A segment of a path that can name a provider."""

    regex = "[a-z][a-z0-9-]{1,31}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("provider", ProviderName())


class Refused(Exception):
    """An error of OAuth 2, in its own words (RFC 6749)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.body = {"error": error, "error_description": description}
        self.status = status


class Sandbox:
    """Mounted in front of the API, in every web process."""

    def __init__(self, base_url: str, key: bytes, database: Database, clock: Clock) -> None:
        """`base_url` is the public one, with PREFIX."""
        self.base_url = base_url
        self.key = key
        self.clock = clock
        self.store = Store(database)
        origin = base_url.removesuffix(PREFIX)
        self.redirect_uris = {origin + callback for callback in CALLBACKS}
        at = PREFIX + "/{provider:provider}"
        routes = [
            Route(f"{at}/.well-known/openid-configuration", self.configuration),
            Route(f"{at}/keys", self.key_set),
            Route(f"{at}/authorize", self.ask, methods=["GET"]),
            Route(f"{at}/authorize", self.consent, methods=["POST"]),
            Route(f"{at}/token", self.token, methods=["POST"]),
            Route(f"{at}/userinfo", self.userinfo),
            Route(f"{at}/userinfo/emails", self.emails),
        ]
        self.router = Router(routes, redirect_slashes=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.router(scope, receive, send)
        except Refused as refused:
            await JSONResponse(refused.body, refused.status, UNCACHED)(scope, receive, send)

    async def configuration(self, request: Request) -> Response:
        issuer = self._issuer(request)
        if _provider(request) in people.OAUTH_ONLY:
            return PlainTextResponse("This provider speaks OAuth 2 without OpenID Connect.", 404)
        methods = "client_secret_post" if _provider(request) == "apple" else "client_secret_basic client_secret_post"
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "userinfo_endpoint": f"{issuer}/userinfo",
                "jwks_uri": f"{issuer}/keys",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "form_post"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": methods.split(),
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "scopes_supported": ["openid", "email", "profile"],
            }
        )

    async def key_set(self, request: Request) -> Response:
        return JSONResponse(keys.public_set(self.key))

    async def ask(self, request: Request) -> Response:
        """The consent page; what is wrong with the request is told to the person while it is not sure whom else to tell."""
        asked = dict(request.query_params)
        if problem := self._problem_of_client(asked):
            return self._page("refused.html", 400, request, problem=problem)
        try:
            _check_request(asked)
        except Refused as refused:
            return self._back(asked, refused.body, request)
        words = json.dumps(asked, sort_keys=True)
        scopes = asked.get("scope", "").split()
        return self._page("consent.html", 200, request, client=keys.CLIENT_ID, scopes=scopes, asked=words, seal=self._seal(words))

    async def consent(self, request: Request) -> Response:
        form = await _form(request)
        words = form.get("asked", "")
        if not hmac.compare_digest(form.get("seal", "").encode(), self._seal(words).encode()):
            return self._page("refused.html", 400, request, problem="This page was changed on its way.")
        asked: Form = json.loads(words)
        if form.get("answer") != "allow":
            return self._back(asked, {"error": "access_denied", "error_description": "The person said no."}, request)
        email = form.get("email", "").strip()
        if not EMAIL.fullmatch(email):
            return self._page("refused.html", 400, request, problem="That is no e-mail address: go back and type another one.")
        name = form.get("name", "").replace("\0", "").strip()[:200]
        verified, told = form.get("verified") == "yes", (_provider(request), email, name)
        consent = Consent(*told, verified, asked["redirect_uri"], asked.get("nonce"), asked["code_challenge"])
        answer = {"code": await self.store.issue_code(consent)}
        if _provider(request) == "apple":
            first, _, last = name.partition(" ")
            answer["user"] = json.dumps({"name": {"firstName": first, "lastName": last}, "email": email})
        return self._back(asked, answer, request)

    async def token(self, request: Request) -> Response:
        try:
            form = await _form(request)
            self._check_client(request, form)
            if form.get("grant_type") != "authorization_code":
                raise Refused("unsupported_grant_type", "Only authorization_code.")
            answer = await self._exchanged(request, form)
        except Refused as refused:
            challenge = {"WWW-Authenticate": 'Basic realm="sandbox"'} if refused.status == 401 else {}
            return JSONResponse(refused.body, refused.status, {**UNCACHED, **challenge})
        if _provider(request) == "github" and "json" not in request.headers.get("accept", ""):
            return Response(urlencode(answer), 200, UNCACHED, "application/x-www-form-urlencoded")
        return JSONResponse(answer, headers=UNCACHED)

    async def userinfo(self, request: Request) -> Response:
        consent = await self._bearer(request)
        return JSONResponse(people.userinfo(consent.someone), headers=UNCACHED) if consent else _no_token()

    async def emails(self, request: Request) -> Response:
        consent = await self._bearer(request)
        return JSONResponse(people.github_emails(consent.someone), headers=UNCACHED) if consent else _no_token()

    async def _exchanged(self, request: Request, form: Form) -> dict[str, Any]:
        consent = await self.store.spend_code(form.get("code", ""))
        if consent is None or consent.provider != _provider(request):
            raise Refused("invalid_grant", "The code is spent, too old, or none.")
        if consent.redirect_uri != form.get("redirect_uri"):
            raise Refused("invalid_grant", "The code was sent elsewhere.")
        proof = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if not hmac.compare_digest(proof, consent.challenge.encode()):
            raise Refused("invalid_grant", "The code_verifier is not that of the code_challenge.")
        token = await self.store.issue_token(consent, form["code"])
        answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": int(TOKEN_LIFE.total_seconds())}
        return answer if consent.provider in people.OAUTH_ONLY else {**answer, "id_token": self._id_token(request, consent)}

    def _id_token(self, request: Request, consent: Consent) -> str:
        now, signer = int(self.clock.timestamp()), keys.signing_key(self.key)
        about = {"iss": self._issuer(request), "aud": keys.CLIENT_ID, "iat": now, "exp": now + int(ID_TOKEN_LIFE.total_seconds())}
        if consent.nonce and consent.provider != "linkedin":
            about["nonce"] = consent.nonce
        return jwt.encode({"alg": "ES256", "kid": signer.kid}, {**about, **people.claims(consent.someone)}, signer)

    def _check_client(self, request: Request, form: Form) -> None:
        if _provider(request) == "apple":
            self._check_apple_client(request, form)
            return
        client, secret = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        if client != keys.CLIENT_ID or not hmac.compare_digest(secret.encode(), keys.client_secret(self.key).encode()):
            raise Refused("invalid_client", "The client is not known, or its secret is wrong.", 401)

    def _check_apple_client(self, request: Request, form: Form) -> None:
        """Apple's clients have no secret: they sign who they are."""
        public = keys.signing_key(self.key, "apple")
        expected = {"iss": keys.TEAM_ID, "sub": keys.CLIENT_ID, "aud": self._issuer(request)}
        claims: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in expected.items()}
        claims["exp"] = {"essential": True}
        try:
            said = jwt.decode(form.get("client_secret", ""), public, algorithms=["ES256"])
            jwt.JWTClaimsRegistry(now=lambda: int(self.clock.timestamp()), **claims).validate(said.claims)
        except (jose.JoseError, ValueError):
            raise Refused("invalid_client", "The client secret is not signed as it should be.", 401) from None

    async def _bearer(self, request: Request) -> Consent | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = await self.store.find_token(token) if scheme.lower() == "bearer" and token else None
        return found if found and found.provider == _provider(request) else None

    def _problem_of_client(self, asked: Mapping[str, str]) -> str:
        if asked.get("client_id") != keys.CLIENT_ID:
            return "The client is not known."
        if asked.get("redirect_uri") not in self.redirect_uris:
            return "The redirect_uri is not one of the client's."
        return ""

    def _back(self, asked: Mapping[str, str], answer: Form, request: Request) -> Response:
        """To where the person came from: by the query, or with a form where that was asked for."""
        fields = {**answer, "state": asked.get("state", ""), "iss": self._issuer(request)}
        if asked.get("response_mode") == "form_post":
            return self._page("posting.html", 200, request, target=asked["redirect_uri"], fields=fields, script=POST_AT_ONCE)
        parts = urlsplit(asked["redirect_uri"])
        query = urlencode([*parse_qsl(parts.query), *fields.items()])
        return RedirectResponse(parts._replace(query=query).geturl(), 303, UNCACHED)

    def _page(self, name: str, status: int, request: Request, **values: Any) -> Response:
        provider = _provider(request)
        title = TITLES.get(provider, provider.title())
        policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {SCRIPT_HASH}; frame-ancestors 'none'"
        headers = {**UNCACHED, "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
        return HTMLResponse(PAGES.get_template(name).render(provider=title, **values), status, headers)

    def _issuer(self, request: Request) -> str:
        return f"{self.base_url}/{_provider(request)}"

    def _seal(self, words: str) -> str:
        return hmac.digest(keys.derived(self.key, "consent"), words.encode(), "sha256").hex()


def _provider(request: Request) -> str:
    found: str = request.path_params["provider"]
    return found


def _check_request(asked: Mapping[str, str]) -> None:
    if asked.get("response_type") != "code":
        raise Refused("unsupported_response_type", "Only code.")
    if asked.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(asked.get("code_challenge", "")):
        raise Refused("invalid_request", "PKCE is needed, with S256.")


def _basic(request: Request) -> tuple[str, str] | None:
    """The client and its secret in the Authorization header (RFC 6749, 2.3.1)."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client, _, secret = b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(client), unquote_plus(secret)


async def _form(request: Request) -> Form:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise Refused("invalid_request", "The form is too large.", 413)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise Refused("invalid_request", "The form can't be read.") from None


def _no_token() -> Response:
    headers = {**UNCACHED, "WWW-Authenticate": 'Bearer error="invalid_token"'}
    return JSONResponse({"error": "invalid_token"}, 401, headers)
