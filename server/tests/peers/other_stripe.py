"""The gateway against a Stripe that nobody here wrote: python other_stripe.py PYTHON

PYTHON is the interpreter of an environment with `localstripe`, which runs as a process of its own: its licence is the GPL's. Each
check is a call of the gateway. It has no descriptions, confirming with a method, lists by time, prices or schedules, and knows no
idempotency keys: those calls are covered by the embedded Stripe alone.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import httpx
import stripe

from harness import wait_for
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.payments.stripe import AlreadyDone, Declined, Stripe, told
from unpuzzle_server.subscriptions import billing

SERVE = """
import sys
from aiohttp import web
from localstripe.server import app
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
SECRET = "whsec_that_localstripe_signs_with"
CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
DECLINED = {**CARD, "number": "4000000000000341"}
PAYMENT = "3f7e4f1c-1a0e-4e57-9c4e-1f0b8f5a7f10"
Check = Callable[["Peer"], Awaitable[None]]
CHECKS: list[Check] = []


def check(run: Check) -> Check:
    CHECKS.append(run)
    return run


class Peer:
    """Our gateway, the vendor's library beside it, and who takes the events."""

    def __init__(self, base: str) -> None:
        self.gateway = Stripe("sk_test_any", base, None, base, (SECRET,), is_embedded=False)
        self.v1 = stripe.StripeClient("sk_test_any", base_addresses={"api": base}, http_client=stripe.RequestsClient()).v1
        self.events: list[tuple[bytes, str]] = []

    def method(self, card: dict[str, Any]) -> str:
        made: Any = self.v1.payment_methods.create({"type": "card", "card": card})  # type: ignore[typeddict-item]
        return str(made.id)

    def intent(self, card: dict[str, Any] = CARD, **more: Any) -> str:
        """As the gateway makes it, but for the description."""
        fields: Any = {"amount": 4999, "currency": "usd", "metadata": {"payment_id": PAYMENT}, "payment_method_types": ["card"]}
        customer = self.v1.customers.create({"email": "ada@example.com"}).id
        method = self.method(card)
        self.v1.payment_methods.attach(method, {"customer": customer})
        return self.v1.payment_intents.create({**fields, "customer": customer, "payment_method": method, **more}).id


@check
async def what_is_paid_is_seen_as_paid(peer: Peer) -> None:
    intent = await peer.gateway.get_intent(peer.intent(confirm=True))
    assert (intent.status, intent.payment, intent.refunded_minor, intent.decline_code) == ("succeeded", PAYMENT, 0, None)


@check
async def what_is_open_is_seen_as_open(peer: Peer) -> None:
    intent = await peer.gateway.get_intent(peer.intent())
    assert intent.status == "requires_payment_method"  # theirs waits for its confirmation
    assert intent.client_secret.startswith(intent.id)


@check
async def what_is_open_is_cancelled_and_what_is_paid_is_not(peer: Peer) -> None:
    assert (await peer.gateway.cancel(peer.intent())).status == "canceled"
    try:
        await peer.gateway.cancel(peer.intent(confirm=True))
    except (AlreadyDone, stripe.InvalidRequestError):
        return
    raise AssertionError("what is paid was cancelled")


@check
async def a_part_is_refunded_and_seen(peer: Peer) -> None:
    paid = peer.intent(confirm=True)
    made = await peer.gateway.refund("9a1c4d2e-0000-4000-8000-000000000000", paid, 1000, None)
    assert made.status == "succeeded"
    assert (await peer.gateway.get_intent(paid)).refunded_minor == 1000


@check
async def a_card_that_is_declined_is_told_as_that(peer: Peer) -> None:
    try:
        with told():
            peer.intent(DECLINED, confirm=True)
    except Declined:
        return
    raise AssertionError("the card was not declined")


@check
async def events_are_signed_so_that_we_believe_them(peer: Peer) -> None:
    peer.intent(confirm=True)
    await asyncio.to_thread(wait_for, lambda: peer.events)
    payload, header = peer.events[-1]
    now = datetime.now(UTC)
    peer.gateway.check_signature(payload, header, now)
    for forged in (payload + b" ", payload.replace(b"usd", b"eur") if b"usd" in payload else payload[:-1]):
        try:
            peer.gateway.check_signature(forged, header, now)
        except Problem:
            continue
        raise AssertionError("a forged event was believed")


@check
async def a_customer_keeps_a_method_and_is_deleted(peer: Peer) -> None:
    customer = await billing.make_customer(peer.gateway, PAYMENT, "ada@example.com", "Ada")
    with told():
        kept = await peer.gateway.v1.payment_methods.attach_async(peer.method(CARD), {"customer": customer})
    assert kept.card.last4 == "4242"
    await billing.delete_customer(peer.gateway, customer)


@contextmanager
def localstripe(python: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([python, "-I", "-c", SERVE, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def taking_events(peer: Peer, base: str) -> Iterator[None]:
    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            peer.events.append((payload, self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Taking) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listening.server_port}/"
        httpx.post(f"{base}/_config/webhooks/ours", data={"url": url, "secret": SECRET}).raise_for_status()
        yield
        listening.shutdown()


async def run(peer: Peer) -> int:
    failed = 0
    for one in CHECKS:
        try:
            await one(peer)
            told_of = "true"
        except Exception as error:
            failed, told_of = failed + 1, f"{type(error).__name__}: {error}"
        print(f"localstripe: {one.__name__.replace('_', ' ')}: {told_of}", flush=True)
    await peer.gateway.close()
    return failed


def main(python: str) -> int:
    with localstripe(python) as base:
        peer = Peer(base)
        with taking_events(peer, base):
            return 1 if asyncio.run(run(peer)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
