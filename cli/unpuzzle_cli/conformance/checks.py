"""The laws as checks of Schemathesis, and what every request of it is given."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial, wraps
from itertools import count
from typing import Any, Protocol
from uuid import UUID

import requests
import schemathesis
import yaml
from schemathesis.core.media_types import YAML_MEDIA_TYPES
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.coverage import _schema as coverage

from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws import LAWS
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS, Exchange, Reply, Request, nobody
from unpuzzle_cli.conformance.laws.request_ids import request_ids as check_request_ids

FRAMING = ("Content-Length", "Transfer-Encoding")
"""Headers that say where a message ends: made up, they make none that is HTTP. Those are sent by contract-tests/wire."""
coverage.MAX_GENERATED_PATTERN_LENGTH = 500  # type: ignore[attr-defined]  # there is no setting for it
"""Longer texts are made plain, where their pattern allows it: Hypothesis seeks 5,000 characters for half a minute, in vain."""
NOBODYS, LONGEST_ADDRESS = "@example.com", 254
ADDRESS = re.compile(r"([^\s@]+)@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)*[^\W_](?:[\w-]{0,61}[^\W_])?")
"""What a mail server may know: a domain, or the name of a machine."""
AnyCase = schemathesis.Case[Any]
READS = ("GET", "HEAD", "OPTIONS")
TOO_MANY = 429
STRANGE = 4
"""One request in so many keeps the ids that were generated, which are of nothing."""
MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a law runs into where an answer is not such as the contract declares."""


class World(Protocol):
    """Where requests find objects that are there."""

    def ids_for(self, operation: Operation, authorization: str) -> dict[str, str]: ...

    def body_for(self, operation: Operation, body: dict[str, Any], url: str, authorization: str) -> dict[str, Any]: ...

    def forget(self, ids: Iterable[str]) -> None: ...


@dataclass
class Run:
    """What requests and laws need to know of the run that they are of."""

    name: str
    world: World
    stranger: Callable[[], str] = nobody
    learner: Callable[[], str] | None = None
    roles: frozenset[str] | None = None
    between: frozenset[str] = frozenset()
    spares: bool = False
    """Whether the caller could change what is others': nothing is written to the contract's own ids then."""
    numbers: Iterator[int] = field(default_factory=partial(count, 1))
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)


_runs: list[Run] = []


def begin(run: Run) -> None:
    """Hooks and checks are all of Schemathesis's process: they serve the run that began last."""
    _runs[:] = [run]


@schemathesis.deserializer(*YAML_MEDIA_TYPES)  # all of them, for the first that is alike is taken
def contract_in_yaml(context: Any, response: Any) -> Any:
    return parsed(response.content)


@cache
def parsed(document: bytes) -> Any:
    """The contract in YAML is long, and the same in each answer."""
    return yaml.load(document, Loader=yaml.CSafeLoader)


@schemathesis.hook
def before_call(context: Any, case: AnyCase, kwargs: dict[str, Any]) -> None:
    """An id on every request, no header that breaks its framing, and objects that are there."""
    number = next(_runs[0].numbers)
    case.headers["X-Request-ID"] = f"{_runs[0].name}-{number}"
    for name in FRAMING:
        case.headers.pop(name, None)
    if number % STRANGE:
        lead_to_what_is_there(case, _runs[0].world)
    if _runs[0].spares and case.method not in READS:
        lead_away_from_examples(case, number)
    # What is set anew is judged anew, and a body that may be left out and is would be found malformed.
    if case.method not in READS and (body := at_example(case.body)) != case.body:
        case.body = body


@schemathesis.hook
def after_call(context: Any, case: AnyCase, response: Any) -> None:
    if response.status_code == 404 or (case.method == "DELETE" and response.status_code < 300):
        _runs[0].world.forget(map(str, case.path_parameters.values()))


def lead_to_what_is_there(case: AnyCase, world: World) -> None:
    """Valid ids become those of what is there; stateful tests have ids of their own."""
    operation, authorization = OPERATIONS.get((case.method, case.path)), case.headers.get("Authorization", "")
    if not operation or not case.meta or case.meta.phase.name == TestPhase.STATEFUL:
        return
    if not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters.update(world.ids_for(operation, authorization))
    if isinstance(case.body, dict) and not case.meta.is_negative_at(ParameterLocation.BODY):
        case.body = world.body_for(operation, case.body, case.formatted_path, authorization)


def lead_away_from_examples(case: AnyCase, number: int) -> None:
    """The ids of the contract's examples become such as nothing has."""
    operation = OPERATIONS.get((case.method, case.path))
    for item in operation.parameters if operation else ():
        if item["in"] == "path" and case.path_parameters.get(item["name"]) == item.get("example"):
            case.path_parameters[item["name"]] = str(UUID(int=number))


def at_example(body: Any, name: str = "") -> Any:
    """Addresses that mail could be sent to become such as nobody has; what is no address stays so."""
    match body:
        case dict():
            return {field: at_example(value, field) for field, value in body.items()}
        case list():
            return [at_example(item, name) for item in body]
        case str() if "email" in name and len(body) <= LONGEST_ADDRESS and (found := ADDRESS.fullmatch(body)):
            return f"{found[1][: LONGEST_ADDRESS - len(NOBODYS)]}{NOBODYS}"
    return body


def sign(schema: Any, authorization: Callable[[], str]) -> None:
    """Has each request carry what the caller has at that moment."""

    class Provider:
        def get(self, case: AnyCase, context: Any) -> str:
            return authorization()

        def set(self, case: AnyCase, data: str, context: Any) -> None:
            if data:
                case.headers["Authorization"] = data

    if authorization():
        schema.auth.auth(refresh_interval=None)(Provider)


def request_of(response: Any) -> Request:
    sent = response.request
    content = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    texts = {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in sent.headers.items()}
    headers = {name: text.strip(" \t") for name, text in texts.items()}  # spaces around a value are no part of it
    return Request(sent.method, sent.url, headers, content)


def reply_of(response: Any) -> Reply:
    return Reply(response.status_code, {name: ", ".join(values) for name, values in response.headers.items()}, response.content)


class LimitedError(Exception):
    """An answer that is needed was refused by a limit: nothing can be told."""


def unlimited(reply: Reply) -> Reply:
    if reply.status == TOO_MANY:
        raise LimitedError
    return reply


def hold(law: Callable[[Exchange], None], exchange: Exchange) -> bool:
    """Holds an exchange against a law, and says whether that could be told; an answer that makes no sense breaks it too."""
    run, send = _runs[0], exchange.send
    try:
        known = {name: getattr(run, name) for name in ("stranger", "learner", "roles", "between", "asked")}
        law(replace(exchange, send=lambda asked: unlimited(send(asked)), **known))
    except LimitedError:
        return False
    except MALFORMED as error:
        raise AssertionError(f"the answer is not such that this can be told: {error!r}") from error
    except requests.RequestException as error:
        raise AssertionError(f"to ask again, as this needs, fails: {error}") from error
    return True


def as_check(law: Callable[[Exchange], None]) -> Callable[..., None]:
    """A law as a check of Schemathesis; requests with methods that the contract does not know are left to its own checks."""

    @wraps(law)
    def check(ctx: Any, response: Any, case: Any) -> None:
        if operation := OPERATIONS.get((case.method, case.path)):
            hold(law, Exchange(operation, request_of(response), reply_of(response)))

    del check.__wrapped__  # Schemathesis looks at the signature, which is the check's
    return check


@schemathesis.check
def request_ids(ctx: Any, response: Any, case: Any) -> None:
    """Every answer carries the id of its request."""
    check_request_ids(request_of(response), reply_of(response))


for law in LAWS:
    schemathesis.check(as_check(law))
