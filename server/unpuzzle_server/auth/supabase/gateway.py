"""Supabase Auth's API. The only file that imports its client."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
from supabase_auth import AsyncGoTrueClient, AsyncMemoryStorage
from supabase_auth.errors import AuthError, AuthRetryableError
from supabase_auth.types import AuthResponse

from unpuzzle_server.auth.supabase.tokens import away
from unpuzzle_server.auth.tokens import Tokens, invalid_token
from unpuzzle_server.kernel.errors import Problem

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
PROVIDERS_LIVE = 600
"""Seconds for which it is remembered who can be signed in with."""
BUSY_SECONDS = 60
NO_SESSION = {
    "refresh_token_not_found", "refresh_token_already_used", "session_not_found", "session_expired", "bad_jwt", "user_not_found",
}  # fmt: skip
REFUSALS = {
    "invalid_credentials": ("AUTH_INVALID_CREDENTIALS", "The e-mail address or the password is wrong."),
    "email_not_confirmed": ("EMAIL_NOT_VERIFIED", "Confirm your e-mail address first: open the link that was sent to it."),
    "user_already_exists": ("EMAIL_TAKEN", "There is an account with this e-mail address."),
    "email_exists": ("EMAIL_TAKEN", "There is an account with this e-mail address."),
    "weak_password": ("WEAK_PASSWORD", "This password is too weak."),
    "same_password": ("WEAK_PASSWORD", "This is the password that you have now."),
    "user_banned": ("ACCOUNT_SUSPENDED", "This account is suspended."),
    "otp_expired": ("TOKEN_INVALID", "This link is no longer good: ask for another one."),
    "bad_code_verifier": ("OAUTH_FAILED", "This attempt to sign in is no longer good: begin again."),
    "flow_state_not_found": ("OAUTH_FAILED", "This attempt to sign in is no longer good: begin again."),
    "flow_state_expired": ("OAUTH_FAILED", "This attempt to sign in is no longer good: begin again."),
}
BUSY = {"over_request_rate_limit", "over_email_send_rate_limit"}


@dataclass(frozen=True)
class Account:
    """A user at Supabase, and the tokens of a session of theirs."""

    email: str
    confirmed: bool
    tokens: Tokens = field(repr=False)


class Supabase:
    """One for each process. It keeps no session: each call stands for somebody else."""

    def __init__(self, url: str, anon_key: str) -> None:
        self.url = f"{url}/auth/v1"
        self.headers = {"apikey": anon_key, "Authorization": f"Bearer {anon_key}"}
        self.http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS)
        self._providers: tuple[float, list[str] | None] = (0.0, None)

    async def close(self) -> None:
        await self.http.aclose()

    async def sign_up(self, email: str, password: str, told: dict[str, Any]) -> Account | None:
        """None where Supabase wants the address confirmed first."""
        async with self._client() as client:
            answer = await client.sign_up({"email": email, "password": password, "options": {"data": told}})
        return _account(answer) if answer.session else None

    async def sign_in(self, email: str, password: str) -> Account:
        async with self._client() as client:
            return _account(await client.sign_in_with_password({"email": email, "password": password}))

    async def refresh(self, refresh_token: str) -> Account:
        async with self._client() as client:
            return _account(await client.refresh_session(refresh_token))

    async def sign_out(self, access_token: str) -> None:
        async with self._client() as client:
            await client.admin.sign_out(access_token, "local")

    async def request_reset(self, email: str, page: str) -> None:
        async with self._client() as client:
            await client.reset_password_for_email(email, {"redirect_to": page})

    async def resend_confirmation(self, email: str) -> None:
        async with self._client() as client:
            await client.resend({"type": "signup", "email": email})

    async def confirm(self, token_hash: str) -> None:
        async with self._client() as client:
            await client.verify_otp({"token_hash": token_hash, "type": "email"})

    async def reset(self, token_hash: str, password: str) -> None:
        async with self._client() as client:
            await client.verify_otp({"token_hash": token_hash, "type": "recovery"})
            await client.update_user({"password": password})

    async def change_password(self, email: str, password: str, new: str) -> None:
        async with self._client() as client:
            await client.sign_in_with_password({"email": email, "password": password})
            await client.update_user({"password": new})

    async def change_email(self, email: str, password: str, new: str) -> None:
        async with self._client() as client:
            await client.sign_in_with_password({"email": email, "password": password})
            await client.update_user({"email": new})

    def authorization_url(self, provider: str, redirect_to: str, challenge: str) -> str:
        """Where a person signs in with a provider; Supabase talks to it."""
        asked = {"provider": provider, "redirect_to": redirect_to, "code_challenge": challenge, "code_challenge_method": "s256"}
        return f"{self.url}/authorize?{urlencode(asked)}"

    async def exchange(self, code: str, verifier: str) -> Account:
        async with self._client() as client:
            given: Any = {"auth_code": code, "code_verifier": verifier, "redirect_to": ""}
            return _account(await client.exchange_code_for_session(given))

    async def providers(self) -> list[str]:
        """Those that the project has switched on, asked for every ten minutes."""
        asked_at, known = self._providers
        if known is None or time.monotonic() - asked_at > PROVIDERS_LIVE:
            known = await self._switched_on()
            self._providers = time.monotonic(), known
        return known

    async def _switched_on(self) -> list[str]:
        try:
            answer = (await self.http.get(f"{self.url}/settings", headers=self.headers)).raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            raise away() from None
        return sorted(name for name, is_on in answer["external"].items() if is_on is True and name not in ("email", "phone"))

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[AsyncGoTrueClient]:
        """A client for one call, whose refusals become ours."""
        try:
            yield AsyncGoTrueClient(
                url=self.url,
                headers=self.headers,
                auto_refresh_token=False,
                persist_session=False,
                storage=AsyncMemoryStorage(),
                http_client=self.http,
            )
        except AuthRetryableError:
            raise away() from None
        except AuthError as error:
            raise refusal(error.code or "") from None
        except httpx.HTTPError:
            raise away() from None


def _account(answer: AuthResponse) -> Account:
    session, user = answer.session, answer.user
    if session is None or user is None:
        raise away()
    ends = datetime.now(UTC) + timedelta(seconds=session.expires_in)
    if session.expires_at:
        ends = datetime.fromtimestamp(session.expires_at, UTC)
    tokens = Tokens(session.access_token, session.refresh_token, ends, timedelta(seconds=session.expires_in))
    return Account(user.email or "", user.email_confirmed_at is not None, tokens)


def refusal(code: str) -> Problem:
    if code in NO_SESSION:
        return invalid_token()
    if code in BUSY:
        return Problem("RATE_LIMIT_EXCEEDED", "Too many requests. Please try again later.", retry_after=BUSY_SECONDS)
    if code in REFUSALS:
        return Problem(*REFUSALS[code])
    log.error("Supabase Auth refused something", extra={"code": code})
    return away()
