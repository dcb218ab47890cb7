"""Operations of the tag `payments`."""

from functools import partial
from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.courses.queries import TAKES
from unpuzzle_server.courses.service import find_offer
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.operations import Context, Outside
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.payments import checkout, coupons, queries, receipts, refunds
from unpuzzle_server.payments.stripe import Intent, subscription_of

Body = dict[str, Any]
NEEDING_A_METHOD = {"requires_payment_method", "failed"}
ATTEMPTABLE = {*NEEDING_A_METHOD, "requires_action"}
SETTLED = {"succeeded", "partially_refunded", "refunded", "canceled"}


async def get_config(ctx: Context) -> Body:
    stripe = checkout.stripe_of(ctx)
    return {"publishable_key": stripe.publishable_key, "api_base_url": stripe.public_base, "is_embedded": stripe.is_embedded}


async def create_intent(ctx: Context, body: Body) -> Body:
    async with ctx.transaction() as tx:
        offer = await _offer(tx, body["course_id"])
        if offer.price == 0:
            raise Problem("CONFLICT", "This course is free: enrol in it.")
        await checkout.check_amount(tx, offer, body)
    payment = await checkout.begin(ctx, offer.id, body.get("coupon_code"), body.get("metadata", {}))
    if payment.status not in checkout.OPEN and payment.amount_minor:
        raise Problem("CONFLICT", "You have paid for this course: enrol in it.")
    return _shown(payment, await checkout.at_stripe(ctx, payment))


async def _offer(tx: Transaction, course_id: str) -> Row[Any]:
    """A course that the caller could buy."""
    offer = await find_offer(tx, course_id)
    if await tx.value(TAKES, course=offer.id):
        raise Problem("ENROLLMENT_EXISTS", "You are already enrolled in this course.")
    return offer


async def get_intent(ctx: Context, payment_id: str) -> Body:
    payment = await checkout.find_mine(ctx, payment_id)
    intent = await checkout.at_stripe(ctx, payment)
    return _shown(await checkout.find_mine(ctx, payment_id), intent)


async def cancel_intent(ctx: Context, payment_id: str) -> Body:
    payment = await checkout.find_mine(ctx, payment_id)
    await checkout.cancel(ctx, payment)
    return _shown(await checkout.find_mine(ctx, payment_id), None)


def _shown(payment: Row[Any], intent: Intent | None) -> Body:
    is_open = intent is not None and payment.status not in SETTLED
    secret = {"client_secret": intent.client_secret if intent and is_open else None}
    return {**payment.shown, **secret, "next_action_url": intent.next_action_url if intent and is_open else None}


async def confirm_intent(ctx: Context, payment_id: str, body: Body) -> Body:
    payment = await checkout.find_mine(ctx, payment_id)
    intent = await checkout.at_stripe(ctx, payment)
    if payment.status == "canceled" or (intent and intent.status == "canceled"):
        raise Problem("CONFLICT", "This payment was cancelled: begin another one.")
    if intent and intent.status in ATTEMPTABLE and "payment_method_id" in body:
        intent = await _charged(ctx, payment, body)
    elif intent and intent.status in NEEDING_A_METHOD:
        raise checkout.payment_required(payment.id, intent, "Send a payment_method_id.")
    async with ctx.transaction() as tx:
        return _confirmed(await checkout.bought(tx, payment.id), intent)


async def _charged(ctx: Context, payment: Row[Any], body: Body) -> Intent:
    try:
        async with ctx.transaction() as tx:  # by now they may have it, or it is not sold any more
            await _offer(tx, payment.shown["course_id"])
    except Problem:
        intent = await checkout.at_stripe(ctx, payment)
        if intent and intent.status == "succeeded":  # somebody else who asked at once has paid by this very payment
            return intent
        raise
    intent, _ = await checkout.confirm(ctx, payment, body["payment_method_id"], body.get("return_url"))
    return intent


def _confirmed(found: Row[Any], intent: Intent | None) -> Body:
    is_open = found.status in checkout.OPEN
    enrollment = {
        "enrollment_id": str(found.enrollment_id),
        "course_id": str(found.course_id),
        "enrolled_at": rfc3339(found.enrolled_at) if found.enrolled_at else None,
    }
    return {
        "status": found.status,
        "payment_id": found.payment_id,
        "stripe_payment_intent": found.intent,
        "client_secret": intent.client_secret if intent and is_open else None,
        "next_action_url": intent.next_action_url if intent and is_open else None,
        "enrollment": enrollment if found.takes and not is_open else None,
        "receipt_url": found.receipt_url,
        "message": MESSAGES.get(found.status, "The payment is being processed."),
    }


MESSAGES = {
    "succeeded": "Payment successful. You are now enrolled in the course.",
    "requires_action": "The holder of the card has to authenticate.",
    "partially_refunded": "This payment was refunded in part.",
    "refunded": "This payment was refunded.",
}


async def list_history(
    tx: Transaction, page: int, page_size: int, start_date: str | None, end_date: str | None, status: str | None
) -> Page:
    filters = {"start_date": start_date, "end_date": end_date, "status": status}
    asked = {name: value for name, value in filters.items() if value is not None}
    statement = queries.history(tuple(asked))
    found = cast("Row[Any]", await tx.row(statement, user=tx.user.user_id, **asked, **window(page, page_size)))
    return Page(found.results, found.total, {"total_spent": found.total_spent, "total_spent_by_currency": found.by_currency})


async def get_receipt(tx: Transaction, payment_id: str) -> Body:
    return cast("Body", (await receipts.find(tx, payment_id)).receipt)


async def download_receipt(ctx: Context, payment_id: str) -> Result:
    return Result(await receipts.printed(ctx, payment_id), media_type="application/pdf")


async def refund(tx: Transaction, payment_id: str, body: Body) -> Result:
    raise Outside(partial(refunds.give_back, payment_id=payment_id, body=body))


async def validate_coupon(tx: Transaction, body: Body) -> Body:
    offer = await find_offer(tx, body["course_id"])
    return await coupons.quote(tx, offer.id, body["coupon_code"])


async def list_coupons(tx: Transaction, page: int, page_size: int) -> Page:
    return await coupons.list_own(tx, page, page_size)


async def create_coupon(tx: Transaction, body: Body) -> Result:
    found = await coupons.create(tx, body)
    return Result(found.coupon, found.version, location=f"/api/v1/payments/coupons/{found.coupon['id']}/")


async def get_coupon(tx: Transaction, coupon_id: str) -> Result:
    found = await coupons.get(tx, coupon_id)
    return Result(found.coupon, found.version)


async def update_coupon(tx: Transaction, coupon_id: str, body: Body, if_match: str | None) -> Result:
    found = await coupons.update(tx, coupon_id, body, if_match)
    return Result(found.coupon, found.version)


async def delete_coupon(tx: Transaction, coupon_id: str, if_match: str | None) -> None:
    await coupons.delete(tx, coupon_id, if_match)


async def receive_webhook(ctx: Context, body: Body, stripe_signature: str | None) -> Body:
    """Kept before it is answered; what follows from it is a task."""
    now = ctx.kernel.clock.now()
    checkout.stripe_of(ctx).check_signature(ctx.exchange.raw_body, stripe_signature or "", now)
    async with ctx.transaction() as tx:
        about = {"intent": _intent_of(body), "subscription": subscription_of(body["type"], body["data"]["object"])}
        if await tx.value(queries.TAKE_EVENT, event=body["id"], type=body["type"], **about):
            await tx.enqueue("payments.apply_event", event_id=body["id"])
    return {"received": True}


def _intent_of(event: Body) -> str | None:
    """The payment intent that an event is about: as itself, or as that of a charge or a refund."""
    about = event["data"]["object"]
    named = about.get("id") if event["type"].startswith("payment_intent.") else about.get("payment_intent")
    return named if isinstance(named, str) and event["type"].startswith(FOLLOWED) else None


FOLLOWED = ("payment_intent.", "charge.", "refund.")
