"""The embedded Stripe's endpoints: the API under `/v1/`, and the pages that a payer is sent to."""

import hmac
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from unpuzzle_server.embedded_stripe import (
    charges,
    customers,
    events,
    idempotency,
    invoices,
    keys,
    payment_intents,
    payment_methods,
    prices,
    products,
    refunds,
    schedules,
    subscriptions,
)
from unpuzzle_server.embedded_stripe.errors import Declined, StripeError, missing, unauthorized
from unpuzzle_server.embedded_stripe.forms import Form, parse, read
from unpuzzle_server.embedded_stripe.idempotency import Answer
from unpuzzle_server.embedded_stripe.pages import Pages
from unpuzzle_server.embedded_stripe.store import API_VERSION, Object, Store, new_id, shown
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import Database, asks_to_retry, pause

PREFIX = "/embedded-stripe"
TRIES = 5
RESOURCES = (
    charges, customers, events, invoices, payment_intents, payment_methods, prices, products, refunds, schedules,
    subscriptions,
)  # fmt: skip
FOR_EVERYBODY = (payment_methods.create, payment_intents.retrieve, payment_intents.confirm)
"""What a publishable key is good for; a payment intent needs its client secret besides."""

Operation = Callable[..., Awaitable[Object]]


class EmbeddedStripe:
    """Mounted in front of the API, in every web process; workers find it among the gateways, to deliver its events."""

    def __init__(self, base_url: str, key: bytes, database: Database, clock: Clock, webhook_url: str) -> None:
        """`base_url` is the public one, with PREFIX."""
        self.base_url = base_url
        self.secret_key = keys.secret_key(key)
        self.publishable_key = keys.publishable_key(key)
        self.webhook_secret = keys.webhook_secret(key)
        self.webhook_url = webhook_url
        self.database = database
        self.clock = clock
        operations = {route: operation for resource in RESOURCES for route, operation in resource.ROUTES.items()}
        routes = [self._route(route, operation) for route, operation in operations.items()]
        self.router = Router(
            Pages(base_url, database, clock).routes(PREFIX) + routes, redirect_slashes=False, default=self._nowhere
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.router(scope, receive, send)
        except StripeError as refused:
            await self._answered(Answer(refused.status, refused.body), {})(scope, receive, send)

    def _route(self, route: str, operation: Operation) -> Route:
        method, path = route.split(" ")
        return Route(PREFIX + path, partial(self._serve, operation), methods=[method])

    async def _nowhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(PREFIX)
        message = f"Unrecognized request URL ({scope['method']}: {path}). It is not among what the embedded Stripe has."
        await self._answered(Answer(404, StripeError(message).body), {})(scope, receive, send)

    async def _serve(self, operation: Operation, request: Request) -> Response:
        about = {"id": new_id("req"), "idempotency_key": request.headers.get("idempotency-key") or None}
        try:
            if "\0" in request.url.path:
                raise StripeError("Invalid string: null characters are not allowed.")
            public = self._authenticate(operation, request)
            fields = parse(await read(request) if request.method == "POST" else request.url.query)
            if public and operation is not payment_methods.create and "client_secret" not in fields:
                raise missing("client_secret")
            answer = await self._patiently(operation, request, fields, about)
        except StripeError as refused:
            answer = Answer(refused.status, refused.body)
        return self._answered(answer, about)

    async def _patiently(self, operation: Operation, request: Request, fields: Any, about: Mapping[str, Any]) -> Answer:
        """Again, where two requests stood in each other's way."""
        for attempt in range(TRIES):
            try:
                return await self._once(operation, request, fields, dict(about))
            except DBAPIError as error:
                if not asks_to_retry(error) or attempt == TRIES - 1:
                    raise
            await pause(attempt)
        raise AssertionError("the last try answers or raises")

    async def _once(self, operation: Operation, request: Request, fields: Any, about: dict[str, str | None]) -> Answer:
        key = about["idempotency_key"] if request.method == "POST" else None
        asked = idempotency.digest(request.url.path, fields)
        async with self.database.transaction(None) as tx:
            if key and (earlier := await idempotency.replayed(tx, key, asked)):
                return earlier
            answer = await _done(operation, Store(tx, self.base_url, about), Form(fields), request.path_params)
            if key:
                await idempotency.keep(tx, key, asked, answer)
            return answer

    def _authenticate(self, operation: Operation, request: Request) -> bool:
        """Whether it is with the key that everybody may know."""
        given = _key(request)
        if not given:
            raise unauthorized(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth"
                " (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
            )
        if hmac.compare_digest(given.encode(), self.secret_key.encode()):
            return False
        if not hmac.compare_digest(given.encode(), self.publishable_key.encode()):
            raise unauthorized(f"Invalid API Key provided: {given[:8]}{'*' * 8}{given[-4:] if len(given) > 16 else ''}")
        if operation not in FOR_EVERYBODY:
            raise unauthorized("This API call cannot be made with a publishable API key. Please use a secret API key.")
        return True

    def _answered(self, answer: Answer, about: Mapping[str, str | None]) -> Response:
        headers = {"Stripe-Embedded": "unpuzzle", "Stripe-Version": API_VERSION, "Cache-Control": "no-store"}
        headers |= {"Request-Id": about["id"]} if about.get("id") else {}  # type: ignore[dict-item]
        headers |= {"Idempotent-Replayed": "true"} if answer.replayed else {}
        return JSONResponse(answer.body, answer.status, headers)


async def _done(operation: Operation, store: Store, form: Form, path: Mapping[str, str]) -> Answer:
    """A card that was declined is an answer; every other refusal undoes what was begun."""
    try:
        found = await operation(store, form, **path)
    except Declined as declined:
        if not declined.kept:
            raise
        return Answer(declined.status, declined.body)
    return Answer(200, shown(await store.expand(found, form.texts("expand"))))


def _key(request: Request) -> str:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return given if scheme.lower() == "bearer" else ""
    try:
        return b64decode(given, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""
