"""What a request costs in CPU before any database: the three stacks in one process, called without a socket.

Ours is `create_app` itself, with three parts replaced where they are wired: handlers answer with the contract's example,
counters live in a dictionary, and who a token belongs to is read from the token alone.
"""

import gc
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle, islice, product
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import orjson
import uvloop
from peers import connexion_app, fastapi_app
from peers.contract import answering
from peers.tokens import TokenReader

from unpuzzle_server import app as composition
from unpuzzle_server.auth.tokens import Claims, TokenIssuer, derived_key
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.exchange import Identity
from unpuzzle_server.kernel.operations import KERNEL_HEADERS, Kernel
from unpuzzle_server.kernel.ratelimit import Count, RateLimiter
from unpuzzle_server.kernel.security import Gate
from unpuzzle_server.kernel.settings import Settings

App = Callable[..., Awaitable[None]]
SETTINGS = Settings(
    secret_key="a key for benchmarks only, 32 or more",
    log_level="warning",
    rate_limit_anonymous=10**9,
    rate_limit_authenticated=10**9,
)
ISSUER = TokenIssuer(derived_key(SETTINGS.secret_key, "access-token"), Clock())
READER = TokenReader(SETTINGS.secret_key)
TOKENS = [ISSUER.issue(Claims(uuid4(), uuid4())).access_token for _ in range(100)]
"""As many people as ask by turns."""


@dataclass(frozen=True)
class Call:
    """One request, sent again and again."""

    name: str
    method: str
    path: str
    query: bytes = b""
    body: bytes = b""


CATEGORY = {"name": "Woodworking", "slug": "woodworking", "description": "Joints, tools and finishes."}
CALLS = [
    Call("a small POST", "POST", "/api/v1/admin/categories/", body=orjson.dumps(CATEGORY)),
    Call("a small GET", "GET", "/api/v1/categories/", query=b"page=2&page_size=5"),
]


def somebody(claims: Claims) -> Identity:
    return Identity(claims.user_id, claims.session_id, frozenset({"admin"}))


async def identify(token: str) -> Identity:
    return somebody(READER.read(token))


async def authenticate(token: str) -> Identity:
    return somebody(ISSUER.verify(token))


def ours() -> App:
    accounts = SimpleNamespace(authenticate=authenticate)
    with patch.multiple(composition, wire=partial(in_memory, accounts), handler_of=stub_of):
        return composition.create_app(SETTINGS)


def in_memory(accounts: Any, settings: Settings, clock: Clock) -> Kernel:
    limiter = RateLimiter(DictCounters(clock), settings, clock)
    return Kernel(settings, clock, NoDatabase(), limiter, Gate(b"csrf"), {"accounts": accounts})  # type: ignore[arg-type]


def stub_of(operation_id: str) -> Callable[..., Awaitable[Any]]:
    """A handler that answers with the contract's example, under the signature that our kernel asks for."""
    operation = next(found for found in spec.operations() if found.id == operation_id)
    names = ["tx", *(item.argument for item in operation.parameters if item.name not in KERNEL_HEADERS)]
    stub = answering(operation_id)
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kinds) for name in [*names, *(["body"] if operation.body else [])]]
    stub.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return stub


class NoDatabase:
    """Transactions of nothing."""

    @asynccontextmanager
    async def transaction(self, identity: Identity | None) -> AsyncIterator[None]:
        yield

    reading = transaction

    async def close(self) -> None: ...


class DictCounters:
    """Counters in memory; one period is enough here."""

    def __init__(self, clock: Clock) -> None:
        self.used: dict[str, int] = {}
        self.resets_at: datetime = clock.now() + timedelta(hours=1)

    async def hit(self, key: str, period: timedelta) -> Count:
        self.used[key] = self.used.get(key, 0) + 1
        return Count(self.used[key], self.resets_at)

    async def close(self) -> None: ...


APPS: dict[str, Callable[[], App]] = {
    "ours": ours,
    "FastAPI": lambda: fastapi_app.build(answering, identify),
    "Connexion": lambda: connexion_app.build(answering, identify),
}


def measure(rounds: int, requests: int, say: Callable[[str], None]) -> dict[str, dict[str, list[float]]]:
    """Microseconds of CPU for a request: by call, by app, one figure a round."""
    return uvloop.run(_measure(rounds, requests, say))


async def _measure(rounds: int, requests: int, say: Callable[[str], None]) -> dict[str, dict[str, list[float]]]:
    apps = {name: make() for name, make in APPS.items()}
    gc.collect()
    gc.freeze()  # so that nobody pays for what the others have built
    found: dict[str, dict[str, list[float]]] = {call.name: {name: [] for name in apps} for call in CALLS}
    for number in range(-1, rounds):  # the first one warms up
        for call, (name, app) in product(CALLS, apps.items()):
            cost = await microseconds(app, call, requests)
            say(f"{call.name}, round {number + 1}: {name} {cost:.0f} µs")
            if number >= 0:
                found[call.name][name].append(cost)
    return found


def token_microseconds(requests: int) -> float:
    """What reading a token costs the peers."""
    began = time.process_time()
    for token in islice(cycle(TOKENS), requests):
        READER.read(token)
    return (time.process_time() - began) / requests * 1e6


async def microseconds(app: App, call: Call, requests: int) -> float:
    began = time.process_time()
    for token in islice(cycle(TOKENS), requests):
        await ask(app, call, token)
    return (time.process_time() - began) / requests * 1e6


async def ask(app: App, call: Call, token: str) -> None:
    """One request, as uvicorn would hand it over."""
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"user-agent", b"benchmark"),
        (b"accept", b"*/*"),
        (b"authorization", f"Bearer {token}".encode()),
    ]
    if call.body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(call.body)).encode())]
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http",
        "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 50000), "root_path": "", "method": call.method,
        "path": call.path, "raw_path": call.path.encode(), "query_string": call.query, "headers": headers, "state": {},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": call.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] in (200, 201), message

    await app(scope, receive, send)
