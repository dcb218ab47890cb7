"""A stream tells what the contract has of it, in its order, and goes on where it was left."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from harness import CONTRACT, Api, Server
from unpuzzle_sdk._core.sse import Parser, ServerSentEvent
from unpuzzle_server.kernel.spec import Operation
from world import World, named

STREAMS = [item for item in CONTRACT.operations.values() if item.stream]
RESUMING = [item for item in STREAMS if item.has("Last-Event-ID")]
SOON = 5
"""Seconds in which all of it comes that is there; signs of life come less often."""
ENDING = [item for item in STREAMS if item.stream and item.stream.final]


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    with Api(server) as api:
        yield World(api)


@contextmanager
def events(world: World, operation: Operation, **headers: str) -> Iterator[Iterator[ServerSentEvent]]:
    """The events as they come; a stream may have no end."""
    assert operation.stream
    body = {"json": {**world.body(operation), operation.stream.flag: True}} if operation.stream.flag else {}
    sent: dict[str, Any] = {**body, "headers": {**world.caller_of(operation).headers, **headers}}
    with world.api.client.stream(operation.method, operation.path, timeout=SOON, **sent) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        parser = Parser()
        yield (event for chunk in answer.iter_bytes() for event in parser.feed(chunk))


@pytest.mark.parametrize("operation", ENDING, ids=named)
def test_a_stream_ends_with_its_last_event_and_tells_no_other_than_the_contracts(world: World, operation: Operation) -> None:
    assert operation.stream
    with events(world, operation) as found:
        names = [event.event for event in found]
    assert {*names} <= operation.stream.events.keys()
    assert [place for place, name in enumerate(names) if name == operation.stream.final] == [len(names) - 1]


@pytest.mark.parametrize("operation", RESUMING, ids=named)
def test_who_comes_back_misses_nothing_and_gets_nothing_twice(world: World, operation: Operation) -> None:
    """Whoever enrols is told so: there are two events, each with an id."""
    for _ in range(2):
        course = world.api.sign_up_instructor().published_course()
        assert world.owner.post(f"/api/v1/courses/{course['id']}/enroll/").status_code == 201
    with events(world, operation, **{"Last-Event-ID": "0"}) as found:
        first, second = islice(found, 2)
    assert first.id
    with events(world, operation, **{"Last-Event-ID": first.id}) as found:
        assert next(found) == second
