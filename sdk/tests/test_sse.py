"""Events as they come over the wire, whoever sends them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from loopback import Reply, Server

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors
from unpuzzle_sdk._core.sse import Parser
from unpuzzle_sdk.testing import MockUnpuzzle


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_pause_of_any_length_is_read_though_it_is_no_number_that_python_makes(digits: int) -> None:
    parser = Parser()
    assert [event.data for event in parser.feed(b"retry: " + b"9" * digits + b"\ndata: x\n\n")] == ["x"]
    assert parser.retry == float("inf")


def test_the_time_that_an_event_takes_grows_with_its_length_and_not_with_its_pieces() -> None:
    parser, start = Parser(), time.process_time()
    found = [event for _ in range(4096) for event in parser.feed(b"data: " + b"x" * 1018)]
    found += parser.feed(b"\n\n")
    assert [len(event.data) for event in found] == [4096 * 1024 - 6]
    assert time.process_time() - start < 2


def test_a_byte_order_mark_and_an_end_of_line_may_be_cut_anywhere() -> None:
    parser = Parser()
    sent = "\ufeffdata: ä\r\ndata: b\r\r\n\n: \ufeff\rdata: c\n\r\n".encode()
    found = [event.data for at in range(len(sent)) for event in parser.feed(sent[at : at + 1])]
    assert found == ["ä\nb", "c"] == [event.data for event in Parser().feed(sent)]


def test_an_event_without_an_end_is_given_up_though_its_lines_have_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unpuzzle_sdk._core.sse._LONGEST", 100)
    parser = Parser()
    for _ in range(50):
        assert list(parser.feed(b"data: whole\n\n"))
    with pytest.raises(errors.InvalidResponseError, match="has no end"):
        [event for _ in range(50) for event in parser.feed(b"data: a line\n")]


def test_to_go_on_after_an_event_whose_id_no_header_takes_is_not_tried_for_ever(
    client: Unpuzzle, async_client: AsyncUnpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    told = f"id: é\nevent: notification\ndata: {json.dumps(examples['Notification'])}\n\n".encode()
    server.respond = lambda _: Reply(pieces=[told])
    with pytest.raises(errors.InvalidRequestError):
        list(client.notifications.stream())

    async def last() -> None:
        async for _ in async_client.notifications.stream():
            pass
        await async_client.close()

    with pytest.raises(errors.InvalidRequestError):
        asyncio.run(asyncio.wait_for(last(), 5))
    assert len(server.received) == 2


def test_nobody_waits_for_a_text_or_a_last_event_where_there_is_none(mock: MockUnpuzzle) -> None:
    client, other = mock.client(), mock.async_client()
    with pytest.raises(errors.UnpuzzleError, match=r"notifications\.stream tells no text"):
        next(client.notifications.stream().text_deltas())
    with pytest.raises(errors.UnpuzzleError, match=r"notifications\.stream has no last event"):
        client.notifications.stream().final()

    async def ask() -> None:
        with pytest.raises(errors.UnpuzzleError, match=r"notifications\.stream tells no text"):
            await anext(other.notifications.stream().text_deltas())
        with pytest.raises(errors.UnpuzzleError, match=r"notifications\.stream has no last event"):
            await other.notifications.stream().final()

    asyncio.run(ask())
    assert not mock.requests
