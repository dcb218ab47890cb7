"""What the generated resources need of a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from .operation import Arguments, Operation

if TYPE_CHECKING:
    from .async_stream import AsyncStream
    from .events import StreamOperation
    from .pages import AsyncPager, Page, PageModel
    from .response import RawResponse
    from .sync_stream import Stream

T = TypeVar("T")
F = TypeVar("F")
P = ParamSpec("P")
M = TypeVar("M", bound="PageModel")


class Caller(Protocol):
    """Calls operations."""

    def call(self, operation: Operation[T], arguments: Arguments) -> T:
        """Call an operation."""
        ...

    def page(
        self, operation: Operation[M], items: Callable[[M], Sequence[T]], max_items: int | None, arguments: Arguments
    ) -> Page[T, M]:
        """Call a list operation."""
        ...

    def stream(self, operation: StreamOperation[T, F], arguments: Arguments) -> Stream[T, F]:
        """Call an operation that answers with events."""
        ...


class AsyncCaller(Protocol):
    """Calls operations in asyncio."""

    async def call(self, operation: Operation[T], arguments: Arguments) -> T:
        """Call an operation."""
        ...

    def page(
        self, operation: Operation[M], items: Callable[[M], Sequence[T]], max_items: int | None, arguments: Arguments
    ) -> AsyncPager[T, M]:
        """Call a list operation when the result is awaited."""
        ...

    def stream(self, operation: StreamOperation[T, F], arguments: Arguments) -> AsyncStream[T, F]:
        """Call an operation that answers with events."""
        ...


def raw(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], RawResponse[T]]]:
    """Take over a method of a resource, whose caller here gives whole responses."""
    return lambda _: cast("Callable[Concatenate[Any, P], RawResponse[T]]", method)


def async_raw(
    method: Callable[Concatenate[Any, P], Awaitable[T]],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], Awaitable[RawResponse[T]]]]:
    """Take over a method of a resource, whose caller here gives whole responses."""
    return lambda _: cast("Callable[Concatenate[Any, P], Awaitable[RawResponse[T]]]", method)
