"""What is sent again with its key is done once; what was set is set; what was deleted is gone."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from harness import CONTRACT, Api, Person, Server, code_of
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import World, carried_as, in_path, named, signature
from worlds import Worlds

OPERATIONS = list(CONTRACT.operations.values())
NOBODYS = "00000000-0000-4000-8000-000000000000"
ENDING = {"auth.delete_account"}
"""Nobody is signed in any more who could send it again."""
KEYED = [operation for operation in OPERATIONS if operation.has("Idempotency-Key") and operation.id not in ENDING]
DELETING = [operation for operation in OPERATIONS if operation.method == "DELETE" and 404 in operation.responses]
PUTTING = [operation for operation in OPERATIONS if operation.method == "PUT" and operation.responses[operation.success]]
OF_NOTHING_LASTING = {"learning.reopen_lesson"}
"""Deletions of what is not an object: a lesson that is open is open."""
SAID = re.compile(r"(again|second\s+\w+)\s+(changes\s+nothing|answers\s+the\s+same)")
WITH_EACH_JOB = {"enrollments.bulk_enroll"}
"""What is done again there is another job, of rows that change nothing."""
SETTING = {"courses.archive", "content.assign_media"} | {
    name for name, raw in CONTRACT.raw.items() if SAID.search(raw["description"]) and name not in WITH_EACH_JOB
}
"""Besides PUT: operations that say how something is to be, most in the contract's words, so that they can be sent again."""
PASSING = {
    "updated_at",
    "time_spent_seconds",
    "marked_count",
    "upload_url",
    "cdn_url",
    "thumbnail_url",
    "expires_at",
    "last_accessed_at",
}
"""What may be another with each answer."""
OF_EACH_ANSWER = {"date", "x-request-id", "idempotency-replayed"}
"""Headers that are another answer's though nothing was done."""


def prepared(world: World, operation: Operation) -> dict[str, Any]:
    """One request of an operation, to be sent as often as one likes."""
    request: dict[str, Any] = {"path": operation.path.format(**world.ids(operation)), "params": world.query(operation)}
    if operation.body:
        body = world.body(operation)
        request |= {carried_as(operation): body, "headers": signature(operation, body)}
    return request


def another(operation: Operation, request: dict[str, Any]) -> dict[str, Any] | None:
    """A valid request besides that one; None where there is only one."""
    if in_path(operation):
        ids = {name: f"pay_{NOBODYS.replace('-', '')}" if name == "payment_id" else NOBODYS for name in in_path(operation)}
        return {**request, "path": operation.path.format(**ids)}
    schema = spec.resolve(operation.body) if operation.body else {}
    for name in request.get("json", {}):
        if name not in schema.get("required", ()) and name in schema["properties"]:
            return {**request, "json": {key: value for key, value in request["json"].items() if key != name}}
    return None


@pytest.fixture(scope="module")
def other_admin(nobody: Api) -> Person:
    return nobody.sign_up_admin()


@pytest.mark.parametrize("operation", KEYED, ids=named)
def test_what_is_sent_again_with_its_key_is_answered_as_before_and_done_once(
    worlds: Worlds, other_admin: Person, operation: Operation
) -> None:
    """To nobody else: a key is its user's."""
    world, key = worlds.of(operation), {"Idempotency-Key": uuid4().hex}
    request = prepared(world, operation)
    headers = {**request.pop("headers", {}), **key}
    first, again = (world.send(operation, headers=headers, **request) for _ in range(2))
    assert first.status_code == again.status_code == operation.success
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert told(again) == told(first)
    assert "idempotency-replayed" not in world.send(operation, other_admin, headers=headers, **request).headers
    if other := another(operation, request):
        refused = world.send(operation, headers=headers, **other)
        assert (refused.status_code, code_of(refused)) == (422, "IDEMPOTENCY_MISMATCH")


def told(answer: Any) -> dict[str, str]:
    """The headers that are about what was done."""
    return {name: value for name, value in answer.headers.items() if name not in OF_EACH_ANSWER and "ratelimit" not in name}


@pytest.mark.parametrize("operation", [CONTRACT.operations["reflections.create"]], ids=named)
def test_a_key_is_of_one_operation(worlds: Worlds, operation: Operation) -> None:
    world, key = worlds.of(operation), {"Idempotency-Key": uuid4().hex}
    for each in (CONTRACT.operations["courses.create"], operation):
        made = world.send(each, headers=key)
        assert (made.status_code, "idempotency-replayed" in made.headers) == (201, False)


@pytest.mark.parametrize("operation", [CONTRACT.operations["courses.create"]], ids=named)
def test_a_key_is_good_for_a_day(server: Server, worlds: Worlds, operation: Operation) -> None:
    """Sent with a key of the API, for a token of a session ends before."""
    world, key = worlds.of(operation), {"Idempotency-Key": uuid4().hex}
    caller = world.with_key(world.owner, operation.scopes)
    try:
        for hours, replayed in ((-2, False), (21, True), (23, False)):
            server.clock.offset = timedelta(hours=hours)
            assert ("idempotency-replayed" in world.send(operation, caller, headers=key).headers) == replayed
    finally:
        server.clock.offset = timedelta()


@pytest.mark.parametrize("operation", DELETING, ids=named)
def test_what_was_deleted_is_gone(worlds: Worlds, operation: Operation) -> None:
    world = worlds.of(operation)
    request = prepared(world, operation)
    assert world.send(operation, **request).status_code == 204
    if operation.id in OF_NOTHING_LASTING:
        return
    assert world.send(operation, **request).status_code == 404
    reading = next((item for item in OPERATIONS if (item.method, item.path) == ("GET", operation.path)), None)
    if reading:
        assert world.send(reading, path=request["path"]).status_code == 404


@pytest.mark.parametrize(
    "operation", [*PUTTING, *(item for item in OPERATIONS if item.id in SETTING and item not in PUTTING)], ids=named
)
def test_what_was_set_is_set(worlds: Worlds, operation: Operation) -> None:
    """Sent again it changes nothing, neither in what it answers nor in what its tag shows of it."""
    world = worlds.of(operation)
    request = prepared(world, operation)
    first, before = world.send(operation, **request), shown(world, operation)
    again = world.send(operation, **request)
    assert first.status_code == again.status_code == operation.success
    assert lasting(first.json()) == lasting(again.json())
    assert shown(world, operation) == before


def shown(world: World, operation: Operation) -> dict[str, Any]:
    """The lists of the operation's tag that need no id."""
    lists = [item for item in OPERATIONS if item.has("page") and not in_path(item) and item.role == "user"]
    tag = operation.id.partition(".")[0]
    return {item.id: lasting(world.send(item).json()) for item in lists if item.id.startswith(f"{tag}.")}


def lasting(node: Any) -> Any:
    return json.loads(json.dumps(node), object_hook=lambda item: {k: v for k, v in item.items() if k not in PASSING})
