"""Operations of the tag `subscriptions`."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.kernel.clock import parse_moment
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.subscriptions import present, queries, service

Body = dict[str, Any]


async def list_plans(tx: Transaction, page: int, page_size: int) -> Page:
    offers = [present.offer(tx.settings, plan) for plan in await tx.rows(queries.PLANS)]
    first = (page - 1) * page_size
    return Page(offers[first : first + page_size], len(offers))


async def get_current(ctx: Context) -> Body:
    shown = await present.current(ctx, None)
    if shown["status"] not in present.WAITING:
        return shown
    row = await service.live(ctx)
    return await present.current(ctx, await service.refresh(ctx, row.id) if row.subscription else None)


async def create(ctx: Context, body: Body) -> Body:
    return await present.current(ctx, await service.subscribe(ctx, body))


async def change(ctx: Context, body: Body) -> Body:
    await service.change(ctx, body["plan"], body.get("interval"))
    return await present.current(ctx, None)


async def cancel(ctx: Context, body: Body | None) -> Body:
    await service.cancel(ctx, await service.live(ctx), body)
    return await present.current(ctx, None)


async def resume(ctx: Context) -> Body:
    await service.resume(ctx)
    return await present.current(ctx, None)


async def update_payment_method(ctx: Context, body: Body) -> Body:
    return await present.current(ctx, await service.pay_with(ctx, body["payment_method_id"], body.get("return_url")))


async def list_invoices(tx: Transaction, page: int, page_size: int, status: str | None) -> Page:
    asked = {"status": status} if status else {}
    statement = queries.invoices(filtered=bool(asked))
    found = cast("Row[Any]", await tx.row(statement, user=tx.user.user_id, **asked, **window(page, page_size)))
    return Page(found.results, found.total)


async def grant(tx: Transaction, user_id: str, body: Body) -> Body:
    if not await tx.value(queries.HAS_ACCOUNT, user=user_id):
        raise not_found("account")
    if body["plan"] == "free":
        await tx.execute(queries.TAKE_BACK, user=user_id)
    else:
        until = parse_moment(body["valid_until"]) if body.get("valid_until") else None
        await tx.execute(queries.GRANT, user=user_id, plan=body["plan"], valid_until=until, **_limits(body))
    return cast("Body", await tx.value(queries.PLAN_OF, user=user_id))


def _limits(body: Body) -> Body:
    """Those that are given, where null is one too: no limit."""
    return {
        "own_daily": "daily_limit" in body,
        "daily_limit": body.get("daily_limit"),
        "own_monthly": "monthly_limit" in body,
        "monthly_limit": body.get("monthly_limit"),
    }
