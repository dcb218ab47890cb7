"""Searching the catalogue: words by their beginning and their stem, whatever else stands in what was typed."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, Server
from unpuzzle_server.courses.queries import words_of

LIST, OWN = "/api/v1/courses/", "/api/v1/instructor/courses/"
TITLES = [
    "Alpine botany",
    "Bread baking for the patient",
    "Learn Node.js today",
    "TCP/IP networking",
    "HTML/CSS basics",
    "Python 3.12 news",
    "École de cuisine",
    "हिन्दी सीखें",
    "日本語入門",
    "“Quoted” dashes—everywhere…",
    "snake_case naming",
    "Running databases",
    "Don't panic",
    "Привет Мир",
    "C++ for birds",
]


class Shelf:
    """A category of its own, filled straight into the table."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.instructor = api.sign_up_instructor()
        self.category = api.category()

    def stock(self, titles: list[str], description: str = "About it") -> None:
        self.api.server.sql(
            "INSERT INTO courses (instructor_id, category_id, title, slug, description, price_minor, status, published_at)"
            " SELECT %s, %s, title, %s || n, %s, 0, 'published', now() FROM unnest(%s::text[]) WITH ORDINALITY new (title, n)",
            self.instructor.id,
            self.category["id"],
            f"s{uuid4().hex}-",
            description,
            titles,
        )

    def found(self, search: str, **query: Any) -> list[str]:
        response = self.api.get(LIST, params={"category": self.category["slug"], "search": search, **query})
        assert response.status_code == 200, response.text
        page = response.json()
        assert page["count"] == len(page["results"])
        return [course["title"] for course in page["results"]]


@pytest.fixture(scope="module")
def shelf(server: Server) -> Iterator[Shelf]:
    with Api(server) as api:
        shelf = Shelf(api)
        shelf.stock(TITLES)
        yield shelf


@pytest.mark.parametrize(
    ("search", "title"),
    [
        ("alpine", "Alpine botany"),
        ("ALP", "Alpine botany"),
        ("botany alpine", "Alpine botany"),
        ("bot alp", "Alpine botany"),
        ("  botany\t\n alpine  ", "Alpine botany"),
        ("baked bread", "Bread baking for the patient"),
        ("the patient", "Bread baking for the patient"),
        ("run database", "Running databases"),
        ("databas", "Running databases"),
        ("node.js", "Learn Node.js today"),
        ("Node JS", "Learn Node.js today"),
        ("js", "Learn Node.js today"),
        ("Learn Node.js today", "Learn Node.js today"),
        ("tcp/ip", "TCP/IP networking"),
        ("ip network", "TCP/IP networking"),
        ("css", "HTML/CSS basics"),
        ("css/html", "HTML/CSS basics"),
        ("python 3.12", "Python 3.12 news"),
        ("3.12", "Python 3.12 news"),
        ("ÉCOLE", "École de cuisine"),
        ("e\u0301cole", "École de cuisine"),
        ("हिन्दी", "हिन्दी सीखें"),
        ("सीखें हिन्दी", "हिन्दी सीखें"),
        ("日本語", "日本語入門"),
        ("quoted", "“Quoted” dashes—everywhere…"),
        ("everywhere", "“Quoted” dashes—everywhere…"),
        ("snake_case", "snake_case naming"),
        ("case", "snake_case naming"),
        ("don't", "Don't panic"),
        ("don’t panic", "Don't panic"),
        ("МИР", "Привет Мир"),
        ("c++ birds", "C++ for birds"),
    ],
)
def test_a_title_is_found_by_its_words(shelf: Shelf, search: str, title: str) -> None:
    assert shelf.found(search) == [title]


@pytest.mark.parametrize("title", TITLES)
def test_every_course_is_found_by_its_whole_title(shelf: Shelf, title: str) -> None:
    assert title in shelf.found(title)


@pytest.mark.parametrize(
    "search",
    [
        *("lpine", "alpine bread", "botanist", "a" * 200, "алпине", "' OR 'x'='x", "'); DROP TABLE courses; --"),
        *("!!!", "\\", "'", "''", "%", "_", "*", "((", "🧩", "²", "\u200b", "\ud7ff", " "),
    ],
)
def test_what_is_in_no_title_finds_nothing(shelf: Shelf, search: str) -> None:
    assert shelf.found(search) == []
    assert len(shelf.found("alpine")) == 1


@pytest.mark.parametrize(
    "search", ["{}:*", "{} & ", "!{}", "({}", "<-> {}", "{}'", "'{}", "\\{}\\", '"{}"', "{}:A", "-{}", "{}*"]
)
def test_operators_of_the_database_are_punctuation(shelf: Shelf, search: str) -> None:
    assert shelf.found(search.format("alpine")) == shelf.found(search.format("botany alp")) == ["Alpine botany"]


def test_an_or_is_a_word_like_others(shelf: Shelf) -> None:
    assert shelf.found("alpine | bread") == shelf.found("alpine or bread") == []


def test_whatever_parts_the_words_of_a_title_parts_those_of_a_search(server: Server) -> None:
    marks = server.sql("""
        SELECT chr(n) FROM generate_series(1, 65535) n WHERE n NOT BETWEEN 55296 AND 57343 AND app.words(chr(n)) = ' '
    """)
    assert len(marks) > 200
    assert [mark for (mark,) in marks if words_of(f"a{mark}b") != ["a", "b"]] == []


def test_relevance_yields_to_a_sort_that_is_asked_for(shelf: Shelf) -> None:
    word = f"q{uuid4().hex[:8]}"
    shelf.stock(["Zoology", "Astronomy"], description=f"Mentions {word}")
    shelf.stock([f"More of {word}"])
    assert shelf.found(word)[0] == f"More of {word}"
    for order, expected in (("asc", ["A", "M", "Z"]), ("desc", ["Z", "M", "A"])):
        assert [title[0] for title in shelf.found(word, sort="title", order=order)] == expected


def test_equally_relevant_courses_keep_their_places_over_pages(shelf: Shelf) -> None:
    word = f"q{uuid4().hex[:8]}"
    shelf.stock([f"{word} again"] * 13)
    query = {"search": word, "page_size": 4}
    pages = [shelf.api.get(LIST, params={**query, "page": number}).json() for number in (1, 2, 3, 4, 1, 2, 3, 4)]
    walks = [[course["id"] for page in walk for course in page["results"]] for walk in (pages[:4], pages[4:])]
    assert walks[0] == walks[1]
    assert len(set(walks[0])) == 13 == pages[0]["count"]


def test_a_search_goes_with_every_other_filter(shelf: Shelf) -> None:
    word = f"q{uuid4().hex[:8]}"
    shelf.stock([f"{word} {number}" for number in range(4)])
    shelf.api.server.sql("UPDATE courses SET difficulty = 'advanced' WHERE title IN (%s, %s)", f"{word} 1", f"{word} 2")
    shelf.api.server.sql("UPDATE courses SET tags = '{wood,\"big, old\"}' WHERE title IN (%s, %s)", f"{word} 2", f"{word} 3")
    assert len(shelf.found(word)) == 4
    assert shelf.found(word, difficulty="advanced", sort="title") == [f"{word} 1", f"{word} 2"]
    assert shelf.found(word, tag="big, old", sort="title", order="desc") == [f"{word} 3", f"{word} 2"]
    assert shelf.found(word, tag="wood", difficulty="advanced") == [f"{word} 2"]
    assert shelf.found(word, tag="wood", difficulty="intermediate") == []


@pytest.mark.parametrize("tag", ["a,b", "{x}", '"quoted"', "back\\slash", "ä", "NULL", "😀", "' OR 1=1 --", "%"])
def test_a_tag_is_found_as_it_was_written(api: Api, instructor: Person, tag: str) -> None:
    course = instructor.published_course(tags=[tag, "other"])
    listed = api.get(LIST, params={"tag": tag, "page_size": 100}).json()
    assert course["id"] in [item["id"] for item in listed["results"]]
    assert all(tag in item["tags"] for item in listed["results"])


def test_a_change_is_found_at_once(api: Api, instructor: Person) -> None:
    old, new = (f"q{uuid4().hex[:8]}" for _ in range(2))
    course = instructor.published_course(title=old)
    instructor.patch(f"{OWN}{course['id']}/", json={"title": "Plain", "description": f"Now about {new}"})
    assert [api.get(LIST, params={"search": word}).json()["count"] for word in (old, new)] == [0, 1]


def test_ones_own_drafts_are_searched_for_oneself_only(api: Api, instructor: Person, other_instructor: Person) -> None:
    word = f"q{uuid4().hex[:8]}"
    draft = instructor.course(title=f"About Vue.{word}")
    instructor.published_course(title="Another")
    listed = instructor.get(OWN, params={"search": f"vue.{word}", "status": "draft"}).json()
    assert ([course["id"] for course in listed["results"]], listed["count"]) == ([draft["id"]], 1)
    assert instructor.get(OWN, params={"search": word, "status": "published"}).json()["count"] == 0
    for stranger in (api, instructor):
        assert stranger.get(LIST, params={"search": word}).json()["count"] == 0
    assert other_instructor.get(OWN, params={"search": word}).json()["count"] == 0
