"""The rules of accounts, sessions and roles."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from string import whitespace
from typing import Any
from uuid import uuid4

import orjson
from sqlalchemy import Row

from unpuzzle_server.auth import keys, queries
from unpuzzle_server.auth.passwords import Passwords, check_strength
from unpuzzle_server.auth.recovery import request_verification
from unpuzzle_server.auth.tokens import REFRESH_LIFE, Claims, Cookies, TokenIssuer, Tokens, invalid_token, refresh_hash
from unpuzzle_server.kernel import statements
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Database, Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import Exchange, Identity

REUSE_GRACE = timedelta(seconds=10)
"""A spent refresh token may come again this soon: the answer to its first use may have been lost."""


@dataclass(frozen=True)
class Accounts:
    """Sign-up, sign-in, and who a token belongs to; one for each process, wired in `app.py`."""

    database: Database
    passwords: Passwords
    issuer: TokenIssuer
    cookies: Cookies
    confirm_email: bool

    async def authenticate(self, token: str) -> Identity:
        """Who a token or a key belongs to now; raises AUTH_INVALID_TOKEN, AUTH_USER_NOT_FOUND, ACCOUNT_SUSPENDED."""
        if token.startswith(keys.PREFIX):
            return await self._owner_of_key(token)
        return await self.authenticate_session(token)

    async def authenticate_session(self, token: str) -> Identity:
        claims = self.issuer.verify(token)
        async with self.database.reading() as tx:
            found = await tx.row(queries.FIND_IDENTITY, session=claims.session_id, user=claims.user_id)
        if found is None:
            raise Problem("AUTH_USER_NOT_FOUND", "The account of this token is gone.")
        if not found.session_open:
            raise invalid_token()
        if found.suspended:
            raise suspended()
        return Identity(claims.user_id, claims.session_id, frozenset(found.roles))

    async def _owner_of_key(self, key: str) -> Identity:
        now = self.database.clock.now()
        async with self.database.reading() as tx:
            found = await tx.row(queries.FIND_API_KEY, hash=keys.key_hash(key), now=now)
        if found is None or (found.expires_at is not None and found.expires_at <= now):
            raise invalid_token()
        if found.suspended:
            raise suspended()
        return Identity(found.user_id, None, frozenset(found.roles), frozenset(found.scopes))

    async def sign_up(self, exchange: Exchange, body: dict[str, Any]) -> tuple[Row[Any], Tokens] | None:
        """None where the address has to be confirmed first."""
        if self.confirm_email:
            await self._register(body)
            return None
        hashed = await self._hash_new(body)
        identity = Identity(uuid4(), uuid4(), frozenset({"student"}))
        async with self.database.transaction(identity) as tx:
            if not await self._add(tx, body, hashed):
                raise Problem("EMAIL_TAKEN", "There is an account with this e-mail address.")
            return await profile(tx), await self.open_session(tx, exchange)

    async def _register(self, body: dict[str, Any]) -> None:
        """Signs nobody in: first the link has to be opened. An address that has an account gets the same answer."""
        hashed = await self._hash_new(body)
        async with self.database.transaction(Identity(uuid4(), None, frozenset({"student"}))) as tx:
            await self._add(tx, body, hashed)

    async def _hash_new(self, body: dict[str, Any]) -> str:
        check_strength(body["password"], body["email"].lower())
        return await self.passwords.hash(body["password"])

    async def _add(self, tx: Transaction, body: dict[str, Any], hashed: str) -> bool:
        """Whether the address had no account before."""
        email = body["email"].lower()
        added = await tx.execute(
            queries.ADD_USER,
            user=tx.user.user_id,
            email=email,
            full_name=body["full_name"].strip(whitespace),
            metadata=orjson.dumps(body.get("metadata", {})).decode(),
        )
        if added.rowcount == 0:
            return False
        await tx.execute(queries.ADD_PASSWORD, user=tx.user.user_id, hash=hashed)
        await request_verification(tx, email)
        return True

    async def sign_in(self, exchange: Exchange, body: dict[str, Any]) -> tuple[Row[Any], Tokens]:
        async with self.database.reading() as tx:
            login = await tx.row(queries.FIND_LOGIN, email=body["email"])
        if not await self.passwords.matches(login.hash if login else None, body["password"]) or login is None:
            raise Problem("AUTH_INVALID_CREDENTIALS", "The e-mail address or the password is wrong.")
        if login.suspended:
            raise suspended()
        if self.confirm_email and not login.email_verified:
            raise Problem("EMAIL_NOT_VERIFIED", "Confirm your e-mail address first: open the link that was sent to it.")
        async with self.database.transaction(Identity(login.user_id, uuid4(), frozenset(login.roles))) as tx:
            return await profile(tx), await self.open_session(tx, exchange)

    async def refresh(self, token: str) -> Tokens:
        async with self.database.transaction(None) as tx:
            tokens = await self._rotate(tx, token)
        # Outside of the transaction, which has ended a session whose token was stolen and must not be undone.
        if tokens is None:
            raise invalid_token()
        return tokens

    async def close(self) -> None:
        """Nothing to close here."""

    async def sign_out(self, identity: Identity, token: str) -> None:
        async with self.database.transaction(identity) as tx:
            await tx.execute(queries.END_SESSION, session=identity.signed_in, user=identity.user_id)

    async def open_session(self, tx: Transaction, exchange: Exchange) -> Tokens:
        await tx.execute(
            queries.ADD_SESSION,
            session=tx.user.session_id,
            user=tx.user.user_id,
            user_agent=exchange.headers.get("user-agent", "")[:300] or None,
            address=exchange.address,
        )
        return await self._issue(tx)

    async def _issue(self, tx: Transaction) -> Tokens:
        user, session_id = tx.user, tx.user.signed_in
        tokens = self.issuer.issue(Claims(user.user_id, session_id))
        await tx.execute(
            queries.ADD_REFRESH_TOKEN,
            hash=refresh_hash(tokens.refresh_token),
            session=session_id,
            user=user.user_id,
            expires_at=tx.clock.now() + REFRESH_LIFE,
        )
        return tokens

    async def _rotate(self, tx: Transaction, token: str) -> Tokens | None:
        """New tokens for a refresh token; None where it is no good."""
        hashed = refresh_hash(token)
        found = await tx.row(queries.FIND_REFRESH_TOKEN, hash=hashed)
        now = tx.clock.now()
        if found is None or found.ended_at is not None or found.expires_at <= now:
            return None
        if found.suspended:
            raise suspended()
        await tx.become(Identity(found.user_id, found.session_id, frozenset(found.roles)))
        if found.spent_at is not None and now - found.spent_at > REUSE_GRACE:
            await tx.execute(queries.END_SESSION, session=found.session_id, user=found.user_id)
            return None
        await tx.execute(queries.SPEND_REFRESH_TOKEN, hash=hashed)
        await tx.execute(queries.SEE_SESSION, session=found.session_id)
        return await self._issue(tx)


def suspended() -> Problem:
    return Problem("ACCOUNT_SUSPENDED", "This account is suspended.")


async def profile(tx: Transaction) -> Row[Any]:
    row = await tx.row(queries.USER, user=tx.user.user_id)
    assert row is not None, "whoever asks has just been found"
    return row


async def update_profile(tx: Transaction, body: dict[str, Any], if_match: str | None) -> Row[Any]:
    check_version(if_match, await tx.value(queries.LOCK_USER, user=tx.user.user_id))
    changes = {**{key: value for key, value in body.items() if key != "preferences"}, **body.get("preferences", {})}
    check_timezone(changes.get("timezone", "UTC"))
    if changes:
        columns = [column for column in queries.PROFILE_COLUMNS if column in changes]
        await tx.execute(statements.update("users", columns, "id = :user"), user=tx.user.user_id, **changes)
    return await profile(tx)


def check_timezone(name: str) -> None:
    if name not in _zones():
        raise Problem("TIMEZONE_UNKNOWN", "There is no such time zone: give an IANA name such as Europe/Berlin.")


@cache
def _zones() -> frozenset[str]:
    """The IANA names. Not zoneinfo's: it takes any file that the machine has beside its zones, such as `localtime`."""
    return frozenset((files("tzdata") / "zones").read_text().split())


async def apply_as_instructor(tx: Transaction, motivation: str | None) -> tuple[Row[Any], list[str] | None]:
    """The application, and the roles it gave where the setting approves it at once."""
    # Locked and read anew: of two applications at once, the second sees what the first has given.
    if "instructor" in await tx.value(queries.LOCK_ROLES, user=tx.user.user_id):
        raise Problem("CONFLICT", "You are an instructor already.")
    application = await tx.row(queries.ADD_APPLICATION, user=tx.user.user_id, motivation=motivation)
    if application is None:
        raise Problem("CONFLICT", "Your earlier application has not been decided yet.")
    if not tx.settings.instructor_auto_approve:
        return application, None
    return application, await tx.value(queries.APPROVE_APPLICATION, application=application.id)
