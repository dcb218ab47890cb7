"""Nobody reads or changes what is another's."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

from gate.laws.exchange import OPERATIONS, Exchange, Reply, Request, send
from lint.contract import Operation

SIGN_IN = "/api/v1/auth/signin/"
HALF_AN_HOUR = 1800
REFUSED = (403, 404)


def ownership(exchange: Exchange) -> None:
    """What somebody may do with an object of theirs is refused to another of the same role, and changes nothing."""
    if not exchange.reply.succeeded or exchange.is_replayed or not is_somebodys(exchange.operation):
        return
    if exchange.operation.method == "delete":
        return  # it is nobody's now; while it could be read, the stranger tried to delete it
    own = readable_address(exchange.operation, exchange.request.url)
    before = exchange.read(own) if own else Reply(204)
    assert before.succeeded, f"{own} answers {before.status} to its owner"
    for attempt in attempts(exchange):
        reply = exchange.send(attempt.by(stranger(urljoin(attempt.url, "/"))))
        assert reply.status in REFUSED, f"another user gets {reply.status} from {attempt.method} {attempt.url}"
    after = exchange.read(own) if own else before
    assert before.fields == after.fields, f"another user's attempts changed {own} from {before} to {after}"


def is_somebodys(operation: Operation) -> bool:
    """Whether an operation is about one object that belongs to its caller."""
    return bool(operation.path_parameters) and operation.role not in ("public", "admin") and not is_about_public(operation)


def is_about_public(operation: Operation) -> bool:
    """Whether the object that the path names may be read by anybody at its own address, as a published course may."""
    reading = OPERATIONS.get(("GET", operation.path[: operation.path.rfind("}") + 1] + "/"))
    return reading is not None and reading.role == "public"


def attempts(exchange: Exchange) -> Iterator[Request]:
    """The same request; and where it read an object, to delete it."""
    yield exchange.request
    if exchange.operation.method == "get" and ("DELETE", exchange.operation.path) in OPERATIONS:
        yield replace(exchange.request, method="DELETE")


def readable_address(operation: Operation, url: str) -> str | None:
    """The nearest address at or above a request's that can be read: there a change shows."""
    templates = operation.path.strip("/").split("/")
    actual = urlsplit(url).path.strip("/").split("/")
    for length in range(len(templates), 0, -1):
        if ("GET", f"/{'/'.join(templates[:length])}/") in OPERATIONS and "}" in "".join(templates[:length]):
            return f"/{'/'.join(actual[:length])}/"
    return None


def stranger(base_url: str) -> str:
    """The credentials of somebody who has the roles and owns nothing."""
    return _signed_in(base_url, int(time.time() // HALF_AN_HOUR))


@lru_cache(maxsize=1)
def _signed_in(base_url: str, half_hour: int) -> str:
    """Signs in again each half hour: a token lives one."""
    account = {"email": os.environ["GATE_STRANGER_EMAIL"], "password": os.environ["GATE_PASSWORD"]}
    reply = send(Request("POST", urljoin(base_url, SIGN_IN), {"Content-Type": "application/json"}, json.dumps(account).encode()))
    return f"Bearer {reply.fields['access_token']}"
