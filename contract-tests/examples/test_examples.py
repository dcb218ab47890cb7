"""The contract's examples are live: each request example is taken, and answered in the shape of the answer's example."""

from collections.abc import Iterator
from typing import Any

import pytest

from harness import CONTRACT
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import named
from worlds import Worlds

OPERATIONS = list(CONTRACT.operations.values())
QUERIES = [
    (operation, item["name"], item["example"])
    for operation in OPERATIONS
    for item in map(spec.resolve_once, CONTRACT.raw[operation.id].get("parameters", []))
    if item["in"] == "query"
]
EXEMPLIFIED = [operation for operation in OPERATIONS if operation.responses[operation.success]]
"""Operations that answer JSON; all JSON answers are named schemas, and the lint asks each for an example."""


def differences(schema: Any, example: Any, answer: Any, where: str = "answer") -> Iterator[str]:
    """Where an answer is of another shape than the example; null is as good as a value, as both are valid."""
    schema = merged(schema)
    match example, answer:
        case (None, _) | (_, None):
            return
        case dict(), dict() if "properties" in schema:
            optional = schema["properties"].keys() - set(schema.get("required", ()))
            if not schema.get("additionalProperties"):
                yield from (f"{where}.{key} is in one only" for key in (example.keys() ^ answer.keys()) - optional)
            for key in example.keys() & answer.keys():
                yield from differences(schema["properties"].get(key, {}), example[key], answer[key], f"{where}.{key}")
        case list(), list():
            for item in answer if example else []:
                yield from differences(schema["items"], example[0], item, f"{where}[]")
        case _ if kind(example) != kind(answer):
            yield f"{where} is {kind(answer)}, in the example {kind(example)}"


def merged(schema: Any) -> dict[str, Any]:
    """A schema without references, with the members of `allOf` in one."""
    resolved = spec.resolve(schema)
    parts = [merged(part) for part in resolved.get("allOf", [])]
    if not parts:
        return dict(resolved)
    return {
        "properties": {name: field for part in parts for name, field in part.get("properties", {}).items()},
        "required": [name for part in parts for name in part.get("required", [])],
    }


def kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


@pytest.mark.parametrize("operation", EXEMPLIFIED, ids=named)
def test_the_example_of_a_request_is_answered_as_the_example_of_the_answer_shows(worlds: Worlds, operation: Operation) -> None:
    answer = worlds.of(operation).send(operation)
    assert answer.status_code == operation.success
    schema = operation.responses[operation.success]
    assert [*differences(schema, spec.resolve(schema)["example"], answer.json())] == []
    if items := CONTRACT.raw[operation.id].get("x-unpuzzle-pagination"):
        assert answer.json()[items["items"]]  # else nothing was compared with the item of the example


@pytest.mark.parametrize(("operation", "name", "example"), QUERIES, ids=[f"{item.id}-{name}" for item, name, _ in QUERIES])
def test_the_example_of_a_query_parameter_is_taken(worlds: Worlds, operation: Operation, name: str, example: Any) -> None:
    world = worlds.of(operation)
    answer = world.send(operation, params={name: world.existing(name) or world.query(operation).get(name, example)})
    assert answer.status_code == operation.success


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        ({"message": 1}, "answer.message is number, in the example str"),
        ({}, "answer.message is in one only"),
        ({"message": "x", "note": "y"}, "answer.note is in one only"),
    ],
)
def test_another_shape_is_noticed(answer: Any, difference: str) -> None:
    assert [*differences({"$ref": "#/components/schemas/Message"}, {"message": "Done"}, answer)] == [difference]
