"""The rules of signing in with a provider, and of identities.

An attempt begins here, goes to the provider and back to the app, and ends here. In between only its state travels: the
nonce and the PKCE verifier that the provider sees are derived from it, so that nothing secret is kept.
"""

import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

from sqlalchemy import Row

from unpuzzle_server.auth import queries as accounts_queries
from unpuzzle_server.auth.oauth import queries
from unpuzzle_server.auth.oauth.client import Client, failed
from unpuzzle_server.auth.oauth.profiles import Person, told
from unpuzzle_server.auth.oauth.providers import Registration, title_of
from unpuzzle_server.auth.service import Accounts, profile, suspended
from unpuzzle_server.auth.tokens import ATTEMPT_LIFE, Tokens
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.exchange import Exchange, Identity
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.kernel.security import OAUTH_COOKIE
from unpuzzle_server.kernel.settings import Settings

CALLBACK, FORM_CALLBACK = "/api/v1/auth/oauth/callback/", "/api/v1/auth/oauth/callback/form/"
LOOPBACK = {"127.0.0.1", "::1"}
BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")

Body = dict[str, Any]


@dataclass(frozen=True)
class Start:
    """An attempt that has begun."""

    auth_url: str
    state: str
    browser: str
    """What the cookie of the browser holds."""


class Goes(Protocol):
    """What leads people to a provider."""

    async def authorization_url(self, state: str, nonce: str, verifier: str) -> str: ...

    def answers_as(self, issuer: str | None) -> bool: ...


@dataclass(frozen=True)
class OAuth:
    """One for each process, wired in `app.py`."""

    accounts: Accounts
    clients: Mapping[str, Client]
    redirect_urls: frozenset[str]
    key: bytes
    is_sandbox: bool = False

    @classmethod
    def of(
        cls, accounts: Accounts, registered: Mapping[str, Registration], settings: Settings, key: bytes, clock: Clock
    ) -> "OAuth":
        clients = {
            name: Client(item, settings.public_url + (FORM_CALLBACK if item.provider.posts else CALLBACK), clock)
            for name, item in registered.items()
        }
        return cls(accounts, clients, redirect_urls(settings), key, settings.oauth_sandbox)

    async def providers(self, page: int, page_size: int) -> Page:
        shown = [{"provider": name, "name": title_of(name), "is_sandbox": self.is_sandbox} for name in sorted(await self.names())]
        first = (page - 1) * page_size
        return Page(shown[first : first + page_size], len(shown))

    async def names(self) -> Collection[str]:
        """The providers that people can sign in with."""
        return self.clients.keys()

    async def begin(self, exchange: Exchange, body: Body) -> Start:
        client, challenge = await self.client(body["provider"]), body.get("code_challenge")
        self._check_redirect(body["redirect_url"], challenge)
        state, browser = token_urlsafe(32), _browser(exchange) or token_urlsafe(32)
        url = await client.authorization_url(state, self.derived(state, "nonce"), self.derived(state, "verifier"))
        async with self.accounts.database.transaction(None) as tx:
            await tx.execute(
                queries.ADD_ATTEMPT,
                hash=digest(state),
                provider=body["provider"],
                redirect_url=body["redirect_url"],
                browser=None if challenge else digest(browser),
                challenge=challenge,
                expires_at=tx.clock.now() + ATTEMPT_LIFE,
            )
        return Start(url, state, browser)

    async def lead_on(self, state: str, said: Mapping[str, str | None]) -> str:
        """The app's address with what a provider said; whether to believe it is found out when the attempt is spent."""
        name = apple_name(said.get("user"))
        async with self.accounts.database.transaction(None) as tx:
            found = await tx.row(queries.FIND_ATTEMPT, hash=digest(state), now=tx.clock.now())
            if found and name:
                await tx.execute(queries.NAME_ATTEMPT, hash=digest(state), name=name)
        if found is None:
            raise no_attempt()
        client = await self.client(found.provider)
        if not client.answers_as(said.get("iss")):
            raise failed("Somebody else", "answered than was asked")
        told = {name: value for name in ("code", "error", "error_description") if (value := said.get(name))}
        if not told.keys() & {"code", "error"}:
            raise failed("The provider", "sent neither a code nor an error")
        return extended(found.redirect_url, {**told, "state": state, "provider": found.provider})

    async def sign_in(self, exchange: Exchange, body: Body) -> tuple[Row[Any], Tokens, bool]:
        """Who somebody is, the session that they have now, and whether their account is new."""
        person = await self._person(exchange, body)
        async with self.accounts.database.transaction(None) as tx:
            is_new = await self._enter(tx, body["provider"], person)
            row = await profile(tx)
            if self.accounts.confirm_email and not row.email_verified:
                raise not_confirmed("Confirm your e-mail address first: open the link that was sent to it.")
            return row, await self.accounts.open_session(tx, exchange), is_new

    async def link(self, identity: Identity, exchange: Exchange, body: Body) -> dict[str, Any]:
        """The identity, from now on or since before the caller's."""
        person, provider = await self._person(exchange, body), body["provider"]
        async with self.accounts.database.transaction(identity) as tx:
            await add_identity(tx, provider, person)
            mine = await tx.value(queries.FIND_IDENTITY, provider=provider, subject=person.subject, user=identity.user_id)
        if mine is None:
            raise Problem("CONFLICT", "This identity belongs to another account.")
        return cast("dict[str, Any]", mine)

    async def _person(self, exchange: Exchange, body: Body) -> Person:
        """Whom the provider vouches for."""
        client, state = self._known(body["provider"]), body["state"]
        named = await self.spend(exchange, body)
        person = await client.person(body["code"], self.derived(state, "nonce"), self.derived(state, "verifier"))
        return told(person if person.name else replace(person, name=named))

    async def spend(self, exchange: Exchange, body: Body) -> str | None:
        """Ends the attempt, before the provider is asked: its code is good once there too. Answers a name that was told on
        the way back."""
        browser, verifier = _browser(exchange), body.get("code_verifier")
        async with self.accounts.database.transaction(None) as tx:
            spent = await tx.row(
                queries.SPEND_ATTEMPT,
                hash=digest(body["state"]),
                provider=body["provider"],
                browser=digest(browser) if browser else None,
                challenge=challenge_of(verifier) if verifier else None,
                now=tx.clock.now(),
            )
        if spent is None:
            raise no_attempt()
        name: str | None = spent.name
        return name

    async def _enter(self, tx: Transaction, provider: str, person: Person) -> bool:
        """Goes on as the owner of an identity; whether their account is new."""
        found = await self._owner(tx, provider, person)
        is_new = found is None and await self._add(tx, person)
        found = found or await self._owner(tx, provider, person)
        assert found is not None, "either the account has just been added, or somebody was faster"
        if found.suspended:
            raise suspended()
        await tx.become(Identity(found.user_id, uuid4(), frozenset(found.roles)))
        if not found.has_identity:
            await tx.execute(queries.CLAIM_ACCOUNT)
            await add_identity(tx, provider, person)
        await tx.execute(queries.USE_IDENTITY, provider=provider, subject=person.subject, email=person.email, name=person.name)
        return is_new

    async def _owner(self, tx: Transaction, provider: str, person: Person) -> Row[Any] | None:
        """By the identity, or by an address that the provider has confirmed; nobody else comes in."""
        trusted = person.email if person.email_verified else None
        found = await tx.row(queries.FIND_OWNER, provider=provider, subject=person.subject, email=trusted)
        if found is None and not trusted:
            title = title_of(provider)
            raise not_confirmed(f"{title} has not confirmed your e-mail address: sign in another way, then link {title}.")
        return found

    async def _add(self, tx: Transaction, person: Person) -> bool:
        """Makes an account, unless there is one by now."""
        assert person.email is not None
        email, user = person.email.lower(), uuid4()
        name = person.name or email.partition("@")[0]
        await tx.become(Identity(user, None, frozenset({"student"})))
        added = await tx.execute(accounts_queries.ADD_USER, user=user, email=email, full_name=name, metadata="{}")
        if added.rowcount == 0:
            return False
        await tx.execute(accounts_queries.CONFIRM_EMAIL, email=email)
        if person.picture:
            await tx.execute(queries.ADD_PICTURE, picture=person.picture, user=user)
        return True

    async def client(self, provider: str) -> Goes:
        return self._known(provider)

    def _known(self, provider: str) -> Client:
        if provider not in self.clients:
            raise not_configured(provider)
        return self.clients[provider]

    def _check_redirect(self, url: str, challenge: str | None) -> None:
        """One of the settings' addresses; or the client's own machine (RFC 8252), where PKCE keeps others out."""
        if url in self.redirect_urls:
            return
        if not is_loopback(url):
            raise Problem("REDIRECT_NOT_ALLOWED", "This server leads nobody there: see OAUTH_REDIRECT_URLS.")
        if not challenge:
            raise Problem("REDIRECT_NOT_ALLOWED", "To lead to your own machine, send a code_challenge.")

    def derived(self, state: str, purpose: str) -> str:
        """A secret that goes with a state, and that nobody can tell from it."""
        return base64url(hmac.digest(self.key, f"{purpose}:{state}".encode(), "sha256"))


def redirect_urls(settings: Settings) -> frozenset[str]:
    """The app's pages that people may be led back to."""
    return frozenset(settings.oauth_redirect_urls or (f"{settings.app_url}/auth/callback",))


async def add_identity(tx: Transaction, provider: str, person: Person) -> None:
    values = {"provider": provider, "subject": person.subject, "email": person.email, "name": person.name}
    await tx.execute(queries.ADD_IDENTITY, user=tx.user.user_id, **values)


async def list_identities(tx: Transaction, page: int, page_size: int) -> Page:
    found = cast("Row[Any]", await tx.row(queries.IDENTITIES, user=tx.user.user_id, **window(page, page_size)))
    return Page(found.results, found.total)


async def unlink(tx: Transaction, identity_id: str) -> None:
    # Locked: of two identities, two requests at once can't take one each.
    await tx.execute(accounts_queries.LOCK_USER, user=tx.user.user_id)
    deleted = await tx.execute(queries.DELETE_IDENTITY, identity=identity_id, user=tx.user.user_id)
    if deleted.rowcount == 0:
        raise not_found("identity")
    if await tx.value(queries.WAYS_IN, user=tx.user.user_id) == 0:
        raise Problem("CONFLICT", "This is your last way in: set a password first, or link another identity.")


def is_loopback(url: str) -> bool:
    """Whether an address is on the client's own machine, at any port."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in LOOPBACK and parts.port != 0 and not parts.fragment and "@" not in url
    except ValueError:  # no address at all
        return False


def digest(secret: str) -> bytes:
    """How what is random is kept."""
    return sha256(secret.encode()).digest()


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def challenge_of(verifier: str) -> str:
    """PKCE's S256 (RFC 7636)."""
    return base64url(digest(verifier))


def extended(url: str, more: Mapping[str, str]) -> str:
    """An address with more in its query."""
    parts = urlsplit(url)
    return parts._replace(query=urlencode([*parse_qsl(parts.query, keep_blank_values=True), *more.items()])).geturl()


def apple_name(user: str | None) -> str | None:
    """The name in the `user` field of Apple's form; who writes something else there is not named."""
    try:
        name = json.loads(user or "{}")["name"]
        return f"{name.get('firstName', '')} {name.get('lastName', '')}".strip().replace("\0", "")[:200] or None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _browser(exchange: Exchange) -> str | None:
    found = exchange.cookies.get(OAUTH_COOKIE, "")
    return found if BROWSER.fullmatch(found) else None


def no_attempt() -> Problem:
    message = (
        "This attempt to sign in is no longer good, or it began elsewhere: begin again, and keep the cookie or code_verifier."
    )
    return Problem("OAUTH_FAILED", message)


def not_configured(provider: str) -> Problem:
    return Problem("NOT_CONFIGURED", f"Nobody can sign in with {provider} here: see /api/v1/auth/oauth/providers/.")


def not_confirmed(message: str) -> Problem:
    return Problem("EMAIL_NOT_VERIFIED", message)
