"""Events: what has changed, to be read and to be delivered, signed."""

import hmac

import httpx2
import orjson

from unpuzzle_server.embedded_stripe.errors import StripeError
from unpuzzle_server.embedded_stripe.forms import Form
from unpuzzle_server.embedded_stripe.store import Object, Store, shown

URL = "/v1/events"
PATIENCE = 20
"""Seconds that a receiver has to answer."""


async def retrieve(store: Store, form: Form, object_id: str) -> Object:
    form.only()
    return await store.get("event", object_id)


async def page(store: Store, form: Form) -> Object:
    form.only("type", "types", "created", "limit", "starting_after", "ending_before")
    if "types" in form:
        raise StripeError("Ask for one `type` of events.", param="types")
    return await store.page("event", URL, form, livemode=False, type=form.text("type"))


def signature(payload: bytes, secret: str, at: int) -> str:
    """The header that `stripe.Webhook.construct_event` looks at."""
    signed = hmac.digest(secret.encode(), f"{at}.".encode() + payload, "sha256").hex()
    return f"t={at},v1={signed}"


async def deliver(event: Object, url: str, secret: str, at: int) -> None:
    """Raises unless the receiver takes it."""
    payload = orjson.dumps(shown(event))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature(payload, secret, at),
        "Stripe-Embedded": "unpuzzle",
        "User-Agent": "Stripe/1.0 (embedded; unpuzzle)",
    }
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        answer = await client.post(url, content=payload, headers=headers)
    if not answer.is_success:
        raise DeliveryError(f"the receiver answered {answer.status_code}")


class DeliveryError(Exception):
    """An event was not taken."""


ROUTES = {f"GET {URL}": page, f"GET {URL}/{{object_id}}": retrieve}
