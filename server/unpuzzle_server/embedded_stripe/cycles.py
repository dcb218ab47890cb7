"""What time does to a subscription: trials end, periods follow each other, what was not paid is tried again and given up."""

from calendar import monthrange
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import datetime
from itertools import count

from unpuzzle_server.embedded_stripe import invoices
from unpuzzle_server.embedded_stripe.currencies import money
from unpuzzle_server.embedded_stripe.errors import Declined
from unpuzzle_server.embedded_stripe.store import Object, Store, moment
from unpuzzle_server.kernel.database import Database

HOUR, DAY = 3600, 86400
TIME_TO_COMPLETE = 23 * HOUR
"""How long a subscription may wait for its first payment."""
WARNING = 3 * DAY
"""How long before its end a trial's customer is told."""
RETRIES = (3 * DAY, 5 * DAY, 7 * DAY)
"""When a renewal that failed is tried again; after the last of them the subscription is canceled."""
MONTHS = {"month": 1, "year": 12}
DAYS = {"day": 1, "week": 7}
ENDED = ("canceled", "incomplete_expired")
Following = Callable[[Store, Object], Awaitable[None]]
BEGINNING: list[Following] = []
"""What else happens as a period begins, before it is charged."""
ENDING: list[Following] = []
"""What else ends with a subscription."""


async def advance(database: Database, base_url: str) -> int:
    """Does everything that is due, one change to a transaction; answers how many there were."""
    for done in count():
        async with database.transaction(None) as tx:
            store = Store(tx, base_url)
            if (subscription := await store.due()) is None:
                return done
            await step(store, subscription)
    raise AssertionError("counting does not end")


async def current(store: Store, object_id: str, *, lock: bool = False) -> Object:
    """A subscription as it is by now."""
    subscription = await store.get("subscription", object_id, lock=lock)
    while _is_due(store, subscription):
        subscription = await store.get("subscription", object_id, lock=True)
        if _is_due(store, subscription):  # still, now that nobody else is at it
            await step(store, subscription)
            subscription = await store.get("subscription", object_id)
    return subscription


def _is_due(store: Store, subscription: Object) -> bool:
    return subscription["_due"] is not None and subscription["_due"] <= store.now


async def catch_up(store: Store) -> None:
    """Before lists: whatever is due."""
    while (subscription := await store.due()) is not None:
        await step(store, subscription)


async def step(store: Store, subscription: Object) -> None:
    """The next change, at the moment that it was due."""
    store.at = subscription["_due"]
    try:
        match subscription["status"]:
            case "incomplete":
                await _expire(store, subscription)
            case "trialing" if not subscription["_warned"] and store.now < subscription["trial_end"]:
                await _warn(store, subscription)
            case "past_due" if subscription["_retries"] and subscription["_retries"][0] <= store.now:
                await _retry(store, subscription)
            case _ if subscription["cancel_at_period_end"]:
                await end(store, subscription, "cancellation_requested")
            case _:
                await renew(store, subscription)
    finally:
        store.at = None


async def save(store: Store, subscription: Object, before: Object | None = None) -> Object:
    """Keeps it with the moment of its next change, and tells of this one."""
    subscription.update(_due=_next_change(subscription), _ended=subscription["status"] in ENDED)
    await store.save(subscription)
    if before is not None:
        await store.emit("customer.subscription.updated", subscription, before)
    return subscription


async def end(store: Store, subscription: Object, reason: str | None, details: Object | None = None) -> Object:
    """It is over now."""
    if subscription["status"] == "incomplete":
        await _drop_open(store, subscription)
    subscription.update(status="canceled", ended_at=store.now, canceled_at=subscription["canceled_at"] or store.now)
    subscription["cancellation_details"] = {**subscription["cancellation_details"], **(details or {}), "reason": reason}
    subscription.update(_pending=[], _retries=[])
    for follow in ENDING:
        await follow(store, subscription)
    await save(store, subscription)
    await store.emit("customer.subscription.deleted", subscription)
    return subscription


async def renew(store: Store, subscription: Object) -> None:
    """The next period, with its invoice."""
    before = deepcopy(subscription)
    start = subscription["trial_end"] if subscription["status"] == "trialing" else period(subscription)[1]
    for begin in BEGINNING:
        await begin(store, subscription)
    set_period(subscription, start)
    subscription["status"] = "active" if subscription["status"] == "trialing" else subscription["status"]
    await save(store, subscription, before)
    charged = [*subscription["_pending"], *await full_lines(store, subscription)]
    await bill(store, subscription, "subscription_cycle", charged, "allow_incomplete", off_session=True)


async def bill(
    store: Store, subscription: Object, reason: str, charged: list[Object], behavior: str, *, off_session: bool
) -> Object:
    """Issues an invoice and has it paid as the behaviour says; answers the subscription as it is then."""
    invoice = await invoices.issue(store, subscription, reason, charged, period(subscription))
    subscription.update(latest_invoice=invoice["id"], _pending=[])
    await save(store, subscription)
    if invoice["status"] == "paid":
        await invoice_settled(store, invoice)
    elif behavior == "default_incomplete":
        await _wait(store, invoice)
    else:
        await _collect(store, invoice, behavior, off_session=off_session)
    return await store.get("subscription", subscription["id"])


async def invoice_settled(store: Store, invoice: Object) -> None:
    """What an invoice that was paid, or was not, means for its subscription."""
    subscription = await store.lock("subscription", invoice["parent"]["subscription_details"]["subscription"])
    before = dict(subscription)
    if invoice["status"] == "paid":
        await _keep_method(store, subscription, invoice)
        left = await store.holding(
            "invoice", status="open", parent={"subscription_details": {"subscription": subscription["id"]}}
        )
        if subscription["status"] in ("incomplete", "past_due") and not left:
            subscription.update(status="active", _retries=[])
    elif subscription["status"] in ("active", "trialing"):
        subscription.update(status="past_due", _retries=[store.now + wait for wait in RETRIES])
        invoice["next_payment_attempt"] = subscription["_retries"][0]
        await store.save(invoice)
    changed = subscription["status"] != before["status"]
    await save(store, subscription, before if changed else None)


async def full_lines(store: Store, subscription: Object) -> list[Object]:
    """What the whole of the current period costs."""
    lines = []
    for item in subscription["items"]["data"]:
        price, quantity = item["price"], item["quantity"]
        recurring = price["recurring"]
        every = f"every {recurring['interval_count']} {recurring['interval']}s" if recurring["interval_count"] > 1 else (
            f"/ {recurring['interval']}"
        )  # fmt: skip
        each = money(price["unit_amount"], price["currency"])
        told = f"{quantity} × {await product_name(store, price)} (at {each} {every})"
        amount = price["unit_amount"] * quantity
        lines.append(invoices.line(subscription, item, amount, told, period(subscription), proration=False))
    return lines


async def product_name(store: Store, price: Object) -> str:
    return str((await store.get("product", price["product"]))["name"])


def period(subscription: Object) -> tuple[int, int]:
    item = subscription["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]


def set_period(subscription: Object, start: int, until: int | None = None) -> None:
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    ending = until or period_end(subscription["billing_cycle_anchor"], recurring, start)
    for item in subscription["items"]["data"]:
        item.update(current_period_start=start, current_period_end=ending)


def period_end(anchor: int, recurring: Object, start: int) -> int:
    """The first moment after the start that is a whole number of intervals from the anchor; short months end early."""
    interval, step_by = str(recurring["interval"]), int(recurring["interval_count"])
    if interval in DAYS:
        length = DAYS[interval] * step_by * DAY
        return anchor + ((start - anchor) // length + 1) * length
    months = MONTHS[interval] * step_by
    first, last = moment(anchor), moment(start)
    passed: int = (last.year - first.year) * 12 + last.month - first.month
    ends = (int(_months_after(first, months * times).timestamp()) for times in count(max(0, passed // months)))
    return next(ending for ending in ends if ending > start)


def _months_after(anchor: datetime, months: int) -> datetime:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, monthrange(year, month + 1)[1]))


def _next_change(subscription: Object) -> int | None:
    match subscription["status"]:
        case "incomplete":
            moments = [subscription["created"] + TIME_TO_COMPLETE]
        case "trialing":
            warning = max(subscription["trial_end"] - WARNING, subscription["created"] + 1)
            moments = [subscription["trial_end"] if subscription["_warned"] else warning]
        case "active":
            moments = [period(subscription)[1]]
        case "past_due":
            moments = [period(subscription)[1], *subscription["_retries"]]
        case _:
            return None
    return int(min(moments))


async def _expire(store: Store, subscription: Object) -> None:
    before = dict(subscription)
    await _drop_open(store, subscription)
    subscription.update(status="incomplete_expired", ended_at=store.now)
    await save(store, subscription, before)


async def _warn(store: Store, subscription: Object) -> None:
    subscription["_warned"] = True
    await save(store, subscription)
    await store.emit("customer.subscription.trial_will_end", subscription)


async def _retry(store: Store, subscription: Object) -> None:
    """Once more; when it was the last time, the subscription ends."""
    subscription["_retries"] = subscription["_retries"][1:]
    await save(store, subscription)
    invoice = await store.lock("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        invoice["next_payment_attempt"] = next(iter(subscription["_retries"]), None)
        await _collect(store, invoice, "allow_incomplete", off_session=True)
    subscription = await store.lock("subscription", subscription["id"])
    if subscription["status"] == "past_due" and not subscription["_retries"]:
        invoice = await store.lock("invoice", subscription["latest_invoice"])
        await store.save({**invoice, "auto_advance": False})
        await end(store, subscription, "payment_failed")


async def _collect(store: Store, invoice: Object, behavior: str, *, off_session: bool) -> None:
    method = await invoices.usual_method(store, invoice)
    if method is None and store.at:  # nobody is there to be told
        await invoices.unpaid(store, invoice)
        return
    refusal = await invoices.attempt(store, invoice, method, off_session=off_session)
    if behavior != "error_if_incomplete" or invoice["status"] == "paid":
        return
    if refusal is None:
        message = "Payment for this subscription requires additional user action before it can be completed successfully."
        refusal = Declined(message, "subscription_payment_intent_requires_action")
    refusal.kept = False
    raise refusal


async def _wait(store: Store, invoice: Object) -> None:
    """The payer is to confirm the payment intent, with what is known to be theirs if that is so."""
    if method := await invoices.usual_method(store, invoice):
        await invoices.prepare(store, invoice, method)


async def _keep_method(store: Store, subscription: Object, invoice: Object) -> None:
    """What the first payment was made with pays the others too, where that was asked for."""
    settings = subscription["payment_settings"]
    if "_intent" in invoice and settings["save_default_payment_method"] == "on_subscription":
        intent = await store.get("payment_intent", invoice["_intent"])
        subscription["default_payment_method"] = subscription["default_payment_method"] or intent["payment_method"]


async def _drop_open(store: Store, subscription: Object) -> None:
    invoice = await store.lock("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        await invoices.drop(store, invoice)


invoices.SETTLED.append(invoice_settled)
