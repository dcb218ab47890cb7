"""Streams of events: how they are read, where they go on, and what is left of them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import CUT, HANG, Reply, Server, error

from unpuzzle_sdk import AsyncUnpuzzle, Event, Unpuzzle, errors
from unpuzzle_sdk._core import events
from unpuzzle_sdk._core.events import StreamOperation
from unpuzzle_sdk._core.operation import Arguments
from unpuzzle_sdk._core.sse import Parser

TOLD: dict[str, Callable[[Any], Any]] = {"said": lambda data: data["text"], "done": lambda data: data}
WATCH = StreamOperation("a.watch", "GET", "/watch/", answers={}, events=TOLD, resumes=True)
ASK = StreamOperation("a.ask", "POST", "/ask/", answers={}, events=TOLD, flag="stream", final="done")
ARGUMENTS = Arguments(body={"question": "why"})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unpuzzle_sdk._core.events._FIRST_BOUND", 0.001)
    monkeypatch.setattr("unpuzzle_sdk._core.events._LAST_BOUND", 0.01)


def said(number: int) -> bytes:
    return b'id: %d\nevent: said\ndata: {"text": "%d"}\n\n' % (number, number)


DONE = b'event: done\ndata: {"answer": 42}\n\n'


def read(stream: bytes, *cuts: int) -> list[tuple[str, str, str]]:
    parser, found, places = Parser(), [], [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(places):
        found += [(event.event, event.data, event.id) for event in parser.feed(stream[start:end])]
    return found


@pytest.mark.parametrize("newline", ["\n", "\r", "\r\n"])
def test_events_are_read_as_the_standard_says(newline: str) -> None:
    text = "\ufeff: a comment\ndata: YHOO\ndata:+2\ndata:  10\n\ndata\n\n"
    text += "id: 7\nevent: add\ndata: é\nnone: x\n\nid\ndata: x\n\ndata: lost\n"
    expected = [("message", "YHOO\n+2\n 10", ""), ("message", "", ""), ("add", "é", "7"), ("message", "x", "")]
    assert read(text.replace("\n", newline).encode()) == expected


@given(st.lists(st.integers(0, 80), max_size=6), st.sampled_from(["\n", "\r", "\r\n"]))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_it_does_not_matter_where_a_stream_is_cut(cuts: list[int], newline: str) -> None:
    stream = "\ufeffid: 1\nevent: süß\ndata: 😀\ndata: b\n\n: c\nretry: 5\ndata: x\n\n\n".replace(
        "\n", newline
    ).encode()
    assert read(stream, *(min(cut, len(stream)) for cut in cuts)) == read(stream)


def test_an_event_does_not_wait_for_what_comes_after_it() -> None:
    for newline in (b"\n", b"\r", b"\r\n"):
        assert read(b"data: x" + newline * 2) == [("message", "x", "")]


def test_an_id_with_a_nul_and_a_retry_that_is_no_number_are_ignored() -> None:
    parser = Parser()
    assert [event.id for event in parser.feed(b"id: a\0\nretry: soon\ndata: x\n\n")] == [""]
    assert parser.retry is None


def test_a_line_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unpuzzle_sdk._core.sse._LONGEST", 100)
    with pytest.raises(errors.InvalidResponseError):
        list(Parser().feed(b"x" * 101))


def test_events_are_typed_and_come_as_they_are_sent(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(pieces=[b": hello\n\n", said(1), b"event: newer\ndata: 1\n\n", DONE, HANG])]
    with client.stream(ASK, ARGUMENTS) as stream:
        assert [*stream] == [Event("said", "1", "1"), Event("done", {"answer": 42}, "1")]
    assert server.received[0].json == {"question": "why", "stream": True}
    assert server.received[0].headers["accept"] == "text/event-stream"


def test_what_is_refused_is_raised_before_the_first_event(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: error(404, "COURSE_NOT_FOUND")
    with pytest.raises(errors.CourseNotFound):
        client.stream(WATCH, Arguments()).open()
    with pytest.raises(errors.CourseNotFound):
        next(iter(client.stream(WATCH, Arguments())))


def test_an_answer_that_is_no_stream_is_said_to_be_none(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(json={})]
    with pytest.raises(errors.InvalidResponseError, match="no stream"):
        client.stream(ASK, ARGUMENTS).open()


def test_what_goes_wrong_in_the_middle_is_the_exception_of_its_code(client: Unpuzzle, server: Server) -> None:
    told = (
        b'event: error\ndata: {"status": "error", "error": {"code": "RATE_LIMIT_EXCEEDED", "message": "Too much"}}\n\n'
    )
    server.script = [Reply(pieces=[said(1), told], headers={"X-Request-ID": "req_7"})]
    stream = iter(client.stream(ASK, ARGUMENTS))
    assert next(stream).data == "1"
    with pytest.raises(errors.RateLimitExceeded) as raised:
        next(stream)
    assert (raised.value.status_code, raised.value.message, raised.value.request_id) == (429, "Too much", "req_7")


@pytest.mark.parametrize("end", [[], [CUT]])
def test_a_stream_that_breaks_off_before_its_last_event_is_interrupted(
    client: Unpuzzle, server: Server, end: list[bytes]
) -> None:
    server.script = [Reply(pieces=[said(1), *end])]
    stream = client.stream(ASK, ARGUMENTS)
    found = []
    with pytest.raises(errors.StreamInterrupted):
        found += [event.data for event in stream if not found.append(event.data)]
    assert found == ["1"]
    assert len(server.received) == 1
    with pytest.raises(errors.UnpuzzleError, match="has been read"):
        stream.open()


def broken_off(server: Server) -> None:
    """Ten events, over a connection that ends in every way."""
    server.script = [
        Reply(pieces=[said(1), said(2)[:20], CUT]),
        Reply(pieces=[b"retry: 2\n\n", said(2), said(3)]),
        error(503, "SERVICE_UNAVAILABLE"),
        error(503, "SERVICE_UNAVAILABLE"),
        error(503, "SERVICE_UNAVAILABLE"),
        Reply(drop=True),
        Reply(pieces=[b'event: error\ndata: {"error": {"code": "INTERNAL_ERROR"}}\n\n']),
        Reply(pieces=[*map(said, range(4, 11)), HANG]),
    ]


def asked_after(server: Server) -> list[str | None]:
    return [request.headers.get("last-event-id") for request in server.received]


def test_a_stream_goes_on_after_its_last_event(client: Unpuzzle, server: Server) -> None:
    broken_off(server)
    stream = client.stream(WATCH, Arguments(headers={"Last-Event-ID": "0"}))
    found = []
    for event in stream:
        found.append(int(event.data))
        if event.data == "10":
            break
    assert found == [*range(1, 11)]
    assert stream.last_event_id == "10"
    assert asked_after(server)[:3] == ["0", "1", "3"]


def test_an_asynchronous_stream_goes_on_after_its_last_event(async_client: AsyncUnpuzzle, server: Server) -> None:
    broken_off(server)

    async def watch() -> list[int]:
        found = []
        async for event in async_client.stream(WATCH, Arguments()):
            found.append(int(event.data))
            if event.data == "10":
                break
        await async_client.close()
        return found

    assert asyncio.run(watch()) == [*range(1, 11)]


def test_a_stream_without_events_goes_on_where_it_began(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(pieces=[b"id: 41\n\n"]), Reply(pieces=[b"id: 50\n", CUT]), Reply(pieces=[said(42), HANG])]
    assert next(iter(client.stream(WATCH, Arguments()))).id == "42"
    assert asked_after(server) == [None, "41", "41"]


def test_what_can_not_pass_ends_a_stream(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(pieces=[said(1)]), error(403, "PERMISSION_DENIED")]
    found = []
    with pytest.raises(errors.PermissionDenied):
        found += [event.data for event in client.stream(WATCH, Arguments()) if not found.append(event.data)]
    assert found == ["1"]


def test_silence_is_the_end_of_a_connection(client: Unpuzzle, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unpuzzle_sdk._core.wire._SILENCE", 0.05)
    server.script = [Reply(pieces=[said(1), HANG]), Reply(pieces=[said(2), HANG])]
    stream = iter(client.stream(WATCH, Arguments()))
    assert [next(stream).data for _ in range(2)] == ["1", "2"]
    assert asked_after(server) == [None, "1"]


LIMITS = httpx.Limits(max_connections=2)


def test_a_thousand_streams_that_are_left_early_hold_no_connection(server: Server) -> None:
    server.respond = lambda _: Reply(pieces=[said(1), HANG])
    with httpx.Client(limits=LIMITS, timeout=5) as pool, Unpuzzle(base_url=server.url, http_client=pool) as client:
        for number in range(1000):
            for event in client.stream(WATCH, Arguments()):
                assert event.data == "1"
                break
            if number % 100 == 0:
                with client.stream(ASK, ARGUMENTS):
                    pass
        assert server.runs_out_of("open_streams")


def test_a_thousand_asynchronous_streams_that_are_left_early_hold_no_connection(server: Server) -> None:
    server.respond = lambda _: Reply(pieces=[said(1), HANG])

    async def watch() -> None:
        async with httpx.AsyncClient(limits=LIMITS, timeout=5) as pool:
            client = AsyncUnpuzzle(base_url=server.url, http_client=pool)
            for number in range(1000):
                async for event in client.stream(WATCH, Arguments()):
                    assert event.data == "1"
                    break
                if number % 100 == 0:
                    async with client.stream(ASK, ARGUMENTS):
                        pass
            await asyncio.sleep(0.05)
            assert server.runs_out_of("open_streams")

    asyncio.run(watch())


def test_a_stream_outlives_the_name_of_its_client(server: Server) -> None:
    server.respond = lambda _: Reply(pieces=[said(1), said(2), DONE])

    async def main() -> list[str]:
        found = []
        async for event in AsyncUnpuzzle(base_url=server.url).stream(ASK, ARGUMENTS):
            found.append(event.event)
            gc.collect()
            await asyncio.sleep(0.02)
        return found

    found = []
    for event in Unpuzzle(base_url=server.url).stream(ASK, ARGUMENTS):
        found.append(event.event)
        gc.collect()
    assert found == asyncio.run(main()) == ["said", "said", "done"]


@pytest.mark.parametrize("operation", [WATCH, ASK])
def test_to_close_a_stream_ends_its_loop(client: Unpuzzle, server: Server, operation: Any) -> None:
    server.respond = lambda _: Reply(pieces=[said(1) + said(2), HANG])
    stream = client.stream(operation, ARGUMENTS)
    found = []
    for event in stream:
        found.append(event.data)
        stream.close()
    assert (found, [*stream], len(server.received)) == (["1"], [], 1)
    with pytest.raises(errors.UnpuzzleError, match="closed"):
        stream.open()


@pytest.mark.parametrize("operation", [WATCH, ASK])
def test_another_thread_may_close_a_stream(client: Unpuzzle, server: Server, operation: Any) -> None:
    go_on = threading.Event()
    server.respond = lambda _: Reply(pieces=[said(1), go_on, said(2), HANG])
    stream = client.stream(operation, ARGUMENTS)
    found = []
    for event in stream:
        found.append(event.data)
        # It is noticed with what comes next, at the latest with a heartbeat.
        closing = threading.Timer(0.05, lambda: (stream.close(), go_on.set()))
        closing.start()
    assert (found, len(server.received)) == (["1"], 1)


def test_a_stream_that_is_closed_while_it_waits_does_not_come_back(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(pieces=[said(1)])
    stream = client.stream(WATCH, Arguments())
    stream._sleep = lambda *_: stream.close()
    assert [event.data for event in stream] == ["1"]
    assert len(server.received) == 1


RESTING = [Reply(pieces=[b"retry: 25000\n\n"]), Reply(503)]
"""A server that wants to be left alone for a while."""


def test_to_close_a_stream_ends_its_pause(client: Unpuzzle, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_LAST_BOUND", 30.0)
    server.script = [*RESTING]
    stream = client.stream(WATCH, Arguments())
    threading.Timer(0.1, stream.close).start()
    began = time.monotonic()
    assert [*stream] == []
    assert time.monotonic() - began < 10


def test_to_close_an_asynchronous_stream_ends_its_pause(
    async_client: AsyncUnpuzzle, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_LAST_BOUND", 30.0)
    server.script = [*RESTING]

    async def follow() -> None:
        stream = async_client.stream(WATCH, Arguments())
        asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(stream.close()))
        async with asyncio.timeout(10):
            assert [event async for event in stream] == []

    asyncio.run(follow())


@pytest.mark.parametrize("operation", [WATCH, ASK])
def test_to_close_an_asynchronous_stream_ends_its_loop(
    async_client: AsyncUnpuzzle, server: Server, operation: Any
) -> None:
    server.respond = lambda _: Reply(pieces=[said(1) + said(2), HANG])

    async def watch() -> None:
        stream = async_client.stream(operation, ARGUMENTS)
        found = []
        async for event in stream:
            found.append(event.data)
            await stream.close()
        assert (found, [event async for event in stream]) == (["1"], [])

    asyncio.run(watch())
    assert len(server.received) == 1


@pytest.mark.parametrize("operation", [WATCH, ASK])
def test_another_task_may_close_a_stream(async_client: AsyncUnpuzzle, server: Server, operation: Any) -> None:
    server.respond = lambda _: Reply(pieces=[said(1), HANG])

    async def watch() -> list[str]:
        stream = async_client.stream(operation, ARGUMENTS)
        found, closing = [], set()
        async for event in stream:
            found.append(event.data)
            closing.add(asyncio.create_task(stream.close()))
        return found

    assert asyncio.run(asyncio.wait_for(watch(), 5)) == ["1"]
    assert len(server.received) == 1


def test_a_stream_gives_its_events_one_by_one(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(pieces=[said(1) + said(2), DONE])]
    stream = client.stream(ASK, ARGUMENTS)
    assert [next(stream).event for _ in range(3)] == ["said", "said", "done"]
    assert next(stream, None) is None
    assert server.runs_out_of("open_streams")


def test_an_asynchronous_stream_gives_its_events_one_by_one(async_client: AsyncUnpuzzle, server: Server) -> None:
    server.script = [Reply(pieces=[said(1) + said(2), DONE])]

    async def read() -> list[str]:
        stream = async_client.stream(ASK, ARGUMENTS)
        found = [(await anext(stream)).event for _ in range(3)]
        assert await anext(stream, None) is None
        return found

    assert asyncio.run(read()) == ["said", "said", "done"]


def test_within_its_block_a_stream_that_was_left_goes_on(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(pieces=[said(1) + said(2), DONE])]
    with client.stream(ASK, ARGUMENTS) as stream:
        for event in stream:
            assert event.data == "1"
            break
        assert stream.final() == {"answer": 42}
    assert len(server.received) == 1


def test_within_its_block_an_asynchronous_stream_that_was_left_goes_on(
    async_client: AsyncUnpuzzle, server: Server
) -> None:
    server.script = [Reply(pieces=[said(1) + said(2), DONE])]

    async def read() -> Any:
        async with async_client.stream(ASK, ARGUMENTS) as stream:
            async for event in stream:
                assert event.data == "1"
                break
            return await stream.final()

    assert asyncio.run(read()) == {"answer": 42}


@pytest.mark.parametrize(
    "told",
    [
        b"retry: 3600000\n\n",
        b'event: error\ndata: {"error": {"code": "RATE_LIMIT_EXCEEDED", "message": "Wait", "retry_after": 3600}}\n\n',
    ],
)
def test_a_server_has_nobody_wait_for_longer_than_the_longest_pause(
    client: Unpuzzle, server: Server, told: bytes
) -> None:
    server.script = [Reply(pieces=[told]), Reply(pieces=[said(1), HANG])]
    stream, waits = client.stream(WATCH, Arguments()), []
    stream._sleep = lambda seconds, _: waits.append(seconds)
    assert next(stream).data == "1"
    assert waits == [0.01]
    stream.close()


@pytest.mark.parametrize(
    ("timeout", "read"),
    [
        (7, 45.0),
        (None, 45.0),
        (httpx.Timeout(5, read=90), 90),
        (httpx.Timeout(5, read=None), None),
        # The API sends something every 15 seconds: what is shorter would end streams that are merely quiet.
        (httpx.Timeout(5), 20.0),
    ],
)
def test_a_stream_may_be_silent_for_as_long_as_the_caller_lets_it_read(timeout: Any, read: float | None) -> None:
    limits = []

    def answer(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"])
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=DONE)

    transport = httpx.MockTransport(answer)
    with Unpuzzle(base_url="http://api", transport=transport, timeout=timeout) as client:
        client.stream(ASK, ARGUMENTS).final()
    assert [each["read"] for each in limits] == [read]
