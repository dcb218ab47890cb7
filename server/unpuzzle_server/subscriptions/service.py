"""Subscribing to a plan, changing and ending that: reserve, call, record, as with payments.

A subscription is a row before Stripe hears of it. Whatever Stripe says is asked anew and goes through `refresh`, so that events
may come in any order, twice or never; a crash between two steps leaves a row that its task follows up.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Row

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.payments.checkout import declined_problem, stripe_of
from unpuzzle_server.payments.money import minor_units
from unpuzzle_server.payments.stripe import AlreadyDone, Declined
from unpuzzle_server.subscriptions import billing, queries
from unpuzzle_server.subscriptions.billing import ENDED, Price, Snapshot

SOON = timedelta(minutes=10)
"""When a subscription is followed up that Stripe may never have heard of: no request takes so long."""
ATTEMPTS = 10
INTERVALS = ("month", "year")
RUNNING = {"active", "trialing"}
Body = dict[str, Any]


async def price_of(tx: Transaction, plan: str, interval: str) -> Price:
    amount, currency = amounts(tx.settings)[plan, interval], tx.settings.plan_currency
    return Price(plan, interval, await minor_units(tx, amount, currency), currency)


def amounts(settings: Settings) -> dict[tuple[str, str], str]:
    """What each plan costs, by plan and interval."""
    return {(plan, every): amount for plan, *both in settings.plan_prices for every, amount in zip(INTERVALS, both, strict=True)}


async def subscribe(ctx: Context, body: Body) -> Snapshot:
    for _ in range(ATTEMPTS):
        row = await _reserve(ctx, body["plan"], body.get("interval", "month"), trial=body.get("trial", False))
        try:
            customer = await customer_of(ctx, row)
            method = await billing.attach(stripe_of(ctx), customer, body["payment_method_id"])
            await _begin(ctx, row, customer)
            snapshot = await refresh(ctx, row.id)
            snapshot = await _pay_due(ctx, row, snapshot, method, body.get("return_url"))
        except Declined as declined:
            raise declined_problem(declined) from None
        if snapshot.status not in ENDED:  # as one does that waited too long
            return snapshot
    raise busy()


async def _reserve(ctx: Context, plan: str, interval: str, *, trial: bool) -> Row[Any]:
    """The caller's subscription under these terms, which is yet to be paid for the first time."""
    for _ in range(ATTEMPTS):
        async with ctx.transaction() as tx:
            price = await price_of(tx, plan, interval)
            days = await _trial_days(tx) if trial else 0
            reserved = cast("Row[Any]", await tx.row(queries.RESERVE, **vars(price), trial_days=days))
            row = await find(tx, reserved.id)
            if reserved.is_new:
                await tx.enqueue_in(SOON, "subscriptions.follow", subscription_id=str(row.id))
        if row.status != "incomplete":
            raise Problem("CONFLICT", "You have a subscription already: change it instead.")
        if (row.plan, row.interval, row.amount_minor, row.currency, row.trial_days) == (*vars(price).values(), days):
            return row
        await _give_up(ctx, row)
    raise busy()


async def _trial_days(tx: Transaction) -> int:
    if not tx.settings.trial_days:
        raise Problem("CONFLICT", "There are no trials.")
    if await tx.value(queries.HAS_TRIED, user=tx.user.user_id):
        raise Problem("CONFLICT", "You have tried a plan before: subscribe without a trial.")
    return tx.settings.trial_days


async def _begin(ctx: Context, row: Row[Any], customer: str) -> None:
    """Has Stripe make it, once however often it is asked; then we know its name there, whatever happens to this request."""
    if row.subscription is None:
        price = Price(row.plan, row.interval, row.amount_minor, row.currency)
        await record(ctx, row, await billing.create(stripe_of(ctx), row, customer, await _price_at_stripe(ctx, price)))


async def _price_at_stripe(ctx: Any, price: Price) -> str:
    async with ctx.transaction() as tx:
        known: str | None = await tx.value(queries.KNOWN_PRICE, **vars(price))
    if known is None:
        known = await billing.find_price(stripe_of(ctx), price)
        async with ctx.transaction() as tx:
            await tx.execute(queries.KEEP_PRICE, price=known, **vars(price))
    return known


async def _pay_due(ctx: Context, row: Row[Any], snapshot: Snapshot, method: str, return_url: str | None) -> Snapshot:
    """Charges the latest invoice, where there is something to charge. Raises Declined, which is recorded."""
    if snapshot.status not in billing.DUE or snapshot.intent is None:
        return snapshot
    try:
        await stripe_of(ctx).confirm(snapshot.intent.id, method, return_url, f"subscribe-{uuid4()}")
    except AlreadyDone:
        pass  # by a request beside this one, or in another window
    finally:
        snapshot = await refresh(ctx, row.id)
    return snapshot


async def customer_of(ctx: Any, row: Row[Any]) -> str:
    """Who pays, at Stripe."""
    if row.customer:
        return str(row.customer)
    made = await billing.make_customer(stripe_of(ctx), str(row.user_id), row.email, row.full_name)
    async with ctx.transaction() as tx:
        return str(await tx.value(queries.KEEP_CUSTOMER, user=row.user_id, customer=made))


async def change(ctx: Context, plan: str, interval: str | None) -> None:
    row = await live(ctx)
    if row.subscription:
        snapshot = await refresh(ctx, row.id)
        row = await live(ctx)
    if row.status not in RUNNING:
        raise Problem("CONFLICT", "Something is due for your subscription: pay that first, with another payment method.")
    if row.cancel_at:
        raise Problem("CONFLICT", "Your subscription is about to end: resume it first.")
    async with ctx.transaction() as tx:
        price = await price_of(tx, plan, interval or row.interval)
        ranks = {found.plan: found.rank for found in await tx.rows(queries.RANKS)}
    stripe, changes = stripe_of(ctx), (price.plan, price.interval) != (row.plan, row.interval)
    grows = (ranks[price.plan], price.interval == "year") > (ranks[row.plan], row.interval == "year")
    at_once = changes and (grows or row.status == "trialing")
    try:
        if at_once:
            await billing.change_now(stripe, snapshot, await _price_at_stripe(ctx, price))
        await billing.release(stripe, snapshot)  # only now: what is declined takes nothing back
        if changes and not at_once:
            await billing.change_later(stripe, snapshot, await _price_at_stripe(ctx, price), price.interval)
    except Declined as declined:
        raise declined_problem(declined) from None
    except AlreadyDone:
        raise busy() from None
    finally:
        await refresh(ctx, row.id)


async def cancel(ctx: Any, row: Row[Any], details: Body | None) -> None:
    """At the end of what is paid for; at once where something is due."""
    for _ in range(ATTEMPTS):
        if row.subscription:
            snapshot = await refresh(ctx, row.id)
            row = await _again(ctx, row)
        if row.status in ENDED or (row.status in RUNNING and row.cancel_at):
            return
        if row.status in RUNNING:
            with suppress(AlreadyDone):
                await billing.release(stripe_of(ctx), snapshot)
            with suppress(AlreadyDone):
                await billing.end_later(stripe_of(ctx), snapshot.id, ends=True, details=details)
        else:
            await _give_up(ctx, row, details)
            row = await _again(ctx, row)
    raise busy()


async def _give_up(ctx: Any, row: Row[Any], details: Body | None = None) -> None:
    """Ends a subscription for which something is due. It goes on where that is being paid right now: who pays has it."""
    if row.subscription is None:
        async with ctx.transaction() as tx:
            await tx.execute(queries.DROP, id=row.id)
        return
    snapshot = await refresh(ctx, row.id)
    if snapshot.status in billing.DUE:
        with suppress(AlreadyDone):
            await billing.end_now(stripe_of(ctx), snapshot, details)
        await refresh(ctx, row.id)


async def _again(ctx: Any, row: Row[Any]) -> Row[Any]:
    async with ctx.transaction() as tx:
        return await find(tx, row.id)


async def resume(ctx: Context) -> None:
    row = await live(ctx)
    if row.cancel_at:
        with suppress(AlreadyDone):
            await billing.end_later(stripe_of(ctx), row.subscription, ends=False)
        await refresh(ctx, row.id)


async def pay_with(ctx: Context, method: str, return_url: str | None) -> Snapshot:
    """Another method for all that comes, and for what is due."""
    row, stripe = await live(ctx), stripe_of(ctx)
    try:
        customer = await customer_of(ctx, row)
        kept = await billing.attach(stripe, customer, method)
        await _begin(ctx, row, customer)
        snapshot = await refresh(ctx, row.id)
        return await _pay_due(ctx, row, snapshot, kept, return_url)
    except Declined as declined:
        raise declined_problem(declined) from None


async def live(ctx: Context) -> Row[Any]:
    """The caller's subscription; raises CONFLICT where there is none."""
    async with ctx.transaction() as tx:
        found = await tx.value(queries.LIVE, user=tx.user.user_id)
        if found is None:
            raise Problem("CONFLICT", "You have no subscription.")
        return await find(tx, found)


async def find(tx: Transaction, row_id: UUID) -> Row[Any]:
    found = await tx.row(queries.FIND, id=row_id, at_stripe=None)
    assert found is not None, "subscriptions are kept"
    return found


async def refresh(ctx: Any, row_id: UUID) -> Snapshot:
    """Asks Stripe how a subscription stands and records it, anew where somebody else has recorded something meanwhile."""
    for _ in range(ATTEMPTS):
        async with ctx.transaction() as tx:
            row = await find(tx, row_id)
        if row.subscription is None:  # it was given up just now
            break
        snapshot = await billing.get(stripe_of(ctx), row.subscription)
        if await record(ctx, row, snapshot):
            return snapshot
    raise busy()


def busy() -> Problem:
    return Problem("SERVICE_UNAVAILABLE", "Your subscription is being changed right now.", retry_after=1)


async def record(ctx: Any, row: Row[Any], snapshot: Snapshot) -> bool:
    """Whether it was the latest word."""
    async with ctx.transaction() as tx:
        card = snapshot.card if row.customer else {}  # whoever has left is no customer, and nothing is kept of their card
        told = orjson.dumps({**snapshot.told, **card}).decode()
        return bool(await tx.value(queries.SETTLE, id=row.id, revision=row.revision, told=told))
