"""Buying a course: one payment for a learner and a course, from the first word to the enrolment.

Reserve, call, record: what is about to be bought is a row before Stripe hears of it, Stripe is called outside of
transactions, and whatever it says goes through `settle`. A crash between any two steps leaves a row whose task follows it up.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Row

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.payments import queries
from unpuzzle_server.payments.money import minor_units
from unpuzzle_server.payments.stripe import AlreadyDone, Declined, Intent, Stripe

SOON, IN_A_DAY = timedelta(minutes=2), timedelta(hours=23)
"""When a payment is followed up, and when it is given up: Stripe knows our idempotency keys for a day."""
OPEN = {"requires_payment_method", "requires_action", "processing", "failed"}
RESERVATIONS = 3
"""How often to begin anew where the terms change meanwhile."""


def stripe_of(ctx: Any) -> Stripe:
    found: Stripe = ctx.kernel.gateways["stripe"]
    return found


def by(payment_id: str) -> dict[str, Any]:
    """A payment by its own id or by Stripe's, as queries name it."""
    try:
        return {"payment": UUID(payment_id.removeprefix("pay_")), "intent": None}
    except ValueError:
        return {"payment": None, "intent": payment_id}


def public_id(payment: UUID) -> str:
    return f"pay_{payment.hex}"


async def check_amount(tx: Transaction, offer: Row[Any], body: dict[str, Any]) -> None:
    """What a client says that a course costs is never believed, but it must have shown the right price."""
    amount, currency = body.get("amount"), body.get("currency", offer.currency)
    try:
        same = amount is None or await minor_units(tx, amount, offer.currency) == offer.price_minor
    except Problem:
        same = False
    if not same or currency != offer.currency:
        raise Problem("AMOUNT_MISMATCH", f"This course costs {offer.price} {offer.currency}.")


async def begin(ctx: Context, course: UUID, code: str | None, metadata: dict[str, str]) -> Row[Any]:
    """The caller's payment of a course under the present terms: open with an intent at Stripe, or paid."""
    for _ in range(RESERVATIONS):
        async with ctx.transaction() as tx:
            reserved = await tx.row(queries.RESERVE, course=course, code=code, metadata=orjson.dumps(metadata).decode())
            if reserved is None:  # cancelled by somebody else just now
                continue
            if reserved.problem:
                raise Problem("COUPON_INVALID", reserved.problem)
            payment = await _mine(tx, payment=reserved.payment, intent=None)
            if payment.intent is None:
                await tx.enqueue_in(SOON, "payments.follow", payment_id=str(payment.id))
                await tx.enqueue_in(IN_A_DAY, "payments.give_up", payment_id=str(payment.id))
        if reserved.is_stale:
            await cancel(ctx, payment)
            continue
        if payment.status in OPEN and payment.intent is None:
            return await _with_intent(ctx, payment)
        return payment
    raise Problem("SERVICE_UNAVAILABLE", "This course is being bought right now.", retry_after=1)


async def _with_intent(ctx: Context, payment: Row[Any]) -> Row[Any]:
    """What a coupon pays is paid; for anything else Stripe has an intent."""
    if payment.amount_minor == 0:
        await settle(ctx, payment.id, None)
    else:
        try:
            await settle(ctx, payment.id, await _intent_of(stripe_of(ctx), payment))
        except Problem as problem:
            if problem.code == "CONFLICT":  # Stripe charges no such amount: nobody may wait for it
                await _record(ctx, payment.id, "canceled")
            raise
    async with ctx.transaction() as tx:
        return await _mine(tx, payment=payment.id, intent=None)


async def _intent_of(stripe: Stripe, payment: Row[Any]) -> Intent:
    if payment.intent:
        return await stripe.get_intent(payment.intent)
    return await stripe.create_intent(str(payment.id), payment.amount_minor, payment.currency, f"Course: {payment.title}")


async def confirm(ctx: Context, payment: Row[Any], method: str, return_url: str | None) -> tuple[Intent, bool]:
    """Charges; whether it was this call that paid. Raises PAYMENT_FAILED or PAYMENT_INSUFFICIENT_FUNDS."""
    stripe = stripe_of(ctx)
    try:
        intent, ours = await stripe.confirm(payment.intent, method, return_url, f"confirm-{uuid4()}"), True
    except AlreadyDone:
        intent, ours = await stripe.get_intent(payment.intent), False
    except Declined as declined:
        await settle(ctx, payment.id, await stripe.get_intent(payment.intent))
        raise declined_problem(declined, payment_id=public_id(payment.id)) from None
    await settle(ctx, payment.id, intent)
    return intent, ours


def declined_problem(declined: Declined, **known: str) -> Problem:
    code = "PAYMENT_INSUFFICIENT_FUNDS" if declined.decline_code == "insufficient_funds" else "PAYMENT_FAILED"
    about = {"decline_code": declined.decline_code} if declined.decline_code else {}
    return Problem(code, declined.message, about={**known, **about})


async def cancel(ctx: Any, payment: Row[Any]) -> None:
    """Gives up what is not paid; raises CONFLICT for what is."""
    stands: str | None = payment.status
    if stands in OPEN and payment.amount_minor == 0:
        stands = await _record(ctx, payment.id, "canceled")
    elif stands in OPEN:
        stands = await settle(ctx, payment.id, await _canceled(stripe_of(ctx), payment))
    if stands != "canceled":
        raise Problem("CONFLICT", "This payment has succeeded, or is about to: it can be refunded instead.")


async def _canceled(stripe: Stripe, payment: Row[Any]) -> Intent:
    """How the intent stands after that; one that a crash has kept from us is found by its key."""
    intent = await _intent_of(stripe, payment)
    try:
        return intent if intent.status == "canceled" else await stripe.cancel(intent.id)
    except AlreadyDone:
        return await stripe.get_intent(intent.id)


async def settle(ctx: Any, payment: UUID, intent: Intent | None) -> str | None:
    """Records how a payment stands at Stripe (None: nothing was to be paid), and what follows from it."""
    if intent is None:
        return await _record(ctx, payment, "succeeded")
    return await _record(
        ctx,
        payment,
        intent.status,
        intent=intent.id,
        decline_code=intent.decline_code,
        receipt_url=intent.receipt_url,
        refunded_minor=intent.refunded_minor,
    )


async def _record(ctx: Any, payment: UUID, status: str, **told: Any) -> str | None:
    silent = {"intent": None, "decline_code": None, "receipt_url": None, "refunded_minor": 0}
    async with ctx.transaction() as tx:
        stands: str | None = await tx.value(queries.SETTLE, payment=payment, status=status, **{**silent, **told})
    return stands


async def at_stripe(ctx: Context, payment: Row[Any]) -> Intent | None:
    """How a payment stands at Stripe, settled; None where Stripe has nothing to do with it."""
    if payment.intent is None:
        return None
    intent = await stripe_of(ctx).get_intent(payment.intent)
    await settle(ctx, payment.id, intent)
    return intent


def payment_required(payment: UUID, intent: Intent | None, message: str) -> Problem:
    """With what to go on: by confirming, or with Stripe's own library."""
    assert intent is not None, "something is to be paid"
    about = {
        "payment_id": public_id(payment),
        "client_secret": intent.client_secret,
        "status": intent.status,
        "next_action_url": intent.next_action_url,
    }
    return Problem("PAYMENT_REQUIRED", message, about={name: value for name, value in about.items() if value})


async def find_mine(ctx: Context, payment_id: str) -> Row[Any]:
    async with ctx.transaction() as tx:
        return await _mine(tx, **by(payment_id))


async def _mine(tx: Transaction, **named: Any) -> Row[Any]:
    found = await tx.row(queries.INTENT, user=tx.user.user_id, **named)
    if found is None:
        raise not_found("payment")
    return found


async def bought(tx: Transaction, payment: UUID) -> Row[Any]:
    """A payment with the enrolment that came of it."""
    found = await tx.row(queries.BOUGHT, payment=payment, user=tx.user.user_id)
    assert found is not None, "the payment was found before"
    return found
