"""Pages: their links, their edges, and that going through them shows everything once."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness import Api, Person, running_server
from unpuzzle_server.kernel.pagination import Page, page_body, window

OWN, LIST = "/api/v1/instructor/courses/", "/api/v1/courses/"
URL = "https://api.example/things/"


def body(count: int, page: int, page_size: int, query: bytes = b"") -> dict[str, Any]:
    return page_body(Page([], count), URL, query, page, page_size)


@pytest.mark.parametrize(
    ("count", "page", "size", "total", "previous", "following"),
    [
        (0, 1, 20, 0, None, None),
        (1, 1, 20, 1, None, None),
        (20, 1, 20, 1, None, None),
        (21, 1, 20, 2, None, 2),
        (21, 2, 20, 2, 1, None),
        (100, 2, 20, 5, 1, 3),
        (100, 5, 20, 5, 4, None),
        (100, 6, 20, 5, 5, None),
        (100, 2_147_483_647, 20, 5, 5, None),
        (0, 9, 20, 0, None, None),
        (3, 2, 1, 3, 1, 3),
    ],
)
def test_a_page_links_to_its_neighbours(
    count: int, page: int, size: int, total: int, previous: int | None, following: int | None
) -> None:
    found = body(count, page, size)
    assert (found["count"], found["page"], found["page_size"], found["total_pages"]) == (count, page, size, total)
    assert found["previous"] == (previous and f"{URL}?page={previous}")
    assert found["next"] == (following and f"{URL}?page={following}")


def test_a_link_keeps_what_was_asked_for() -> None:
    query = b"search=a%26b+%F0%9F%92%A5&page=2&page_size=10&sort=title"
    link = body(100, 2, 10, query)["next"]
    assert parse_qs(urlsplit(link).query) == {"search": ["a&b 💥"], "page_size": ["10"], "sort": ["title"], "page": ["3"]}


def test_the_window_of_a_page() -> None:
    assert window(1, 20) == {"limit": 20, "offset": 0}
    assert window(3, 7) == {"limit": 7, "offset": 14}


def test_extras_of_a_list_stand_beside_its_page() -> None:
    assert page_body(Page([1], 1, {"unread_count": 4}), URL, b"", 1, 20)["unread_count"] == 4


def test_following_the_links_shows_everything_once(instructor: Person) -> None:
    made = {instructor.course()["id"] for _ in range(5)}
    seen: list[str] = []
    link: str | None = f"{OWN}?page_size=2&sort=title&order=desc"
    pages = 0
    while link:
        page = instructor.get(link).json()
        seen += [course["id"] for course in page["results"]]
        link = page["next"]
        pages += 1
    assert (pages, len(seen), set(seen)) == (3, 5, made)


def test_a_page_past_the_end_is_empty_and_leads_back(instructor: Person) -> None:
    instructor.course()
    for number in (2, 1_000_000_000, 2_147_483_647):
        page = instructor.get(f"{OWN}?page={number}&page_size=100").json()
        assert (page["results"], page["count"], page["next"]) == ([], 1, None)
        assert page["previous"] == f"{instructor.api.server.base_url}{OWN}?page_size=100&page=1"


def test_a_list_of_nothing_has_no_pages(instructor: Person) -> None:
    page = instructor.get(OWN).json()
    assert (page["count"], page["total_pages"], page["page"], page["page_size"]) == (0, 0, 1, 20)
    assert (page["next"], page["previous"], page["results"]) == (None, None, [])


def test_links_start_with_the_public_url_whoever_the_request_names(api: Api, instructor: Person) -> None:
    for _ in range(2):
        instructor.course()
    with running_server(api.server.owner_url, public_url="https://api.unpuzzle.com/base") as public, Api(public) as other:
        forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        response = other.get(f"{OWN}?page_size=1", headers={**instructor.headers, **forged})
    assert response.json()["next"] == f"https://api.unpuzzle.com/base{OWN}?page_size=1&page=2"
    assert "evil" not in response.text
