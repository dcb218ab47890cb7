"""The pages that people see: where the bank asks the card's holder, and the receipt."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from unpuzzle_server.embedded_stripe import payment_intents
from unpuzzle_server.embedded_stripe.currencies import money
from unpuzzle_server.embedded_stripe.forms import read
from unpuzzle_server.embedded_stripe.store import Object, Store, moment
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import Database

PAGES = Environment(loader=PackageLoader("unpuzzle_server.embedded_stripe", "templates"), autoescape=True)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Stripe-Embedded": "unpuzzle",
}
TOO_LATE = "This payment does not wait for an answer, or no longer does."


class Pages:
    def __init__(self, base_url: str, database: Database, clock: Clock) -> None:
        self.base_url = base_url
        self.database = database
        self.clock = clock

    def routes(self, prefix: str) -> list[Route]:
        return [
            Route(f"{prefix}/authenticate/{{attempt}}", self.ask, methods=["GET"]),
            Route(f"{prefix}/authenticate/{{attempt}}", self.answer, methods=["POST"]),
            Route(f"{prefix}/receipts/{{receipt}}", self.receipt, methods=["GET"]),
        ]

    async def ask(self, request: Request) -> Response:
        async with self.database.transaction(None) as tx:
            intent = await _waiting(Store(tx, self.base_url), request)
            if intent is None:
                return page("told.html", 404, title="Nothing to confirm", told=TOO_LATE)
            method = await Store(tx, self.base_url).get("payment_method", intent["payment_method"])
        return page("authenticate.html", 200, amount=_amount(intent), card=method["card"], what=intent["description"])

    async def answer(self, request: Request) -> Response:
        success = "answer=complete" in (await read(request)).split("&")
        async with self.database.transaction(None) as tx:
            store = Store(tx, self.base_url)
            intent = await _waiting(store, request, lock=True)
            if intent is None:
                return page("told.html", 404, title="Nothing to confirm", told=TOO_LATE)
            await payment_intents.authenticated(store, intent, success)
        return _back(intent)

    async def receipt(self, request: Request) -> Response:
        async with self.database.transaction(None) as tx:
            found = await Store(tx, self.base_url).holding("charge", _receipt=request.path_params["receipt"])
        if not found:
            return page("told.html", 404, title="No receipt", told="There is no such receipt.")
        charge = found[0]
        card, day = charge["payment_method_details"]["card"], f"{moment(charge['created']):%-d %B %Y}"
        refunded = money(charge["amount_refunded"], charge["currency"]) if charge["amount_refunded"] else ""
        return page("receipt.html", 200, charge=charge, amount=_amount(charge), card=card, day=day, refunded=refunded)


def page(name: str, status: int, **values: Any) -> Response:
    return HTMLResponse(PAGES.get_template(name).render(**values), status, HEADERS)


async def _waiting(store: Store, request: Request, *, lock: bool = False) -> Object | None:
    """The payment intent that an address stands for, as long as it waits for the card's holder."""
    attempt = request.path_params["attempt"]
    found = await store.holding("payment_intent", _attempt=attempt)
    if not found or not lock:
        return found[0] if found else None
    intent = await store.lock("payment_intent", found[0]["id"])
    return intent if intent["_attempt"] == attempt else None


def _amount(found: Object) -> str:
    return f"{money(found['amount'], found['currency'])} {found['currency'].upper()}"


def _back(intent: Object) -> Response:
    """To where the payer came from, with how it went."""
    paid = intent["status"] == "succeeded"
    if not intent["_return_url"]:
        told = "The payment is made." if paid else intent["last_payment_error"]["message"]
        return page("told.html", 200, title="Thank you" if paid else "Not paid", told=f"{told} You can close this page.")
    parts = urlsplit(intent["_return_url"])
    secret = {"payment_intent": intent["id"], "payment_intent_client_secret": intent["client_secret"]}
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *secret.items(),
                       ("redirect_status", "succeeded" if paid else "failed")])  # fmt: skip
    return RedirectResponse(parts._replace(query=query).geturl(), 303, HEADERS)
