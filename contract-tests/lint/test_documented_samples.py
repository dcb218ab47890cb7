"""What the API document shows is what the contract takes and answers."""

import copy
import re
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml

from unpuzzle_cli.conformance.contract import FILE, Contract, Node, Operation, load

from . import samples

SAMPLES: dict[str, Node] = yaml.safe_load(Path(__file__).with_name("documented_samples.yaml").read_text())
CONTRACT = Contract(load(FILE.read_text()))
STANDARD_ERROR = {
    "status": "error",
    "error": {
        "code": "VALIDATION_ERROR",
        "message": "Invalid input data",
        "details": [{"field": "email", "message": "Invalid email format"}],
    },
    "timestamp": "2025-01-20T00:00:00Z",
    "request_id": "unique_request_id",
}


def broken_promises(contract: Contract, name: str, sample: Node) -> Iterator[str]:
    """Everything that a reader of the document would be disappointed by."""
    operation = next(operation for operation in contract.operations if operation.id == name)
    if f"{operation.method.upper()} {operation.path}" != sample["call"]:
        yield f"it is called by {operation.method.upper()} {operation.path}"
    for parameter, values in sample.get("parameters", {}).items():
        yield from (
            f"{parameter}: {problem}" for value in values for problem in _refusals(operation, parameter, with_uuids(value))
        )
    if "request" in sample:
        yield from samples.problems(contract, operation.body_schema, with_uuids(sample["request"]))
    answer = next((answer for answer in operation.answers if answer.status == str(sample["status"])), None)
    if answer is None:
        yield f"it does not answer {sample['status']}"
    else:
        yield from _missing(contract, answer.schema, sample["response"])
        yield from samples.problems(_lenient(contract), answer.schema, with_uuids(sample["response"]))


def _refusals(operation: Operation, name: str, value: Any) -> Iterator[str]:
    found = [parameter for parameter in operation.parameters if parameter["name"] == name and parameter["in"] == "query"]
    if not found:
        yield "is no parameter"
    for parameter in found:
        yield from samples.problems(operation.contract, parameter["schema"], value)


def _missing(contract: Contract, schema: Node, shown: Any, where: str = "") -> Iterator[str]:
    """The keys of a documented answer that the contract does not promise to be there always."""
    schema = contract.resolve(schema)
    if isinstance(shown, list):
        for number, item in enumerate(shown):
            yield from _missing(contract, schema.get("items", {}), item, f"{where}{number}.")
    if isinstance(shown, dict):
        yield from (f"{where}{key}: is not always there" for key in shown.keys() - contract.required(schema))
        for key, field in contract.fields(schema).items():
            yield from _missing(contract, field, shown.get(key), f"{where}{key}.")


def _lenient(contract: Contract) -> Contract:
    """The contract without `required`: the document shows the beginning of an answer, and more may follow."""
    lenient = Contract(copy.deepcopy(contract.document))
    for _, schema in lenient.schemas:
        schema.pop("required", None)
    return lenient


def with_uuids(sample: Any) -> Any:
    """A sample with a UUID wherever the document writes the word."""
    match sample:
        case dict():
            return {key: with_uuids(value) for key, value in sample.items()}
        case list():
            return [with_uuids(item) for item in sample]
        case str() if re.fullmatch(r"(\w+_)?uuid", sample):
            return "b6b28414-328b-5b14-930c-0a8320288e81"
        case _:
            return sample


@pytest.mark.parametrize("name", SAMPLES)
def test_the_contract_keeps_what_the_document_promises(name: str) -> None:
    assert [*broken_promises(CONTRACT, name, SAMPLES[name])] == []


def test_the_standard_error_is_the_error_envelope() -> None:
    assert [*samples.problems(CONTRACT, {"$ref": "#/components/schemas/ErrorEnvelope"}, STANDARD_ERROR)] == []


def changed(path: list[str], value: Any) -> Contract:
    """The contract with another value at one place."""
    document = copy.deepcopy(CONTRACT.document)
    *parents, last = path
    reduce(getitem, parents, document)[last] = value
    return Contract(document)


@pytest.mark.parametrize(
    ("path", "value", "disappointment"),
    [
        ("paths /api/v1/courses/ get responses", {}, "it does not answer 200"),
        ("paths /api/v1/courses/ get parameters", [], "difficulty: is no parameter"),
        ("components schemas CourseSort enum", ["title"], 'sort: the sample: "rating" is not one of "title"'),
        ("components schemas CourseInstructor properties", {}, "results.0.instructor.name: is not declared"),
        ("components schemas CourseInstructor required", ["id"], "results.0.instructor.name: is not always there"),
        ("components schemas CourseSummary properties price type", "string", 'results.0.price: 49.99 is not of type "string"'),
    ],
)
def test_a_broken_promise_is_found(path: str, value: Any, disappointment: str) -> None:
    assert disappointment in [*broken_promises(changed(path.split(), value), "courses.list", SAMPLES["courses.list"])]


def test_a_refused_request_is_found() -> None:
    contract = changed(["components", "schemas", "CourseCreate", "properties", "price", "maximum"], 10)
    found = [*broken_promises(contract, "courses.create", SAMPLES["courses.create"])]
    assert found == ["price: 79.99 is greater than the maximum of 10"]


def test_another_address_is_found() -> None:
    sample = {**SAMPLES["courses.list"], "call": "GET /api/v2/courses/"}
    assert [*broken_promises(CONTRACT, "courses.list", sample)] == ["it is called by GET /api/v1/courses/"]
