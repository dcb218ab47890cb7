"""The bounds of the contract are the server's: what is just within them is never refused as out of them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness import CONTRACT, code_of, fields_of
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation, Schema
from world import named
from worlds import Worlds

WRITING = [operation for operation in CONTRACT.operations.values() if operation.body_type == "application/json"]


def bounds(schema: Schema) -> Iterator[Any]:
    """The largest and the least that a number may be, and the longest text."""
    if schema.get("type") in ("integer", "number"):
        yield from (schema[name] for name in ("maximum", "minimum") if name in schema)
    elif schema.get("type") == "string" and "maxLength" in schema and not schema.keys() & {"format", "enum"}:
        longest = "x" * schema["maxLength"]
        yield from [longest] if re.search(schema.get("pattern", ""), longest) else []


def bounded(operation: Operation) -> dict[str, list[Any]]:
    fields = spec.resolve(operation.body).get("properties", {})
    found = {name: [*bounds(schema)] for name, schema in fields.items()}
    return {name: values for name, values in found.items() if values}


@pytest.mark.parametrize("operation", [operation for operation in WRITING if bounded(operation)], ids=named)
def test_what_is_just_within_a_bound_is_not_refused_for_it(worlds: Worlds, operation: Operation) -> None:
    world = worlds.of(operation)
    body = world.body(operation)
    for name, values in bounded(operation).items():
        for value in values:
            answer = world.send(operation, json={**body, name: value})
            refused = answer.is_error and code_of(answer) == "VALIDATION_ERROR" and name in fields_of(answer)
            assert not refused, answer.text
            assert not answer.is_server_error
