"""The generated code holds everything that the contract does."""

from __future__ import annotations

import hashlib
import inspect
import json
import pickle
import re
import subprocess
import sys
from copy import deepcopy
from typing import Any

import pytest
from loopback import CONTRACT

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, _spec, errors, models

METHODS = ("get", "put", "post", "patch", "delete")


def operations(contract: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [(item, item[method]) for item in contract["paths"].values() for method in METHODS if method in item]


def resolve(contract: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = contract
        for key in node["$ref"][2:].split("/"):
            found = found[key]
        node = found
    return node


def parameters(contract: dict[str, Any], item: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """The names of the arguments that the contract gives an operation."""
    given = [resolve(contract, node) for node in item.get("parameters", []) + operation.get("parameters", [])]
    names = {node["name"] for node in given} - {"X-API-Version"}
    for body in operation.get("requestBody", {}).get("content", {}).values():
        schema = resolve(contract, body["schema"])
        names |= set(schema.get("properties", {})) or {"content"}
    names.discard(operation.get("x-unpuzzle-stream", {}).get("flag"))
    if "x-unpuzzle-pagination" in operation:
        names.add("max_items")
    return {name.lower().replace("-", "_") for name in names}


def is_stream(operation: dict[str, Any]) -> bool:
    """Whether an operation answers with events and nothing else."""
    return "x-unpuzzle-stream" in operation and "flag" not in operation["x-unpuzzle-stream"]


def test_spec_is_the_one_it_was_generated_from() -> None:
    assert hashlib.sha256(CONTRACT.read_bytes()).hexdigest() == _spec.SPEC_SHA256


@pytest.mark.parametrize("client", [Unpuzzle(base_url="http://x"), AsyncUnpuzzle(base_url="http://x")])
def test_every_operation_is_a_method_with_all_its_arguments(client: Any, contract: dict[str, Any]) -> None:
    found = operations(contract)
    assert found
    for item, operation in found:
        tag, verb = operation["operationId"].split(".")
        method = getattr(getattr(client, tag), verb)
        raw = getattr(getattr(client.raw, tag), verb)
        expected = parameters(contract, item, operation)
        # The generator takes a number in the name of a header for a word of its own.
        assert {re.sub(r"_$|_(?=1$)", "", name) for name in inspect.signature(method).parameters} == expected, (
            operation["operationId"]
        )
        assert inspect.signature(raw) == inspect.signature(method)
        assert operation["summary"] in method.__doc__
        later = "x-unpuzzle-pagination" in operation or is_stream(operation)
        assert inspect.iscoroutinefunction(method) == (isinstance(client, AsyncUnpuzzle) and not later)
        if "flag" in operation.get("x-unpuzzle-stream", {}):
            twin = getattr(getattr(client, tag), operation["x-unpuzzle-stream"].get("named", f"{verb}_stream"))
            assert inspect.signature(twin).parameters == inspect.signature(method).parameters


def test_every_error_of_an_operation_is_in_its_docstring(contract: dict[str, Any]) -> None:
    client = Unpuzzle(base_url="http://x")
    for _, operation in operations(contract):
        tag, verb = operation["operationId"].split(".")
        doc = getattr(getattr(client, tag), verb).__doc__
        for code in operation.get("x-unpuzzle-errors", []):
            name = "".join(word.capitalize() for word in code.split("_"))
            assert f"errors.{name}: `{code}`" in doc
            assert issubclass(getattr(errors, name), errors.APIStatusError)


def test_every_schema_reads_and_writes_its_example(contract: dict[str, Any], examples: dict[str, Any]) -> None:
    read = 0
    for name, example in examples.items():
        model = getattr(models, name)
        if not hasattr(model, "from_dict"):
            continue
        value = model.from_dict(example)
        assert value.additional_properties == {} or "properties" not in contract["components"]["schemas"][name]
        assert model.from_dict(json.loads(json.dumps(value.to_dict()))) == value
        assert set(value.to_dict()) == set(example)
        assert pickle.loads(pickle.dumps(value)) == deepcopy(value) == value
        read += 1
    assert read > 30


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import unpuzzle_sdk", ("httpx", "attrs", "typing", "unpuzzle_sdk.models", "unpuzzle_sdk._client")),
        ("import unpuzzle_sdk; unpuzzle_sdk.Unpuzzle().courses.get", ("httpx", "unpuzzle_sdk.models.course")),
    ],
)
def test_nothing_is_imported_before_it_is_needed(statement: str, absent: tuple[str, ...]) -> None:
    program = f"import sys; {statement}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(absent) & set(loaded.stdout.split())
