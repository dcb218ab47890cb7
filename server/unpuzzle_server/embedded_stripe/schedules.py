"""Schedules of subscriptions: what is to change when the present period ends."""

from unpuzzle_server.embedded_stripe import cycles, subscriptions
from unpuzzle_server.embedded_stripe.errors import StripeError, missing
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import Object, Store, new_id

URL = "/v1/subscription_schedules"
LIVE = ("not_started", "active")
PRORATIONS = ("always_invoice", "create_prorations", "none")


async def create(store: Store, form: Form) -> Object:
    form.only("from_subscription")
    form.need("from_subscription")
    named = await store.named(form, "subscription", "from_subscription")
    assert named is not None, "it is needed"
    subscription = await cycles.current(store, named["id"], lock=True)
    if subscription["schedule"]:
        message = f"You cannot migrate a subscription that is already attached to a schedule: `{subscription['schedule']}`."
        raise StripeError(message, param="from_subscription")
    if subscription["status"] in cycles.ENDED:
        raise StripeError("You cannot migrate a subscription that has ended.", param="from_subscription")
    schedule = await store.add(_new(store, subscription))
    await _attach(store, subscription, schedule["id"])
    await store.emit("subscription_schedule.created", schedule)
    return schedule


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await store.get("subscription_schedule", object_id)


async def update(store: Store, form: Form, object_id: str) -> Object:
    form.only("phases", "end_behavior", "metadata", "proration_behavior")
    form.choice("end_behavior", ("release",))
    form.choice("proration_behavior", PRORATIONS)
    schedule = await _live(store, object_id)
    before = dict(schedule)
    if "phases" in form:
        schedule["phases"] = await _phases(store, form, schedule)
    schedule["metadata"] = form.metadata(schedule["metadata"])
    await store.emit("subscription_schedule.updated", await store.save(schedule), before)
    return schedule


async def release(store: Store, form: Form, object_id: str) -> Object:
    form.only("preserve_cancel_date")
    schedule = await _live(store, object_id)
    await _attach(store, await store.lock("subscription", schedule["subscription"]), None)
    return await _released(store, schedule)


async def begin_phase(store: Store, subscription: Object) -> None:
    """As a period begins: what the schedule has for it. One without anything more lets the subscription go."""
    if subscription["schedule"] is None:
        return
    schedule = await store.lock("subscription_schedule", subscription["schedule"])
    following = [phase for phase in schedule["phases"] if phase["start_date"] > schedule["current_phase"]["start_date"]]
    if not following:
        subscription["schedule"] = None
        await _released(store, schedule)
        return
    before = dict(schedule)
    phase = following[0]
    await _take_over(store, subscription, phase)
    schedule["current_phase"] = {name: phase[name] for name in ("start_date", "end_date")}
    await store.emit("subscription_schedule.updated", await store.save(schedule), before)


async def cancel(store: Store, subscription: Object) -> None:
    """With its subscription."""
    if subscription["schedule"]:
        schedule = await store.lock("subscription_schedule", subscription["schedule"])
        schedule.update(status="canceled", canceled_at=store.now, current_phase=None)
        await store.emit("subscription_schedule.canceled", await store.save(schedule))


async def _take_over(store: Store, subscription: Object, phase: Object) -> None:
    rhythm = subscriptions.rhythm(subscription)
    old = subscription["items"]["data"]
    items = []
    for number, wanted in enumerate(phase["items"]):
        price = await store.get("price", wanted["price"])
        base = old[number] if number < len(old) else {**old[0], "id": new_id("si"), "created": store.now}
        items.append({**base, "price": price, "plan": subscriptions.plan(price), "quantity": wanted["quantity"]})
    subscription["items"] = {**subscription["items"], "data": items}
    if subscriptions.rhythm(subscription) != rhythm:
        subscription["billing_cycle_anchor"] = store.now


async def _live(store: Store, object_id: str) -> Object:
    schedule = await store.lock("subscription_schedule", object_id)
    if schedule["status"] not in LIVE:
        message = f"You cannot change a subscription schedule that is `{schedule['status']}`."
        raise StripeError(f"{message} Only those that are `not_started` or `active` can be changed.")
    return schedule


async def _phases(store: Store, form: Form, schedule: Object) -> list[Object]:
    """The present one, which stays where it began, and those that follow it without a gap."""
    phases: list[Object] = []
    for part in form.parts("phases"):
        part.only("items", "start_date", "end_date", "duration", "proration_behavior", "metadata")
        start = phases[-1]["end_date"] if phases else schedule["current_phase"]["start_date"]
        if (part.integer("start_date") or start) != start:
            raise StripeError("The start date of a phase is the end date of the one before.", param=part.name("start_date"))
        items = [await _item(store, given) for given in part.parts("items")]
        if not items:
            raise missing(part.name("items"))
        ending = await _end(store, part, items, start)
        proration = part.choice("proration_behavior", PRORATIONS, "create_prorations")
        phases.append(_phase(items, schedule["_currency"], start, ending, proration, part.metadata()))
    if not phases:
        raise missing("phases")
    return phases


async def _end(store: Store, part: Form, items: list[Object], start: int) -> int:
    duration = part.part("duration")
    duration.only("interval", "interval_count")
    if ("end_date" in part) == bool(duration):
        raise StripeError("You must give one of `duration` and `end_date` for each phase.", param=part.name("end_date"))
    if duration:
        duration.need("interval")
        interval = duration.choice("interval", ("day", "week", "month", "year"))
        recurring = {"interval": interval, "interval_count": duration.integer("interval_count", 1) or 1}
        return cycles.period_end(start, recurring, start)
    ending = part.integer("end_date") or 0
    if ending <= start:
        raise StripeError("The end date of a phase comes after its start date.", param=part.name("end_date"))
    return ending


async def _item(store: Store, given: Form) -> Object:
    given.only("price", "quantity")
    price = await subscriptions.recurring_price(store, given)
    return _phase_item(price["id"], given.integer("quantity", 1, subscriptions.MOST_OF_ONE) or 1)


def _phase_item(price: str, quantity: int) -> Object:
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": {},
        "plan": price,
        "price": price,
        "quantity": quantity,
        "tax_rates": [],
    }


def _phase(items: list[Object], currency: str, start: int, end: int, proration: str | None, metadata: dict[str, str]) -> Object:
    nothing = (
        "application_fee_percent", "billing_cycle_anchor", "billing_thresholds", "collection_method", "default_payment_method",
        "description", "invoice_settings", "on_behalf_of", "transfer_data", "trial_end",
    )  # fmt: skip
    return {
        **dict.fromkeys(nothing),
        "add_invoice_items": [],
        "currency": currency,
        "default_tax_rates": [],
        "discounts": [],
        "end_date": end,
        "items": items,
        "metadata": metadata,
        "proration_behavior": proration,
        "start_date": start,
    }


async def _attach(store: Store, subscription: Object, schedule: str | None) -> None:
    before = dict(subscription)
    await cycles.save(store, {**subscription, "schedule": schedule}, before)


async def _released(store: Store, schedule: Object) -> Object:
    held = schedule["subscription"]
    schedule.update(status="released", released_at=store.now, released_subscription=held, subscription=None, current_phase=None)
    await store.emit("subscription_schedule.released", await store.save(schedule))
    return schedule


def _new(store: Store, subscription: Object) -> Object:
    start, ending = cycles.period(subscription)
    items = [_phase_item(item["price"]["id"], item["quantity"]) for item in subscription["items"]["data"]]
    nothing = (
        "application",
        "canceled_at",
        "completed_at",
        "customer_account",
        "released_at",
        "released_subscription",
        "test_clock",
    )
    return {
        "id": new_id("sub_sched"),
        "object": "subscription_schedule",
        **dict.fromkeys(nothing),
        "billing_mode": subscription["billing_mode"],
        "created": store.now,
        "current_phase": {"start_date": start, "end_date": ending},
        "customer": subscription["customer"],
        "default_settings": {
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": None,
            "description": None,
            "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}},
            "on_behalf_of": None,
            "transfer_data": None,
        },
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "phases": [_phase(items, subscription["currency"], start, ending, "create_prorations", {})],
        "status": "active",
        "subscription": subscription["id"],
        "_currency": subscription["currency"],
    }


cycles.BEGINNING.append(begin_phase)
cycles.ENDING.append(cancel)
ROUTES = {
    f"POST {URL}": create,
    f"GET {URL}/{{object_id}}": retrieve,
    f"POST {URL}/{{object_id}}": update,
    f"POST {URL}/{{object_id}}/release": release,
}
