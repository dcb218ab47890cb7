"""Operations of the tag `subscriptions`."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.kernel.clock import parse_moment
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.subscriptions import queries, service
from unpuzzle_server.subscriptions.billing import Snapshot

Body = dict[str, Any]
WAITING = {"incomplete", "past_due"}


async def list_plans(tx: Transaction, page: int, page_size: int) -> Page:
    offers = [_offer(tx, plan) for plan in await tx.rows(queries.PLANS)]
    first = (page - 1) * page_size
    return Page(offers[first : first + page_size], len(offers))


def _offer(tx: Transaction, plan: Row[Any]) -> Body:
    settings = tx.settings
    prices = [
        {"interval": interval, "amount": float(amount), "currency": settings.plan_currency}
        for (offered, interval), amount in service.amounts(settings).items()
        if offered == plan.plan
    ]
    return {
        "plan": plan.plan,
        "name": plan.name,
        "description": plan.description,
        "limits": {"daily_limit": plan.daily_limit, "monthly_limit": plan.monthly_limit},
        "prices": prices,
        "trial_days": settings.trial_days if prices else 0,
    }


async def get_current(ctx: Context) -> Body:
    shown = await _shown(ctx, None)
    if shown["status"] not in WAITING:
        return shown
    row = await service.live(ctx)
    return await _shown(ctx, await service.refresh(ctx, row.id) if row.subscription else None)


async def create(ctx: Context, body: Body) -> Body:
    return await _shown(ctx, await service.subscribe(ctx, body))


async def change(ctx: Context, body: Body) -> Body:
    await service.change(ctx, body["plan"], body.get("interval"))
    return await _shown(ctx, None)


async def cancel(ctx: Context, body: Body | None) -> Body:
    await service.cancel(ctx, await service.live(ctx), body)
    return await _shown(ctx, None)


async def resume(ctx: Context) -> Body:
    await service.resume(ctx)
    return await _shown(ctx, None)


async def update_payment_method(ctx: Context, body: Body) -> Body:
    return await _shown(ctx, await service.pay_with(ctx, body["payment_method_id"], body.get("return_url")))


async def _shown(ctx: Context, snapshot: Snapshot | None) -> Body:
    """With what its payer needs to go on, while they have to."""
    async with ctx.transaction() as tx:
        found: Body = await tx.value(queries.CURRENT, user=tx.user.user_id)
    intent = snapshot.intent if snapshot and found["status"] in WAITING else None
    waits = intent is not None and intent.status != "succeeded"
    return {
        **found,
        "client_secret": intent.client_secret if intent and waits else None,
        "next_action_url": intent.next_action_url if intent and waits else None,
    }


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
        await tx.execute(queries.GRANT, user=user_id, plan=body["plan"], valid_until=_until(body), **_limits(body))
    return cast("Body", await tx.value(queries.PLAN_OF, user=user_id))


def _until(body: Body) -> Any:
    try:
        return parse_moment(body["valid_until"]) if body.get("valid_until") else None
    except ValueError:
        raise Problem("RANGE_INVALID", "There is no such moment.") from None


def _limits(body: Body) -> Body:
    """Those that are given, where null is one too: no limit."""
    return {
        "own_daily": "daily_limit" in body,
        "daily_limit": body.get("daily_limit"),
        "own_monthly": "monthly_limit" in body,
        "monthly_limit": body.get("monthly_limit"),
    }
