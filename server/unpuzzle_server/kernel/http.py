"""The outermost layers: the request's id, who may call from another origin, errors in their envelope, a line of log each."""

import logging
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unpuzzle_server.kernel.answers import new_request_id, refusal, send_answer
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.errors import Problem, as_problem
from unpuzzle_server.kernel.exchange import REQUEST_ID, STATE, ClientGone, Exchange, exchange_of

access = logging.getLogger("unpuzzle_server.access")

ACCEPTED_ID = re.compile(r"[!-~]{1,128}", re.ASCII)
CLIENT_GONE = 499
"""What the log shows of a request whose client went away."""


class Edge:
    """Gives each request its id and, when it is over, a line in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, "")
        given = exchange.headers.get("x-request-id", "")
        exchange.request_id = given if ACCEPTED_ID.fullmatch(given) else new_request_id()
        scope[STATE] = exchange
        REQUEST_ID.set(exchange.request_id)
        status = CLIENT_GONE

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = {"X-Request-ID": exchange.request_id, "X-Content-Type-Options": "nosniff", **exchange.headers_out}
                message["headers"] = [*message["headers"], *((k.lower().encode(), v.encode("latin-1")) for k, v in extra.items())]
            await send(message)

        try:
            await self.app(scope, receive, send_dressed)
        finally:
            self._log(exchange, status)

    def _log(self, exchange: Exchange, status: int) -> None:
        if not access.isEnabledFor(logging.INFO):
            return
        scope = exchange.scope
        fields = {
            "method": scope["method"],
            "path": scope["path"],  # without the query: searches are nobody's business
            "status": status,
            "milliseconds": round((time.perf_counter() - exchange.started) * 1000, 1),
            "operation": exchange.operation_id,
            "address": exchange.address,
            "user_id": str(exchange.identity.user_id) if exchange.identity else None,
            "client_version": exchange.headers.get("x-client-version", "")[:50] or None,
        }
        access.info("request", extra={key: value for key, value in fields.items() if value not in (None, "")})


class CrossOrigin(CORSMiddleware):
    """CORS, whose refusals come in the envelope too."""

    def __init__(self, app: ASGIApp, clock: Clock, **rules: Any) -> None:
        super().__init__(app, **rules)
        self.clock = clock

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        problem = Problem("PERMISSION_DENIED", f"{bytes(response.body).decode()}: this server's settings don't allow it.")
        answer = refusal(problem, REQUEST_ID.get(), self.clock)
        for name in ("content-length", "content-type"):
            del response.headers[name]
        return Response(answer.content, answer.status, {**response.headers, **answer.headers})


class Beside:
    """Apps at paths of their own, in front of another one that has all the rest."""

    def __init__(self, apps: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self.apps = apps
        self.rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        app = next((app for prefix, app in self.apps.items() if path.startswith(f"{prefix}/")), self.rest)
        await app(scope, receive, send)


class Boundary:
    """Where everything that was raised becomes an answer in the error envelope."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self.app = app
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientGone:
            return
        except Exception as error:
            if started:
                raise  # too late to say anything: the server breaks the connection off
            await send_answer(send, refusal(as_problem(error), exchange_of(scope).request_id, self.clock))
