"""Access tokens (JWT, one hour), refresh tokens (opaque, 30 days, used once) and the cookies that carry them."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import jwt

from unpuzzle_server.kernel.clock import Clock, rfc3339
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import ACCESS_COOKIE
from unpuzzle_server.kernel.security import OAUTH_COOKIE, REFRESH_COOKIE

ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(days=30)
ATTEMPT_LIFE = timedelta(minutes=10)
"""How long signing in with a provider may take."""
ISSUER, AUDIENCE, ALGORITHM = "unpuzzle", "unpuzzle-api", "HS256"
CLOCKS_DIFFER = 60
"""Seconds by which the clock of the machine that issued a token may be ahead of ours."""
REMEMBERED_TOKENS = 4096
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Claims:
    user_id: UUID
    session_id: UUID


@dataclass(frozen=True)
class Tokens:
    access_token: str
    refresh_token: str
    expires_at: datetime
    life: timedelta = ACCESS_LIFE
    """Of the access token."""

    def __repr__(self) -> str:
        return f"Tokens(expires_at={self.expires_at})"

    def present(self) -> dict[str, Any]:
        return {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "token_type": "Bearer",
            "expires_at": rfc3339(self.expires_at),
            "expires_in": int(self.life.total_seconds()),
        }


class TokenIssuer:
    def __init__(self, key: bytes, clock: Clock) -> None:
        self.key = key
        self.clock = clock
        # A client sends one token for an hour: what it says can't change, so it is decoded once.
        self._decoded = lru_cache(maxsize=REMEMBERED_TOKENS)(self._decode)

    def issue(self, claims: Claims) -> Tokens:
        now = self.clock.now()
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(claims.user_id),
            "sid": str(claims.session_id),
            "iat": int(now.timestamp()),
            "exp": int((now + ACCESS_LIFE).timestamp()),
        }
        access = jwt.encode(payload, self.key, algorithm=ALGORITHM)
        return Tokens(access, f"unr_{token_urlsafe(32)}", now + ACCESS_LIFE)

    def verify(self, token: str) -> Claims:
        """Raises AUTH_INVALID_TOKEN for anything but a token of ours that still lives."""
        try:
            claims, begins, ends = self._decoded(token)
        except (jwt.InvalidTokenError, ValueError, TypeError):
            raise invalid_token() from None
        if not begins <= self.clock.timestamp() < ends:
            raise invalid_token()
        return claims

    def _decode(self, token: str) -> tuple[Claims, float, float]:
        """What a token says, from when it is good, and when it ends."""
        if jwt.get_unverified_header(token).keys() - {"alg", "typ"}:
            raise jwt.InvalidTokenError("ours name no keys and no extensions")
        payload = jwt.decode(
            token,
            self.key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            # The times are held against the one clock, not against PyJWT's.
            options={"require": ["sub", "sid", "iat", "exp"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        begins = max(payload["iat"] - CLOCKS_DIFFER, payload.get("nbf", 0))
        return Claims(UUID(payload["sub"]), UUID(payload["sid"])), begins, float(payload["exp"])


def invalid_token() -> Problem:
    headers = {"WWW-Authenticate": 'Bearer realm="unpuzzle", error="invalid_token"'}
    return Problem("AUTH_INVALID_TOKEN", "The token is invalid or has expired.", headers=headers)


def refresh_hash(token: str) -> bytes:
    """How a refresh token is kept: it is random, so a plain digest is enough."""
    return sha256(token.encode()).digest()


def derived_key(secret_key: str, purpose: str) -> bytes:
    """A key of its own for each purpose, from the one secret of the settings."""
    return hmac.digest(secret_key.encode(), purpose.encode(), "sha256")


class Cookies:
    """The cookies of a browser; Secure wherever the server is not on this very machine."""

    def __init__(self, public_url: str) -> None:
        self.secure = "" if urlsplit(public_url).hostname in LOOPBACK else "; Secure"

    def carrying(self, tokens: Tokens) -> list[str]:
        return [
            self._cookie(ACCESS_COOKIE, tokens.access_token, ACCESS_LIFE, "/"),
            self._cookie(REFRESH_COOKIE, tokens.refresh_token, REFRESH_LIFE, "/api/v1/auth/"),
        ]

    def of_attempt(self, browser: str) -> str:
        """Tells the browser that began to sign in with a provider from others."""
        return self._cookie(OAUTH_COOKIE, browser, ATTEMPT_LIFE, "/api/v1/auth/oauth/")

    def cleared(self) -> list[str]:
        nothing = timedelta()
        return [self._cookie(ACCESS_COOKIE, "", nothing, "/"), self._cookie(REFRESH_COOKIE, "", nothing, "/api/v1/auth/")]

    def _cookie(self, name: str, value: str, life: timedelta, path: str) -> str:
        return f"{name}={value}; HttpOnly; Path={path}; Max-Age={int(life.total_seconds())}; SameSite=Lax{self.secure}"
