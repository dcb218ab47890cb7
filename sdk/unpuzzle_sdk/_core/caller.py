"""What the generated resources need of a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from .operation import Operation

if TYPE_CHECKING:
    from .pages import AsyncPager, Page, PageModel
    from .response import RawResponse

T = TypeVar("T")
P = ParamSpec("P")
M = TypeVar("M", bound="PageModel")


class Caller(Protocol):
    """Calls operations."""

    def call(self, operation: Operation[T], **arguments: Any) -> T:
        """Call an operation."""
        ...

    def page(
        self, operation: Operation[M], items: Callable[[M], Sequence[T]], *, max_items: int | None, **arguments: Any
    ) -> Page[T]:
        """Call a list operation."""
        ...


class AsyncCaller(Protocol):
    """Calls operations in asyncio."""

    async def call(self, operation: Operation[T], **arguments: Any) -> T:
        """Call an operation."""
        ...

    def page(
        self, operation: Operation[M], items: Callable[[M], Sequence[T]], *, max_items: int | None, **arguments: Any
    ) -> AsyncPager[T]:
        """Call a list operation when the result is awaited."""
        ...


def raw(method: Callable[P, T]) -> Callable[P, RawResponse[T]]:
    """Type a method of a resource whose caller gives whole responses."""
    return cast("Callable[P, RawResponse[T]]", method)


def async_raw(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[RawResponse[T]]]:
    """Type a method of a resource whose caller gives whole responses."""
    return cast("Callable[P, Awaitable[RawResponse[T]]]", method)
