"""The rules of addresses and forgotten passwords: links by mail, each good once."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

from sqlalchemy.exc import IntegrityError

from unpuzzle_server.auth import queries, sessions
from unpuzzle_server.auth.passwords import Passwords, check_strength
from unpuzzle_server.kernel.database import Database, Transaction, violates
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import Identity

RESET, EMAIL = "password_reset", "email"
LIVES = {RESET: timedelta(hours=1), EMAIL: timedelta(days=3)}

Body = dict[str, Any]


def token_hash(token: str) -> bytes:
    """How a token is kept: it is random, so a plain digest is enough."""
    return sha256(token.encode()).digest()


async def request_verification(tx: Transaction, email: str) -> None:
    await tx.enqueue("auth.mail_verification", email=email.lower())


@dataclass(frozen=True)
class Recovery:
    """What takes longer than a transaction should: passwords are hashed between two of them."""

    database: Database
    passwords: Passwords

    async def request_reset(self, email: str) -> None:
        """The same work whether the address has an account: only the task looks."""
        async with self.database.transaction(None) as tx:
            await tx.enqueue("auth.mail_password_reset", email=email.lower())

    async def resend_verification(self, email: str) -> None:
        async with self.database.transaction(None) as tx:
            await request_verification(tx, email)

    async def confirm_address(self, token: str) -> None:
        async with self.database.transaction(None) as tx:
            await confirm_address(tx, token)

    async def change_password(self, identity: Identity, body: Body) -> None:
        """Every other session ends, and no link that was mailed before is good any more."""
        email = await self.check_password(identity, body["current_password"])
        check_strength(body["new_password"], email)
        hashed = await self.passwords.hash(body["new_password"])
        async with self.database.transaction(identity) as tx:
            await tx.execute(queries.CHANGE_PASSWORD, user=identity.user_id, hash=hashed)
            await tx.execute(queries.DROP_TOKENS, user=identity.user_id)
            await request_verification(tx, email)  # another link, where the address has still to be confirmed
            await sessions.revoke_others(tx)

    async def confirm_reset(self, body: Body) -> None:
        hashed = await self.passwords.hash(body["password"])
        async with self.database.transaction(None) as tx:
            identity, email = await spend(tx, body["token"], RESET)
            check_strength(body["password"], email)  # refused, the token is as good as before
            await tx.become(identity)
            await tx.execute(queries.CONFIRM_EMAIL, email=email)  # whoever opened the link has the mail of the address
            await tx.execute(queries.CHANGE_PASSWORD, user=identity.user_id, hash=hashed)
            await tx.execute(queries.END_ALL_SESSIONS, user=identity.user_id)
            await tx.execute(queries.DROP_TOKENS, user=identity.user_id)

    async def change_email(self, identity: Identity, body: Body) -> None:
        await self.check_password(identity, body["password"])
        async with self.database.transaction(identity) as tx:
            # A link that nobody is told: what ends links before the mail is sent ends this one, and then nothing is sent.
            wish = await new_token(tx, EMAIL, body["email"].lower())
            named = {"user_id": str(identity.user_id), "email": body["email"].lower(), "wish": token_hash(wish).hex()}
            await tx.enqueue("auth.mail_new_address", **named)

    async def check_password(self, identity: Identity, password: str) -> str:
        """Answers the address of the account; raises AUTH_INVALID_CREDENTIALS."""
        async with self.database.transaction(identity) as tx:
            email: str = await tx.value(queries.EMAIL, user=identity.user_id)
            login = await tx.row(queries.FIND_LOGIN, email=email)
        if not await self.passwords.matches(login.hash if login else None, password):
            raise Problem("AUTH_INVALID_CREDENTIALS", "The password is wrong.")
        return email


async def confirm_address(tx: Transaction, token: str) -> None:
    """Once the address is another one, links that were mailed before, to whichever, are good no more."""
    identity, email = await spend(tx, token, EMAIL)
    await tx.become(identity)
    try:
        before = await tx.value(queries.CONFIRM_EMAIL, email=email)
    except IntegrityError as error:
        if violates(error, "users_email_key"):
            raise Problem("EMAIL_TAKEN", "There is an account with this e-mail address.") from None
        raise
    if before != email:
        await tx.execute(queries.DROP_TOKENS, user=identity.user_id)
        await tx.enqueue("auth.mail_address_changed", user_id=str(identity.user_id), email=before)


async def spend(tx: Transaction, token: str, purpose: str) -> tuple[Identity, str]:
    """Who a token was sent to, and at which address; from now on it is good no more."""
    found = await tx.row(queries.SPEND_TOKEN, hash=token_hash(token), purpose=purpose, now=tx.clock.now())
    if found is None:
        raise Problem("TOKEN_INVALID", "This link is no longer good: ask for another one.")
    return Identity(found.user_id, None, frozenset(found.roles)), found.email


async def new_token(tx: Transaction, purpose: str, email: str) -> str:
    """A token for whoever the transaction acts as."""
    token = token_urlsafe(32)
    values = {"user": tx.user.user_id, "purpose": purpose, "email": email, "expires_at": tx.clock.now() + LIVES[purpose]}
    await tx.execute(queries.ADD_TOKEN, hash=token_hash(token), **values)
    return token
