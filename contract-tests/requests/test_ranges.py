"""A part of a file is the part that was asked for, and is told to be it."""

from typing import Any

import pytest

from harness import CONTRACT, code_of
from unpuzzle_server.kernel.spec import Operation
from world import named
from worlds import Worlds

RANGED = [item for item in CONTRACT.operations.values() if item.has("Range")]
EVERY_FILE = pytest.mark.parametrize("operation", RANGED, ids=named)


def part(worlds: Worlds, operation: Operation, asked: str, **headers: str) -> Any:
    return worlds.of(operation).send(operation, headers={"Range": f"bytes={asked}", **headers})


@EVERY_FILE
def test_a_part_is_what_was_asked_for(worlds: Worlds, operation: Operation) -> None:
    whole = worlds.of(operation).send(operation).content
    size = len(whole)
    for asked, start, end in (("0-0", 0, 1), ("2-5", 2, 6), ("7-", 7, size), ("-3", size - 3, size), (f"0-{size}", 0, size)):
        answer = part(worlds, operation, asked)
        assert (answer.status_code, answer.content) == (206, whole[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"


@EVERY_FILE
def test_a_part_behind_the_end_is_refused(worlds: Worlds, operation: Operation) -> None:
    size = len(worlds.of(operation).send(operation).content)
    refused = part(worlds, operation, f"{size}-")
    assert (refused.status_code, code_of(refused)) == (416, "RANGE_NOT_SATISFIABLE")
    assert refused.headers["content-range"] == f"bytes */{size}"


@EVERY_FILE
def test_a_part_is_of_the_file_that_was_meant(worlds: Worlds, operation: Operation) -> None:
    """Of another, one gets the whole."""
    whole = worlds.of(operation).send(operation)
    for tag, status in ((whole.headers["etag"], 206), ('"another"', 200)):
        assert part(worlds, operation, "0-0", **{"If-Range": tag}).status_code == status
