"""Each field that can be changed is changed alone: it is there, the rest stays, and the ETag is another one."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from generated import values
from harness import CONTRACT
from unpuzzle_cli.conformance.laws.echo import differences
from unpuzzle_cli.conformance.laws.exchange import CONTRACT as SCHEMAS
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS
from unpuzzle_cli.conformance.laws.sums import moment
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import named
from worlds import Worlds

UPDATING = [
    operation
    for operation in CONTRACT.operations.values()
    if operation.method in ("PATCH", "PUT") and operation.has("If-Match") and operation.id != "content.put_transcript"
]
"""A transcript is put as a whole."""
ALONE = settings(derandomize=True, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
FOLLOWING = {
    "updated_at", "message", "version", "order", "currency", "price", "duration_minutes", "duration_seconds", "questions_count",
    "total_points", "passing_score", "suspended_at", "status", "slug", "category",
}  # fmt: skip
"""What may change with another field: when it was changed, and what is counted from it."""


def state(answer: Any) -> dict[str, Any]:
    """The resource in an answer: the whole, or the object that stands beside a message."""
    body: dict[str, Any] = answer.json()
    inside = [value for value in body.values() if isinstance(value, dict) and "id" in value]
    return inside[0] if set(body) == {"message", *(name for name in body if body[name] in inside)} and inside else body


def flat(node: Any, path: str = "") -> dict[str, Any]:
    """The fields of an object, those of objects inside it by their whole names."""
    if not isinstance(node, dict) or not node:
        return {path: node}
    found: dict[str, Any] = {}
    for name, value in node.items():
        found |= flat(value, f"{path}.{name}" if path else name)
    return found


def changes(operation: Operation, now: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A body for each field that has a value besides the present one."""
    for name, schema in spec.resolve(operation.body)["properties"].items():
        inside = spec.resolve(schema).get("properties") or spec.resolve(schema).get("additionalProperties")
        if name.endswith(("_id", "_ids")) or name in ("questions", "roles"):
            continue  # ids have to be of something, and whoever has a role is a student too
        if isinstance(inside, dict) and isinstance(now.get(name), dict):
            yield name, {name: another(schema, now[name], bool)}
        elif spec.resolve(schema).get("format") == "date-time":
            yield name, {name: "2031-05-05T00:30:00+02:00"}
        else:
            yield name, {name: another(schema, now.get(name), lambda value: value is not None)}
        if spec.resolve(schema).get("nullable"):
            yield name, {name: None}


def another(schema: Any, now: Any, is_wanted: Any) -> Any:
    """Another value; a text is one that no other test chooses, since some must be unique."""
    found = find(values(schema), lambda value: value != now and is_wanted(value), settings=ALONE)
    longer = f"{found}{uuid4().hex[:8]}" if isinstance(found, str) else found
    return longer if spec.compiled(schema).is_valid(longer) else found


def version(answer: Any) -> str:
    tag: str = answer.headers["etag"]
    return tag.strip('"').partition("-")[0]


@pytest.mark.parametrize("operation", UPDATING, ids=named)
def test_a_change_is_of_what_was_sent_and_of_nothing_else(worlds: Worlds, operation: Operation) -> None:
    world = worlds.of(operation)
    path = operation.path.format(**world.ids(operation))
    before = world.send(operation, path=path)
    assert before.status_code == operation.success
    changed = 0
    for name, body in changes(operation, state(before)):
        after = world.send(operation, path=path, json=body, headers={"If-Match": before.headers["etag"]})
        # In the state that everything begins in, a draft say, no rule of the domain's refuses any field.
        assert after.status_code == operation.success, f"{operation.id} refuses {body}: {after.text}"
        assert [*not_as_sent(operation, body, after.json())] == []
        check_rest(name, body, state(before), state(after))
        assert (version(before) == version(after)) == (before.headers["etag"] == after.headers["etag"])
        if version(before) != version(after) and "updated_at" in state(after):
            assert moment(state(after)["updated_at"]) > moment(state(before)["updated_at"])
        late = world.send(operation, path=path, json=body, headers={"If-Match": before.headers["etag"]})
        assert late.status_code == (412 if version(before) != version(after) else operation.success)
        before, changed = after, changed + 1
    assert changed


def not_as_sent(operation: Operation, body: dict[str, Any], answer: dict[str, Any]) -> Iterator[str]:
    declared = OPERATIONS[operation.method, operation.path]
    return differences(SCHEMAS.fields(declared.body_schema), SCHEMAS.fields(declared.successes[0].schema), body, answer)


def check_rest(name: str, body: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new, sent = flat(before), flat(after), flat(body)
    differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    by_the_way = {key for key in differing - sent.keys() if key.rpartition(".")[2] not in FOLLOWING | sent.keys()}
    assert not by_the_way, f"with {sorted(sent)}, {sorted(by_the_way)} changed too"
