"""Subscriptions at Stripe, by the one client of `payments/stripe.py`: each function is a call or two and knows no rule."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Row

from unpuzzle_server.payments.stripe import Intent, Stripe, subscription_of, told

EXPANDED = ["latest_invoice.payments", "schedule"]
NEWEST_INVOICES = 20
DUE = {"incomplete", "past_due", "unpaid"}
"""How a subscription stands whose latest invoice is to be paid."""
ENDED = {"canceled", "incomplete_expired"}
CHANGES = (
    "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted", "invoice.paid",
    "invoice.payment_failed",
)  # fmt: skip
"""The events that say that a subscription stands otherwise."""
REFUNDED = "charge.refunded"


@dataclass(frozen=True)
class Price:
    """What a plan costs, in minor units."""

    plan: str
    interval: str
    amount_minor: int
    currency: str

    @property
    def lookup_key(self) -> str:
        """By which the price can be found at Stripe, whoever made it there."""
        return f"unpuzzle_{self.plan}_{self.interval}"


@dataclass(frozen=True)
class Snapshot:
    """A subscription as Stripe shows it."""

    told: dict[str, Any]
    """What `app.settle_subscription` takes."""
    item: str
    schedule: str | None
    latest_invoice: str | None
    intent: Intent | None
    """What the latest invoice is paid by; None where nothing was to be paid."""
    card: dict[str, str]
    """What is charged next, as `told` would have it; empty where nobody knows."""

    @property
    def id(self) -> str:
        return str(self.told["subscription"])

    @property
    def status(self) -> str:
        return str(self.told["status"])


def _once() -> dict[str, str]:
    """For a call that is one with each request of a person's; the library keeps the key when it tries again."""
    return {"idempotency_key": str(uuid4())}


async def make_customer(stripe: Stripe, user: str, email: str, name: str) -> str:
    """Once for each account, however often it is asked for within a day."""
    params = {"email": email, "name": name, "metadata": {"user_id": user}}
    with told():
        return str((await stripe.v1.customers.create_async(params, {"idempotency_key": f"customer-{user}"})).id)


async def delete_customer(stripe: Stripe, customer: str) -> None:
    """Ends their subscriptions too."""
    with told():
        await stripe.v1.customers.delete_async(customer)


async def find_price(stripe: Stripe, price: Price) -> str:
    """The price at Stripe: the one that has its key and its amount, or a new one that takes the key over."""
    with told():
        found = await stripe.v1.prices.list_async({"lookup_keys": [price.lookup_key], "active": True})
        for known in found.data:
            if (known.unit_amount, known.currency.upper()) == (price.amount_minor, price.currency):
                return str(known.id)
        params = {
            "currency": price.currency.lower(),
            "unit_amount": price.amount_minor,
            "recurring": {"interval": price.interval},
            "product_data": {"name": f"Unpuzzle {price.plan.title()}"},
            "lookup_key": price.lookup_key,
            "transfer_lookup_key": True,
            "metadata": {"plan": price.plan},
        }
        key = f"{price.lookup_key}-{price.amount_minor}-{price.currency}"
        return str((await stripe.v1.prices.create_async(params, {"idempotency_key": key})).id)


async def attach(stripe: Stripe, customer: str, method: str) -> str:
    """Makes a payment method the one that a customer pays with; its id there. Raises Declined."""
    with told(of_method=True):
        kept = await stripe.v1.payment_methods.attach_async(method, {"customer": customer}, _once())
    with told():
        settings = {"default_payment_method": kept.id}
        await stripe.v1.customers.update_async(customer, {"invoice_settings": settings}, _once())
    return str(kept.id)


async def create(stripe: Stripe, row: Row[Any], customer: str, price: str) -> Snapshot:
    """Once for each subscription of ours within a day; its first invoice waits to be paid."""
    params = {
        "customer": customer,
        "items": [{"price": price}],
        "payment_behavior": "default_incomplete",
        "metadata": {"subscription_id": str(row.id)},
        **({"trial_period_days": row.trial_days} if row.trial_days else {}),
    }
    with told():
        made = await stripe.v1.subscriptions.create_async(params, {"idempotency_key": f"subscription-{row.id}"})
    return await get(stripe, made.id)


async def get(stripe: Stripe, subscription: str) -> Snapshot:
    with told():
        found = await stripe.v1.subscriptions.retrieve_async(subscription, {"expand": EXPANDED})
        invoices = await stripe.v1.invoices.list_async({"subscription": subscription, "limit": NEWEST_INVOICES})
        card = None if found.status in ENDED else await _card_of(stripe, found.customer)
    unpaid = _intent_of(found.latest_invoice) if found.status in DUE else None
    return _snapshot(found, invoices.data, await stripe.get_intent(unpaid) if unpaid else None, card)


async def _card_of(stripe: Stripe, customer: str) -> Any:
    """The card that Stripe charges: of two that were kept at once, the later one."""
    found = await stripe.v1.customers.retrieve_async(customer, {"expand": ["invoice_settings.default_payment_method"]})
    method = found.invoice_settings.default_payment_method
    return method and getattr(method, "card", None)


async def of_ours(stripe: Stripe, subscription: str) -> str | None:
    """Which subscription of ours one of Stripe's is, as we told it."""
    with told():
        found = await stripe.v1.subscriptions.retrieve_async(subscription)
    named: str | None = found.metadata.to_dict().get("subscription_id")
    return named


async def find(stripe: Stripe, customer: str, ours: str) -> str | None:
    """The subscription at Stripe that is ours by its metadata."""
    with told():
        page = await stripe.v1.subscriptions.list_async({"customer": customer, "status": "all", "limit": 100})
        async for found in page.auto_paging_iter():
            if found.metadata.to_dict().get("subscription_id") == ours:
                return str(found.id)
    return None


async def change_now(stripe: Stripe, snapshot: Snapshot, price: str) -> None:
    """Charges the difference; a card that is declined raises Declined, and nothing has changed."""
    params = {
        "items": [{"id": snapshot.item, "price": price}],
        "proration_behavior": "none" if snapshot.status == "trialing" else "always_invoice",
        "payment_behavior": "error_if_incomplete",
    }
    with told(raced=True):
        await stripe.v1.subscriptions.update_async(snapshot.id, params, _once())


async def change_later(stripe: Stripe, snapshot: Snapshot, price: str, interval: str) -> None:
    """At the end of the period; the schedule lets go of the subscription when the period after that is over.

    This and what follows raises AlreadyDone where somebody else has changed or ended it meanwhile.
    """
    with told(raced=True):
        schedule = await stripe.v1.subscription_schedules.create_async({"from_subscription": snapshot.id}, _once())
        now = schedule.phases[0].to_dict()
        phases = [
            {
                "items": [{"price": snapshot.told["price"]}],
                "start_date": now["start_date"],
                "end_date": now["end_date"],
            },
            {"items": [{"price": price}], "duration": {"interval": interval}, "proration_behavior": "none"},
        ]
        await stripe.v1.subscription_schedules.update_async(schedule.id, {"phases": phases, "end_behavior": "release"}, _once())


async def release(stripe: Stripe, snapshot: Snapshot) -> None:
    """Takes back what was to change at the end of the period."""
    if snapshot.schedule:
        with told(raced=True):
            await stripe.v1.subscription_schedules.release_async(snapshot.schedule, {}, _once())


async def end_later(stripe: Stripe, subscription: str, *, ends: bool, details: dict[str, Any] | None = None) -> None:
    """Whether it ends with the period."""
    params = {"cancel_at_period_end": ends, **({"cancellation_details": details} if details else {})}
    with told(raced=True):
        await stripe.v1.subscriptions.update_async(subscription, params, _once())


async def end_now(stripe: Stripe, snapshot: Snapshot, details: dict[str, Any] | None = None) -> None:
    """Without what is due, which comes first: once nobody can pay it any more, nothing is paid for what ends."""
    with told(raced=True):
        if snapshot.latest_invoice and snapshot.status in DUE:
            await stripe.v1.invoices.void_invoice_async(snapshot.latest_invoice, {}, _once())
        await stripe.v1.subscriptions.cancel_async(snapshot.id, {"cancellation_details": details} if details else {}, _once())


async def invoice_of(stripe: Stripe, intent: str) -> tuple[str, str] | None:
    """The invoice that an intent pays, and the subscription that it is of."""
    params = {"payment": {"type": "payment_intent", "payment_intent": intent}, "expand": ["data.invoice"]}
    with told():
        paid = (await stripe.v1.invoice_payments.list_async(params)).data
    subscription = subscription_of("invoice.", paid[0].invoice.to_dict()) if paid else None
    return (str(paid[0].invoice.id), subscription) if subscription else None


async def told_since(stripe: Stripe, since: datetime) -> AsyncIterator[tuple[str, str | None, str | None]]:
    """The events since then, with the subscription that each is of, or the intent that was refunded."""
    for kind in (*CHANGES, REFUNDED):
        with told():
            page = await stripe.v1.events.list_async({"type": kind, "created": {"gte": int(since.timestamp())}, "limit": 100})
            async for event in page.auto_paging_iter():
                about = event.data.object.to_dict()
                yield event.id, subscription_of(kind, about), about.get("payment_intent") if kind == REFUNDED else None


def _snapshot(found: Any, invoices: list[Any], intent: Intent | None, card: Any) -> Snapshot:
    [item] = found["items"].data
    latest = found.latest_invoice
    return Snapshot(
        told={
            "subscription": found.id,
            "status": found.status,
            "price": item.price.id,
            "next_price": _next_price(found),
            "trial_end": found.trial_end,
            "period_start": item.current_period_start,
            "period_end": item.current_period_end,
            "cancel_at": found.cancel_at,
            "ended_at": found.ended_at,
            "invoices": [_invoice(invoice) for invoice in invoices],
        },
        item=item.id,
        schedule=found.schedule and found.schedule.id,
        latest_invoice=latest and latest.id,
        intent=intent,
        card={"card_brand": card.brand, "card_last4": card.last4} if card else {},
    )


def _next_price(found: Any) -> str | None:
    """What a schedule has for the next period."""
    if not found.schedule or not found.schedule.current_phase:
        return None
    begun = found.schedule.current_phase.start_date
    following = [phase for phase in found.schedule.phases if phase.start_date > begun]
    return str(following[0].to_dict()["items"][0]["price"]) if following else None


def _intent_of(invoice: Any) -> str | None:
    payments = [] if invoice is None else invoice.payments.data
    intents = [payment.payment.payment_intent for payment in payments if payment.payment.type == "payment_intent"]
    return str(intents[0]) if intents else None


def _invoice(invoice: Any) -> dict[str, Any]:
    line = invoice.lines.data[-1]
    return {
        "id": invoice.id,
        "number": invoice.number,
        "status": invoice.status,
        "reason": invoice.billing_reason,
        "price": line.pricing.price_details.price,
        "total": invoice.total,
        "paid": invoice.amount_paid,
        "currency": invoice.currency.upper(),
        "period_start": line.period.start,
        "period_end": line.period.end,
        "url": invoice.hosted_invoice_url,
        "created": invoice.created,
        "paid_at": invoice.status_transitions.paid_at,
    }
