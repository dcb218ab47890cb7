"""Stripe as tests meet it: the embedded one of a test server, and the signature that its webhooks carry."""

import json
import time
from typing import Any

import stripe

from harness import Server
from unpuzzle_server.auth.tokens import derived_key
from unpuzzle_server.embedded_stripe import keys
from unpuzzle_server.embedded_stripe.app import PREFIX
from unpuzzle_server.embedded_stripe.events import signature

WEBHOOK = "/api/v1/payments/webhooks/stripe/"


def embedded_key(secret_key: str) -> bytes:
    return derived_key(secret_key, "embedded-stripe")


def client(server: Server) -> Any:
    """The vendor's library at the server's own Stripe, as its owner would use the dashboard."""
    key = keys.secret_key(embedded_key(server.settings.secret_key))
    return stripe.StripeClient(key, base_addresses={"api": server.base_url + PREFIX}, http_client=stripe.RequestsClient()).v1


def as_json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def sign(secret_key: str, payload: bytes, at: float | None = None) -> str:
    return signature(payload, keys.webhook_secret(embedded_key(secret_key)), int(at or time.time()))


def event(kind: str, about: dict[str, Any], event_id: str) -> dict[str, Any]:
    return {"id": event_id, "type": kind, "data": {"object": about}}
