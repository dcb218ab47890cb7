"""What every operation answers when the server is in trouble, or when too much is asked at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from harness import CONTRACT, Api, Person, Server, code_of, running_server
from line import Line
from objects import PICTURE
from unpuzzle_server import app
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.operations import handler_of
from unpuzzle_server.kernel.spec import Operation
from world import carried_as, named, signature

OPERATIONS = list(CONTRACT.operations.values())
LOOKING_AT_TOKENS = [operation for operation in OPERATIONS if CONTRACT.raw[operation.id]["security"]]
SMALLEST = {
    "rate_limit_anonymous": 1,
    "rate_limit_authenticated": 1,
    "rate_limit_sign_up": 1,
    "rate_limit_sign_in": 1,
    "rate_limit_reset": 1,
}


def documenting(status: int) -> Any:
    """Runs a test for each operation that says it may answer so."""
    found = [operation for operation in OPERATIONS if status in operation.responses]
    return pytest.mark.parametrize("operation", found, ids=named)


def example(operation: Operation) -> dict[str, Any]:
    """A request that the contract allows: its own examples."""
    path = {item.name: _parameter(operation, item.name) for item in operation.parameters if item.location == "path"}
    required = [item for item in operation.parameters if item.required and item.location == "query"]
    request: dict[str, Any] = {"url": operation.path.format(**path)}
    request["params"] = {item.name: _parameter(operation, item.name) for item in required}
    if operation.body:
        request[carried_as(operation)] = spec.resolve(operation.body).get("example", PICTURE)
        request["headers"] = signature(operation, request[carried_as(operation)])
    return request


def _parameter(operation: Operation, name: str) -> Any:
    raw = CONTRACT.raw[operation.id].get("parameters", [])
    shared = spec.document()["paths"][operation.path].get("parameters", [])
    return next(item["example"] for item in spec.resolve([*raw, *shared]) if item["name"] == name)


def send(caller: Api, operation: Operation, person: Person | None = None, **changes: Any) -> httpx.Response:
    request = {**example(operation), **changes}
    headers = {**example(operation).get("headers", {}), **(person.headers if person else {}), **request.pop("headers", {})}
    return caller.request(operation.method, request.pop("url"), headers=headers, **request)


@pytest.fixture(scope="module")
def everybody(nobody: Api) -> Person:
    """Somebody with every role."""
    return nobody.sign_up_admin()


def failing(handler: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(handler)
    async def fails(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("postgresql://a:secret@host")

    return fails


@pytest.fixture(scope="module")
def at_a_faulty_server(server: Server) -> Iterator[Api]:
    """Each of its handlers has a fault."""
    patch = pytest.MonkeyPatch()
    patch.setattr(app, "handler_of", lambda operation_id: failing(handler_of(operation_id)))
    with running_server(server.owner_url) as faulty, Api(faulty) as caller:
        patch.undo()
        yield caller


@documenting(500)
def test_a_fault_is_told_in_the_envelope_and_nothing_of_its_cause(
    at_a_faulty_server: Api, everybody: Person, operation: Operation
) -> None:
    response = send(at_a_faulty_server, operation, everybody)
    assert (response.status_code, code_of(response)) == (500, "INTERNAL_ERROR")
    assert "secret" not in response.text


@pytest.fixture(scope="module")
def at_a_server_without_database(server: Server) -> Iterator[Api]:
    """It had one when it started."""
    with Line(server.owner_url) as line, running_server(line.url) as left, Api(left) as caller:
        line.cut()
        yield caller


@documenting(503)
def test_without_its_database_it_says_when_to_come_back(
    at_a_server_without_database: Api, everybody: Person, operation: Operation
) -> None:
    response = send(at_a_server_without_database, operation, everybody)
    assert (response.status_code, code_of(response)) == (503, "SERVICE_UNAVAILABLE")
    assert response.headers["retry-after"] == str(response.json()["error"]["retry_after"])


@pytest.fixture(scope="module")
def at_a_strict_server(server: Server) -> Iterator[Api]:
    """It takes one request an hour."""
    with running_server(server.owner_url, **SMALLEST) as strict, Api(strict) as caller:
        yield caller
        strict.sql("DELETE FROM rate_limits")  # later tests come from this address too


@documenting(429)
def test_the_request_too_many_is_refused(at_a_strict_server: Api, everybody: Person, operation: Operation) -> None:
    at_a_strict_server.server.sql("DELETE FROM rate_limits")
    same_limit = operation if operation.limit else CONTRACT.operations["system.info"]
    person = everybody if operation in LOOKING_AT_TOKENS else None
    assert send(at_a_strict_server, same_limit, person).status_code != 429
    refused = send(at_a_strict_server, operation, person)
    assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMIT_EXCEEDED")
    assert refused.headers["x-ratelimit-remaining"] == "0"


@contextmanager
def under_way(server: Server, person: Person, operation: Operation, key: str) -> Iterator[None]:
    """As if the first call with a key had not ended yet."""
    with psycopg.connect(server.owner_url) as holding:
        scope = f"{person.id}:{operation.id}:{key}"
        holding.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (scope,))
        yield
        holding.rollback()


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.has("Idempotency-Key")], ids=named)
def test_a_call_that_is_under_way_is_not_done_twice(api: Api, everybody: Person, operation: Operation) -> None:
    server, key = api.server, uuid4().hex
    with under_way(server, everybody, operation, key):
        refused = send(api, operation, everybody, headers={"Idempotency-Key": key})
    assert (refused.status_code, code_of(refused)) == (409, "IDEMPOTENCY_IN_PROGRESS")
