"""Customers: who pays, and with what by default."""

from collections.abc import Awaitable, Callable

from unpuzzle_server.embedded_stripe.errors import StripeError
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.payment_methods import address, keep, resolve
from unpuzzle_server.embedded_stripe.store import Object, Store, new_id, secret

URL = "/v1/customers"
WORDS = ("description", "email", "name", "phone")
FIELDS = (*WORDS, "address", "invoice_settings", "metadata")
LONGEST_EMAIL = 512
LEAVING: list[Callable[[Store, Object], Awaitable[None]]] = []
"""What else ends with a customer."""


async def create(store: Store, form: Form) -> Object:
    form.only(*FIELDS, "payment_method")
    customer = _new(store)
    await _apply(store, form, customer)
    await store.emit("customer.created", await store.add(customer))
    if method := form.text("payment_method"):
        await keep(store, await resolve(store, method, "payment_method"), customer["id"])
    return customer


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await store.get("customer", object_id)


async def update(store: Store, form: Form, object_id: str) -> Object:
    form.only(*FIELDS)
    customer = await present(store, object_id)
    before = dict(customer)
    await _apply(store, form, customer)
    await store.emit("customer.updated", await store.save(customer), before)
    return customer


async def delete(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    customer = await present(store, object_id)
    for leave in LEAVING:
        await leave(store, customer)
    for method in await store.holding("payment_method", customer=object_id):
        await store.save({**method, "customer": None, "_spent": True})
    await store.emit("customer.deleted", customer)
    return await store.save({"id": object_id, "object": "customer", "deleted": True})


async def page(store: Store, form: Form) -> Object:
    form.only("email", "created", "limit", "starting_after", "ending_before")
    return await store.page("customer", URL, form, livemode=False, email=form.text("email"))


async def present(store: Store, customer_id: str) -> Object:
    """A customer who was not deleted, locked."""
    customer = await store.lock("customer", customer_id)
    if customer.get("deleted"):
        raise StripeError(f"No such customer: '{customer_id}'", "resource_missing", "id", status=404)
    return customer


async def _apply(store: Store, form: Form, customer: Object) -> None:
    customer.update({name: form.text(name) for name in WORDS if name in form})
    email = customer["email"]
    if email and ("@" not in email or len(email) > LONGEST_EMAIL):
        raise StripeError(f"Invalid email address: {email}", "email_invalid", "email")
    if "address" in form:
        customer["address"] = address(form)
    settings = form.part("invoice_settings")
    settings.only("default_payment_method")
    if method_id := settings.text("default_payment_method"):
        method = await store.get("payment_method", method_id, "invoice_settings[default_payment_method]", 400)
        if method["customer"] != customer["id"]:
            raise not_attached(method_id, "invoice_settings[default_payment_method]")
    if "default_payment_method" in settings:
        customer["invoice_settings"]["default_payment_method"] = method_id
    customer["metadata"] = form.metadata(customer["metadata"])


def not_attached(method_id: str, param: str) -> StripeError:
    message = f"The customer does not have a payment method with the ID {method_id}."
    return StripeError(f"{message} The payment method must be attached to the customer.", "resource_missing", param)


def _new(store: Store) -> Object:
    return {
        "id": new_id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "business_name": None,
        "created": store.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_prefix": secret(8).upper(),
        "invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None},
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


ROUTES = {
    f"POST {URL}": create,
    f"GET {URL}": page,
    f"GET {URL}/{{object_id}}": retrieve,
    f"POST {URL}/{{object_id}}": update,
    f"DELETE {URL}/{{object_id}}": delete,
}
