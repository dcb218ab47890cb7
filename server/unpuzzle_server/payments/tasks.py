"""Tasks of the tag `payments`: what follows an event, and whatever a crash has left half-done."""

import logging
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import GiveUp, task
from unpuzzle_server.payments import checkout, queries, refunds
from unpuzzle_server.payments.stripe import AlreadyDone, Intent, named_by

log = logging.getLogger(__name__)

WINDOW = timedelta(days=2)
"""How far back missed webhooks are looked for."""


@task("payments.apply_event")
async def apply_event(ctx: TaskContext, event_id: str) -> None:
    """An event says which payment to look at; how it stands now is asked of Stripe, so that no order matters."""
    async with ctx.transaction() as tx:
        event = await tx.row(queries.FIND_EVENT, event=event_id)
    if event is None:
        raise GiveUp(f"there is no event {event_id}")
    if event.intent:
        await follow_intent(ctx, await checkout.stripe_of(ctx).get_intent(event.intent))
    if event.subscription:
        await ctx.kernel.gateways["follow_subscription"](ctx, event.subscription)
    async with ctx.transaction() as tx:
        await tx.execute(queries.APPLIED, event=event_id)


async def follow_intent(ctx: Any, intent: Intent) -> str | None:
    """Settles the payment that an intent of Stripe's is of; an invoice has one too, and others have their own there."""
    async with ctx.transaction() as tx:
        found = await tx.row(queries.FIND, payment=named_by(intent.payment), intent=intent.id)
    if found is None and intent.refunded_minor:
        await ctx.kernel.gateways["follow_refund"](ctx, intent)
    return await checkout.settle(ctx, found.id, intent) if found else None


@task("payments.follow")
async def follow(ctx: TaskContext, payment_id: str) -> None:
    """Whoever was about to pay may have died on the way."""
    payment = await _payment(ctx, payment_id)
    if payment and payment.status in checkout.OPEN and payment.intent and payment.amount_minor:
        await checkout.settle(ctx, payment.id, await checkout.stripe_of(ctx).get_intent(payment.intent))


@task("payments.give_up")
async def give_up(ctx: TaskContext, payment_id: str) -> None:
    """A payment that nobody completes is cancelled, so that its coupon is free again."""
    payment = await _payment(ctx, payment_id)
    if payment and payment.status in checkout.OPEN:
        try:
            await checkout.cancel(ctx, payment)
        except Problem as problem:
            if problem.code != "CONFLICT":
                raise


@task("payments.finish_refund")
async def finish_refund(ctx: TaskContext, refund_id: str) -> None:
    async with ctx.transaction() as tx:
        found = await tx.row(queries.FIND_REFUND, refund=refund_id)
    if found is not None and found.status == "pending":
        try:
            await refunds.carry_out(ctx, found)
        except AlreadyDone:
            raise GiveUp("Stripe has given it back already") from None


@task("payments.reconcile", every=timedelta(minutes=15))
async def reconcile_lately(ctx: TaskContext) -> None:
    """Where Stripe is away, the next time will do."""
    try:
        await reconcile(ctx, WINDOW)
    except Problem as problem:
        log.warning("payments were not reconciled", extra={"problem": problem.code})


async def reconcile(ctx: Any, window: timedelta) -> dict[str, int]:
    """Settles every payment that Stripe knows of in the window; how many were looked at, and how many changed."""
    seen = mended = 0
    async for intent in checkout.stripe_of(ctx).intents_since(ctx.kernel.clock.now() - window):
        async with ctx.transaction() as tx:
            found = await tx.row(queries.FIND, payment=named_by(intent.payment), intent=intent.id)
        if found is None:
            continue
        seen += 1
        mended += await checkout.settle(ctx, found.id, intent) != found.status
    return {"seen": seen, "mended": mended}


@task("payments.purge", every=timedelta(hours=1))
async def purge(tx: Transaction) -> None:
    await tx.execute(queries.DROP_EVENTS)


async def _payment(ctx: TaskContext, payment_id: str) -> Row[Any] | None:
    async with ctx.transaction() as tx:
        return await tx.row(queries.FIND, payment=payment_id, intent=None)
