"""Supabase Auth (GoTrue) as tests need it: its paths, its state, its errors, its tokens, on a socket."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

ANON_KEY = "the-publishable-key-of-the-project"
SECRET = "the-jwt-secret-of-the-project-32-characters"
Key = RSAKey | ECKey | OctKey
Form = dict[str, Any]


@dataclass
class User:
    email: str
    password: str
    metadata: Form
    confirmed: bool
    banned: bool = False
    id: str = field(default_factory=lambda: str(uuid4()))

    def shown(self) -> Form:
        now = datetime.now(UTC).isoformat()
        confirmed = now if self.confirmed else None
        about = {
            "app_metadata": {"provider": "email"},
            "user_metadata": self.metadata,
            "aud": "authenticated",
            "role": "authenticated",
        }
        return {
            "id": self.id,
            "email": self.email,
            "email_confirmed_at": confirmed,
            "created_at": now,
            "updated_at": now,
            **about,
        }


class Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(code)
        self.status = status
        self.said = {"code": code, "error_code": code, "msg": message, "message": message, **more}


class GoTrue(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.reset()

    def reset(self) -> None:
        self.keys: list[Key] = [new_key("ES256")]
        self.signs_with: Key = self.keys[0]
        self.users: dict[str, User] = {}
        self.refresh_tokens: dict[str, tuple[str, str]] = {}
        self.links: dict[str, str] = {}
        self.codes: dict[str, tuple[str, str]] = {}
        self.confirms = False
        self.down = False
        self.busy = False
        self.signed_out: list[str] = []
        self.asked_for_keys = 0

    def add(self, email: str, password: str = "", **metadata: Any) -> User:
        user = User(email.lower(), password, metadata, confirmed=not self.confirms)
        self.users[user.email] = user
        return user

    def token(self, user: User, session: str = "", key: Key | None = None, header: Form | None = None, **claims: Any) -> str:
        """An access token as GoTrue writes it; `claims` changes what it says, None leaves a claim out."""
        key, now = key or self.signs_with, int(time.time())
        algorithm = {"EC": "ES256", "RSA": "RS256", "oct": "HS256"}[key.key_type]
        said = {
            "iss": f"{self.url}/auth/v1", "aud": "authenticated", "role": "authenticated", "sub": user.id, "email": user.email,
            "iat": now, "exp": now + 3600, "session_id": session or str(uuid4()), "user_metadata": user.metadata,
            "is_anonymous": False,
        }  # fmt: skip
        kept = {name: value for name, value in {**said, **claims}.items() if value is not None}
        kid = {} if key.key_type == "oct" else {"kid": key.kid}
        return jwt.encode({"alg": algorithm, **kid, **(header or {})}, kept, key, algorithms=["ES256", "RS256", "HS256"])

    def session(self, user: User, session: str = "") -> Form:
        if user.banned:
            raise Refusal(403, "user_banned", "User is banned")
        session, refresh = session or str(uuid4()), uuid4().hex
        self.refresh_tokens[refresh] = (user.email, session)
        tokens = {"access_token": self.token(user, session), "refresh_token": refresh, "token_type": "bearer"}
        return {**tokens, "expires_in": 3600, "expires_at": int(time.time()) + 3600, "user": user.shown()}

    def answer(self, method: str, path: str, query: dict[str, str], body: Form, bearer: str) -> Any:
        match method, path, query.get("grant_type"):
            case "GET", "/.well-known/jwks.json", _:
                self.asked_for_keys += 1
                return {"keys": [key.as_dict(private=False) for key in self.keys if key.key_type != "oct"]}
            case "GET", "/settings", _:
                return {"external": {"github": True, "google": True, "apple": False, "email": True}}
            case "POST", "/signup", _:
                return self._sign_up(body)
            case "POST", "/token", "password":
                return self.session(self._with_password(body))
            case "POST", "/token", "refresh_token":
                if body["refresh_token"] not in self.refresh_tokens:
                    raise Refusal(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
                email, session = self.refresh_tokens.pop(body["refresh_token"])
                return self.session(self.users[email], session)
            case "POST", "/token", "pkce":
                return self._exchange(body)
            case "POST", "/logout", _:
                self.signed_out.append(bearer)
                return None
            case "POST", "/recover" | "/resend", _:
                self.links[f"link-to-{body['email']}"] = body["email"]
                return {}
            case "POST", "/verify", _:
                if body["token_hash"] not in self.links:
                    raise Refusal(403, "otp_expired", "Email link is invalid or has expired")
                user = self.users[self.links.pop(body["token_hash"])]
                user.confirmed = True
                return self.session(user)
            case "PUT", "/user", _:
                return self._update(bearer, body)
        raise Refusal(404, "not_found", f"{method} {path}")

    def _sign_up(self, body: Form) -> Form:
        email = body["email"].lower()
        if len(body["password"]) < 10:
            raise Refusal(
                422, "weak_password", "Password should be at least 10 characters.", weak_password={"reasons": ["length"]}
            )
        if email in self.users:
            if self.confirms:
                return User(email, "", {}, confirmed=False).shown()  # so that nobody learns who has an account
            raise Refusal(422, "user_already_exists", "User already registered")
        user = self.add(email, body["password"], **body["data"])
        return user.shown() if self.confirms else self.session(user)

    def _with_password(self, body: Form) -> User:
        user = self.users.get(body["email"].lower())
        if user is None or user.password != body["password"]:
            raise Refusal(400, "invalid_credentials", "Invalid login credentials")
        if not user.confirmed:
            raise Refusal(400, "email_not_confirmed", "Email not confirmed")
        return user

    def _exchange(self, body: Form) -> Form:
        if body["auth_code"] not in self.codes:
            raise Refusal(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
        email, challenge = self.codes.pop(body["auth_code"])
        proof = base64.urlsafe_b64encode(hashlib.sha256(body["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if proof != challenge:
            raise Refusal(400, "bad_code_verifier", "code challenge does not match previously saved code verifier")
        return self.session(self.users[email])

    def _update(self, bearer: str, body: Form) -> Form:
        payload = bearer.split(".")[1]
        email = json.loads(base64.urlsafe_b64decode(payload + "=="))["email"]
        user = self.users[email]
        if body.get("password") == user.password:
            raise Refusal(422, "same_password", "New password should be different from the old password.")
        user.password = body.get("password") or user.password
        if body.get("email"):
            self.users[body["email"]] = self.users.pop(email)
            user.email = body["email"]
        return user.shown()


class Handler(BaseHTTPRequestHandler):
    server: GoTrue

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self._answer(json.loads(self.rfile.read(length) or b"{}") or {})

    def do_PUT(self) -> None:
        self.do_POST()

    def _answer(self, body: Form) -> None:
        parts = urlsplit(self.path)
        path, bearer = parts.path.removeprefix("/auth/v1"), self.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            if self.server.down:
                raise Refusal(503, "unexpected_failure", "down")
            if self.server.busy:
                raise Refusal(429, "over_request_rate_limit", "Request rate limit reached")
            if self.headers.get("apikey") != ANON_KEY and not path.startswith("/.well-known/"):
                raise Refusal(401, "no_authorization", "No API key found in request")
            status, said = 200, self.server.answer(self.command, path, dict(parse_qsl(parts.query)), body, bearer)
        except Refusal as refusal:
            status, said = refusal.status, refusal.said
        content = b"" if said is None else json.dumps(said).encode()
        self.send_response(204 if said is None else status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Supabase-Api-Version", "2024-01-01")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


def new_key(algorithm: str) -> Key:
    key: Key = ECKey.generate_key("P-256") if algorithm == "ES256" else RSAKey.generate_key(2048)
    key.ensure_kid()
    return key


@contextmanager
def running_gotrue() -> Iterator[GoTrue]:
    gotrue = GoTrue()
    thread = threading.Thread(target=gotrue.serve_forever, daemon=True)
    thread.start()
    try:
        yield gotrue
    finally:
        gotrue.shutdown()
        gotrue.server_close()
