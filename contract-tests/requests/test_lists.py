"""Lists, in a world with one of everything: each filter filters, each list is in the order that it promises, and one's own."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from harness import CONTRACT, Api, Person, Server, fields_of
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS as DECLARED
from unpuzzle_cli.conformance.laws.exchange import Exchange, Reply, Request
from unpuzzle_cli.conformance.laws.lists import lists, shown
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import World, in_path, named

PAGED = {name: raw for name, raw in CONTRACT.raw.items() if "x-unpuzzle-pagination" in raw}
LISTS = [CONTRACT.operations[name] for name in PAGED]
USUAL = {"page", "page_size", "sort", "order", "X-API-Version", "If-None-Match"}
FILTERS = [
    (operation, item.name)
    for operation in LISTS
    for item in operation.parameters
    if item.location == "query" and item.name not in USUAL
]
EVERY_FILTER = pytest.mark.parametrize(("operation", "name"), FILTERS, ids=[f"{item.id}-{name}" for item, name in FILTERS])
WIDENING = {"payments.list_history-status"}
"""Filters that also find what the list leaves out by itself."""
NOBODYS = "zzqxv"
SIGNS = ("%_%", f"{NOBODYS}'s", f"{NOBODYS} & | ! \\")
"""What means something to a database, and is a text like any other."""
SEARCHES = ("search", "q")
RANGES = ("start_date", "end_date", "start_month", "end_month")
FOR_EVERYBODY = {"analytics.list_achievements", "ai.search_transcripts", "reflections.list_shared"}
"""Lists of what others may see too."""
NEWEST = ("created_at", "enrolled_at", "upload_date", "issued_at", "started_at", "published_at")


@pytest.fixture(scope="module", autouse=True)
def began() -> datetime:
    """Before all that these tests list, be it yesterday by now."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def worlds(server: Server) -> Iterator[dict[bool, World]]:
    """With something of everything twice where it is made by one request."""
    with Api(server) as api:
        found = {published: World(api, published=published).populated() for published in (False, True)}
        for world in found.values():
            for name in ("courses.create", "reflections.create", "content.create_section", "payments.create_coupon"):
                assert world.send(CONTRACT.operations[name]).status_code == 201
            world.owner.put(f"/api/v1/notifications/{world.notification_id}/read/")
            world.owner.published_course(title="Another one")
        yield found


def listed(world: World, operation: Operation, caller: Person | None = None, **params: Any) -> dict[str, Any]:
    answer = world.send(operation, caller, params={"page_size": 100, **params})
    assert answer.status_code == 200
    asked = Request("GET", str(answer.request.url), dict(answer.request.headers))
    lists(Exchange(DECLARED["GET", operation.path], asked, Reply(200, dict(answer.headers), answer.content)))
    page: dict[str, Any] = answer.json()
    return page


def of(worlds: dict[bool, World], operation: Operation) -> World:
    return worlds[operation.role == "public"]


def schema_of(operation: Operation, name: str) -> dict[str, Any]:
    found: dict[str, Any] = spec.resolve(next(item.schema for item in operation.parameters if item.name == name))
    return found


@EVERY_FILTER
def test_a_filter_finds_nothing_where_there_is_nothing(worlds: dict[bool, World], operation: Operation, name: str) -> None:
    """An id of nothing, a word that nobody wrote; and each of a few values finds its part of the whole, not more."""
    world, schema = of(worlds, operation), schema_of(operation, name)
    kinds = schema.get("enum") or {"boolean": ["false", "true"]}.get(schema["type"], [])
    if kinds and f"{operation.id}-{name}" not in WIDENING:
        found = {kind: listed(world, operation, **{name: kind}) for kind in kinds}
        assert [(kind, item) for kind in kinds for item in found[kind]["results"] if kind not in shown(item, name, kind)] == []
        counts, whole = [page["count"] for page in found.values()], listed(world, operation)["count"]
        assert all(count <= whole for count in counts)
        assert whole == 0 or min(counts) < whole, f"each {name} finds all {whole}"
    elif schema["type"] == "integer":
        assert {item[name] for item in listed(world, operation, **{name: 1})["results"]} <= {1}
        assert listed(world, operation, **{name: 1})["count"] == 0
    elif name not in RANGES and not kinds:
        nothing = [str(uuid4())] if schema.get("format") == "uuid" else [NOBODYS, *(SIGNS if name in SEARCHES else ())]
        for value in nothing:
            assert listed(world, operation, **{name: value})["count"] == 0


@pytest.mark.parametrize(
    "operation", [item for item in LISTS if re.search("newest (come )?first", PAGED[item.id]["description"])], ids=named
)
def test_what_is_newest_comes_first_where_the_contract_says_so(worlds: dict[bool, World], operation: Operation) -> None:
    results = listed(of(worlds, operation), operation)["results"]
    name = next(name for name in reversed(NEWEST) if (results and results[0].get(name)) or name == NEWEST[0])
    times = [item[name] for item in results]
    assert times == sorted(times, reverse=True)


SORTED = [
    (operation, sort, order)
    for operation in LISTS
    if operation.has("sort")
    for sort in schema_of(operation, "sort")["enum"]
    for order in ("", "asc", "desc")
]


@pytest.mark.parametrize(("operation", "sort", "order"), SORTED, ids=["-".join((item.id, *how)) for item, *how in SORTED])
def test_a_list_is_in_the_order_that_was_asked_for(
    worlds: dict[bool, World], operation: Operation, sort: str, order: str
) -> None:
    """As the law of lists says, which each list here is held against; none goes upwards by itself but titles and prices."""
    how = {"sort": sort, **({"order": order} if order else {})}
    listed(of(worlds, operation), operation, **how)
    listed(of(worlds, operation), operation, **how, page_size=1)


@pytest.mark.parametrize("operation", LISTS, ids=named)
def test_pages_are_the_list_cut_into_pieces(worlds: dict[bool, World], operation: Operation) -> None:
    """And what has an order has it without gaps."""
    world = of(worlds, operation)
    whole = listed(world, operation)
    assert whole["results"]
    first, second = (listed(world, operation, page=page, page_size=1) for page in (1, 2))
    assert without_links(first["results"] + second["results"]) == without_links(whole["results"][:2])
    assert first["count"] == second["count"] == whole["count"]
    places = [item["order"] for item in whole["results"] if "order" in item]
    assert places == [*range(1, len(places) + 1)]


@pytest.mark.parametrize("operation", LISTS, ids=named)
def test_nobody_asks_for_two_pages_at_once(worlds: dict[bool, World], operation: Operation) -> None:
    world = of(worlds, operation)
    path = operation.path.format(**world.ids(operation))
    refused = world.owner.get(f"{path}?page=1&page=2")
    assert (refused.status_code, fields_of(refused) - {"q"}) == (422, {"page"})


def without_links(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is signed is another one each second."""
    return [{name: value for name, value in item.items() if not name.endswith("_url")} for item in items]


@pytest.mark.parametrize(
    "operation", [item for item in LISTS if item.role in ("user", "instructor") and item.id not in FOR_EVERYBODY], ids=named
)
def test_what_is_ones_own_is_in_nobody_elses_list(worlds: dict[bool, World], stranger: Person, operation: Operation) -> None:
    for world in worlds.values():
        if in_path(operation):
            return  # the access matrix knows who gets there
        own = {identity(item) for item in listed(world, operation)["results"]}
        assert own.isdisjoint(identity(item) for item in listed(world, operation, stranger)["results"])


@pytest.fixture(scope="module")
def stranger(server: Server) -> Iterator[Person]:
    """An instructor who has a little of everything themselves, and nothing of the world's."""
    with Api(server) as api:
        yield api.sign_up_instructor()


def identity(item: dict[str, Any]) -> str:
    return str(next(value for name, value in item.items() if name in ("id", "code") or name.endswith("_id")))


RANGED = {
    "payments.list_history": ("start_date", "end_date", "%Y-%m-%d", "count"),
    "ai.get_usage": ("start_date", "end_date", "%Y-%m-%d", "total"),
    "analytics.get_earnings": ("start_month", "end_month", "%Y-%m", "totals"),
}


@pytest.mark.parametrize("name", RANGED)
def test_a_range_holds_its_first_and_its_last_day(worlds: dict[bool, World], began: datetime, name: str) -> None:
    """Everything here has happened today, or since the tests began shortly before midnight."""
    world, (first, last, form, summed) = worlds[False], RANGED[name]
    today = datetime.now(UTC).strftime(form)
    whole = world.send(CONTRACT.operations[name]).json()[summed]
    assert whole
    assert world.send(CONTRACT.operations[name], params={first: began.strftime(form), last: today}).json()[summed] == whole


def test_what_is_unread_is_what_is_counted_as_unread(worlds: dict[bool, World]) -> None:
    operation = CONTRACT.operations["notifications.list"]
    unread, whole = listed(worlds[True], operation, unread_only="true"), listed(worlds[True], operation)
    assert unread["count"] == unread["unread_count"] == whole["unread_count"] < whole["count"]
    assert not any(item["is_read"] for item in unread["results"])
