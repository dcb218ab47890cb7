"""Each kind of break of a command is found, and what breaks no script is not."""

from typing import Any

import pytest

from compatibility.commands import breaking_changes

TEXT, NUMBER = {"type": "str"}, {"type": "int"}
CHOICE = {"type": "choice", "values": ["a", "b"]}


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ({"-q": TEXT}, {}, "it does not take -q"),
        ({}, {"--to": TEXT | {"required": True}}, "it requires --to"),
        ({"--to": TEXT}, {"--to": TEXT | {"required": True}}, "it requires --to"),
        ({"argument 1": NUMBER}, {"argument 1": {"type": "boolean"}}, "argument 1 is boolean, was int"),
        ({"--to": TEXT}, {"--to": NUMBER}, "--to is int, was str"),
        ({"--to": TEXT | {"many": True}}, {"--to": TEXT}, "--to can't be repeated any more"),
        ({"--to": TEXT}, {"--to": TEXT | {"file": True}}, "--to reads a file where it is given `@` or `-`"),
        ({"--to": TEXT | {"file": True}}, {"--to": TEXT}, "--to does not read a file where it is given `@` or `-`"),
        ({"--to": CHOICE}, {"--to": CHOICE | {"values": ["a"]}}, "--to does not take b any more"),
    ],
)
def test_a_break_of_a_command_is_found(before: dict[str, Any], after: dict[str, Any], says: str) -> None:
    assert breaking_changes({"notes add": before}, {"notes add": after}) == [f"unpuzzle notes add: {says}"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"--to": TEXT}),
        ({"--to": TEXT | {"required": True}}, {"--to": TEXT}),
        ({"--to": TEXT}, {"--to": TEXT | {"many": True}}),
        ({"--to": NUMBER}, {"--to": TEXT}),
        ({"--to": CHOICE}, {"--to": TEXT}),
        ({"--to": CHOICE}, {"--to": CHOICE | {"values": ["c", "b", "a"]}}),
    ],
)
def test_what_breaks_no_script_is_not_found(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert breaking_changes({"notes add": before}, {"notes add": after, "notes drop": {}}) == []


def test_a_command_that_is_gone_is_found() -> None:
    assert breaking_changes({"media upload": {}}, {}) == ["unpuzzle media upload is gone"]
