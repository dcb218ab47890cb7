"""Clients that many threads share."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import httpx
import pytest

from unpuzzle_sdk import AsyncUnpuzzle
from unpuzzle_sdk._core import transport


def test_event_loops_that_begin_at_once_in_many_threads_have_one_transport(
    monkeypatch: pytest.MonkeyPatch, examples: dict[str, Any]
) -> None:
    together, sent_by = threading.Barrier(4), []

    class Slow(transport.AsyncTransport):
        def __init__(self, *arguments: Any) -> None:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(1)
            super().__init__(*arguments)

        async def send(self, *arguments: Any, **more: Any) -> Any:
            sent_by.append(self)
            return await super().send(*arguments, **more)

    monkeypatch.setattr(transport, "AsyncTransport", Slow)
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json=examples["Health"]))
    client = AsyncUnpuzzle(base_url="http://x", transport=answer)
    threads = [threading.Thread(target=lambda: asyncio.run(client.system.health())) for _ in range(4)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent_by) == 4
    assert len(set(sent_by)) == 1
