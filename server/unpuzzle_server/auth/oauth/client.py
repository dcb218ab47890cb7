"""Talks to one provider: where to send a person, and who they are by the code that comes back.

The only file that imports Authlib.
"""

import logging
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import httpx2
import jwt
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import errors as jose
from joserfc import jwt as id_tokens
from joserfc.jwk import KeySet

from unpuzzle_server.auth.oauth.profiles import Person, Said
from unpuzzle_server.auth.oauth.providers import Registration
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.errors import Problem

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
VENDOR_AWAY_SECONDS = 30
CLOCKS_DIFFER = 60
"""Seconds by which a provider's clock may differ from ours."""
DISCOVERED_FOR = timedelta(hours=1)
"""After that a provider is asked anew where it is and which keys it has."""
SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
"""With a key of the provider's; never with a secret that both sides have."""
APPLE_SECRET_LIFE = timedelta(minutes=5)
LONGEST_NAME = 200
EMAIL = re.compile(r"(?=.{3,254}$)[^\0\s@]+@[^\0\s@]+")
PICTURE = re.compile(r"https?://[^\0\s]{1,1990}")
SUBJECT = re.compile(r"[^\0]{1,255}")
TENANT = "{tenantid}"
"""Stands in Microsoft's issuer for the tenant of whoever signs in."""


class Client:
    """This server as one provider's client."""

    def __init__(self, registration: Registration, redirect_uri: str, clock: Clock) -> None:
        self.registration = registration
        self.provider = registration.provider
        self.redirect_uri = redirect_uri
        self.clock = clock
        self._metadata: tuple[float, Said] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        """Where to send a person."""
        asked = {"state": state, "code_verifier": verifier, **self.provider.also_asks}
        if self.provider.issuer and self.provider.sends_nonce:
            asked["nonce"] = nonce
        async with self._session() as session:
            metadata = await self._discovered(session)
            url, _ = session.create_authorization_url(metadata["authorization_endpoint"], **asked)
        return str(url)

    async def person(self, code: str, nonce: str, verifier: str) -> Person:
        """Who came back with a code; raises OAUTH_FAILED where the provider, or what it says, is not to be believed."""
        async with self._session() as session:
            metadata = await self._discovered(session)
            token = await session.fetch_token(
                metadata["token_endpoint"], code=code, code_verifier=verifier, headers={"Accept": "application/json"}
            )
            said = await self._identified(session, metadata, token, nonce) if self.provider.issuer else await self._told(session)
        return self._read(said)

    def answers_as(self, issuer: str | None) -> bool:
        """Whether an answer that names its issuer (RFC 9207) is this provider's, so that no two are mixed up."""
        known = self._metadata[1]["issuer"] if self._metadata else self.provider.issuer
        return not issuer or not known or TENANT in known or issuer == known

    def _read(self, said: Said) -> Person:
        try:
            return cleaned(self.provider.read(said))
        except (KeyError, TypeError, AttributeError):
            raise failed(self.provider.title, "did not say who you are") from None

    async def _identified(self, session: AsyncOAuth2Client, metadata: Said, token: Said, nonce: str) -> Said:
        """The claims of the id token, and of the user-info call where the token leaves the address out."""
        if "id_token" not in token:
            raise failed(self.provider.title, "sent no id token")
        claims = await self._checked(session, metadata, token["id_token"], nonce)
        if "email" in claims or "userinfo_endpoint" not in metadata:
            return claims
        told = await _json(session, metadata["userinfo_endpoint"])
        if told.get("sub") != claims["sub"]:
            raise failed(self.provider.title, "spoke of somebody else")
        return {**told, **claims}

    async def _told(self, session: AsyncOAuth2Client) -> Said:
        """What a user-info call answers; GitHub tells of addresses in a call of their own."""
        url = self.provider.userinfo_url
        said: Said = await _json(session, url)
        if self.provider.name == "github":
            said["emails"] = await _json(session, f"{url}/emails")
        return said

    async def _checked(self, session: AsyncOAuth2Client, metadata: Said, id_token: str, nonce: str) -> Said:
        claims = await self._verified(session, metadata, id_token)
        expected: dict[str, Any] = {
            "iss": {"essential": True, "value": self._issued_by(metadata, claims)},
            "aud": {"essential": True, "value": self.registration.client_id},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "iat": {"essential": True},
        }
        if self.provider.sends_nonce:
            expected["nonce"] = {"essential": True, "value": nonce}
        registry = id_tokens.JWTClaimsRegistry(now=lambda: int(self.clock.timestamp()), leeway=CLOCKS_DIFFER, **expected)
        try:
            registry.validate(claims)
        except jose.JoseError as error:
            raise failed(self.provider.title, f"sent an id token that is no good ({error.error})") from None
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self.registration.client_id:
            raise failed(self.provider.title, "sent an id token for somebody else")
        return claims

    async def _verified(self, session: AsyncOAuth2Client, metadata: Said, id_token: str) -> Said:
        """The claims under a signature of the provider's; a key that is not known may be a new one."""
        for known_since in (0.0, self.clock.timestamp()):
            keys = await self._key_set(session, metadata, known_since)
            try:
                return dict(id_tokens.decode(id_token, keys, algorithms=SIGNATURES).claims)
            except (jose.InvalidKeyIdError, jose.BadSignatureError):
                continue
            except (jose.JoseError, ValueError):
                break
        raise failed(self.provider.title, "sent an id token that it did not sign")

    def _issued_by(self, metadata: Said, claims: Said) -> str:
        issuer: str = metadata["issuer"]
        return issuer.replace(TENANT, str(claims.get("tid")))

    async def _discovered(self, session: AsyncOAuth2Client) -> Said:
        """Where the provider's endpoints are; by OpenID Connect Discovery where it has an issuer."""
        provider, now = self.provider, self.clock.timestamp()
        if not provider.issuer:
            return {"authorization_endpoint": provider.authorize_url, "token_endpoint": provider.token_url}
        if self._metadata is None or self._metadata[0] < now - DISCOVERED_FOR.total_seconds():
            found: Said = await _json(session, f"{provider.issuer}/.well-known/openid-configuration")
            if found.get("issuer") != provider.issuer and TENANT not in str(found.get("issuer")):
                raise failed(provider.title, "says that it is somebody else")
            self._metadata = (now, found)
        return self._metadata[1]

    async def _key_set(self, session: AsyncOAuth2Client, metadata: Said, since: float) -> KeySet:
        """The provider's keys as they were known at some moment, or later."""
        now = self.clock.timestamp()
        if self._keys is None or self._keys[0] < max(since, now - DISCOVERED_FOR.total_seconds()):
            self._keys = (now, KeySet.import_key_set(await _json(session, metadata["jwks_uri"])))
        return self._keys[1]

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[AsyncOAuth2Client]:
        """A client for one conversation; what the other side gets wrong becomes a problem here."""
        registration = self.registration
        try:
            async with AsyncOAuth2Client(
                registration.client_id,
                self._apple_secret() if registration.private_key else registration.client_secret,
                redirect_uri=self.redirect_uri,
                scope=" ".join(self.provider.scopes),
                token_endpoint_auth_method=self.provider.authenticates_by,
                code_challenge_method="S256",
                timeout=TIMEOUT_SECONDS,
                verify=trusted(),
                follow_redirects=False,
            ) as session:
                yield session
        except OAuthError as error:
            log.info("a provider refused a code", extra={"provider": self.provider.name, "error": error.error})
            raise failed(self.provider.title, "did not take the code: begin again") from None
        except httpx2.HTTPStatusError as error:
            if error.response.is_server_error:
                raise self._away(error) from None
            raise failed(self.provider.title, "did not answer as it should") from None
        except httpx2.HTTPError as error:
            raise self._away(error) from None
        except (
            jose.JoseError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ):  # a page instead of JSON, or JSON of another shape
            raise failed(self.provider.title, "did not answer as it should") from None

    def _away(self, error: Exception) -> Problem:
        log.warning("a provider can't be reached", extra={"provider": self.provider.name, "error": type(error).__name__})
        message = f"{self.provider.title} can't be reached."
        return Problem("SERVICE_UNAVAILABLE", message, retry_after=VENDOR_AWAY_SECONDS)

    def _apple_secret(self) -> str:
        registration, now = self.registration, self.clock.now()
        claims = {
            "iss": registration.team_id,
            "sub": registration.client_id,
            "aud": self.provider.issuer,
            "iat": now,
            "exp": now + APPLE_SECRET_LIFE,
        }
        return jwt.encode(claims, registration.private_key, algorithm="ES256", headers={"kid": registration.key_id})


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed; read once, for it takes 20 ms in which the server does nothing else."""
    return httpx2.create_ssl_context()


async def _json(session: AsyncOAuth2Client, url: str) -> Any:
    answer = await session.request("GET", url, withhold_token=session.token is None, headers={"Accept": "application/json"})
    answer.raise_for_status()
    return answer.json()


def cleaned(person: Person) -> Person:
    """Without what an account can't have; raises TypeError where the texts are none."""
    email = person.email if person.email and EMAIL.fullmatch(person.email) else None
    name = (person.name or "").replace("\0", "").strip()[:LONGEST_NAME] or None
    picture = person.picture if person.picture and PICTURE.fullmatch(person.picture) else None
    if not SUBJECT.fullmatch(person.subject):
        raise TypeError("no subject")
    return replace(person, email=email, email_verified=person.email_verified and email is not None, name=name, picture=picture)


def failed(whom: str, why: str) -> Problem:
    return Problem("OAUTH_FAILED", f"{whom} {why}.")
