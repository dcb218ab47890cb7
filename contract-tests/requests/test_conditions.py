"""Every read that has an ETag can be asked for again by it, and every write that takes one minds it."""

import pytest

from harness import CONTRACT, code_of
from unpuzzle_server.kernel.spec import Operation
from world import in_path, named
from worlds import Worlds

OPERATIONS = list(CONTRACT.operations.values())


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.has("If-None-Match")], ids=named)
def test_what_is_still_the_same_is_not_sent_again(worlds: Worlds, operation: Operation) -> None:
    world = worlds.of(operation)
    tag = world.send(operation).headers["etag"]
    again = world.send(operation, headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["etag"]) == (304, tag)
    assert world.send(operation, headers={"If-None-Match": '"another"'}).status_code == operation.success


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.has("If-Match")], ids=named)
def test_nobody_changes_what_they_have_not_seen(worlds: Worlds, operation: Operation) -> None:
    world = worlds.of(operation)
    before = world.seen(in_path(operation))
    refused = world.send(operation, headers={"If-Match": '"0-another"'})
    assert (refused.status_code, code_of(refused)) == (412, "PRECONDITION_FAILED")
    assert world.seen(in_path(operation)) == before
    assert world.send(operation, headers={"If-Match": "*"}).status_code == operation.success


@pytest.mark.parametrize("operation", [CONTRACT.operations["courses.list"]], ids=named)
def test_a_list_that_has_changed_is_sent_again(worlds: Worlds, operation: Operation) -> None:
    """What has no version has its ETag by what stands in it."""
    world = worlds.shared(published=True)
    tag = world.send(operation).headers["etag"]
    world.owner.published_course()
    again = world.send(operation, headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["etag"] == tag) == (200, False)
