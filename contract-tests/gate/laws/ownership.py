"""Nobody reads or changes what is another's."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

from gate.laws.exchange import OPERATIONS, Exchange, Request, send
from lint.contract import Operation

SIGN_IN = "/api/v1/auth/signin/"
HALF_AN_HOUR = 1800
REFUSED = (403, 404)


def ownership(exchange: Exchange) -> None:
    """What somebody may do with an object of theirs is refused to another of the same role, and changes nothing."""
    if not exchange.reply.succeeded or not is_somebodys(exchange.operation) or exchange.operation.method == "delete":
        return  # what is deleted is nobody's; the stranger tried to delete it while it could be read
    own = readable_address(exchange)
    before = exchange.read(own) if own else None
    for attempt in attempts(exchange):
        reply = exchange.send(attempt.by(stranger(urljoin(attempt.url, "/"))))
        assert reply.status in REFUSED, f"another user gets {reply.status} from {attempt.method} {attempt.url}"
    if own and before:
        after = exchange.read(own)
        assert (before.status, before.content) == (after.status, after.content), f"another user's attempts changed {own}"


def is_somebodys(operation: Operation) -> bool:
    """Whether an operation is about one object that not everybody may read.

    An id in the path names an object; what anybody may read at its own address, a published course say, is not somebody's.
    """
    if not operation.path_parameters or operation.role in ("public", "admin"):
        return False
    reading = OPERATIONS.get(("GET", operation.path[: operation.path.rindex("}") + 2]))
    return reading is None or reading.role != "public"


def attempts(exchange: Exchange) -> Iterator[Request]:
    """The same request; and where it read an object, to delete it."""
    yield exchange.request
    if exchange.operation.method == "get" and ("DELETE", exchange.operation.path) in OPERATIONS:
        yield replace(exchange.request, method="DELETE")


def readable_address(exchange: Exchange) -> str | None:
    """The nearest address at or above the request's that can be read: there a change would show."""
    templates = exchange.operation.path.strip("/").split("/")
    actual = urlsplit(exchange.request.url).path.strip("/").split("/")
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
    reply = send(
        Request("POST", urljoin(base_url, SIGN_IN), {"Content-Type": "application/json"}, json.dumps(account).encode())
    )
    return f"Bearer {reply.fields['access_token']}"
