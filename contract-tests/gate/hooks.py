"""What Schemathesis loads: the laws as checks of its own, and an id on every request."""

import os
from collections.abc import Callable
from functools import cache, wraps
from itertools import count
from pathlib import Path
from typing import Any

import schemathesis
import yaml
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from gate.laws import LAWS
from gate.laws.exchange import OPERATIONS, Exchange, Reply, Request
from gate.laws.request_ids import request_ids as check_request_ids
from gate.record import digest
from gate.world import World

NUMBERS = count(1)
RECORD = os.environ.get("GATE_RECORD")
WORLD = World(os.environ["GATE_URL"])
FRAMING = ("Content-Length", "Transfer-Encoding")
"""Headers that say where a message ends: made up, they make none that is HTTP. Those are sent by contract-tests/wire."""
STRANGE = 4
"""One request in so many keeps the ids that were generated, which are of nothing."""


@schemathesis.deserializer("application/yaml")
def contract_in_yaml(context: Any, response: Any) -> Any:
    return parsed(response.content)


@cache
def parsed(document: bytes) -> Any:
    """The contract in YAML is long, and the same in each answer."""
    return yaml.load(document, Loader=yaml.CSafeLoader)


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    number = next(NUMBERS)
    case.headers["X-Request-ID"] = f"gate-{number}"
    for name in FRAMING:
        case.headers.pop(name, None)
    if number % STRANGE:
        lead_to_what_is_there(case)
    if RECORD:
        with Path(RECORD).open("a") as file:
            file.write(digest(case) + "\n")


def lead_to_what_is_there(case: schemathesis.Case) -> None:
    """Valid ids become those of what is there; stateful tests have ids of their own."""
    operation, authorization = OPERATIONS.get((case.method, case.path)), case.headers.get("Authorization")
    if not operation or not authorization or not case.meta or case.meta.phase.name == TestPhase.STATEFUL:
        return
    if not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters.update(WORLD.ids_for(operation, authorization))
    if isinstance(case.body, dict) and not case.meta.is_negative_at(ParameterLocation.BODY):
        case.body = WORLD.body_for(operation, case.body, case.formatted_path, authorization)


@schemathesis.hook
def after_call(context: Any, case: schemathesis.Case, response: Any) -> None:
    if response.status_code == 404 or (case.method == "DELETE" and response.status_code < 300):
        WORLD.forget(map(str, case.path_parameters.values()))


def request_of(response: Any) -> Request:
    sent = response.request
    content = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    texts = {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in sent.headers.items()}
    headers = {name: text.strip(" \t") for name, text in texts.items()}  # spaces around a value are no part of it
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
