"""Charges: what became of each attempt at a payment."""

from typing import Any

from unpuzzle_server.embedded_stripe.errors import Declined
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import INCLUDED, Object, Store, listed, new_id, secret

URL = "/v1/charges"
APPROVED = {"network_status": "approved_by_network", "reason": None, "seller_message": "Payment complete.", "type": "authorized"}


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await store.get("charge", object_id)


async def page(store: Store, form: Form) -> Object:
    form.only("customer", "payment_intent", "created", "limit", "starting_after", "ending_before")
    wanted = {name: form.text(name) for name in ("customer", "payment_intent")}
    return await store.page("charge", URL, form, **wanted)


async def record(store: Store, intent: Object, method: Object, refusal: Declined | None, *, authenticated: bool) -> Object:
    """The charge of an attempt, with its event."""
    error = refusal.error if refusal else {}
    charge = await store.add(
        {
            **_blank(store, intent, method),
            "amount_captured": 0 if refusal else intent["amount"],
            "captured": refusal is None,
            "failure_code": error.get("code"),
            "failure_message": error.get("message"),
            "outcome": _outcome(error),
            "paid": refusal is None,
            "payment_method_details": {"card": _details(intent, method, authenticated), "type": "card"},
            "receipt_url": None,
            "status": "failed" if refusal else "succeeded",
        }
    )
    if not refusal:
        charge["_receipt"] = secret(40)
        charge["receipt_url"] = f"{store.base_url}/receipts/{charge['_receipt']}"
        await store.save(charge)
    await store.emit("charge.failed" if refusal else "charge.succeeded", charge)
    return charge


def _outcome(error: dict[str, Any]) -> Object:
    about = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "risk_level": "normal",
        "risk_score": 8,
    }
    if not error:
        return {**about, **APPROVED}
    reason = error.get("decline_code") or error["code"]
    message = "The bank did not return any further details with this decline."
    declined = {"network_status": "declined_by_network", "reason": reason, "seller_message": message, "type": "issuer_declined"}
    return {**about, **declined, "advice_code": "try_again_later", "network_decline_code": "01"}


def _details(intent: Object, method: Object, authenticated: bool) -> Object:
    card = method["card"]
    secure = {"authentication_flow": "challenge", "result": "authenticated", "result_reason": None, "version": "2.2.0"}
    copied = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
    return {
        **{name: card[name] for name in copied},
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "installments": None,
        "mandate": None,
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "regulated_status": card["regulated_status"],
        "three_d_secure": secure if authenticated else None,
    }


def _blank(store: Store, intent: Object, method: Object) -> Object:
    copied = ("amount", "currency", "customer", "description", "metadata", "receipt_email", "shipping", "statement_descriptor")
    nothing = (
        "application", "application_fee", "application_fee_amount", "authorization_code", "balance_transaction",
        "failure_balance_transaction", "on_behalf_of", "receipt_number", "review", "source", "source_transfer",
        "statement_descriptor_suffix", "transfer_data", "transfer_group",
    )  # fmt: skip
    return {
        "id": new_id("ch"),
        "object": "charge",
        **dict.fromkeys(nothing),
        **{name: intent[name] for name in copied},
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "UNPUZZLE",
        "created": store.now,
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "radar_options": {},
        "refunded": False,
    }


async def _refunds(store: Store, charge: Object) -> Object:
    refunds = await store.holding("refund", charge=charge["id"])
    return listed(refunds[::-1], f"{URL}/{charge['id']}/refunds")


INCLUDED["charge", "refunds"] = _refunds
ROUTES = {f"GET {URL}": page, f"GET {URL}/{{object_id}}": retrieve}
