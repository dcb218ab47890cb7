"""Operations of the tag `auth`."""

from typing import Any

from unpuzzle_server.auth import present, service
from unpuzzle_server.auth.service import Accounts
from unpuzzle_server.auth.tokens import Cookies
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.security import REFRESH_COOKIE


def accounts(ctx: Context) -> Accounts:
    found: Accounts = ctx.kernel.gateways["accounts"]
    return found


async def sign_up(ctx: Context, body: dict[str, Any]) -> Result:
    row, tokens = await accounts(ctx).sign_up(ctx.exchange, body)
    return Result({"user": present.user(row), **tokens.present()}, cookies=accounts(ctx).cookies.carrying(tokens))


async def sign_in(ctx: Context, body: dict[str, Any]) -> Result:
    row, tokens = await accounts(ctx).sign_in(ctx.exchange, body)
    return Result({"user": present.user(row), **tokens.present()}, cookies=accounts(ctx).cookies.carrying(tokens))


async def refresh(ctx: Context, body: dict[str, Any]) -> Result:
    token = body.get("refresh_token") or ctx.exchange.cookies.get(REFRESH_COOKIE)
    if not token:
        raise Problem("AUTH_REQUIRED", "Send a refresh_token, or the cookie that sign-in set.")
    tokens = await accounts(ctx).refresh(token)
    return Result(tokens.present(), cookies=accounts(ctx).cookies.carrying(tokens))


async def sign_out(tx: Transaction) -> Result:
    await service.sign_out(tx, tx.user.session_id)
    return Result({"message": "Signed out"}, cookies=Cookies(tx.settings.public_url).cleared())


async def get_profile(tx: Transaction) -> Result:
    row = await service.profile(tx)
    return Result(present.user(row), row.version)


async def update_profile(tx: Transaction, body: dict[str, Any], if_match: str | None) -> Result:
    row = await service.update_profile(tx, body, if_match)
    return Result({"message": "Profile updated successfully", "profile": present.user(row)}, row.version)


async def apply_as_instructor(tx: Transaction, body: dict[str, Any]) -> dict[str, Any]:
    application, roles = await service.apply_as_instructor(tx, body.get("motivation"))
    return {
        "application_id": str(application.id),
        "status": "approved" if roles else "pending",
        "roles": roles or sorted(tx.user.roles, reverse=True),
        "message": "You can write courses now" if roles else "An admin will decide on your application",
        "created_at": rfc3339(application.created_at),
    }


async def csrf_token(ctx: Context) -> dict[str, Any]:
    identity = ctx.exchange.identity
    assert identity is not None, "the role of this operation is user"
    return {"csrf_token": ctx.kernel.gate.csrf_token(identity.session_id)}
