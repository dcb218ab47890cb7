"""Payment methods: cards, of which no more than the last digits is kept."""

from hashlib import sha256

from unpuzzle_server.embedded_stripe.cards import CARDS, Card, name_of_number
from unpuzzle_server.embedded_stripe.errors import Declined, StripeError, missing, no_such
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import Object, Store, moment, new_id

URL = "/v1/payment_methods"
DETAILS = ("name", "email", "phone", "address", "tax_id")
ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


async def create(store: Store, form: Form) -> Object:
    form.only("type", "card", "billing_details", "metadata", "allow_redisplay")
    if form.need("type") != "card":
        raise StripeError("Invalid type: this account takes cards only.", param="type")
    given = form.part("card")
    if not given:
        raise missing("card")
    given.only("token", "number", "exp_month", "exp_year", "cvc")
    if token := given.text("token"):
        name, until = token.removeprefix("tok_"), None
        if not token.startswith("tok_") or name not in CARDS:
            raise StripeError(f"No such token: '{token}'", "resource_missing", "card[token]")
    else:
        name, until = name_of_number(given.need("number")), _expiry(store, given)
    return await _add(store, name, until, billing_details(form), form.metadata())


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await resolve(store, object_id, "id", 404)


async def update(store: Store, form: Form, object_id: str) -> Object:
    form.only("billing_details", "metadata", "card", "allow_redisplay")
    method = await store.lock("payment_method", object_id)
    before = dict(method)
    if "billing_details" in form:
        method["billing_details"] = billing_details(form)
    method["metadata"] = form.metadata(method["metadata"])
    await store.emit("payment_method.updated", await store.save(method), before)
    return method


async def attach(store: Store, form: Form, object_id: str) -> Object:
    form.only("customer")
    form.need("customer")
    customer = await store.named(form, "customer", "customer")
    assert customer is not None, "it is needed"
    method = await resolve(store, object_id, "id", 404)
    if method["customer"] not in (None, customer["id"]):
        raise StripeError("The payment method you provided has already been attached to a customer.")
    if method.get("_spent"):
        raise StripeError(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, and may"
            " not be used again."
        )
    return await keep(store, method, customer["id"])


async def detach(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    method = await store.lock("payment_method", object_id)
    if method["customer"] is None:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise StripeError(message, "payment_method_unexpected_state")
    before = dict(method)
    method.update(customer=None, _spent=True)
    await store.emit("payment_method.detached", await store.save(method), before)
    return method


async def page(store: Store, form: Form) -> Object:
    form.only("customer", "type", "limit", "starting_after", "ending_before")
    customer = await store.named(form, "customer", "customer")
    return await store.page("payment_method", URL, form, customer=customer and customer["id"], type=form.text("type"))


async def page_of(store: Store, form: Form, customer: str) -> Object:
    form.only("type", "limit", "starting_after", "ending_before", "allow_redisplay")
    await store.get("customer", customer, "customer")
    return await store.page("payment_method", f"/v1/customers/{customer}/payment_methods", form, customer=customer)


async def resolve(store: Store, object_id: str, param: str, status: int = 400) -> Object:
    """The payment method that an id stands for; the names of test cards stand for a new one each time."""
    name = object_id.removeprefix("pm_card_")
    if object_id.startswith("pm_card_") and name in CARDS:
        return await _add(store, name, None, _details(Form({})), {})
    if not object_id.startswith("pm_"):
        raise no_such("payment_method", object_id, param, status)
    return await store.get("payment_method", object_id, param, status, lock=True)


async def keep(store: Store, method: Object, customer: str) -> Object:
    """Attaches it; the bank is asked, and may say no."""
    if not (card := card_of(method)).attaches:
        raise card.refusal()
    before = dict(method)
    method["customer"] = customer
    await store.save(method)
    if before["customer"] != customer:
        await store.emit("payment_method.attached", method)
    return method


def card_of(method: Object) -> Card:
    return CARDS[method["_card"]]


def billing_details(form: Form) -> Object:
    given = form.part("billing_details")
    given.only(*DETAILS)
    return _details(given)


def address(form: Form, name: str = "address") -> Object:
    given = form.part(name)
    given.only(*ADDRESS)
    return {field: given.text(field) for field in ADDRESS}


def _details(given: Form) -> Object:
    return {"address": address(given), **{name: given.text(name) for name in ("email", "name", "phone", "tax_id")}}


def _expiry(store: Store, given: Form) -> tuple[int, int]:
    given.need("exp_month"), given.need("exp_year")
    month, year = given.integer("exp_month") or 0, given.integer("exp_year") or 0
    year += 2000 if year < 100 else 0
    today = moment(store.now)
    if not 1 <= month <= 12:
        raise Declined("Your card's expiration month is invalid.", "invalid_expiry_month", "exp_month")
    if (year, month) < (today.year, today.month) or year > today.year + 50:
        raise Declined("Your card's expiration year is invalid.", "invalid_expiry_year", "exp_year")
    cvc = given.text("cvc")
    if cvc is not None and not (cvc.isascii() and cvc.isdigit() and 3 <= len(cvc) <= 4):
        raise Declined("Your card's security code is invalid.", "invalid_cvc", "cvc")
    return month, year


async def _add(store: Store, name: str, until: tuple[int, int] | None, details: Object, metadata: dict[str, str]) -> Object:
    month, year = until or (moment(store.now).month, moment(store.now).year + 1)
    return await store.add(
        {
            "id": new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": details,
            "card": _card(CARDS[name], month, year),
            "created": store.now,
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": metadata,
            "type": "card",
            "_card": name,
        }
    )


def _card(card: Card, month: int, year: int) -> Object:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": sha256(card.number.encode()).hexdigest()[:16],
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


ROUTES = {
    f"POST {URL}": create,
    f"GET {URL}": page,
    f"GET {URL}/{{object_id}}": retrieve,
    f"POST {URL}/{{object_id}}": update,
    f"POST {URL}/{{object_id}}/attach": attach,
    f"POST {URL}/{{object_id}}/detach": detach,
    "GET /v1/customers/{customer}/payment_methods": page_of,
}
