"""`unpuzzle_sdk.testing.MockUnpuzzle` refuses what the server refuses, in the server's words."""

import asyncio
import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from generated import JSON, values
from harness import CONTRACT
from server_reading import read
from unpuzzle_sdk.testing import MockUnpuzzle
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.spec import Operation, Parameter
from world import FORM, OCTETS, named

OPERATIONS = [operation for operation in CONTRACT.operations.values() if operation.body_type in ("", "application/json")]
GENERATED = settings(derandomize=True, database=None, deadline=None, max_examples=3, phases=[Phase.generate, Phase.shrink])
LETTERS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=20)
"""What may stand in a header and, when it is quoted, in a path; most parameters allow some of it and refuse some."""


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def sent_values(parameter: Parameter) -> st.SearchStrategy[str]:
    """What is allowed, and what is not."""
    allowed = values(parameter.schema).map(as_text).filter(lambda text: text not in (".", ".."))
    plain = allowed.filter(str.isascii) if parameter.location == "header" else allowed
    return plain | LETTERS.filter(lambda text: not set(text) & set("./"))


def bodies(schema: spec.Schema) -> st.SearchStrategy[Any]:
    """What is allowed; the same with some of its fields changed for anything, left out or added; and anything."""
    names = [*spec.resolve(schema).get("properties", {}), "colour"]
    changes = st.dictionaries(st.sampled_from(names), JSON | st.just(...), max_size=3)
    changed = st.tuples(values(schema), changes).map(lambda both: _changed(*both))
    return values(schema) | changed | JSON


def _changed(body: Any, changes: dict[str, Any]) -> Any:
    return {name: value for name, value in {**body, **changes}.items() if value is not ...}


def requests(operation: Operation) -> st.SearchStrategy[httpx.Request]:
    sent = [item for item in operation.parameters if item.name != "X-API-Version"]
    optional = {item.name: sent_values(item) for item in sent if item.location != "path"}
    in_path = {item.name: sent_values(item) for item in sent if item.location == "path"}
    body = bodies(operation.body) if operation.body else st.none()
    return st.builds(_request, st.just(operation), st.fixed_dictionaries(in_path, optional=optional), body)


def _request(operation: Operation, said: dict[str, str], body: Any) -> httpx.Request:
    where = {item.name: item.location for item in operation.parameters}
    path = operation.path.format(**{name: quote(value, safe="") for name, value in said.items()})
    query = urlencode({name: value for name, value in said.items() if where[name] == "query"})
    headers = {name: value for name, value in said.items() if where[name] == "header"}
    headers |= {"Authorization": "Bearer x"}
    if operation.body:
        headers["Content-Type"] = "application/json"
    content = json.dumps(body).encode() if operation.body else None
    return httpx.Request(operation.method, f"http://api{path}?{query}", headers=headers, content=content)


def refused_by_server(request: httpx.Request) -> set[tuple[str, str]] | str:
    try:
        asyncio.run(read(request))
    except Problem as problem:
        return {(detail["field"], detail["message"]) for detail in problem.details} or problem.code
    return set()


def refused_by_mock(request: httpx.Request) -> set[tuple[str, str]] | str:
    response = MockUnpuzzle().transport.handle_request(request)
    if response.is_success or response.is_redirect or response.status_code == 304:
        return set()
    error = json.loads(response.read())["error"]
    return {(detail["field"], detail["message"]) for detail in error.get("details", ())} or error["code"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_the_mock_refuses_what_the_server_refuses_in_its_words(operation: Operation) -> None:
    @GENERATED
    @given(requests(operation))
    def holds(request: httpx.Request) -> None:
        assert refused_by_mock(request) == refused_by_server(request)

    holds()


def test_only_forms_and_octets_are_left_out() -> None:
    assert {operation.body_type for operation in CONTRACT.operations.values() if operation not in OPERATIONS} == {FORM, OCTETS}
