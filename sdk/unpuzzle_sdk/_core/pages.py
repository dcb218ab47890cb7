"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .errors import UnpuzzleError

T = TypeVar("T")
M = TypeVar("M", bound="PageModel")


class PageModel(Protocol):
    """What the answers of all list operations have in common."""

    count: int
    page: int
    page_size: int
    total_pages: int
    next: str | None


def check_max_items(max_items: int | None) -> None:
    """Refuse what is no number of items."""
    if max_items is not None and max_items < 0:
        raise ValueError("max_items must be 0 or more")


class _PageBase(Generic[T, M]):
    """One page of a list.

    Attributes:
        results: The items of this page.
        data: The whole answer as a model, with the fields that only this list has.
    """

    def __init__(self, data: M, results: Sequence[T], max_items: int | None) -> None:
        """Hold one page; `max_items` of the list are still wanted."""
        self.data = data
        self.results: list[T] = list(results)
        self._max_items = max_items
        self._fetch: Any = None

    @property
    def count(self) -> int:
        """How many items there are on all pages."""
        return self.data.count

    @property
    def page(self) -> int:
        """Which page this is, from 1."""
        return self.data.page

    @property
    def page_size(self) -> int:
        """How many items a page holds."""
        return self.data.page_size

    @property
    def total_pages(self) -> int:
        """How many pages there are."""
        return self.data.total_pages

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one. An empty page is the last, whatever it says."""
        return self.data.next is not None and bool(self.results)

    if not TYPE_CHECKING:
        # Type checkers, to whom any name would be right, have `data`.
        def __getattr__(self, name: str) -> Any:
            """Give a field that only this list has, such as a sum over all items."""
            if name.startswith("_") or name == "data":
                raise AttributeError(name)
            return getattr(self.data, name)

    def __len__(self) -> int:
        """Give the number of items on this page."""
        return len(self.results)

    def __repr__(self) -> str:
        """Say which page it is."""
        return f"<{type(self).__name__} {self.page} of {self.total_pages}, {self.count} items in all>"

    def __getstate__(self) -> dict[str, Any]:
        """Leave the connection behind: a copy has the items of its page and cannot fetch another."""
        return {**self.__dict__, "_fetch": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the items."""
        self.__dict__.update(state)

    def _wanted(self) -> list[T]:
        return self.results[: self._max_items]

    def _left(self) -> int | None:
        return None if self._max_items is None else max(0, self._max_items - len(self.results))

    def _next(self) -> Any:
        if self._fetch is None:
            raise UnpuzzleError("this page was copied from its client and cannot fetch another")
        return self._fetch(self.page + 1, self._left())


class Page(_PageBase[T, M]):
    """One page of a list. Iterating gives the items of this page and of all that follow, fetched as needed.

    Example:
        ```python
        page = client.courses.list(page_size=50)
        print(page.page, page.total_pages, page.count)
        for course in page:
            print(course.title)
        ```
    """

    def next_page(self) -> Page[T, M] | None:
        """Fetch the next page; None after the last.

        Returns:
            The next page, with the same filters; None after the last.

        Raises:
            errors.UnpuzzleError: The page was copied or pickled: it has no client any more.

        Example:
            ```python
            page = client.courses.list()
            after = page.next_page()
            print(after.results if after else "That was all.")
            ```
        """
        page: Page[T, M] | None = self._next() if self.has_next else None
        return page

    def pages(self) -> Iterator[Page[T, M]]:
        """Give this page and all that follow.

        Returns:
            The pages one by one, each fetched when it is asked for.

        Example:
            ```python
            page = client.courses.list(page_size=100)
            for each in page.pages():
                print(each.page, len(each))
            ```
        """
        page: Page[T, M] | None = self
        while page is not None:
            yield page
            page = None if page._left() == 0 else page.next_page()

    def __iter__(self) -> Iterator[T]:
        """Give the items of this page and of all that follow."""
        for page in self.pages():
            yield from page._wanted()


class AsyncPage(_PageBase[T, M]):
    """One page of a list. Iterating gives the items of this page and of all that follow, fetched as needed.

    Example:
        ```python
        page = await client.courses.list(page_size=50)
        print(page.page, page.total_pages, page.count)
        async for course in page:
            print(course.title)
        ```
    """

    async def next_page(self) -> AsyncPage[T, M] | None:
        """Fetch the next page; None after the last.

        Returns:
            The next page, with the same filters; None after the last.

        Raises:
            errors.UnpuzzleError: The page was copied or pickled: it has no client any more.

        Example:
            ```python
            page = await client.courses.list()
            after = await page.next_page()
            print(after.results if after else "That was all.")
            ```
        """
        page: AsyncPage[T, M] | None = await self._next() if self.has_next else None
        return page

    async def pages(self) -> AsyncIterator[AsyncPage[T, M]]:
        """Give this page and all that follow.

        Returns:
            The pages one by one, each fetched when it is asked for.

        Example:
            ```python
            page = await client.courses.list(page_size=100)
            async for each in page.pages():
                print(each.page, len(each))
            ```
        """
        page: AsyncPage[T, M] | None = self
        while page is not None:
            yield page
            page = None if page._left() == 0 else await page.next_page()

    async def __aiter__(self) -> AsyncIterator[T]:
        """Give the items of this page and of all that follow."""
        async for page in self.pages():
            for item in page._wanted():
                yield item


class AsyncPager(Generic[T, M]):
    """A list that nobody has asked for yet: await it for its first page, or iterate over all items.

    Example:
        ```python
        async for course in client.courses.list(category="programming"):
            print(course.title)
        page = await client.courses.list(category="programming")
        print(page.count)
        ```
    """

    def __init__(self, fetch: Callable[[], Awaitable[AsyncPage[T, M]]], max_items: int | None = None) -> None:
        """Fetch the first page like this, if any items are wanted."""
        self._fetch = fetch
        self._max_items = max_items

    def __await__(self) -> Generator[Any, None, AsyncPage[T, M]]:
        """Fetch the first page."""
        return self._fetch().__await__()

    async def pages(self) -> AsyncIterator[AsyncPage[T, M]]:
        """Give all pages.

        Returns:
            The pages one by one, each fetched when it is asked for.

        Example:
            ```python
            async for page in client.courses.list(page_size=100).pages():
                print(page.page, len(page))
            ```
        """
        async for page in (await self).pages():
            yield page

    async def __aiter__(self) -> AsyncIterator[T]:
        """Give all items."""
        if self._max_items == 0:
            return
        async for item in await self:
            yield item
