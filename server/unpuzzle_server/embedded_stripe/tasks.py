"""Tasks of the embedded Stripe: its events on their way, and what time brings about."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from unpuzzle_server.embedded_stripe import cycles, events
from unpuzzle_server.embedded_stripe.store import moment
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import GiveUp, task

LONGEST_DELIVERY = timedelta(days=3)
EVENT_LIFE = timedelta(days=30)

EVENT = text("SELECT data FROM embedded_stripe.objects WHERE id = :event")
TAKEN = text("""
    UPDATE embedded_stripe.objects SET data = jsonb_set(data, '{pending_webhooks}', '0') WHERE id = :event
""")
FORGET = text("DELETE FROM embedded_stripe.objects WHERE kind = 'event' AND created <= :before")


@task("embedded_stripe.deliver", attempts=100, first_pause=5, longest_pause=4 * 3600, seconds=60)
async def deliver(ctx: TaskContext, event_id: str) -> None:
    """Where this server has gone over to a Stripe account since, nobody waits for the event."""
    stripe: Any = ctx.kernel.gateways.get("embedded_stripe")
    async with ctx.transaction() as tx:
        event = await tx.value(EVENT, event=event_id)
    if stripe is None or event is None:
        return
    now = ctx.kernel.clock.now()
    try:
        await events.deliver(event, stripe.webhook_url, stripe.webhook_secret, int(now.timestamp()))
    except Exception as error:
        if now - moment(event["_told"]) > LONGEST_DELIVERY:
            raise GiveUp("nobody took the event for three days") from error
        raise
    async with ctx.transaction() as tx:
        await tx.execute(TAKEN, event=event_id)


@task("embedded_stripe.advance", every=timedelta(minutes=1))
async def advance(ctx: TaskContext) -> None:
    """Renewals, trials that end, payments that are tried again."""
    if stripe := ctx.kernel.gateways.get("embedded_stripe"):
        await cycles.advance(ctx.kernel.database, stripe.base_url)


@task("embedded_stripe.purge", every=timedelta(hours=1))
async def purge(tx: Transaction) -> None:
    """Events are kept for 30 days, as at Stripe."""
    await tx.execute(FORGET, before=int((tx.clock.now() - EVENT_LIFE).timestamp()))
