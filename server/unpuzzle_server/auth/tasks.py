"""Tasks of the tag `auth`: mails with links, exports, and the erasure of who has left."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from unpuzzle_server.auth import leaving, queries
from unpuzzle_server.auth.oauth import queries as oauth_queries
from unpuzzle_server.auth.recovery import EMAIL, RESET, new_token
from unpuzzle_server.auth.supabase import queries as supabase_queries
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.exchange import Identity
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import task
from unpuzzle_server.mail.sending import send

PURGED = [
    queries.DROP_REFRESH_TOKENS,
    queries.DROP_TOKENS_THAT_ENDED,
    queries.DROP_EXPORTS,
    oauth_queries.DROP_ATTEMPTS_THAT_ENDED,
    supabase_queries.DROP_EVENTS,
]


@task("auth.mail_password_reset")
async def mail_password_reset(ctx: TaskContext, email: str) -> None:
    """To an address without an account goes nothing."""
    if found := await _recipient(ctx, email):
        await _send_link(ctx, found, "password_reset", RESET, "reset-password", found.email)


@task("auth.mail_verification")
async def mail_verification(ctx: TaskContext, email: str) -> None:
    """Once an address is confirmed there is nothing to send."""
    found = await _recipient(ctx, email)
    if found and not found.email_verified:
        await _send_link(ctx, found, "verify_email", EMAIL, "verify-email", found.email)


@task("auth.mail_new_address")
async def mail_new_address(ctx: TaskContext, user_id: str, email: str, wish: str) -> None:
    """Nothing is sent where a new password, or another address, has ended the wish meanwhile."""
    async with ctx.transaction(Identity(UUID(user_id), None, frozenset())) as tx:
        holds = await tx.value(queries.HOLDS_TOKEN, hash=bytes.fromhex(wish))
    if holds:
        await _send_link(ctx, await _account(ctx, user_id), "verify_email", EMAIL, "verify-email", email)


@task("auth.mail_address_changed")
async def mail_address_changed(ctx: TaskContext, user_id: str, email: str) -> None:
    """To the address before, so that its owner hears of it."""
    account = await _account(ctx, user_id)
    await send(ctx, "email_changed", email, name=account.full_name, address=account.email)


@task("auth.mail_deletion")
async def mail_deletion(ctx: TaskContext, user_id: str) -> None:
    account = await _account(ctx, user_id)
    if account.deletes_at:
        await send(ctx, "deletion", account.email, name=account.full_name, day=f"{account.deletes_at:%-d %B %Y}")


@task("auth.make_export")
async def make_export(ctx: TaskContext, user_id: str, export_id: str) -> None:
    identity = Identity(UUID(user_id), None, frozenset())
    try:
        async with ctx.transaction(identity) as tx:
            await leaving.keep_archive(tx, export_id, await leaving.archive(tx))
    except Exception:
        async with ctx.transaction(identity) as tx:
            await tx.execute(queries.FAIL_EXPORT, export=export_id)
        raise  # it is tried again, and may be ready after all


@task("auth.purge", every=timedelta(hours=1))
async def purge(tx: Transaction) -> None:
    """Removes refresh tokens, links, archives and attempts to sign in that are of no use any more.

    A spent refresh token stays as long as it would have lived: when it comes again, it ends its family.
    """
    for statement in PURGED:
        await tx.execute(statement)


@task("auth.erase_leavers", every=timedelta(hours=1))
async def erase_leavers(ctx: TaskContext) -> None:
    """One account in each transaction: what can't be erased does not keep the others."""
    now = ctx.kernel.clock.now()
    async with ctx.transaction() as tx:
        leavers = [row[0] for row in await tx.rows(queries.FIND_LEAVERS, now=now)]
    for account in leavers:
        async with ctx.transaction() as tx:
            await tx.execute(queries.ERASE, account=account, now=now)


async def _recipient(ctx: TaskContext, email: str) -> Row[Any] | None:
    async with ctx.transaction() as tx:
        return await tx.row(queries.FIND_RECIPIENT, email=email)


async def _account(ctx: TaskContext, user_id: str) -> Row[Any]:
    async with ctx.transaction(Identity(UUID(user_id), None, frozenset())) as tx:
        found = await tx.row(queries.USER, user=user_id)
    assert found is not None, "accounts are erased, not deleted"
    return found


async def _send_link(ctx: TaskContext, account: Row[Any], template: str, purpose: str, page: str, address: str) -> None:
    """The token is made here, so that it stands in no queue; an earlier attempt's is good too, as its mail may have gone."""
    user_id = account.user_id if hasattr(account, "user_id") else account.id
    async with ctx.transaction(Identity(user_id, None, frozenset())) as tx:
        token = await new_token(tx, purpose, address)
    link = f"{ctx.kernel.settings.app_url}/{page}?token={token}"
    await send(ctx, template, address, name=account.full_name, address=address, link=link)
