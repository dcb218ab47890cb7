"""What every operation refuses, however it is asked, and how its answer is asked for without its body."""

from typing import Any
from uuid import uuid4

import pytest

from harness import CONTRACT, TEST_SETTINGS, Api, Person, answer, code_of, fields_of
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import FORM, OCTETS, World, carried_as, in_path, named
from worlds import Worlds

NOBODYS = "00000000-0000-4000-8000-000000000000"
OPERATIONS = list(CONTRACT.operations.values())
WRITTEN = {
    "application/json": (b'{"title": "x"}', b'{"title": ', b'{"title": "a", "title": "b"}'),
    FORM: (b"title=x", b"title=%ff", b"title=a&title=b"),
}
"""A body of each media type: whole, broken, and with a field twice."""


def gives(operation: Operation, status: int) -> set[str]:
    """The codes of a status that an operation declares as its own."""
    return {code for code in operation.errors if spec.statuses()[code] == status}


WITH_BODY = [operation for operation in OPERATIONS if operation.body_type in WRITTEN]
STREAMED = [operation for operation in OPERATIONS if operation.body_type == OCTETS]
OF_SOMETHING = [operation for operation in OPERATIONS if in_path(operation) and gives(operation, 404)]
STORED = [operation for operation in OPERATIONS if operation.has("Idempotency-Key")]


def path_of(operation: Operation, value: str = NOBODYS) -> str:
    ids = dict.fromkeys(in_path(operation), value)
    if "payment_id" in ids and value != "~":
        ids["payment_id"] = f"pay_{value.replace('-', '')}"
    return operation.path.format(**ids)


def takes_anything(operation: Operation) -> set[str]:
    """What is no problem where others add to a request what they like."""
    open_body = operation.body and spec.resolve(operation.body).get("x-unpuzzle-open")
    return {"shade"} if operation.is_open else {"colour"} if open_body else set()


@pytest.fixture
def world(worlds: Worlds) -> World:
    """All of it is refused, so nothing in it changes."""
    return worlds.shared()


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_what_is_wrong_with_a_request_is_named_all_at_once(world: World, operation: Operation) -> None:
    body: dict[str, Any] = {carried_as(operation): {"colour": 1}} if operation.body else {}
    if operation.body_type == OCTETS:
        body = {"content": b""}
    refused = world.send(
        operation, path=path_of(operation, "~"), params={"shade": "dark"}, headers={"X-API-Version": "one"}, **body
    )
    expected = {"shade", *in_path(operation), *(["X-API-Version"] if operation.has("X-API-Version") else [])}
    if operation.body_type == OCTETS:
        expected |= {"body"}
    elif operation.body:
        expected |= {"colour", *spec.resolve(operation.body).get("required", [])}
    expected -= takes_anything(operation)
    assert (refused.status_code, code_of(refused)) == (422, "VALIDATION_ERROR")
    assert fields_of(refused) == expected


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_another_version_of_the_api_is_not_spoken(world: World, operation: Operation) -> None:
    refused = world.send(operation, path=path_of(operation), headers={"X-API-Version": "2.0.0"})
    assert (refused.status_code, code_of(refused)) == (400, "UNSUPPORTED_VERSION")


@pytest.mark.parametrize("operation", WITH_BODY, ids=named)
def test_a_body_is_whole_of_its_kind_and_not_too_large(world: World, operation: Operation) -> None:
    whole, broken, doubled = WRITTEN[operation.body_type]
    for content, media_type, status, code in (
        (broken, operation.body_type, 400, "MALFORMED_REQUEST"),
        (doubled, operation.body_type, 400, "MALFORMED_REQUEST"),
        (whole, "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (whole.replace(b"x", b"x" * 2**20), operation.body_type, 413, "PAYLOAD_TOO_LARGE"),
    ):
        refused = world.send(operation, path=path_of(operation), content=content, headers={"Content-Type": media_type})
        assert (refused.status_code, code_of(refused)) == (status, code)


@pytest.mark.parametrize("operation", STREAMED, ids=named)
def test_a_streamed_body_is_octets_and_not_too_large(world: World, operation: Operation) -> None:
    octets = {"Content-Type": OCTETS}
    for content, headers, status, code in (
        (b"x", {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"x", {**octets, "Content-Encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (bytes(TEST_SETTINGS.media_chunk_bytes + 1), octets, 413, "PAYLOAD_TOO_LARGE"),
    ):
        refused = world.send(operation, path=path_of(operation), content=content, headers=headers)
        assert (refused.status_code, code_of(refused)) == (status, code)


@pytest.mark.parametrize("operation", OF_SOMETHING, ids=named)
def test_what_is_not_there_is_not_found(world: World, operation: Operation) -> None:
    for value in (NOBODYS, NOBODYS.replace("8", "a").upper()):
        refused = world.send(operation, path=path_of(operation, value))
        assert refused.status_code == 404
        assert code_of(refused) in operation.errors


@pytest.mark.parametrize("operation", STORED, ids=named)
def test_a_key_with_a_blank_in_it_is_none(world: World, operation: Operation) -> None:
    refused = world.send(operation, path=path_of(operation), headers={"Idempotency-Key": "a key"})
    assert (refused.status_code, fields_of(refused)) == (422, {"Idempotency-Key"})


@pytest.mark.parametrize("operation", [item for item in STORED if item in OF_SOMETHING], ids=named)
def test_a_refusal_is_not_kept_for_its_key(world: World, operation: Operation) -> None:
    """The same key may be sent again with what was meant."""
    key = {"Idempotency-Key": uuid4().hex}
    for path in (path_of(operation), path_of(operation, NOBODYS.replace("8", "9"))):
        again = world.send(operation, path=path, headers=key)
        assert again.status_code == 404
        assert "idempotency-replayed" not in again.headers


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_a_method_that_is_not_there_says_which_are(admin: Person, operation: Operation) -> None:
    there = {item.method for item in OPERATIONS if item.path == operation.path}
    for method in {"get", "put", "post", "patch", "delete"} - {method.lower() for method in there}:
        refused = getattr(admin, method)(path_of(operation))
        assert (refused.status_code, code_of(refused)) == (405, "METHOD_NOT_ALLOWED")
        assert there <= set(refused.headers["allow"].split(", "))


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.method == "GET"], ids=named)
def test_head_answers_as_get_does_without_the_body(api: Api, worlds: Worlds, operation: Operation) -> None:
    world = worlds.of(operation)
    path, headers = operation.path.format(**world.ids(operation)), world.owner.headers
    query = world.query(operation)
    whole, head = (answer(api.client, method, path, params=query, headers=headers) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (whole.status_code, b"") == (operation.success, b"")
    for header in ("content-length", "content-type", "etag"):
        assert head.headers.get(header) == whole.headers.get(header)
