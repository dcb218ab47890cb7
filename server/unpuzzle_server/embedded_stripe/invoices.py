"""Invoices: what a subscription owes, the payment intent that pays it, and the customer's balance in between."""

from collections.abc import Awaitable, Callable

from unpuzzle_server.embedded_stripe import payment_intents, payment_methods
from unpuzzle_server.embedded_stripe.currencies import LEAST
from unpuzzle_server.embedded_stripe.errors import Declined, StripeError
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import INCLUDED, Object, Store, listed, new_id

URL = "/v1/invoices"
PAYMENTS = "/v1/invoice_payments"
STATUSES = ("draft", "open", "paid", "uncollectible", "void")
FAILURES = {
    "requires_action": "invoice.payment_action_required",
    "requires_payment_method": "invoice.payment_failed",
}
"""The event of an attempt that did not pay, by the status of its payment intent."""
SETTLED: list[Callable[[Store, Object], Awaitable[None]]] = []
"""Who else has to know what became of an invoice."""


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await store.get("invoice", object_id, "invoice")


async def page(store: Store, form: Form) -> Object:
    form.only("customer", "subscription", "status", "created", "limit", "starting_after", "ending_before")
    status = form.choice("status", STATUSES)
    subscription = form.text("subscription")
    parent = {"subscription_details": {"subscription": subscription}} if subscription else None
    return await store.page("invoice", URL, form, customer=form.text("customer"), status=status, parent=parent)


async def lines(store: Store, form: Form, object_id: str) -> Object:
    form.only("limit")
    found: Object = (await store.get("invoice", object_id, "invoice"))["lines"]
    return found


async def pay(store: Store, form: Form, object_id: str) -> Object:
    form.only("payment_method", "off_session")
    invoice = await store.get("invoice", object_id, "invoice", lock=True)
    if invoice["status"] != "open":
        state = "already paid" if invoice["status"] == "paid" else invoice["status"]
        raise StripeError(f"Invoice is {state}", "invoice_not_editable" if state != "already paid" else None)
    given = form.text("payment_method")
    method = await payment_methods.resolve(store, given, "payment_method") if given else await usual_method(store, invoice)
    await attempt(store, invoice, method, off_session=form.boolean("off_session", default=True), told=True)
    return invoice


async def void(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    invoice = await store.get("invoice", object_id, "invoice", lock=True)
    if invoice["status"] != "open":
        raise StripeError(f"You can only void open invoices; this one is {invoice['status']}.", "invoice_not_editable")
    await drop(store, invoice)
    return invoice


async def payments(store: Store, form: Form) -> Object:
    form.only("invoice", "payment", "status", "limit", "starting_after", "ending_before")
    wanted = {name: form.text(name) for name in ("invoice", "status")}
    return await store.page("invoice_payment", PAYMENTS, form, **wanted, payment=_payment(form.part("payment")))


def _payment(form: Form) -> Object | None:
    form.only("type", "payment_intent")
    if not form:
        return None
    return {"type": form.choice("type", ("payment_intent",)), "payment_intent": form.need("payment_intent")}


async def issue(store: Store, subscription: Object, reason: str, charged: list[Object], period: tuple[int, int]) -> Object:
    """A finalized invoice; what is less than can be charged goes to the customer's balance."""
    customer = await store.lock("customer", subscription["customer"])
    total = sum(line["amount"] for line in charged)
    balance: int = customer["balance"]
    due = max(0, total + balance)
    ending = total + balance - due
    if 0 < due < LEAST.get(subscription["currency"], 1):
        due, ending = 0, due
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    updated = {"balance": ending, "next_invoice_sequence": customer["next_invoice_sequence"] + 1}
    await store.save({**customer, **updated, "currency": subscription["currency"]})
    invoice = _new(store, subscription, customer, reason)
    invoice.update(amount_due=due, amount_remaining=due, starting_balance=balance, ending_balance=ending, number=number)
    invoice.update(subtotal=total, subtotal_excluding_tax=total, total=total, total_excluding_tax=total)
    invoice.update(period_start=period[0], period_end=period[1])
    data = [{**line, "invoice": invoice["id"]} for line in charged]
    invoice["lines"] = {**listed(data, f"{URL}/{invoice['id']}/lines"), "total_count": len(data)}
    await store.emit("invoice.created", {**await store.add(invoice), "status": "draft"})
    await store.emit("invoice.finalized", invoice)
    if due:
        await _open_payment(store, invoice, subscription)
    else:
        await _paid(store, invoice)
    return invoice


async def attempt(
    store: Store, invoice: Object, method: Object | None, *, off_session: bool, told: bool = False
) -> Declined | None:
    """Charges an open invoice; answers or, if it is to be told, raises the refusal."""
    if method is None:
        raise StripeError(
            "This customer has no attached payment source or default payment method. Please consider adding a default payment"
            " method.",
            "resource_missing",
        )
    intent = await store.get("payment_intent", invoice["_intent"], lock=True)
    await payment_intents.take(store, intent, method)
    refusal = None
    try:
        await payment_intents.attempt(store, intent, off_session=off_session, return_url=None)
    except Declined as declined:
        refusal = declined
    await _note(store, invoice, intent)
    if refusal and told:
        raise refusal
    return refusal


async def prepare(store: Store, invoice: Object, method: Object) -> None:
    """Sets what an open invoice is to be paid with, and charges nothing."""
    intent = await store.get("payment_intent", invoice["_intent"], lock=True)
    await payment_intents.take(store, intent, method)
    await store.save(intent)


async def unpaid(store: Store, invoice: Object) -> None:
    """There is nothing to charge."""
    intent = await store.get("payment_intent", invoice["_intent"], lock=True)
    await _note(store, invoice, intent)


async def payment_settled(store: Store, intent: Object) -> None:
    """The payer has confirmed a payment intent; if it is an invoice's, that is paid now, or has failed once more."""
    if invoice_id := intent.get("_invoice"):
        invoice = await store.lock("invoice", invoice_id)
        if invoice["status"] == "open":
            await _note(store, invoice, intent)


async def drop(store: Store, invoice: Object) -> None:
    """Nobody is to pay it any more."""
    transitions = {**invoice["status_transitions"], "voided_at": store.now}
    invoice.update(status="void", auto_advance=False, next_payment_attempt=None, status_transitions=transitions)
    await store.emit("invoice.voided", await store.save(invoice))
    for payment in await store.holding("invoice_payment", invoice=invoice["id"], status="open"):
        moments = {**payment["status_transitions"], "canceled_at": store.now}
        await store.save({**payment, "status": "canceled", "status_transitions": moments})
        intent = await store.get("payment_intent", payment["payment"]["payment_intent"], lock=True)
        await payment_intents.void(store, intent, "void_invoice")


async def usual_method(store: Store, invoice: Object) -> Object | None:
    """What the subscription is paid with, or else what its customer pays with."""
    subscription = await store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])
    customer = await store.get("customer", invoice["customer"])
    method_id = subscription["default_payment_method"] or customer.get("invoice_settings", {}).get("default_payment_method")
    method = await store.find(method_id) if method_id else None
    return method if method and method["customer"] else None


def line(
    subscription: Object, item: Object, amount: int, description: str, period: tuple[int, int], *, proration: bool
) -> Object:
    details = {
        "invoice_item": new_id("ii") if proration else None,
        "proration": proration,
        "proration_details": {"credited_items": None},
        "subscription": subscription["id"],
        "subscription_item": item["id"],
    }
    price = item["price"]
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": subscription["currency"],
        "description": description,
        "discount_amounts": [],
        "discountable": not proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": subscription["metadata"],
        "parent": {"invoice_item_details": None, "subscription_item_details": details, "type": "subscription_item_details"},
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
        "subscription": subscription["id"],
        "subtotal": amount,
        "taxes": [],
    }


async def _open_payment(store: Store, invoice: Object, subscription: Object) -> None:
    intent = payment_intents.new(store, invoice["amount_due"], invoice["currency"])
    description = "Subscription creation" if invoice["billing_reason"] == "subscription_create" else "Subscription update"
    intent.update(customer=invoice["customer"], description=description, setup_future_usage="off_session", _invoice=invoice["id"])
    intent["payment_details"] = {"customer_reference": None, "order_reference": invoice["id"]}
    await store.emit("payment_intent.created", await store.add(intent))
    invoice["_intent"] = intent["id"]
    await store.save(invoice)
    await store.add(
        {
            "id": new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": invoice["amount_due"],
            "created": store.now,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


async def _note(store: Store, invoice: Object, intent: Object) -> None:
    """What became of an attempt."""
    if intent["status"] in ("succeeded", "requires_payment_method"):
        invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1)
    if intent["status"] == "succeeded":
        await _paid(store, invoice)
    else:
        await store.save(invoice)
    for tell in SETTLED:
        await tell(store, invoice)
    if intent["status"] in FAILURES:
        await store.emit(FAILURES[intent["status"]], invoice)


async def _paid(store: Store, invoice: Object) -> None:
    invoice.update(status="paid", attempted=True, amount_paid=invoice["amount_due"], amount_remaining=0)
    invoice.update(auto_advance=False, next_payment_attempt=None)
    invoice["status_transitions"] = {**invoice["status_transitions"], "paid_at": store.now}
    await store.save(invoice)
    for payment in await store.holding("invoice_payment", invoice=invoice["id"], status="open"):
        moments = {**payment["status_transitions"], "paid_at": store.now}
        await store.save({**payment, "amount_paid": invoice["amount_due"], "status": "paid", "status_transitions": moments})
    await store.emit("invoice.paid", invoice)
    await store.emit("invoice.payment_succeeded", invoice)


def _new(store: Store, subscription: Object, customer: Object, reason: str) -> Object:
    nothing = (
        "account_country", "account_name", "account_tax_ids", "application", "automatically_finalizes_at", "custom_fields",
        "customer_account", "customer_shipping", "default_payment_method", "default_source", "description", "due_date", "footer",
        "from_invoice", "hosted_invoice_url", "invoice_pdf", "last_finalization_error", "latest_revision", "next_payment_attempt",
        "on_behalf_of", "receipt_number", "rendering", "shipping_cost", "shipping_details", "statement_descriptor", "test_clock",
        "webhooks_delivered_at",
    )  # fmt: skip
    zeros = (
        "amount_overpaid", "amount_paid", "amount_paid_off_stripe", "amount_shipping", "attempt_count",
        "post_payment_credit_notes_amount", "pre_payment_credit_notes_amount",
    )  # fmt: skip
    empty = ("default_tax_rates", "discounts", "total_discount_amounts", "total_pretax_credit_amounts", "total_taxes")
    known = ("address", "email", "name", "phone", "tax_exempt")
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    return {
        "id": new_id("in"),
        "object": "invoice",
        **dict.fromkeys(nothing),
        **dict.fromkeys(zeros, 0),
        **{name: [] for name in empty},
        **{f"customer_{name}": customer[name] for name in known},
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": store.now,
        "currency": subscription["currency"],
        "customer": customer["id"],
        "customer_tax_ids": [],
        "effective_at": store.now,
        "issuer": {"type": "self"},
        "livemode": False,
        "metadata": {},
        "parent": {"quote_details": None, "subscription_details": details, "type": "subscription_details"},
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "status": "open",
        "status_transitions": {
            "finalized_at": store.now,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
    }


async def _payments(store: Store, invoice: Object) -> Object:
    return listed(await store.holding("invoice_payment", invoice=invoice["id"]), PAYMENTS)


async def _confirmation_secret(store: Store, invoice: Object) -> Object | None:
    if "_intent" not in invoice:
        return None
    intent = await store.get("payment_intent", invoice["_intent"])
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


payment_intents.SETTLED.append(payment_settled)
INCLUDED["invoice", "payments"] = _payments
INCLUDED["invoice", "confirmation_secret"] = _confirmation_secret
ROUTES = {
    f"GET {URL}": page,
    f"GET {URL}/{{object_id}}": retrieve,
    f"GET {URL}/{{object_id}}/lines": lines,
    f"POST {URL}/{{object_id}}/pay": pay,
    f"POST {URL}/{{object_id}}/void": void,
    f"GET {PAYMENTS}": payments,
}
