"""Prices: what a product costs, once or every so often."""

from unpuzzle_server.embedded_stripe import products
from unpuzzle_server.embedded_stripe.currencies import MOST, currency
from unpuzzle_server.embedded_stripe.errors import StripeError, missing
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import Object, Store, listed, new_id

URL = "/v1/prices"
LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}
"""Three years."""
BEHAVIORS = ("exclusive", "inclusive", "unspecified")
CREATING = ("currency", "unit_amount", "product", "product_data", "recurring", "tax_behavior", "billing_scheme")
CHANGING = ("active", "nickname", "metadata", "lookup_key", "transfer_lookup_key")


async def create(store: Store, form: Form) -> Object:
    form.only(*CREATING, *CHANGING)
    form.choice("billing_scheme", ("per_unit",))
    in_currency = currency(form)
    amount = form.integer("unit_amount")
    if amount is None:
        raise missing("unit_amount")
    if amount > MOST:
        raise StripeError("The amount is too large.", "amount_too_large", "unit_amount")
    price = _new(store, amount, in_currency, await _product(store, form), _recurring(form))
    price["tax_behavior"] = form.choice("tax_behavior", BEHAVIORS, "unspecified")
    await _apply(store, form, price)
    await store.emit("price.created", await store.add(price))
    return price


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await store.get("price", object_id)


async def update(store: Store, form: Form, object_id: str) -> Object:
    form.only(*CHANGING)
    price = await store.lock("price", object_id)
    before = dict(price)
    await _apply(store, form, price)
    await store.emit("price.updated", await store.save(price), before)
    return price


async def page(store: Store, form: Form) -> Object:
    form.only("active", "product", "type", "currency", "lookup_keys", "created", "limit", "starting_after", "ending_before")
    active = form.boolean("active") if "active" in form else None
    wanted = {"active": active, **{name: form.text(name) for name in ("product", "type", "currency")}}
    if "lookup_keys" not in form:
        return await store.page("price", URL, form, **wanted)
    known = {name: value for name, value in wanted.items() if value is not None}
    found = [price for key in form.texts("lookup_keys") for price in await store.holding("price", lookup_key=key, **known)]
    return listed(found, URL)


async def _product(store: Store, form: Form) -> str:
    data = form.part("product_data")
    data.only("name", "metadata")
    if not data:
        form.need("product")
        found = await store.named(form, "product", "product")
        assert found is not None, "it is needed"
        return str(found["id"])
    product = products.new(store, data.need("name"))
    product["metadata"] = data.metadata()
    await store.emit("product.created", await store.add(product))
    return str(product["id"])


def _recurring(form: Form) -> Object | None:
    given = form.part("recurring")
    if not given:
        return None
    given.only("interval", "interval_count", "usage_type")
    given.choice("usage_type", ("licensed",))
    given.need("interval")
    interval, count = given.choice("interval", LONGEST), given.integer("interval_count", 1) or 1
    if count > LONGEST[interval or "year"]:
        raise StripeError("The maximum interval is three years.", param="recurring[interval_count]")
    return {"interval": interval, "interval_count": count, "meter": None, "trial_period_days": None, "usage_type": "licensed"}


async def _apply(store: Store, form: Form, price: Object) -> None:
    price["active"] = form.boolean("active", price["active"])
    price["nickname"] = form.text("nickname") if "nickname" in form else price["nickname"]
    price["metadata"] = form.metadata(price["metadata"])
    if "lookup_key" in form:
        price["lookup_key"] = form.text("lookup_key")
        await _take_lookup_key(store, form, price)


async def _take_lookup_key(store: Store, form: Form, price: Object) -> None:
    holders = await store.holding("price", lookup_key=price["lookup_key"]) if price["lookup_key"] else []
    for holder in holders:
        if holder["id"] == price["id"]:
            continue
        if not form.boolean("transfer_lookup_key"):
            message = f"A price (`{holder['id']}`) already uses that lookup key."
            raise StripeError(message, "resource_already_exists", "lookup_key")
        await store.save({**holder, "lookup_key": None})


def _new(store: Store, amount: int, in_currency: str, product: str, recurring: Object | None) -> Object:
    return {
        "id": new_id("price"),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": store.now,
        "currency": in_currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product,
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }


ROUTES = {
    f"POST {URL}": create,
    f"GET {URL}": page,
    f"GET {URL}/{{object_id}}": retrieve,
    f"POST {URL}/{{object_id}}": update,
}
