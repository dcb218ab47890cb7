"""The clients that a mock gives: the real ones, which do not sleep before they try again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .._async_client import AsyncUnpuzzle
from .._client import Unpuzzle


class MockedUnpuzzle(Unpuzzle):
    """An `Unpuzzle` whose waits are a mock's."""

    def __init__(self, sleep: Callable[[float], None], **options: Any) -> None:
        """Sleep like this."""
        super().__init__(**options)
        self._slept = sleep

    def _sleep(self, seconds: float, stop: object = None) -> None:
        self._slept(seconds)


class MockedAsyncUnpuzzle(AsyncUnpuzzle):
    """An `AsyncUnpuzzle` whose waits are a mock's."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]], **options: Any) -> None:
        """Sleep like this."""
        super().__init__(**options)
        self._slept = sleep

    async def _sleep(self, seconds: float) -> None:
        await self._slept(seconds)
