"""Accounts that Supabase Auth keeps: the same services as those that this server keeps itself."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Row

from unpuzzle_server.auth import queries as local
from unpuzzle_server.auth.oauth.service import CALLBACK, Goes, OAuth, challenge_of, not_configured, redirect_urls
from unpuzzle_server.auth.service import Accounts, profile, suspended
from unpuzzle_server.auth.supabase import queries
from unpuzzle_server.auth.supabase.gateway import Account, Supabase
from unpuzzle_server.auth.supabase.tokens import Bearer
from unpuzzle_server.auth.supabase.tokens import Tokens as SupabaseTokens
from unpuzzle_server.auth.tokens import Tokens, invalid_token
from unpuzzle_server.kernel.database import Database
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import Exchange, Identity
from unpuzzle_server.kernel.settings import Settings

Body = dict[str, Any]


@dataclass(frozen=True)
class SupabaseAccounts(Accounts):
    """Signs people up and in at Supabase, and mirrors them here; roles, suspensions and API keys are this server's."""

    supabase: Supabase = field(kw_only=True)
    tokens: SupabaseTokens = field(kw_only=True)

    async def close(self) -> None:
        await self.supabase.close()

    async def authenticate_session(self, token: str) -> Identity:
        bearer = await self.tokens.verify(token)
        async with self.database.reading() as tx:
            found = await tx.row(local.FIND_IDENTITY, session=bearer.session_id, user=bearer.user_id)
        if found is None or not found.session_open:
            found, _ = await self.mirror(bearer, None)
        return self.identity(bearer, found)

    async def mirror(
        self, bearer: Bearer, account: Account | None, exchange: Exchange | None = None
    ) -> tuple[Row[Any] | None, bool]:
        """Who is behind a token, seen for the first time or anew; and whether they are new here."""
        agent = exchange.headers.get("user-agent", "")[:300] or None if exchange else None
        async with self.database.transaction(None) as tx:
            is_new = await tx.value(
                queries.MIRROR_USER,
                user=bearer.user_id,
                email=bearer.email,
                name=bearer.name,
                verified=account.confirmed if account else None,
                told_at=datetime.fromtimestamp(bearer.issued_at, UTC),
                renames=False,
            )
            address = exchange.address if exchange else None
            values = {"session": bearer.session_id, "user": bearer.user_id}
            await tx.execute(queries.MIRROR_SESSION, **values, user_agent=agent, address=address)
            return await tx.row(local.FIND_IDENTITY, **values), is_new

    def identity(self, bearer: Bearer, found: Row[Any] | None) -> Identity:
        if found is None:
            raise Problem("AUTH_USER_NOT_FOUND", "The account of this token is gone.")
        if not found.session_open:
            raise invalid_token()
        if found.suspended:
            raise suspended()
        return Identity(bearer.user_id, bearer.session_id, frozenset(found.roles))

    async def enter(self, account: Account, exchange: Exchange) -> tuple[Row[Any], Tokens, bool]:
        """The profile of whoever has signed in at Supabase, their tokens, and whether they are new here."""
        bearer = await self.tokens.verify(account.tokens.access_token)
        found, is_new = await self.mirror(bearer, account, exchange)
        async with self.database.transaction(self.identity(bearer, found)) as tx:
            return await profile(tx), account.tokens, is_new

    async def sign_up(self, exchange: Exchange, body: Body) -> tuple[Row[Any], Tokens] | None:
        told = {**body.get("metadata", {}), "full_name": body["full_name"].strip()}
        account = await self.supabase.sign_up(body["email"], body["password"], told)
        if account is None:
            return None
        row, tokens, _ = await self.enter(account, exchange)
        return row, tokens

    async def sign_in(self, exchange: Exchange, body: Body) -> tuple[Row[Any], Tokens]:
        row, tokens, _ = await self.enter(await self.supabase.sign_in(body["email"], body["password"]), exchange)
        return row, tokens

    async def refresh(self, token: str) -> Tokens:
        account = await self.supabase.refresh(token)
        await self.authenticate(account.tokens.access_token)  # who is suspended or signed out here stays so
        return account.tokens

    async def sign_out(self, identity: Identity, token: str) -> None:
        """Here first: where Supabase can't be reached, the token is no good here all the same."""
        async with self.database.transaction(identity) as tx:
            await tx.execute(queries.END_SESSION, session=identity.signed_in)
        await self.supabase.sign_out(token)


@dataclass(frozen=True)
class SupabaseRecovery:
    """Passwords and addresses, which Supabase keeps and sends mail about."""

    database: Database
    supabase: Supabase
    app_url: str

    async def request_reset(self, email: str) -> None:
        await self.supabase.request_reset(email, f"{self.app_url}/reset-password")

    async def resend_verification(self, email: str) -> None:
        await self.supabase.resend_confirmation(email)

    async def confirm_address(self, token: str) -> None:
        await self.supabase.confirm(token)

    async def confirm_reset(self, body: Body) -> None:
        await self.supabase.reset(body["token"], body["password"])

    async def change_password(self, identity: Identity, body: Body) -> None:
        email = await self._email(identity)
        await self.supabase.change_password(email, body["current_password"], body["new_password"])
        async with self.database.transaction(identity) as tx:
            await tx.execute(local.END_OTHER_SESSIONS, session=identity.session_id, user=identity.user_id)

    async def change_email(self, identity: Identity, body: Body) -> None:
        await self.supabase.change_email(await self._email(identity), body["password"], body["email"].lower())

    async def _email(self, identity: Identity) -> str:
        async with self.database.transaction(identity) as tx:
            email: str = await tx.value(local.EMAIL, user=identity.user_id)
        return email


@dataclass(frozen=True)
class SupabaseProvider:
    """A provider, by way of Supabase, which talks to it."""

    supabase: Supabase
    provider: str
    callback: str

    async def authorization_url(self, state: str, nonce: str, verifier: str) -> str:
        back = f"{self.callback}?{urlencode({'state': state})}"
        return self.supabase.authorization_url(self.provider, back, challenge_of(verifier))

    def answers_as(self, issuer: str | None) -> bool:
        return True  # Supabase has checked who answered


@dataclass(frozen=True)
class SupabaseOAuth(OAuth):
    """The same round trip, with Supabase in the provider's place; identities are kept there."""

    supabase: Supabase = field(kw_only=True)
    users: SupabaseAccounts = field(kw_only=True)
    callback: str = field(kw_only=True)

    @classmethod
    def by_way_of(cls, users: SupabaseAccounts, settings: Settings, key: bytes) -> "SupabaseOAuth":
        callback = settings.public_url + CALLBACK
        return cls(users, {}, redirect_urls(settings), key, supabase=users.supabase, users=users, callback=callback)

    async def names(self) -> Collection[str]:
        return await self.supabase.providers()

    async def client(self, provider: str) -> Goes:
        if provider not in await self.names():
            raise not_configured(provider)
        return SupabaseProvider(self.supabase, provider, self.callback)

    async def sign_in(self, exchange: Exchange, body: Body) -> tuple[Row[Any], Tokens, bool]:
        await self.spend(exchange, body)
        account = await self.supabase.exchange(body["code"], self.derived(body["state"], "verifier"))
        return await self.users.enter(account, exchange)

    async def link(self, identity: Identity, exchange: Exchange, body: Body) -> dict[str, Any]:
        raise Problem("NOT_CONFIGURED", "Supabase Auth keeps the identities: link them there.")
