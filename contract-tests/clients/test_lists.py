"""Whoever goes through a list with the SDK sees each of its items once, and no more than were asked for."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from clients.shelf import COUNT, SIZE, Shelf, parameters

from harness import CONTRACT
from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle
from unpuzzle_server.kernel.spec import Operation
from world import named

LISTS = [CONTRACT.operations[name] for name, raw in CONTRACT.raw.items() if "x-unpuzzle-pagination" in raw]
EVERY_LIST = pytest.mark.parametrize("operation", LISTS, ids=named)


def arguments(operation: Operation) -> dict[str, Any]:
    """With every path parameter, and one filter where there is one."""
    known = parameters(operation)
    path = {name: item["example"] for name, item in known.items() if item["in"] == "path"}
    filters = [
        name for name, item in known.items() if item["in"] == "query" and name not in ("page", "page_size", "sort", "order")
    ]
    return {**path, **{name: known[name]["example"] for name in filters[:1]}, "page_size": SIZE}


def method_of(client: Any, operation: Operation) -> Callable[..., Any]:
    tag, verb = operation.id.split(".")
    found: Callable[..., Any] = getattr(getattr(client, tag), verb)
    return found


def check(shelf: Shelf, seen: int, wanted: int | None) -> None:
    expected = COUNT if wanted is None else min(wanted, COUNT)
    assert seen == expected
    assert [int(query.get("page", 1)) for query in shelf.queries] == [*range(1, -(-expected // SIZE) + 1)]
    assert {tuple(sorted((name, value) for name, value in query.items() if name != "page")) for query in shelf.queries} == {
        tuple(sorted((name, value) for name, value in shelf.queries[0].items() if name != "page"))
    }


@EVERY_LIST
@pytest.mark.parametrize("wanted", [None, 3, 4])
def test_each_item_comes_once(operation: Operation, wanted: int | None) -> None:
    shelf = Shelf(operation)
    with httpx.Client(transport=httpx.MockTransport(shelf.answer)) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", http_client=http_client)
        items = [*method_of(client, operation)(**arguments(operation), max_items=wanted)]
    check(shelf, len(items), wanted)


@EVERY_LIST
@pytest.mark.parametrize("wanted", [None, 3])
def test_each_item_comes_once_in_asyncio(operation: Operation, wanted: int | None) -> None:
    shelf = Shelf(operation)

    async def walk() -> int:
        async with httpx.AsyncClient(transport=httpx.MockTransport(shelf.answer)) as http_client:
            client = AsyncUnpuzzle(base_url="http://api", token="a-token", http_client=http_client)
            return len([item async for item in method_of(client, operation)(**arguments(operation), max_items=wanted)])

    check(shelf, asyncio.run(walk()), wanted)
