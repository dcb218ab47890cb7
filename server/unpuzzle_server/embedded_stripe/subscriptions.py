"""Subscriptions: begun, changed in the middle of a period to the cent, and ended."""

from copy import deepcopy

from unpuzzle_server.embedded_stripe import customers, cycles, invoices
from unpuzzle_server.embedded_stripe.customers import not_attached
from unpuzzle_server.embedded_stripe.errors import StripeError, missing
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import INCLUDED, Object, Store, listed, moment, new_id

URL = "/v1/subscriptions"
COMMON = (
    "default_payment_method", "items", "metadata", "payment_behavior", "payment_settings", "proration_behavior", "trial_end",
    "cancel_at_period_end", "off_session", "description", "collection_method",
)  # fmt: skip
BEHAVIORS = ("allow_incomplete", "default_incomplete", "error_if_incomplete")
PRORATIONS = ("always_invoice", "create_prorations", "none")
STATUSES = ("active", "canceled", "incomplete", "incomplete_expired", "past_due", "trialing")
FEEDBACK = (
    "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex", "too_expensive", "unused",
)  # fmt: skip
LONGEST_TRIAL = 730
MOST_OF_ONE = 999_999


async def create(store: Store, form: Form) -> Object:
    form.only(*COMMON, "customer", "trial_period_days")
    form.need("customer")
    customer = await store.named(form, "customer", "customer")
    assert customer is not None, "it is needed"
    subscription = _new(store, customer["id"])
    subscription["items"]["data"] = await _new_items(store, subscription, form)
    subscription["currency"] = _one_rhythm(subscription)
    behavior, off_session = _behavior(form), form.boolean("off_session")
    await _apply(store, form, subscription)
    trial_end = _trial_end(store, form)
    if trial_end:
        subscription.update(status="trialing", trial_start=store.now, trial_end=trial_end, billing_cycle_anchor=trial_end)
        subscription["_warned"] = trial_end - store.now < cycles.WARNING
    cycles.set_period(subscription, store.now, trial_end)
    if form.boolean("cancel_at_period_end"):
        _cancel_later(store, subscription)
    await store.add(subscription)
    await cycles.save(store, subscription)
    await store.emit("customer.subscription.created", subscription)
    charged = await (_trial_lines if trial_end else cycles.full_lines)(store, subscription)
    return await cycles.bill(store, subscription, "subscription_create", charged, behavior, off_session=off_session)


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await cycles.current(store, object_id)


async def page(store: Store, form: Form) -> Object:
    form.only("customer", "status", "price", "created", "limit", "starting_after", "ending_before")
    await cycles.catch_up(store)
    wanted: Object = {"customer": form.text("customer")}
    if price := form.text("price"):
        wanted["items"] = {"data": [{"price": {"id": price}}]}
    status = form.choice("status", (*STATUSES, "all"))
    if status is None:
        wanted["_ended"] = False
    elif status != "all":
        wanted["status"] = status
    return await store.page("subscription", URL, form, **wanted)


async def update(store: Store, form: Form, object_id: str) -> Object:
    form.only(*COMMON, "proration_date", "cancellation_details")
    subscription = await cycles.current(store, object_id, lock=True)
    if subscription["status"] in cycles.ENDED:
        message = "A canceled subscription can only update its cancellation_details and metadata."
        if set(form.fields) - {"metadata", "cancellation_details", "expand"}:
            raise StripeError(message)
    before = deepcopy(subscription)
    behavior, off_session = _behavior(form), form.boolean("off_session")
    await _apply(store, form, subscription)
    if "cancel_at_period_end" in form:
        _check_unscheduled(subscription)
        (_cancel_later if form.boolean("cancel_at_period_end") else _go_on)(store, subscription)
    charged, at_once, reason = await _change(store, form, subscription, before)
    await cycles.save(store, subscription, before)
    if not at_once:
        return subscription
    return await cycles.bill(store, subscription, reason, charged, behavior, off_session=off_session)


async def cancel(store: Store, form: Form, object_id: str) -> Object:
    form.only("cancellation_details")
    subscription = await cycles.current(store, object_id, lock=True)
    if subscription["status"] in cycles.ENDED:
        raise StripeError(f"No such subscription: '{object_id}'", "resource_missing", "id", status=404)
    return await cycles.end(store, subscription, "cancellation_requested", _cancellation(form))


async def leave(store: Store, customer: Object) -> None:
    """Of a customer who is deleted, nothing goes on."""
    for subscription in await store.holding("subscription", customer=customer["id"], _ended=False):
        await cycles.end(store, await store.lock("subscription", subscription["id"]), "cancellation_requested")


async def _change(store: Store, form: Form, subscription: Object, before: Object) -> tuple[list[Object], bool, str]:
    """New items and the end of a trial; answers what is to be charged, whether now, and why."""
    behavior = form.choice("proration_behavior", PRORATIONS, "create_prorations")
    trial_was = subscription["status"] == "trialing"
    if "items" in form:
        await _change_items(store, form, subscription)
    trial_ends = trial_was and form.text("trial_end") == "now"
    if "trial_end" in form and not trial_ends:
        _move_trial(store, form, subscription)
    if rhythm(subscription) != rhythm(before) or trial_ends:
        credited = [] if trial_was or behavior == "none" else await _prorated(store, form, before, subscription, charge=False)
        _restart(store, subscription, keeps_trial=trial_was and not trial_ends)
        if trial_was and not trial_ends:
            return [], False, ""
        return [*subscription["_pending"], *credited, *await cycles.full_lines(store, subscription)], True, "subscription_update"
    if "items" not in form or trial_was or behavior == "none" or subscription["status"] == "incomplete":
        return [], False, ""
    changes = await _prorated(store, form, before, subscription, charge=True)
    subscription["_pending"] = [*subscription["_pending"], *changes]
    return subscription["_pending"], behavior == "always_invoice" and bool(changes), "subscription_update"


async def _prorated(store: Store, form: Form, before: Object, after: Object, *, charge: bool) -> list[Object]:
    """What is left of the period: what was paid for it goes back, what it costs now comes on."""
    start, ending = cycles.period(before)
    when = form.integer("proration_date") or store.now
    if not start <= when <= ending:
        message = "Cannot specify `proration_date` outside of the current period."
        raise StripeError(message, param="proration_date")
    was = {item["id"]: item for item in before["items"]["data"]}
    now = {item["id"]: item for item in after["items"]["data"]}
    same = [item_id for item_id in was.keys() & now.keys() if charge and _cost(was[item_id]) == _cost(now[item_id])]
    lines = []
    for sign, items in ((-1, was), (1, now if charge else {})):
        for item in (item for item_id, item in items.items() if item_id not in same):
            amount = sign * share(item["price"]["unit_amount"] * item["quantity"], ending - when, ending - start)
            words = "Unused time on" if sign < 0 else "Remaining time on"
            name = await cycles.product_name(store, item["price"])
            told = f"{words} {item['quantity']} × {name} after {moment(when):%-d %b %Y}"
            lines.append(invoices.line(after, item, amount, told, (when, ending), proration=True))
    return lines


def share(amount: int, part: int, whole: int) -> int:
    """A part of an amount, rounded to the nearest unit."""
    return (2 * amount * part + whole) // (2 * whole)


def _cost(item: Object) -> tuple[str, int]:
    return item["price"]["id"], item["quantity"]


def rhythm(subscription: Object) -> tuple[str, int]:
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    return recurring["interval"], recurring["interval_count"]


def _restart(store: Store, subscription: Object, *, keeps_trial: bool) -> None:
    """A new period from now on; in a trial the first one begins when that ends."""
    if keeps_trial:
        return
    if subscription["status"] == "trialing":
        subscription.update(status="active", trial_end=store.now)
    subscription["billing_cycle_anchor"] = store.now
    cycles.set_period(subscription, store.now)


def _move_trial(store: Store, form: Form, subscription: Object) -> None:
    trial_end = _trial_end(store, form)
    if trial_end is None or subscription["status"] != "trialing":
        raise StripeError("Only a trial that goes on can be moved or, with `now`, ended.", param="trial_end")
    subscription.update(trial_end=trial_end, billing_cycle_anchor=trial_end, _warned=trial_end - store.now < cycles.WARNING)
    cycles.set_period(subscription, cycles.period(subscription)[0], trial_end)


async def _change_items(store: Store, form: Form, subscription: Object) -> None:
    """Items with an id are changed or deleted, others come on."""
    items = {item["id"]: item for item in subscription["items"]["data"]}
    for given in form.parts("items"):
        given.only("id", "price", "quantity", "deleted", "metadata")
        item_id = given.text("id")
        if item_id is None:
            item = await _item(store, subscription, given)
            items[item["id"]] = item
        elif item_id not in items:
            raise StripeError(f"No such subscription item: '{item_id}'", "resource_missing", given.name("id"))
        elif given.boolean("deleted"):
            del items[item_id]
        else:
            items[item_id] = await _changed(store, given, items[item_id])
    if not items:
        raise StripeError("A subscription must have at least one item.", param="items")
    start, ending = cycles.period(subscription)
    subscription["items"]["data"] = [
        {**item, "current_period_start": start, "current_period_end": ending} for item in items.values()
    ]
    _one_rhythm(subscription)


async def _changed(store: Store, given: Form, item: Object) -> Object:
    price = await recurring_price(store, given) if "price" in given else item["price"]
    quantity = given.integer("quantity", 1, MOST_OF_ONE) or item["quantity"]
    return {**item, "price": price, "plan": plan(price), "quantity": quantity, "metadata": given.metadata(item["metadata"])}


async def _new_items(store: Store, subscription: Object, form: Form) -> list[Object]:
    given = form.parts("items")
    if not given:
        raise missing("items")
    for part in given:
        part.only("price", "quantity", "metadata")
    return [await _item(store, subscription, part) for part in given]


async def _item(store: Store, subscription: Object, given: Form) -> Object:
    price = await recurring_price(store, given)
    return {
        "id": new_id("si"),
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": store.now,
        "current_period_end": store.now,
        "current_period_start": store.now,
        "discounts": [],
        "metadata": given.metadata(),
        "plan": plan(price),
        "price": price,
        "quantity": given.integer("quantity", 1, MOST_OF_ONE) or 1,
        "subscription": subscription["id"],
        "tax_rates": [],
    }


async def recurring_price(store: Store, given: Form) -> Object:
    given.need("price")
    price = await store.named(given, "price", "price")
    assert price is not None, "it is needed"
    if not price["active"]:
        message = f"The price specified is inactive. This field only accepts active prices. ({price['id']})"
        raise StripeError(message, param=given.name("price"))
    if not price["recurring"]:
        message = "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`."
        raise StripeError(message, param=given.name("price"))
    return price


def _one_rhythm(subscription: Object) -> str:
    """The currency of all items, which have one interval too."""
    prices = [item["price"] for item in subscription["items"]["data"]]
    rhythms = {(price["currency"], price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices}
    if len(rhythms) > 1:
        raise StripeError("All prices of a subscription must have the same currency and interval.", param="items")
    if len({price["id"] for price in prices}) < len(prices):
        raise StripeError("A subscription has each price once: change its item's quantity.", param="items")
    return str(prices[0]["currency"])


def plan(price: Object) -> Object:
    copied = (
        "id",
        "active",
        "billing_scheme",
        "created",
        "currency",
        "livemode",
        "metadata",
        "nickname",
        "product",
        "tiers_mode",
    )
    nothing = dict.fromkeys(("meter", "transform_usage", "trial_period_days"))
    recurring = {name: price["recurring"][name] for name in ("interval", "interval_count", "usage_type")}
    amounts = {"amount": price["unit_amount"], "amount_decimal": price["unit_amount_decimal"]}
    return {**{name: price[name] for name in copied}, "object": "plan", **amounts, **nothing, **recurring}


async def _apply(store: Store, form: Form, subscription: Object) -> None:
    form.choice("collection_method", ("charge_automatically",))
    if method := await store.named(form, "payment_method", "default_payment_method"):
        if method["customer"] != subscription["customer"]:
            raise not_attached(method["id"], "default_payment_method")
        subscription["default_payment_method"] = method["id"]
    settings = form.part("payment_settings")
    settings.only("save_default_payment_method", "payment_method_types")
    if "save_default_payment_method" in settings:
        saves = settings.choice("save_default_payment_method", ("off", "on_subscription"))
        subscription["payment_settings"] = {**subscription["payment_settings"], "save_default_payment_method": saves}
    subscription["description"] = form.text("description") if "description" in form else subscription["description"]
    subscription["metadata"] = form.metadata(subscription["metadata"])
    subscription["cancellation_details"] = {**subscription["cancellation_details"], **_cancellation(form)}


def _behavior(form: Form) -> str:
    form.choice("proration_behavior", PRORATIONS)
    return form.choice("payment_behavior", BEHAVIORS, "allow_incomplete") or "allow_incomplete"


def _cancellation(form: Form) -> Object:
    given = form.part("cancellation_details")
    given.only("comment", "feedback")
    given.choice("feedback", FEEDBACK)
    return {name: given.text(name) for name in given.fields}


def _trial_end(store: Store, form: Form) -> int | None:
    if "trial_period_days" in form and "trial_end" in form:
        raise StripeError("You may only specify one of these parameters: trial_end, trial_period_days.")
    if form.text("trial_end") == "now":
        return None
    days = form.integer("trial_period_days")
    ending = store.now + days * cycles.DAY if days else form.integer("trial_end")
    if ending is not None and not store.now < ending <= store.now + LONGEST_TRIAL * cycles.DAY:
        raise StripeError("The end of a trial must be in the future, by two years at most.", param="trial_end")
    return ending


async def _trial_lines(store: Store, subscription: Object) -> list[Object]:
    lines = []
    for item in subscription["items"]["data"]:
        told = f"Trial period for {await cycles.product_name(store, item['price'])}"
        lines.append(invoices.line(subscription, item, 0, told, cycles.period(subscription), proration=False))
    return lines


def _check_unscheduled(subscription: Object) -> None:
    if subscription["schedule"]:
        message = f"The subscription is managed by the subscription schedule `{subscription['schedule']}`, and updating any"
        raise StripeError(f"{message} cancelation behavior directly is not allowed. Please update the schedule instead.")


def _cancel_later(store: Store, subscription: Object) -> None:
    subscription.update(cancel_at_period_end=True, cancel_at=cycles.period(subscription)[1], canceled_at=store.now)
    subscription["cancellation_details"] = {**subscription["cancellation_details"], "reason": "cancellation_requested"}


def _go_on(store: Store, subscription: Object) -> None:
    subscription.update(cancel_at_period_end=False, cancel_at=None, canceled_at=None)
    subscription["cancellation_details"] = {"comment": None, "feedback": None, "reason": None}


def _new(store: Store, customer: str) -> Object:
    nothing = (
        "application", "application_fee_percent", "billing_cycle_anchor_config", "billing_thresholds", "cancel_at", "canceled_at",
        "customer_account", "days_until_due", "default_payment_method", "default_source", "description", "ended_at",
        "latest_invoice", "next_pending_invoice_item_invoice", "on_behalf_of", "pause_collection",
        "pending_invoice_item_interval", "pending_setup_intent", "pending_update", "schedule", "test_clock", "transfer_data",
        "trial_end", "trial_start",
    )  # fmt: skip
    subscription_id = new_id("sub")
    return {
        "id": subscription_id,
        "object": "subscription",
        **dict.fromkeys(nothing),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": store.now,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": store.now,
        "currency": None,
        "customer": customer,
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {**listed([], f"/v1/subscription_items?subscription={subscription_id}"), "total_count": 1},
        "livemode": False,
        "metadata": {},
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "start_date": store.now,
        "status": "incomplete",
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "_ended": False,
        "_pending": [],
        "_retries": [],
        "_warned": True,
    }


async def _of_customer(store: Store, customer: Object) -> Object:
    found = await store.holding("subscription", customer=customer["id"], _ended=False)
    return listed(found[::-1], f"/v1/customers/{customer['id']}/subscriptions")


customers.LEAVING.append(leave)
INCLUDED["customer", "subscriptions"] = _of_customer
ROUTES = {
    f"POST {URL}": create,
    f"GET {URL}": page,
    f"GET {URL}/{{object_id}}": retrieve,
    f"POST {URL}/{{object_id}}": update,
    f"DELETE {URL}/{{object_id}}": cancel,
}
