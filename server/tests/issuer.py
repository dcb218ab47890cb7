"""An OIDC issuer that tests command: it says what it is told to, signed with the key that it is told to use."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

ENDPOINTS = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
CLIENT_ID, CLIENT_SECRET = "a-client", "a-secret"
Key = RSAKey | ECKey | OctKey
Answer = tuple[int, Any]


class Issuer(ThreadingHTTPServer):
    """`claims` and `header` change what its id tokens say; `answers` replaces what a path answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = new_key()
        self.reset()

    def reset(self) -> None:
        """Nothing is wrong with it any more."""
        self.keys: list[Key] = [self.key]
        self.signs_with: Key = self.key
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.nonce = ""
        self.forge: Callable[[Issuer], str] | None = None

    def configuration(self) -> dict[str, Any]:
        endpoints = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in ENDPOINTS.items()}
        return {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **endpoints}

    def key_set(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    def id_token(self) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "nonce": self.nonce}
        person = {"sub": "person-1", "email": "person@example.com", "email_verified": True, "name": "Per Son"}
        claims = {name: value for name, value in {**said, **person, **self.claims}.items() if value is not None}
        header = {"alg": "RS256", "kid": self.signs_with.kid, **self.header}
        return jwt.encode(header, claims, self.signs_with, algorithms=[header["alg"]])

    def token(self) -> dict[str, Any]:
        id_token = self.forge(self) if self.forge else self.id_token()
        return {"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 3600, "id_token": id_token}

    def answer(self, path: str) -> Answer:
        if path in self.answers:
            return self.answers[path]
        match path:
            case "/.well-known/openid-configuration":
                return 200, self.configuration()
            case "/keys":
                return 200, self.key_set()
            case "/token":
                return 200, self.token()
            case _:
                return 404, {}


class Handler(BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self._answer(dict(parse_qsl(body.decode())))

    def _answer(self, form: dict[str, str]) -> None:
        self.server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, form))
        status, said = self.server.answer(self.path.partition("?")[0])
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


def new_key() -> RSAKey:
    key = RSAKey.generate_key(2048, {"use": "sig"})
    key.ensure_kid()
    return key


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    thread = threading.Thread(target=issuer.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.shutdown()
        issuer.server_close()
