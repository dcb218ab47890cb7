"""A mock answers every operation of the contract as the contract documents it."""

from __future__ import annotations

import asyncio
import inspect
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import pytest

from unpuzzle_sdk import AsyncPager, AsyncStream, Page, Stream, models
from unpuzzle_sdk.testing import MockUnpuzzle, NoMoreEvents
from unpuzzle_sdk.testing._checks import rules
from unpuzzle_sdk.testing._contract import Operation
from unpuzzle_sdk.testing._contract import contract as known
from unpuzzle_sdk.testing._rules import Rules

sys.path.insert(0, str(Path(__file__).parents[1] / "codegen"))

import mocking

OPERATIONS = [*known().operations.values()]
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


@pytest.fixture(scope="session")
def written(contract: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations as the contract has them, with the parameters of their paths."""
    found = {}
    for item in contract["paths"].values():
        for raw in (raw for method, raw in item.items() if method in mocking.METHODS):
            nodes = [*item.get("parameters", []), *raw.get("parameters", [])]
            parameters = [resolve(contract, node) for node in nodes]
            found[raw["operationId"]] = {**raw, "parameters": parameters}
    return found


def resolve(contract: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = contract
    for key in node["$ref"][2:].split("/"):
        found = found[key]
    return found


def arguments(operation: Operation, written: dict[str, Any], method: Any) -> dict[str, Any]:
    """Those of a call that says everything that the contract has an example of."""
    argument = {name.rstrip("_"): name for name in inspect.signature(method).parameters}
    # The ETag of an example is not the one of the answer, and a stream begins at its beginning.
    names = {
        parameter["name"]: parameter["example"]
        for parameter in written["parameters"]
        if parameter["name"] not in ("X-API-Version", "If-None-Match", "Last-Event-ID", "page")
    }
    found = {argument[_python(name)]: value for name, value in names.items()}
    schema = operation.body.get("schema", {})
    if "$ref" in schema:
        body = getattr(models, schema["$ref"]).from_dict(known().example(schema["$ref"]))
        found |= {field.name: getattr(body, field.name) for field in attrs.fields(type(body)) if field.init}
        found = {name: value for name, value in found.items() if name in argument.values()}
    elif operation.body:
        found["content"] = b"0123456789"
    return found


def _python(name: str) -> str:
    return "x_bz_content_sha_1" if name == "X-Bz-Content-Sha1" else name.lower().replace("-", "_")


def expected(operation: Operation, answer: Any) -> Any:
    """The example, of which a list has the one page that there is."""
    schema = operation.answers[operation.usual].get("schema", {}).get("$ref")
    if schema is None:
        return answer
    example = known().example(schema)
    if operation.items:
        example |= {"count": len(example[operation.items]), "next": None, "previous": None, "total_pages": 1}
    if operation.id == "media.initiate_upload":
        # A mock has no storage that takes parts itself.
        example["parts"] = []
    return example


def seen(answer: Any) -> Any:
    """What a method gave, as JSON has it."""
    if isinstance(answer, Page):
        return answer.data.to_dict()
    return answer.to_dict() if hasattr(answer, "to_dict") else answer


@EVERY_OPERATION
def test_every_operation_gives_its_documented_example(
    mock: MockUnpuzzle, operation: Operation, written: dict[str, dict[str, Any]]
) -> None:
    tag, verb = operation.id.split(".")
    method = getattr(getattr(mock.client(), tag), verb)
    answer = method(**arguments(operation, written[operation.id], method))
    if isinstance(answer, Stream):
        assert [event.event for event in islice(answer, 1)] == [*operation.stream["events"]]
    elif operation.usual == 204:
        assert answer is None
    elif operation.usual >= 300:
        assert answer == operation.answers[operation.usual]["headers"]["Location"]
    elif isinstance(answer, bytes | str):
        assert len(answer) > 10
    else:
        assert seen(answer) == expected(operation, answer)
    (request,) = mock.requests
    assert (request.operation, request.status) == (operation.id, operation.usual)


@pytest.mark.parametrize("verb", ["get", "list", "create", "delete"])
def test_a_client_in_asyncio_is_answered_the_same(
    mock: MockUnpuzzle, verb: str, written: dict[str, dict[str, Any]]
) -> None:
    operation = known().operation(f"courses.{verb}")
    plain, waiting = (getattr(client.courses, verb) for client in (mock.client(), mock.async_client()))
    call = arguments(operation, written[operation.id], plain)

    async def ask() -> Any:
        found = waiting(**call)
        page = await found
        return page.data.to_dict() if isinstance(found, AsyncPager) else seen(page)

    assert asyncio.run(ask()) == seen(plain(**call))


def test_a_list_ends_with_its_only_page(mock: MockUnpuzzle) -> None:
    client = mock.client()
    page = client.courses.list()
    assert (page.count, page.total_pages, page.next_page()) == (1, 1, None)
    assert len([*page]) == 1
    assert len(mock.requests) == 1
    second = client.courses.list(page=2)
    assert (second.results, second.count, second.data.previous) == (
        [],
        1,
        "https://api.unpuzzle.com/api/v1/courses/?page=1",
    )


def test_the_tutor_tells_its_answer_piece_by_piece(mock: MockUnpuzzle) -> None:
    stream = mock.client().ai.stream_message(message="Why?")
    assert [event.event for event in stream] == [*known().operation("ai.send_message").stream["events"]]
    assert stream.final().to_dict() == known().example("ChatAnswer")


def test_a_stream_without_an_end_says_so_when_it_has_told_everything(mock: MockUnpuzzle) -> None:
    heard: list[Any] = []
    with pytest.raises(NoMoreEvents, match=r"notifications\.stream has told all of its 1 events"):
        heard.extend(event.id for event in mock.client().notifications.stream())
    with pytest.raises(NoMoreEvents):
        asyncio.run(follow(mock.async_client().notifications.stream(), heard))
    assert heard == ["1", "1"]


async def follow(stream: AsyncStream[Any, Any], heard: list[Any]) -> None:
    async for event in stream:
        heard.append(event.id)  # noqa: PERF401 - the stream does not end


def test_what_a_client_has_already_is_not_sent_again(mock: MockUnpuzzle) -> None:
    raw = mock.client().raw
    tag = raw.courses.get("a-course").etag
    again = raw.request("GET", "/api/v1/courses/a-course/", headers={"If-None-Match": str(tag)})
    assert (again.status_code, again.content, again.etag) == (304, b"", tag)


def test_an_answer_carries_the_headers_that_it_must_have(mock: MockUnpuzzle) -> None:
    answer = mock.client().raw.courses.get("a-course")
    assert answer.rate_limit is not None
    assert (answer.rate_limit.limit, answer.request_id) == (1000, "req_mock_1")


def test_the_copy_of_the_contract_is_the_one_that_is_generated(contract: dict[str, Any]) -> None:
    package = Path(mocking.__file__).parents[1] / "unpuzzle_sdk"
    assert (package / "testing" / "contract.json").read_text() == mocking.as_text(mocking.contract_of(contract))


def test_every_example_is_what_its_schema_asks_for() -> None:
    strict = Rules(known().schemas, closed=True)
    checked = [name for name in known().schemas if known().has_example(name)]
    assert len(checked) > 150
    for name in checked:
        for check in (strict, rules()):
            assert [*check.problems({"$ref": name}, known().example(name))] == [], name


def test_a_keyword_that_the_mock_does_not_check_is_refused_by_the_generator() -> None:
    with pytest.raises(mocking.MockingError, match="'not'"):
        mocking.compact({"type": "object", "properties": {"title": {"not": {}}}})
