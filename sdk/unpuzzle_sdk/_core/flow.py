"""Work that waits, written once for threads and for asyncio.

A flow is a generator that yields what it needs done and is sent the result. The logic of a call (sessions, retries)
is a flow and does no input or output itself; `sync_client` and `async_client` each have one small driver.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from .operation import Request
from .response import Answer

T = TypeVar("T")


@frozen
class Send:
    """Send a request once; the result is an `Answer`.

    The wait is as long as the options say, but `at_most` so many seconds. `attempt` counts from 1.
    """

    request: Request
    at_most: float | None = None
    attempt: int = 1


@frozen
class Sleep:
    """Wait for some seconds."""

    seconds: float


@frozen
class Block:
    """Call something that may block; the result is its result.

    `undo` takes back what it has done if nobody waits for it any more. What `is_short` may wait for a thread; what may
    wait for somebody else has one of its own, as else all threads could wait for what only another one does.
    """

    call: Callable[[], Any]
    undo: Callable[[], Any] | None = None
    is_short: bool = False


@frozen
class Shield:
    """Run a flow to its end even if the caller gives up; the result is its result.

    Those who wait for the same key in the same event loop share one run.
    """

    start: Callable[[], Flow[Any]]
    key: object = None


Need: TypeAlias = Send | Sleep | Block | Shield
Flow: TypeAlias = Generator[Need, Any, T]
Sender: TypeAlias = Callable[[Request], Flow[Answer]]


def watched(flow: Flow[T], see: Callable[[Need], None]) -> Flow[T]:
    """Run a flow as it is, and show what it needs."""
    try:
        need = next(flow)
        while True:
            see(need)
            try:
                result = yield need
            except BaseException as error:
                need = flow.throw(error)
            else:
                need = flow.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
