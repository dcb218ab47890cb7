"""What the sandbox keeps for a minute or ten: codes and access tokens, as digests, in PostgreSQL for all processes."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

import orjson
from sqlalchemy import text

from unpuzzle_server.kernel.database import Database
from unpuzzle_server.oauth_sandbox.people import Someone

CODE_LIFE, TOKEN_LIFE = timedelta(minutes=1), timedelta(minutes=10)

ADD = text("""
    INSERT INTO oauth_sandbox_grants (hash, of_code, data, expires_at)
    VALUES (:hash, :of_code, CAST(:data AS jsonb), :expires_at)
""")
SPEND = text("""
    UPDATE oauth_sandbox_grants SET spent = true WHERE hash = :hash AND NOT spent AND expires_at > :now RETURNING data
""")
FIND = text("SELECT data FROM oauth_sandbox_grants WHERE hash = :hash AND of_code IS NOT NULL AND expires_at > :now")
REVOKE = text("DELETE FROM oauth_sandbox_grants WHERE of_code = :hash")
DROP = text("DELETE FROM oauth_sandbox_grants WHERE expires_at <= :now")


@dataclass(frozen=True)
class Consent:
    """What a person agreed to."""

    provider: str
    email: str
    name: str
    verified: bool
    redirect_uri: str
    nonce: str | None
    challenge: str

    @property
    def someone(self) -> Someone:
        return Someone(self.provider, self.email, self.name, self.verified)


class Store:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def issue_code(self, consent: Consent) -> str:
        return await self._issue(consent, None, CODE_LIFE)

    async def issue_token(self, consent: Consent, code: str) -> str:
        return await self._issue(consent, digest(code), TOKEN_LIFE)

    async def spend_code(self, code: str) -> Consent | None:
        """What a code stands for, once; when it comes again, the tokens that it was good for end."""
        async with self.database.transaction(None) as tx:
            data = await tx.value(SPEND, hash=digest(code), now=tx.clock.now())
            if data is None:
                await tx.execute(REVOKE, hash=digest(code))
        return Consent(**data) if data else None

    async def find_token(self, token: str) -> Consent | None:
        async with self.database.transaction(None) as tx:
            data = await tx.value(FIND, hash=digest(token), now=tx.clock.now())
        return Consent(**data) if data else None

    async def _issue(self, consent: Consent, of_code: bytes | None, life: timedelta) -> str:
        secret = token_urlsafe(32)
        data: Any = orjson.dumps(asdict(consent)).decode()
        async with self.database.transaction(None) as tx:
            now = tx.clock.now()
            await tx.execute(DROP, now=now)
            await tx.execute(ADD, hash=digest(secret), of_code=of_code, data=data, expires_at=now + life)
        return secret


def digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
