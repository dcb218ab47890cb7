"""Refunds: what was paid goes back, whole or in parts, and never more than that."""

from unpuzzle_server.embedded_stripe.currencies import money
from unpuzzle_server.embedded_stripe.errors import StripeError, missing
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import Object, Store, new_id

URL = "/v1/refunds"
REASONS = ("duplicate", "fraudulent", "requested_by_customer")


async def create(store: Store, form: Form) -> Object:
    form.only("payment_intent", "charge", "amount", "reason", "metadata")
    reason = form.choice("reason", REASONS)
    charge = await store.lock("charge", await _charge_id(store, form))
    refund = _new(store, charge, _amount(form, charge), reason, form.metadata())
    before = dict(charge)
    charge["amount_refunded"] += refund["amount"]
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    await store.add(refund)
    await store.save(charge)
    await store.emit("refund.created", refund)
    await store.emit("charge.refunded", charge, before)
    return refund


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await store.get("refund", object_id)


async def update(store: Store, form: Form, object_id: str) -> Object:
    form.only("metadata")
    refund = await store.lock("refund", object_id)
    before = dict(refund)
    refund["metadata"] = form.metadata(refund["metadata"])
    await store.emit("refund.updated", await store.save(refund), before)
    return refund


async def page(store: Store, form: Form) -> Object:
    form.only("charge", "payment_intent", "created", "limit", "starting_after", "ending_before")
    wanted = {name: form.text(name) for name in ("charge", "payment_intent")}
    return await store.page("refund", URL, form, **wanted)


async def _charge_id(store: Store, form: Form) -> str:
    if charge_id := form.text("charge"):
        charge = await store.get("charge", charge_id, "charge")
        if not charge["paid"]:
            raise StripeError(f"Charge {charge_id} was not successful and can't be refunded.", "charge_not_refundable", "charge")
        return charge_id
    if "payment_intent" not in form:
        raise missing("payment_intent")
    intent = await store.get("payment_intent", form.need("payment_intent"), "payment_intent")
    if intent["status"] != "succeeded":
        message = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
        raise StripeError(message, "resource_missing", "payment_intent")
    paid_by: str = intent["latest_charge"]
    return paid_by


def _amount(form: Form, charge: Object) -> int:
    left: int = charge["amount"] - charge["amount_refunded"]
    if not left:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    amount = form.integer("amount", 1) or left
    if amount > left:
        asked, rest = money(amount, charge["currency"]), money(left, charge["currency"])
        raise StripeError(f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})", param="amount")
    return amount


def _new(store: Store, charge: Object, amount: int, reason: str | None, metadata: dict[str, str]) -> Object:
    card = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": store.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"card": card, "type": "card"},
        "metadata": metadata,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


ROUTES = {f"POST {URL}": create, f"GET {URL}": page, f"GET {URL}/{{object_id}}": retrieve, f"POST {URL}/{{object_id}}": update}
