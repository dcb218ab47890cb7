"""Whoever types a command that is going away is told, beside the data."""

from typing import Any

import pytest
from loopback import Reply, Server

from unpuzzle_sdk import _deprecations

NOTICE = "courses.get is deprecated, and will be gone on 2027-03-01: use courses.find. See https://docs/guide"
SUNSET = {"Deprecation": "@1788134400", "Sunset": "Mon, 01 Mar 2027 00:00:00 GMT", "Link": '<https://docs/g>; rel="sunset"'}


@pytest.fixture
def course(stand_in: Server, examples: dict[str, Any]) -> Reply:
    reply = Reply(200, examples["Course"])
    stand_in.respond = lambda _: reply
    return reply


@pytest.mark.usefixtures("course")
def test_a_command_that_is_going_away_says_so_beside_the_data(unpuzzle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_deprecations.NOTICES, "courses.get", NOTICE)
    ran = unpuzzle("courses", "get", "x", "--json")
    assert (ran.returncode, ran.stderr, ran.stdout[:1]) == (0, f"unpuzzle: {NOTICE}\n", "{")
    assert unpuzzle("courses", "get", "x", "--quiet").stderr == ""


def test_what_the_server_says_of_it_is_told_too(unpuzzle: Any, course: Reply) -> None:
    course.headers = SUNSET
    until = "will be gone on Mon, 01 Mar 2027 00:00:00 GMT"
    assert unpuzzle("courses", "get", "x").stderr.startswith(f"unpuzzle: courses.get is deprecated, and {until}. See")


def test_what_stays_says_nothing(unpuzzle: Any, course: Reply) -> None:
    assert course.status == 200
    assert unpuzzle("courses", "get", "x").stderr == ""
