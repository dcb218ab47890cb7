"""What Schemathesis loads: the laws as checks of its own, and an id on every request."""

import os
from collections.abc import Callable
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

import schemathesis

from gate.laws import LAWS
from gate.laws.exchange import OPERATIONS, Exchange, Reply, Request
from gate.laws.request_ids import request_ids as check_request_ids
from gate.record import digest

NUMBERS = count(1)
RECORD = os.environ.get("GATE_RECORD")


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    case.headers["X-Request-ID"] = f"gate-{next(NUMBERS)}"
    if RECORD:
        with Path(RECORD).open("a") as file:
            file.write(digest(case) + "\n")


def request_of(response: Any) -> Request:
    sent = response.request
    content = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    headers = {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in sent.headers.items()}
    return Request(sent.method, sent.url, headers, content)


def reply_of(response: Any) -> Reply:
    return Reply(response.status_code, {name: ", ".join(values) for name, values in response.headers.items()}, response.content)


def as_check(law: Callable[[Exchange], None]) -> Callable[..., None]:
    """A law as a check of Schemathesis; requests with methods that the contract does not know are left to its own checks."""

    @wraps(law)
    def check(ctx: Any, response: Any, case: Any) -> None:
        if operation := OPERATIONS.get((case.method, case.path)):
            law(Exchange(operation, request_of(response), reply_of(response)))

    del check.__wrapped__  # Schemathesis looks at the signature, which is the check's
    return check


@schemathesis.check
def request_ids(ctx: Any, response: Any, case: Any) -> None:
    check_request_ids(request_of(response), reply_of(response))


for law in LAWS:
    schemathesis.check(as_check(law))
