"""Tasks of the tag `subscriptions`: what follows Stripe's events, a crash, or a payer who leaves."""

import logging
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import task
from unpuzzle_server.payments.checkout import stripe_of
from unpuzzle_server.payments.stripe import AlreadyDone, Intent, named_by
from unpuzzle_server.payments.tasks import follow_intent
from unpuzzle_server.subscriptions import billing, queries, service

log = logging.getLogger(__name__)

WINDOW = timedelta(days=2)
"""How far back missed webhooks are looked for."""
PATIENCE = timedelta(minutes=30)
"""How long after the end of a period word of the next one may take."""


async def follow_event(ctx: Any, subscription: str) -> None:
    """How a subscription of Stripe's stands now; others than ours have their own there. `payments.apply_event` calls this."""
    async with ctx.transaction() as tx:
        row = await tx.row(queries.FIND, id=None, at_stripe=subscription)
    if row is None:
        ours = named_by(await billing.of_ours(stripe_of(ctx), subscription))
        async with ctx.transaction() as tx:
            row = await tx.row(queries.FIND, id=ours, at_stripe=None) if ours else None
        if row is None:
            return
    if not row.subscription:
        await service.record(ctx, row, await billing.get(stripe_of(ctx), subscription))
    snapshot = await service.refresh(ctx, row.id)
    if row.status in billing.ENDED and snapshot.status not in billing.ENDED:  # given up here, it was made there after all
        with suppress(AlreadyDone):
            await billing.end_now(stripe_of(ctx), snapshot)


async def follow_refund(ctx: Any, intent: Intent) -> None:
    """What was given back of an invoice; an intent may pay for something else. `payments.apply_event` calls this."""
    found = await billing.invoice_of(stripe_of(ctx), intent.id)
    if found is None:
        return
    invoice, subscription = found
    await follow_event(ctx, subscription)  # it may not have been heard of yet
    async with ctx.transaction() as tx:
        await tx.execute(queries.REFUND_INVOICE, invoice=invoice, refunded_minor=intent.refunded_minor)


@task("subscriptions.follow")
async def follow(ctx: TaskContext, subscription_id: str) -> None:
    """Whoever was about to subscribe may have died on the way; what Stripe never heard of is given up."""
    async with ctx.transaction() as tx:
        row = await tx.row(queries.FIND, id=subscription_id, at_stripe=None)
    if row is None or row.status != "incomplete":
        return
    if row.subscription:
        await service.refresh(ctx, row.id)
        return
    found = await billing.find(stripe_of(ctx), row.customer, str(row.id)) if row.customer else None
    if found:
        await service.record(ctx, row, await billing.get(stripe_of(ctx), found))
        return
    async with ctx.transaction() as tx:
        await tx.execute(queries.DROP, id=row.id)


@task("subscriptions.leave")
async def leave(ctx: TaskContext, user_id: str) -> None:
    """Whoever deletes their account pays for no further period."""
    async with ctx.transaction() as tx:
        found = await tx.value(queries.LIVE, user=user_id)
        row = await service.find(tx, found) if found else None
    if row is not None:
        await service.cancel(ctx, row, None)


@task("subscriptions.forget")
async def forget(ctx: TaskContext, customer: str) -> None:
    """An account that was erased is no customer any more."""
    await billing.delete_customer(stripe_of(ctx), customer)


@task("subscriptions.reconcile", every=timedelta(minutes=15))
async def reconcile_lately(ctx: TaskContext) -> None:
    """Where Stripe is away, the next time will do."""
    try:
        await reconcile(ctx, WINDOW)
    except Problem as problem:
        log.warning("subscriptions were not reconciled", extra={"problem": problem.code})


async def reconcile(ctx: Any, window: timedelta) -> dict[str, int]:
    """Follows what Stripe has told in the window and nobody here has heard, and what should have been told by now."""
    missed, refunded = await _missed(ctx, window)
    for subscription in missed:
        await _alone(follow_event(ctx, subscription))
    for intent in refunded:
        await _alone(_follow_intent(ctx, intent))
    async with ctx.transaction() as tx:
        overdue = [row.id for row in await tx.rows(queries.OVERDUE, since=PATIENCE)]
    for subscription_id in overdue:
        await _alone(_ask(ctx, subscription_id))
    return {"missed": len(missed), "overdue": len(overdue)}


async def _alone(following: Coroutine[Any, Any, None]) -> None:
    """One that can't be followed does not keep the rest from it; where Stripe is away, none can."""
    try:
        await following
    except Problem:
        raise
    except Exception:
        log.exception("a subscription was not reconciled")


async def _missed(ctx: Any, window: timedelta) -> tuple[set[str], set[str]]:
    """The subscriptions that have changed unheard, and the intents that were refunded so."""
    told = [event async for event in billing.told_since(stripe_of(ctx), ctx.kernel.clock.now() - window)]
    async with ctx.transaction() as tx:
        applied = {row.id for row in await tx.rows(queries.APPLIED, events=[event for event, *_ in told])}
    missed = [about for event, *about in told if event not in applied]
    return {subscription for subscription, _ in missed if subscription}, {intent for _, intent in missed if intent}


async def _follow_intent(ctx: Any, intent: str) -> None:
    await follow_intent(ctx, await stripe_of(ctx).get_intent(intent))


async def _ask(ctx: Any, subscription_id: UUID) -> None:
    async with ctx.transaction() as tx:
        row = await service.find(tx, subscription_id)
    if row.subscription:
        await service.refresh(ctx, row.id)
