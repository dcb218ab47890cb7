"""Every list obeys page and size, sort and filter."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from unpuzzle_cli.conformance.contract import Node
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Exchange, Reply

WINDOW = {"page", "page_size"}
ORDERING = {"sort", "order"}
ASCENDING = {"title", "price"}
"""What goes upwards by itself, as the parameter `order` says: titles and prices ascend, the rest descends."""
OTHERWISE = {"created_at": "upload_date", "last_accessed": "last_accessed_at", "progress": "progress_percentage"}
"""Fields that a list can be sorted by, where an item shows them under other names."""
LONGEST_WALK = 10
"""How many pages a walk goes: ids that come twice show within a few."""


def lists(exchange: Exchange) -> None:
    """A page's numbers, links, order and items are what was asked for, and its links lead through all items once."""
    if "x-unpuzzle-pagination" not in exchange.operation.node or exchange.reply.status != 200:
        return
    check_numbers(exchange)
    check_links(exchange)
    check_filters(exchange)
    if "sort" in exchange.request.query:
        check_order(exchange)
    if exchange.reply.fields["page"] == 1 and exchange.reply.fields["next"]:
        check_walk(exchange)


def check_numbers(exchange: Exchange) -> None:
    page = exchange.reply.fields
    for name in WINDOW:
        assert page[name] == int(asked(exchange, name)), f"{name} is {page[name]}, not {asked(exchange, name)} as asked"
    assert page["total_pages"] == -(-page["count"] // page["page_size"]), "total_pages is not count divided by page_size"
    left = page["count"] - (page["page"] - 1) * page["page_size"]
    expected = max(0, min(page["page_size"], left))
    assert len(items(exchange, page)) == expected, f"{len(items(exchange, page))} results, not {expected}"


def check_links(exchange: Exchange) -> None:
    page = exchange.reply.fields
    number, last = page["page"], page["total_pages"]
    check_link(exchange, "next", number + 1 if number < last else None)
    check_link(exchange, "previous", min(number - 1, last) or None)


def check_link(exchange: Exchange, name: str, number: int | None) -> None:
    link = exchange.reply.fields[name]
    if number is None:
        assert link is None, f"{name} is {link}, where there is no such page"
        return
    assert link is not None, f"{name} is null, where it should lead to page {number}"
    there = urlsplit(link)
    expected = {**exchange.request.query, "page": str(number)}
    assert dict(parse_qsl(there.query)) == expected, f"{name} is {link}, which does not ask for {expected}"
    assert there.path.strip("/") == urlsplit(exchange.request.url).path.strip("/"), f"{name} leads to another list: {link}"


def check_filters(exchange: Exchange) -> None:
    for name, wanted in exchange.request.query.items():
        for item in items(exchange, exchange.reply.fields) if name not in WINDOW | ORDERING else ():
            assert wanted in shown(item, name, wanted), f"{name}={wanted} found an item of another: {item}"


def shown(item: dict[str, Any], name: str, wanted: str) -> list[str]:
    """What an item says about a filter; a filter that it does not show, such as a search, is taken at its word."""
    name = f"is_{name}" if f"is_{name}" in item else name
    if name in item:
        value = item[name]["slug"] if isinstance(item[name], dict) else item[name]
        return [str(value).lower() if isinstance(value, bool) else str(value)]
    several: list[str] = item.get(f"{name}s", [wanted])
    return several


def check_order(exchange: Exchange) -> None:
    name = exchange.request.query["sort"]
    direction = exchange.request.query.get("order") or ("asc" if name in ASCENDING else "desc")
    values = [
        comparable(value) for item in items(exchange, exchange.reply.fields) if (value := sorted_by(item, name)) is not None
    ]
    pairs = pairwise(values if direction == "asc" else values[::-1])
    assert all(first <= second for first, second in pairs), f"{name} is not in {direction}ending order: {values}"


def sorted_by(item: dict[str, Any], name: str) -> Any:
    """What an item says of the field that a list is sorted by, under whichever of its names."""
    found = item.get(name, item.get(OTHERWISE.get(name, name)))
    inside = item.get("progress", {}) if name.startswith(("last_accessed", "progress")) else {}
    return inside.get("percentage" if name == "progress" else f"{name}_at") if isinstance(inside, dict) and inside else found


def comparable(value: Any) -> Any:
    """Times as times: their fractions of a second are written with as many digits as they need."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value


def check_walk(exchange: Exchange) -> None:
    seen: list[str] = []
    page = exchange.reply
    for page in walk(exchange):
        assert page.status == 200, f"a page on the way answers {page.status}"
        seen += [identity(item) for item in items(exchange, page.fields)]
    assert len(seen) == len(set(seen)), "an item is on two pages"
    if page.fields["next"] is None:
        assert len(seen) == exchange.reply.fields["count"], f"{len(seen)} items on all pages, not count"


def identity(item: dict[str, Any]) -> str:
    """Its id, or all of it where it has none."""
    return item["id"] if "id" in item else json.dumps(item)


def walk(exchange: Exchange) -> Iterator[Reply]:
    page = exchange.reply
    yield page
    for _ in range(LONGEST_WALK):
        if not page.fields.get("next"):
            return
        page = exchange.read(page.fields["next"])
        yield page


def asked(exchange: Exchange, name: str) -> str:
    """What was asked for, or the default."""
    declared = next(item for item in exchange.operation.parameters if item["name"] == name)
    schema: Node = CONTRACT.resolve(declared["schema"])
    return exchange.request.query.get(name, str(schema["default"]))


def items(exchange: Exchange, page: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page[exchange.operation.node["x-unpuzzle-pagination"]["items"]]
    return found
