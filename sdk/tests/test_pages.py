"""Lists over all their pages."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest
from loopback import Received, Reply, Server

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors

TOTAL = 7
SIZE = 3


@pytest.fixture(autouse=True)
def catalogue(server: Server, examples: dict[str, Any]) -> None:
    def respond(request: Received) -> Reply:
        page = int(request.query.get("page", ["1"])[0])
        numbers = range((page - 1) * SIZE, min(page * SIZE, TOTAL))
        return Reply(
            json={
                "count": TOTAL,
                "next": f"https://elsewhere/?page={page + 1}" if page * SIZE < TOTAL else None,
                "previous": None,
                "page": page,
                "page_size": SIZE,
                "total_pages": 3,
                "results": [{**examples["CourseSummary"], "title": str(number)} for number in numbers],
                "total_spent": 12.5,
            }
        )

    server.respond = respond


def test_iterating_gives_all_items_and_keeps_the_filters(client: Unpuzzle, server: Server) -> None:
    page = client.courses.list(category="programming", page_size=SIZE, if_none_match='"1"')
    assert len(server.received) == 1
    assert [course.title for course in page] == [str(number) for number in range(TOTAL)]
    assert [request.query["category"] for request in server.received] == [["programming"]] * 3
    assert [request.query.get("page") for request in server.received] == [None, ["2"], ["3"]]
    assert ["if-none-match" in request.headers for request in server.received] == [True, False, False]


def test_one_page(client: Unpuzzle) -> None:
    page = client.courses.list()
    assert (page.count, page.page, page.page_size, page.total_pages, len(page)) == (TOTAL, 1, SIZE, 3, SIZE)
    assert page.data.next is not None
    following = page.next_page()
    assert following is not None
    assert following.results[0].title == "3"
    assert [each.page for each in page.pages()] == [1, 2, 3]
    assert list(page.pages())[-1].next_page() is None
    assert page.additional_properties["total_spent"] == 12.5
    with pytest.raises(AttributeError):
        page.no_such_thing  # noqa: B018


@pytest.mark.parametrize(("wanted", "requests"), [(0, 1), (2, 1), (3, 1), (4, 2), (99, 3)])
def test_max_items(client: Unpuzzle, server: Server, wanted: int, requests: int) -> None:
    assert len(list(client.courses.list(max_items=wanted))) == min(wanted, TOTAL)
    assert len(server.received) == requests


def test_less_than_no_items_are_refused(client: Unpuzzle, async_client: AsyncUnpuzzle, server: Server) -> None:
    for method in (
        client.courses.list,
        client.raw.courses.list,
        async_client.courses.list,
        async_client.raw.courses.list,
    ):
        with pytest.raises(ValueError, match="max_items must be 0 or more"):
            method(max_items=-1)
    assert server.received == []


def test_whoever_loops_over_no_items_in_asyncio_asks_for_none(async_client: AsyncUnpuzzle, server: Server) -> None:
    async def main() -> list[Any]:
        return [course async for course in async_client.courses.list(max_items=0)]

    assert asyncio.run(main()) == []
    assert server.received == []


def test_asyncio(async_client: AsyncUnpuzzle, server: Server) -> None:
    async def main() -> None:
        async with async_client as client:
            page = await client.courses.list(page_size=SIZE)
            assert page.count == TOTAL
            assert len([course async for course in page]) == TOTAL
            assert len([course async for course in client.courses.list(max_items=5)]) == 5
            assert [each.page async for each in client.courses.list().pages()] == [1, 2, 3]

    asyncio.run(main())


def test_pages_survive_pickling_and_copying(client: Unpuzzle) -> None:
    page = client.courses.list()
    for twin in (pickle.loads(pickle.dumps(page)), copy.deepcopy(page)):
        assert twin.results == page.results
        assert twin.count == TOTAL
        with pytest.raises(errors.UnpuzzleError, match="copied"):
            twin.next_page()
