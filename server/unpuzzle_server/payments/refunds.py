"""Giving money back, for a course of one's own."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Row

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.payments import checkout, queries
from unpuzzle_server.payments.money import minor_units
from unpuzzle_server.payments.stripe import AlreadyDone

SOON = timedelta(minutes=2)


async def give_back(ctx: Context, payment_id: str, body: dict[str, Any]) -> Callable[[Transaction], Awaitable[dict[str, Any]]]:
    """Under a key the refund has the same id again: what a crash has cut short goes on."""
    key = ctx.exchange.headers.get("idempotency-key")
    refund_id = uuid5(ctx.user.user_id, f"{payment_id} {key}") if key else uuid4()
    reserved = await reserve(ctx, refund_id, payment_id, body)
    try:
        at_stripe = await carry_out(ctx, reserved)
    except AlreadyDone:
        raise Problem("REFUND_TOO_LARGE", "This payment was refunded at Stripe.") from None
    return partial(_refunded, refund_id=refund_id, at_stripe=at_stripe)


async def _refunded(tx: Transaction, refund_id: UUID, at_stripe: str) -> dict[str, Any]:
    found = cast("Row[Any]", await tx.row(queries.FIND_REFUND, refund=refund_id))
    payment = cast("Row[Any]", await tx.row(queries.FIND, payment=found.payment, intent=None))
    return {
        "refund_id": at_stripe,
        "payment_id": checkout.public_id(found.payment),
        "amount": found.amount,
        "currency": found.currency,
        "status": found.status,
        "payment_status": payment.status,
    }


async def reserve(ctx: Context, refund: UUID, payment_id: str, body: dict[str, Any]) -> Row[Any]:
    """The refund is a row before Stripe hears of it: two at once can't give back more than was paid."""
    async with ctx.transaction() as tx:
        amount = await _amount(tx, payment_id, body.get("amount"))
        values = {"refund": refund, "amount": amount, "reason": body.get("reason")}
        found = await tx.row(queries.RESERVE_REFUND, **values, **checkout.by(payment_id))
        if found is None:
            raise not_found("payment")
        if found.problem == "unpaid":
            raise Problem("CONFLICT", "Nothing was paid that Stripe could give back.")
        if found.problem:
            raise Problem("REFUND_TOO_LARGE", f"{found.remains} {found.currency} of this payment can be refunded.")
        await tx.enqueue_in(SOON, "payments.finish_refund", refund_id=str(refund))
    return cast("Row[Any]", found)


async def _amount(tx: Transaction, payment_id: str, amount: float | None) -> int | None:
    if amount is None:
        return None
    currency = await tx.value(queries.SOLD_IN, **checkout.by(payment_id))
    if currency is None:
        raise not_found("payment")
    return await minor_units(tx, amount, currency)


async def carry_out(ctx: Any, found: Row[Any]) -> str:
    """Has Stripe give it back, once however often it is asked; how the refund stands."""
    stripe = checkout.stripe_of(ctx)
    try:
        made = await stripe.refund(str(found.refund), found.intent, found.amount_minor, found.reason)
    except AlreadyDone:
        await _record(ctx, found.refund, None, "failed")
        await checkout.settle(ctx, found.payment, await stripe.get_intent(found.intent))
        raise
    await _record(ctx, found.refund, made.id, made.status)
    await checkout.settle(ctx, found.payment, await stripe.get_intent(found.intent))
    return made.id


async def _record(ctx: Any, refund: UUID, at_stripe: str | None, status: str) -> None:
    async with ctx.transaction() as tx:
        await tx.execute(queries.RECORD_REFUND, refund=refund, at_stripe=at_stripe, status=status)
