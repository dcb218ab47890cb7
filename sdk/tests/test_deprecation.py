"""Whoever calls what is going away is warned, at the line that calls it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from loopback import Reply, Server

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle
from unpuzzle_sdk._core import deprecation

NOTICE = "courses.get is deprecated, and will be gone on 2027-03-01: use courses.find. See https://docs/guide"
SUNSET = {
    "Deprecation": "@1788134400",
    "Sunset": "Mon, 01 Mar 2027 00:00:00 GMT",
    "Link": '<https://docs/g>; rel="sunset"',
}


@pytest.fixture
def course(examples: dict[str, Any], server: Server) -> Reply:
    reply = Reply(json=examples["Course"])
    server.respond = lambda _: reply
    return reply


@pytest.fixture
def noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(deprecation.NOTICES, "courses.get", NOTICE)


@contextmanager
def told(action: str) -> Iterator[list[tuple[str, str]]]:
    """What is warned of, and in which file; `action` is what Python does with warnings."""
    says: list[tuple[str, str]] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(action)
        yield says
    says += [(str(warning.message), warning.filename) for warning in caught]


@pytest.mark.usefixtures("course", "noticed")
def test_the_contract_warns_at_the_line_that_calls(client: Unpuzzle, server: Server) -> None:
    async def call() -> None:
        async with AsyncUnpuzzle(base_url=server.url) as asynchronous:
            await asynchronous.courses.get("x")

    with told("always") as says:
        client.courses.get("x")
        client.raw.courses.get("x")
        asyncio.run(call())
    assert says == [(NOTICE, __file__)] * 3


def test_a_later_api_warns_of_what_this_sdk_does_not_know(client: Unpuzzle, course: Reply) -> None:
    course.headers = SUNSET
    with told("always") as says:
        client.courses.get("x")
    until = "will be gone on Mon, 01 Mar 2027 00:00:00 GMT"
    assert says == [(f'courses.get is deprecated, and {until}. See <https://docs/g>; rel="sunset"', __file__)]


@pytest.mark.usefixtures("course", "noticed")
def test_a_line_that_calls_often_is_told_once(client: Unpuzzle) -> None:
    with told("default") as says:
        for _ in range(3):
            client.courses.get("x")
    assert says == [(NOTICE, __file__)]
