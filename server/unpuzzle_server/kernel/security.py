"""Who is asking, and whether they may: tokens and cookies, roles from the spec, CSRF."""

import hmac
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

from connexion.lifecycle import ConnexionRequest
from connexion.security import NO_VALUE, AbstractSecurityHandler

from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import ACCESS_COOKIE, Exchange, Identity, exchange_of
from unpuzzle_server.kernel.spec import Operation

REFRESH_COOKIE = "unpuzzle_refresh"
OAUTH_COOKIE = "unpuzzle_oauth"
TAKEN_BACK = f"{ACCESS_COOKIE}=; HttpOnly; Path=/; Max-Age=0; SameSite=Lax"
"""No script of a page can remove the cookie of a session that has ended elsewhere, and with it every call would be refused."""
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

Authenticate = Callable[[str], Awaitable[Identity]]
"""From an access token to who it belongs to; raises a Problem when it is no good. Wired in `app.py`."""


class BearerHandler(AbstractSecurityHandler):
    """Reads `Authorization: Bearer …`; an empty one counts as none, so that a cookie may follow."""

    def __init__(self, authenticate: Authenticate) -> None:
        self.authenticate = authenticate

    def get_fn(self, security_scheme: Any, required_scopes: Any) -> Any:
        async def verify(request: ConnexionRequest) -> Any:
            exchange = exchange_of(request.scope)
            header = exchange.headers.get("authorization", "").strip()
            scheme, _, token = header.partition(" ")
            if not header or (scheme.lower() == "bearer" and not token.strip()):
                return NO_VALUE
            if scheme.lower() != "bearer":
                return rejected(Problem("AUTH_INVALID_TOKEN", 'Send the token as "Authorization: Bearer …".'))
            return await outcome(self.authenticate, token.strip())

        return verify


class CookieHandler(AbstractSecurityHandler):
    """Reads the HTTP-only cookie of a browser."""

    def __init__(self, authenticate: Authenticate) -> None:
        self.authenticate = authenticate

    def get_fn(self, security_scheme: Any, required_scopes: Any) -> Any:
        async def verify(request: ConnexionRequest) -> Any:
            token = exchange_of(request.scope).cookies.get(ACCESS_COOKIE)
            return await outcome(self.authenticate, token, by_cookie=True) if token else NO_VALUE

        return verify


async def outcome(authenticate: Authenticate, token: str, *, by_cookie: bool = False) -> dict[str, Any]:
    try:
        identity = await authenticate(token)
        if by_cookie and identity.session_id is None:
            raise Problem("AUTH_INVALID_TOKEN", "An API key goes into the Authorization header.")
    except Exception as error:  # a database that is away too: nobody becomes anonymous because we could not ask
        if by_cookie and isinstance(error, Problem) and error.status == 401:
            error.headers["Set-Cookie"] = TAKEN_BACK
        return rejected(error)
    return {"identity": identity, "by_cookie": by_cookie}


def rejected(error: Exception) -> dict[str, Any]:
    """A refusal that Connexion carries on.

    Raised, it would count as "this scheme did not match", and an optional scheme would let the caller in as nobody.
    """
    return {"rejected": error}


def security_map(authenticate: Authenticate) -> dict[str, Any]:
    """What Connexion calls for the schemes of the spec."""
    return {"bearer": partial(BearerHandler, authenticate), "apiKey": partial(CookieHandler, authenticate)}


class Gate:
    """Holds a caller against an operation's role and scopes."""

    def __init__(self, csrf_key: bytes) -> None:
        self.csrf_key = csrf_key

    def admit(self, exchange: Exchange, operation: Operation) -> None:
        """Sets `exchange.identity`; raises 401 for a bad token, 403 for a missing CSRF token, role or scope."""
        found = exchange.scope["extensions"].get("connexion_context", {}).get("token_info", {})
        if "rejected" in found:
            raise found["rejected"]
        identity: Identity | None = found.get("identity")
        exchange.identity = identity
        if identity is None:
            return
        if found["by_cookie"] and operation.method not in SAFE_METHODS:
            self._check_csrf(exchange, identity.signed_in)
        if operation.role != "public":
            _check_role(identity, operation)
        if operation.role != "public" or operation.scopes:
            _check_scopes(identity, operation)

    def csrf_token(self, session_id: UUID) -> str:
        """Proof that a page of ours asks; good for the whole session."""
        return hmac.digest(self.csrf_key, session_id.bytes, "sha256").hex()

    def _check_csrf(self, exchange: Exchange, session_id: UUID) -> None:
        given = exchange.headers.get("x-csrf-token", "")
        if not hmac.compare_digest(given.encode(), self.csrf_token(session_id).encode()):
            message = "Requests under cookies need the header X-CSRF-Token: get one from /api/v1/auth/csrf-token/."
            raise Problem("CSRF_FAILED", message)


def _check_role(identity: Identity, operation: Operation) -> None:
    if not identity.may(operation.role):
        raise Problem("PERMISSION_DENIED", f"This needs the role {operation.role}.")


def _check_scopes(identity: Identity, operation: Operation) -> None:
    """A session may do all that its user may; an API key what it is for."""
    if identity.scopes is None:
        return
    if not operation.scopes:
        raise Problem("PERMISSION_DENIED", "No API key may do this: sign in.")
    if missing := sorted(operation.scopes - identity.scopes):
        raise Problem("PERMISSION_DENIED", f"This API key lacks the scope {' and '.join(missing)}.")
