"""Streams of events, by two operations that only these tests have: one streams, the other where it is asked to."""

import asyncio
import copy
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest

from harness import Api, Person, Server, code_of, running_server, wait_for
from unpuzzle_server import app
from unpuzzle_server.kernel import operations, spec, streams
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.operations import Context, Outside
from unpuzzle_server.kernel.streams import Event, Events, Stream

WATCH, ASK = "/api/v1/tests/watch/", "/api/v1/tests/ask/"
MESSAGE = {"$ref": "#/components/schemas/Message"}
TYPES = {"text/event-stream": {"schema": {"$ref": "#/components/schemas/ServerSentEvent"}}}
SIGNED_IN: dict[str, Any] = {
    "tags": ["tests"],
    "security": [{"bearer": []}, {"cookie": []}],
    "x-unpuzzle-role": "user",
    "x-unpuzzle-errors": ["COURSE_NOT_FOUND"],
}
FLAGGED = {"flag": "stream", "final": "done", "events": {"said": MESSAGE, "done": MESSAGE}}
BODY = {"type": "object", "properties": {"stream": {"type": "boolean"}, "question": {"type": "string"}}}
PATHS = {
    WATCH: {
        "get": {
            "operationId": "tests.watch",
            **SIGNED_IN,
            "x-unpuzzle-stream": {"events": {"said": MESSAGE}},
            "responses": {"200": {"description": "Events.", "content": TYPES}},
        }
    },
    ASK: {
        "post": {
            "operationId": "tests.ask",
            **SIGNED_IN,
            "x-unpuzzle-stream": FLAGGED,
            "parameters": [{"$ref": "#/components/parameters/IdempotencyKey"}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": BODY}}},
            "responses": {"200": {"description": "One.", "content": {"application/json": {"schema": MESSAGE}, **TYPES}}},
        }
    },
}


class Telling:
    """What the handlers tell, as a test says, and what becomes of it."""

    def __init__(self) -> None:
        self.events: Callable[[], Events] = nothing
        self.closed = 0
        self.asked = 0

    async def watch(self, ctx: Context) -> Stream:
        return Stream(self.closing())

    async def ask(self, tx: Transaction, body: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if not body.get("stream"):
            return {"message": "whole"}

        async def outside(ctx: Context) -> Stream:
            return Stream(self.closing())

        raise Outside(outside)

    async def closing(self) -> Events:
        try:
            async for event in self.events():
                yield event
        finally:
            self.closed += 1


async def nothing() -> Events:
    return
    yield None


def said(text: str, name: str = "said") -> Event:
    return Event(name, {"message": text}, id="7")


@contextmanager
def streaming(owner_url: str, **settings: Any) -> Iterator[tuple[Server, Telling]]:
    """A server with the two operations."""
    telling, patch = Telling(), pytest.MonkeyPatch()
    handlers = {"tests.watch": telling.watch, "tests.ask": telling.ask}
    known = operations.handler_of

    def handler_of(operation_id: str) -> Any:
        return handlers.get(operation_id) or known(operation_id)

    document = copy.deepcopy(spec.document())
    document["paths"] |= PATHS
    patch.setattr(spec, "document", lambda: document)
    patch.setattr(operations, "handler_of", handler_of)
    patch.setattr(app, "handler_of", handler_of)
    try:
        with running_server(owner_url, **settings) as server:
            yield server, telling
    finally:
        patch.undo()


@pytest.fixture(scope="module")
def place(postgres: str) -> Iterator[tuple[Server, Telling]]:
    with streaming(postgres) as found:
        yield found


@pytest.fixture
def telling(place: tuple[Server, Telling]) -> Telling:
    place[1].__init__()  # type: ignore[misc]  # as new for each test
    return place[1]


@pytest.fixture
def person(place: tuple[Server, Telling]) -> Iterator[Person]:
    with Api(place[0]) as api:
        yield api.sign_up()


def request(person: Person, method: str, path: str, **kwargs: Any) -> httpx.Response:
    """To the end of the stream."""
    headers = {**person.headers, **kwargs.pop("headers", {})}
    return person.api.client.request(method, path, headers=headers, **kwargs)


def test_events_come_as_they_happen(telling: Telling, person: Person) -> None:
    async def events() -> Events:
        for number in range(3):
            yield said(str(number))
            await asyncio.sleep(0.1)

    telling.events = events
    with person.api.client.stream("GET", WATCH, headers=person.headers) as response:
        arrived = [(time.monotonic(), line) for line in response.iter_lines() if line.startswith("data")]
    assert [json.loads(line.removeprefix("data: "))["message"] for _, line in arrived] == ["0", "1", "2"]
    assert arrived[2][0] - arrived[0][0] > 0.15
    headers = response.headers
    assert (headers["content-type"], headers["cache-control"]) == ("text/event-stream", "no-store")
    assert (headers["x-accel-buffering"], "x-ratelimit-remaining" in headers) == ("no", True)
    assert headers["x-request-id"]


def test_an_event_has_its_lines(telling: Telling, person: Person) -> None:
    async def events() -> Events:
        yield None
        yield said("two\nlines ü")

    telling.events = events
    expected = ':\n\nid: 7\nevent: said\ndata: {"message":"two\\nlines ü"}\n\n'
    assert request(person, "GET", WATCH).text == expected


def test_what_is_refused_before_the_first_event_is_an_ordinary_refusal(telling: Telling, person: Person) -> None:
    async def events() -> Events:
        raise Problem("COURSE_NOT_FOUND", "There is no such course.")
        yield None

    telling.events = events
    refused = request(person, "GET", WATCH)
    assert (refused.status_code, code_of(refused)) == (404, "COURSE_NOT_FOUND")
    telling.events = too_slow
    assert code_of(request(person, "GET", WATCH)) == "INTERNAL_ERROR"
    assert code_of(person.api.client.get(WATCH)) == "AUTH_REQUIRED"
    assert request(person, "GET", f"{WATCH}?x=1").status_code == 422


async def too_slow() -> Events:
    raise TimeoutError
    yield None


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (Problem("COURSE_NOT_FOUND", "It is gone."), "COURSE_NOT_FOUND"),
        (Problem("CONFLICT", "This is not declared."), "INTERNAL_ERROR"),
        (ZeroDivisionError("a secret"), "INTERNAL_ERROR"),
        (TimeoutError("a vendor"), "INTERNAL_ERROR"),
    ],
)
def test_what_goes_wrong_later_is_the_last_event(telling: Telling, person: Person, wrong: Exception, code: str) -> None:
    async def events() -> Events:
        yield said("a")
        raise wrong

    telling.events = events
    text = request(person, "GET", WATCH).text
    *_, name, data = text.strip().splitlines()
    assert name == "event: error"
    envelope = json.loads(data.removeprefix("data: "))
    assert envelope["error"]["code"] == code
    assert spec.compiled({"$ref": "#/components/schemas/ErrorEnvelope"}).is_valid(envelope)
    assert "secret" not in text


@pytest.mark.parametrize("event", [Event("said", {"text": 1}), Event("other", {"message": "a"})])
def test_an_event_that_the_contract_does_not_know_is_a_fault(telling: Telling, person: Person, event: Event) -> None:
    async def events() -> Events:
        yield event
        yield said("never")

    telling.events = events
    assert '"INTERNAL_ERROR"' in request(person, "GET", WATCH).text


def test_something_is_sent_where_nothing_happens(telling: Telling, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.05)

    async def events() -> Events:
        await asyncio.sleep(0.17)
        yield said("a")

    telling.events = events
    text = request(person, "GET", WATCH).text
    assert text.startswith(":\n\n:\n\n")
    assert text.endswith('data: {"message":"a"}\n\n')


async def for_ever() -> Events:
    yield None
    while True:
        yield said("a")
        await asyncio.sleep(0.02)


async def silent() -> Events:
    yield None
    await asyncio.Event().wait()


@pytest.mark.parametrize("events", [for_ever, silent])
def test_whoever_leaves_ends_it_at_once(telling: Telling, person: Person, events: Callable[[], Events]) -> None:
    telling.events = events
    with person.api.client.stream("GET", WATCH, headers=person.headers) as response:
        lines = response.iter_lines()
        next(lines)
        assert telling.closed == 0
    wait_for(lambda: telling.closed == 1, seconds=2)


def test_whoever_reads_nothing_is_left(telling: Telling, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STALLED_SECONDS", 0.1)

    async def events() -> Events:
        while True:
            yield said("a" * 100_000)

    telling.events = events
    with person.api.client.stream("GET", WATCH, headers=person.headers):
        wait_for(lambda: telling.closed == 1)


def test_whoever_leaves_is_not_waited_for_where_the_cleaning_up_fails() -> None:
    async def events() -> Events:
        try:
            while True:
                yield said("a")
        finally:
            raise Problem("CONFLICT", "This can't be tidied.")

    async def left() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return {"type": "http.disconnect"}

    async def stuck(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    exchange: Any = SimpleNamespace(scope={}, receive=left)
    sending = streams.Sending(exchange, stuck, lambda event: b"", lambda error: b"")
    asyncio.run(asyncio.wait_for(sending.run(streams.Stream(events())), 5))


def test_head_asks_for_no_event(telling: Telling, person: Person) -> None:
    telling.events = silent
    answer = request(person, "HEAD", WATCH)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")


def test_a_server_that_stops_ends_its_streams(postgres: str) -> None:
    """Whoever listens gets the end, and no broken connection; nobody waits for the grace period."""
    with streaming(postgres) as (server, telling), Api(server) as api:
        telling.events = silent
        person = api.sign_up()
        with api.client.stream("GET", WATCH, headers=person.headers) as response:
            lines = response.iter_lines()
            next(lines)
            began = time.monotonic()
            server.stop()
            assert [*lines] == [""]
    assert time.monotonic() - began < 2
    assert telling.closed == 1


async def answered() -> Events:
    yield said("a")
    yield said("all of it", "done")


def test_a_flag_asks_for_the_stream(telling: Telling, person: Person) -> None:
    telling.events = answered
    assert request(person, "POST", ASK, json={"stream": False}).json() == {"message": "whole"}
    assert "event: done" in request(person, "POST", ASK, json={"stream": True}).text


def test_what_a_stream_came_to_is_kept_for_its_key(telling: Telling, person: Person) -> None:
    telling.events = answered
    key = {"Idempotency-Key": uuid4().hex}
    first = request(person, "POST", ASK, json={"stream": True}, headers=key)
    again = request(person, "POST", ASK, json={"stream": True}, headers=key)
    assert first.text.count("event:") == 2
    assert again.text == 'event: done\ndata: {"message":"all of it"}\n\n'
    assert again.headers["idempotency-replayed"] == "true"
    other = request(person, "POST", ASK, json={"stream": False}, headers=key)
    assert code_of(other) == "IDEMPOTENCY_MISMATCH"
    assert telling.asked == 1


def test_a_stream_that_did_not_reach_its_end_is_not_kept(telling: Telling, person: Person) -> None:
    telling.events = for_ever
    key = {"Idempotency-Key": uuid4().hex}
    with person.api.client.stream("POST", ASK, json={"stream": True}, headers={**person.headers, **key}) as response:
        next(response.iter_lines())
    wait_for(lambda: telling.closed == 1)
    telling.events = answered
    assert "event: said" in request(person, "POST", ASK, json={"stream": True}, headers=key).text


def test_a_handler_that_streams_holds_no_transaction() -> None:
    async def watch(tx: Transaction) -> Stream:
        return Stream(nothing())

    bound = spec._operation(WATCH, "get", {**PATHS[WATCH]["get"]}, [])
    with pytest.raises(operations.BindingError, match="no transaction"):
        operations.check_signature(bound, watch)
