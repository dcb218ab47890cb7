"""Operations of the tag `auth`."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from unpuzzle_server.auth import admin, keys, leaving, present, service, sessions
from unpuzzle_server.auth.oauth import service as oauth
from unpuzzle_server.auth.recovery import Recovery
from unpuzzle_server.auth.service import Accounts
from unpuzzle_server.auth.supabase import webhook
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.pagination import Page
from unpuzzle_server.kernel.security import REFRESH_COOKIE


def accounts(ctx: Context) -> Accounts:
    found: Accounts = ctx.kernel.gateways["accounts"]
    return found


def recovery(ctx: Context) -> Recovery:
    found: Recovery = ctx.kernel.gateways["recovery"]
    return found


def providers(ctx: Context) -> oauth.OAuth:
    found: oauth.OAuth = ctx.kernel.gateways["oauth"]
    return found


async def sign_up(ctx: Context, body: dict[str, Any]) -> Result:
    signed_up = await accounts(ctx).sign_up(ctx.exchange, body)
    if signed_up is None:
        return Result({"message": "Open the link that was sent to you"}, status=HTTPStatus.ACCEPTED)
    row, tokens = signed_up
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


async def sign_out(ctx: Context) -> Result:
    await accounts(ctx).sign_out(ctx.user, ctx.exchange.token)
    return Result({"message": "Signed out"}, cookies=accounts(ctx).cookies.cleared())


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
    return {"csrf_token": ctx.kernel.gate.csrf_token(ctx.user.signed_in)}


async def change_password(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    await recovery(ctx).change_password(ctx.user, body)
    return {"message": "Password changed"}


async def request_password_reset(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    await recovery(ctx).request_reset(body["email"])
    return {"message": "If there is an account with this address, a link is on its way to it"}


async def confirm_password_reset(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    await recovery(ctx).confirm_reset(body)
    return {"message": "Password changed: sign in with the new one"}


async def verify_email(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    await recovery(ctx).confirm_address(body["token"])
    return {"message": "E-mail address confirmed"}


async def resend_verification(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    await recovery(ctx).resend_verification(body["email"])
    return {"message": "If this address waits to be confirmed, a link is on its way to it"}


async def change_email(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    await recovery(ctx).change_email(ctx.user, body)
    return {"message": "A link is on its way to the new address"}


async def request_export(tx: Transaction) -> Result:
    export = await leaving.request_export(tx)
    return Result(_export(tx, export), location=f"/api/v1/auth/account/export/{export.id}/")


async def get_export(tx: Transaction, export_id: str) -> dict[str, Any]:
    return _export(tx, await leaving.get_export(tx, export_id))


def _export(tx: Transaction, export: Row[Any]) -> dict[str, Any]:
    return leaving.present(export, leaving.Links.of(tx.settings), tx.clock.now())


async def download_export(tx: Transaction, export_id: str, expires: int, signature: str) -> Result:
    return Result(await leaving.fetch(tx, UUID(export_id), int(expires), signature), media_type="application/zip")


async def delete_account(tx: Transaction) -> None:
    await leaving.delete_account(tx)


async def cancel_deletion(tx: Transaction) -> dict[str, Any]:
    return present.user(await leaving.cancel_deletion(tx))


async def list_oauth_providers(ctx: Context, page: int, page_size: int) -> Page:
    return await providers(ctx).providers(page, page_size)


async def oauth_sign_in(ctx: Context, body: dict[str, Any]) -> Result:
    start = await providers(ctx).begin(ctx.exchange, body)
    cookie = accounts(ctx).cookies.of_attempt(start.browser)
    return Result({"auth_url": start.auth_url, "state": start.state}, cookies=[cookie])


async def oauth_redirect(
    ctx: Context, state: str, code: str | None, error: str | None, error_description: str | None, iss: str | None
) -> Result:
    said = {"code": code, "error": error, "error_description": error_description, "iss": iss}
    return Result(None, location=await providers(ctx).lead_on(state, said))


async def oauth_form_callback(ctx: Context, body: dict[str, Any]) -> Result:
    said = {name: body.get(name) for name in ("code", "error", "user")}
    return Result(None, location=await providers(ctx).lead_on(body["state"], said))


async def oauth_callback(ctx: Context, body: dict[str, Any]) -> Result:
    row, tokens, is_new = await providers(ctx).sign_in(ctx.exchange, body)
    answer = {"user": present.user(row), **tokens.present(), "is_new_user": is_new}
    return Result(answer, cookies=accounts(ctx).cookies.carrying(tokens))


async def list_identities(tx: Transaction, page: int, page_size: int) -> Page:
    return await oauth.list_identities(tx, page, page_size)


async def link_identity(ctx: Context, body: dict[str, Any]) -> dict[str, Any]:
    return await providers(ctx).link(ctx.user, ctx.exchange, body)


async def unlink_identity(tx: Transaction, identity_id: str) -> None:
    await oauth.unlink(tx, identity_id)


async def receive_webhook(
    ctx: Context,
    body: dict[str, Any],
    x_supabase_signature: str | None,
    webhook_id: str | None,
    webhook_timestamp: str | None,
    webhook_signature: str | None,
) -> dict[str, Any]:
    signed = webhook.Signed(ctx.exchange.raw_body, x_supabase_signature, webhook_id, webhook_timestamp, webhook_signature)
    webhook.check(signed, body, ctx.kernel.settings.auth_webhook_secrets, ctx.kernel.clock.now())
    async with ctx.kernel.database.transaction(None) as tx:
        await webhook.take(tx, body)
    return {"received": True}


async def list_sessions(tx: Transaction, page: int, page_size: int) -> Page:
    return await sessions.list_sessions(tx, page, page_size)


async def revoke_session(tx: Transaction, session_id: str) -> None:
    await sessions.revoke(tx, session_id)


async def revoke_other_sessions(tx: Transaction) -> dict[str, Any]:
    return {"message": "Signed out everywhere else", "revoked_count": await sessions.revoke_others(tx)}


async def list_api_keys(tx: Transaction, page: int, page_size: int) -> Page:
    return await keys.list_keys(tx, page, page_size)


async def create_api_key(tx: Transaction, body: dict[str, Any]) -> dict[str, Any]:
    return await keys.create(tx, body)


async def delete_api_key(tx: Transaction, key_id: str) -> None:
    await keys.delete(tx, key_id)


async def list_users(
    tx: Transaction, page: int, page_size: int, search: str | None, role: str | None, is_suspended: bool | None
) -> Page:
    return await admin.list_users(tx, page, page_size, search, role, is_suspended)


async def update_user(tx: Transaction, user_id: str, body: dict[str, Any], if_match: str | None) -> Result:
    found = await admin.update_user(tx, user_id, body, if_match)
    return Result(found.account, found.version)


async def list_instructor_applications(tx: Transaction, page: int, page_size: int, status: str | None) -> Page:
    return await admin.list_applications(tx, page, page_size, status)


async def decide_instructor_application(tx: Transaction, application_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return await admin.decide(tx, application_id, body)
