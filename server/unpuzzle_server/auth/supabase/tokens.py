"""Access tokens that Supabase Auth issued, held against its keys and our clock."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
from joserfc import errors as jose
from joserfc import jws, jwt
from joserfc.jwk import KeySet, OctKey

from unpuzzle_server.auth.tokens import invalid_token
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.errors import Problem

log = logging.getLogger(__name__)

AUDIENCE = ROLE = "authenticated"
BY_KEYS, BY_SECRET = ["RS256", "ES256"], ["HS256"]
KEYS_LIVE, KEYS_REST = 600.0, 10.0
"""Seconds after which keys are fetched anew; and how soon an unknown key may make us look again."""
CLOCKS_DIFFER = 60
LONGEST_NAME = 200
TIMEOUT_SECONDS = 10
AWAY_SECONDS = 5

Claims = dict[str, Any]


@dataclass(frozen=True)
class Bearer:
    """Who a token says it belongs to."""

    user_id: UUID
    session_id: UUID
    email: str
    name: str
    issued_at: float


class Tokens:
    """Verifies tokens; one for each process."""

    def __init__(self, url: str, jwt_secret: str, clock: Clock) -> None:
        self.issuer = f"{url}/auth/v1"
        self.secret = OctKey.import_key(jwt_secret) if jwt_secret else None
        self.clock = clock
        self._keys: KeySet | None = None
        self._fetched = self._failed = 0.0
        self._fetching = asyncio.Lock()

    async def verify(self, token: str) -> Bearer:
        """Raises AUTH_INVALID_TOKEN for anything but a person's token that still lives."""
        try:
            return self._bearer(await self._signed(token))
        except (jose.JoseError, ValueError, TypeError, KeyError, AttributeError):
            raise invalid_token() from None

    async def _signed(self, token: str) -> Claims:
        """What stands under a signature. The header says only which of our keys to take, never what kind of key it is."""
        algorithm = jws.extract_compact(token.encode()).headers().get("alg")
        if algorithm == "HS256":
            if self.secret is None:
                raise invalid_token()
            return dict(jwt.decode(token, self.secret, algorithms=BY_SECRET).claims)
        try:
            return dict(jwt.decode(token, await self._key_set(KEYS_LIVE), algorithms=BY_KEYS).claims)
        except (jose.InvalidKeyIdError, jose.BadSignatureError):
            return dict(jwt.decode(token, await self._key_set(KEYS_REST), algorithms=BY_KEYS).claims)

    def _bearer(self, claims: Claims) -> Bearer:
        expected: dict[str, Any] = {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": AUDIENCE},
            "role": {"essential": True, "value": ROLE},
            "iat": {"essential": True},
        }
        now = self.clock.timestamp()
        jwt.JWTClaimsRegistry(now=lambda: int(now), leeway=CLOCKS_DIFFER, **expected).validate(claims)
        if claims["exp"] <= now or claims.get("is_anonymous"):
            raise invalid_token()
        email: str = claims["email"].lower()
        name, user = name_of(claims.get("user_metadata") or {}, email), UUID(claims["sub"])
        return Bearer(user, UUID(claims.get("session_id") or claims["sub"]), email, name, float(claims["iat"]))

    async def _key_set(self, oldest: float) -> KeySet:
        """The project's keys, fetched no longer ago than `oldest` seconds; who has them waits for no one."""
        if found := self._fresh(oldest):
            return found
        async with self._fetching:
            if found := self._fresh(oldest):
                return found
            if self.clock.timestamp() - self._failed < AWAY_SECONDS:
                raise away()
            self._keys = await self._fetch()
            self._fetched = self.clock.timestamp()
            return self._keys

    def _fresh(self, oldest: float) -> KeySet | None:
        return self._keys if self.clock.timestamp() - self._fetched <= oldest else None

    async def _fetch(self) -> KeySet:
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                answer = (await client.get(f"{self.issuer}/.well-known/jwks.json")).raise_for_status().json()
        except (httpx2.HTTPError, ValueError) as error:
            log.warning("the keys of Supabase can't be read", extra={"error": type(error).__name__})
            self._failed = self.clock.timestamp()
            raise away() from None
        usable = [key for key in answer["keys"] if key.get("kty") in ("RSA", "EC")]
        return KeySet.import_key_set({"keys": usable}) if usable else KeySet([])


def name_of(told: Claims, email: str) -> str:
    """What somebody is called, by what they have told Supabase: a text of any kind, or none."""
    given = str(told.get("full_name") or told.get("name") or "").replace("\0", "").strip()
    return given[:LONGEST_NAME] or email.partition("@")[0]


def away() -> Problem:
    return Problem("SERVICE_UNAVAILABLE", "Supabase Auth can't be reached.", retry_after=AWAY_SECONDS)
