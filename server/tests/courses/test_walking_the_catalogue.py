"""Sorts, filters and pages of the lists of courses: each course once, in an order that stays, with counts that agree."""

from collections.abc import Iterator
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, Server, fields_of

LIST, OWN, CATEGORIES = "/api/v1/courses/", "/api/v1/instructor/courses/", "/api/v1/categories/"
DIFFICULTIES = ["beginner", "intermediate", "advanced"]
# 23 courses in which every sort meets ties; a third of them has no reviews.
STOCK = """
    INSERT INTO courses (instructor_id, category_id, title, slug, description, difficulty, price_minor, tags, status,
                         published_at, created_at, updated_at)
    SELECT %s, %s, 'Title ' || n / 3, %s || n, 'x', (%s::text[])[mod(n, 3) + 1], n / 4 * 100, ARRAY['t' || mod(n, 2), 'all'],
           CASE WHEN n > 23 THEN 'draft' ELSE 'published' END, now() - interval '1 hour' * (n / 5),
           now() - interval '1 day' * (n / 5), now() - interval '1 minute' * (n / 5)
      FROM generate_series(1, 26) n
"""
RATE = """
    UPDATE course_stats s SET reviews_count = 2, rating_sum = 4 + mod(ascii(right(c.title, 1)), 3)
      FROM courses c WHERE c.id = s.course_id AND c.category_id = %s AND right(c.title, 1) <> '1' AND c.difficulty <> 'advanced'
"""


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Person]:
    with Api(server) as api:
        yield api.sign_up_instructor()


@pytest.fixture(scope="module")
def category(owner: Person) -> dict[str, Any]:
    made = owner.api.category()
    owner.api.server.sql(STOCK, owner.id, made["id"], f"s{uuid4().hex}-", DIFFICULTIES)
    owner.api.server.sql(RATE, made["id"])
    return made


def walk(caller: Any, path: str, base_url: str, **query: Any) -> list[dict[str, Any]]:
    """What is met by following `next` to the end; fails where a page contradicts another."""
    first = page = caller.get(path, params=query).json()
    met = list(page["results"])
    while page["next"]:
        before, page = page, caller.get(page["next"].removeprefix(base_url)).json()
        assert (page["page"], page["count"], page["total_pages"]) == (before["page"] + 1, first["count"], first["total_pages"])
        assert caller.get(page["previous"].removeprefix(base_url)).json()["results"] == before["results"]
        met += page["results"]
    assert page["page"] == max(page["total_pages"], 1)
    assert len({item["id"] for item in met}) == len(met) == first["count"]
    return met


def in_order(values: list[Any], direction: str) -> bool:
    """Whether known values stand in the order asked for, and unknown ones last."""
    known = [value for value in values if value is not None]
    return values == sorted(known, reverse=direction == "desc") + [None] * (len(values) - len(known))


@pytest.mark.parametrize(("sort", "order"), list(product(["title", "price", "created_at", "rating"], ["asc", "desc"])))
def test_each_sort_goes_both_ways_and_meets_each_course_once(api: Api, category: dict[str, Any], sort: str, order: str) -> None:
    query = {"category": category["slug"], "sort": sort, "order": order, "page_size": 4}
    met = walk(api, LIST, api.server.base_url, **query)
    assert len(met) == 23
    assert 2 < len({course[sort] for course in met}) < 23
    assert in_order([course[sort] for course in met], order)
    assert met == walk(api, LIST, api.server.base_url, **{**query, "page_size": 7})


@pytest.mark.parametrize(("sort", "order"), [("title", "asc"), ("price", "asc"), ("created_at", "desc"), ("rating", "desc")])
def test_without_an_order_each_sort_goes_the_usual_way(api: Api, category: dict[str, Any], sort: str, order: str) -> None:
    query = {"category": category["slug"], "sort": sort, "page_size": 100}
    assert api.get(LIST, params=query).json()["results"] == api.get(LIST, params={**query, "order": order}).json()["results"]


def test_without_a_sort_what_was_published_last_comes_first(api: Api, category: dict[str, Any]) -> None:
    met = walk(api, LIST, api.server.base_url, category=category["slug"], page_size=4)
    assert in_order([course["published_at"] for course in met], "desc")


@pytest.mark.parametrize(("sort", "order"), list(product(["title", "created_at", "updated_at"], ["asc", "desc"])))
def test_ones_own_courses_are_walked_in_the_same_way(owner: Person, category: dict[str, Any], sort: str, order: str) -> None:
    met = walk(owner, OWN, owner.api.server.base_url, sort=sort, order=order, page_size=5)
    assert len(met) == 26
    assert in_order([course[sort] for course in met], order)


@pytest.mark.parametrize("difficulty", [None, *DIFFICULTIES])
@pytest.mark.parametrize("tag", [None, "t0", "t1", "all", "T0"])
def test_filters_go_together_and_counts_agree(
    api: Api, category: dict[str, Any], difficulty: str | None, tag: str | None
) -> None:
    everything = api.get(LIST, params={"category": category["slug"], "page_size": 100}).json()["results"]
    wanted = {
        course["id"]
        for course in everything
        if (difficulty is None or course["difficulty"] == difficulty) and (tag is None or tag in course["tags"])
    }
    query = {"category": category["slug"], "difficulty": difficulty, "tag": tag}
    met = walk(api, LIST, api.server.base_url, page_size=6, **{name: value for name, value in query.items() if value})
    assert {course["id"] for course in met} == wanted


@pytest.mark.parametrize("status", ["draft", "published", "archived"])
def test_ones_own_courses_are_filtered_by_status(owner: Person, category: dict[str, Any], status: str) -> None:
    met = walk(owner, OWN, owner.api.server.base_url, status=status, page_size=100)
    assert {course["status"] for course in met} <= {status}
    assert len(met) == {"draft": 3, "published": 23, "archived": 0}[status]


@pytest.mark.parametrize("path", [LIST, OWN, CATEGORIES])
@pytest.mark.parametrize("number", [2, 10**6, 2**31 - 1])
def test_a_page_past_the_end_is_empty(owner: Person, category: dict[str, Any], path: str, number: int) -> None:
    count = owner.get(path, params={"page_size": 100}).json()["count"]
    page = owner.get(path, params={"page": min(number + count // 100, 2**31 - 1), "page_size": 100}).json()
    assert (page["results"], page["next"], page["count"]) == ([], None, count)
    assert owner.get(page["previous"].removeprefix(owner.api.server.base_url)).json()["results"]


def test_links_keep_what_was_asked_for(api: Api, category: dict[str, Any]) -> None:
    asked = {"category": category["slug"], "tag": "all", "sort": "price", "order": "desc", "search": "title & 1", "page_size": 1}
    page = api.get(LIST, params=asked).json()
    assert page["next"].startswith(f"{api.server.base_url}{LIST}?")
    following = api.get(page["next"].removeprefix(api.server.base_url)).json()
    assert following["results"] == api.get(LIST, params={**asked, "page": 2}).json()["results"] != []


@pytest.mark.parametrize(
    ("path", "query", "fields"),
    [
        (LIST, {"page": 0, "page_size": 101, "difficulty": "hard"}, {"page", "page_size", "difficulty"}),
        (LIST, {"sort": "students_count", "order": "up", "status": "draft"}, {"sort", "order", "status"}),
        (LIST, {"sort": "updated_at"}, {"sort"}),
        (LIST, {"category": "No Slug", "tag": "x" * 51, "search": ""}, {"category", "tag", "search"}),
        (LIST, {"search": "x" * 201, "tag": "", "category": ""}, {"category", "tag", "search"}),
        (OWN, {"page": -1, "page_size": 0, "status": "hidden"}, {"page", "page_size", "status"}),
        (OWN, {"sort": "price", "order": "", "category": "x", "search": ""}, {"sort", "order", "category", "search"}),
        (CATEGORIES, {"page": "one", "page_size": "1.5", "sort": "name"}, {"page", "page_size", "sort"}),
    ],
)
def test_everything_wrong_with_a_query_is_named(owner: Person, path: str, query: dict[str, Any], fields: set[str]) -> None:
    refused = owner.get(path, params=query)
    assert (refused.status_code, fields_of(refused)) == (422, fields)


def test_categories_are_walked_by_name(api: Api, category: dict[str, Any]) -> None:
    met = walk(api, CATEGORIES, api.server.base_url, page_size=20)
    assert in_order([item["name"] for item in met], "asc")
    assert next(item for item in met if item["id"] == category["id"])["courses_count"] == 23
