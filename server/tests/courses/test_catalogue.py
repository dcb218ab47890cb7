"""The public catalogue: what is in it, how it is found, and that its numbers are true."""

from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, code_of, in_parallel

LIST = "/api/v1/courses/"


@pytest.fixture
def category(api: Api) -> dict[str, Any]:
    return api.category()


@pytest.fixture
def shelf(instructor: Person, category: dict[str, Any]) -> list[dict[str, Any]]:
    """Five published courses of one category."""
    facts = [
        ("Alpine botany", "beginner", 10, ["plants"]),
        ("Bread baking", "advanced", 0, ["food"]),
        ("Carpentry of boats", "beginner", 30, ["wood", "water"]),
        ("Dyeing with plants", "intermediate", 20, ["plants", "colour"]),
        ("Engraving", "beginner", 20, ["wood"]),
    ]
    return [
        instructor.published_course(title=title, difficulty=difficulty, price=price, tags=tags, category_id=category["id"])
        for title, difficulty, price, tags in facts
    ]


def titles(api: Api, **query: Any) -> list[str]:
    response = api.get(LIST, params=query)
    assert response.status_code == 200, response.text
    assert response.json()["count"] >= len(response.json()["results"])
    return [course["title"] for course in response.json()["results"]]


def test_the_newest_come_first(api: Api, category: dict[str, Any], shelf: list[Any]) -> None:
    assert [title[0] for title in titles(api, category=category["slug"])] == ["E", "D", "C", "B", "A"]


@pytest.mark.parametrize(
    ("query", "letters"),
    [
        ({"difficulty": "beginner"}, "ECA"),
        ({"tag": "plants"}, "DA"),
        ({"tag": "plants", "difficulty": "beginner"}, "A"),
        ({"tag": "nothing"}, ""),
        ({"sort": "title"}, "ABCDE"),
        ({"sort": "title", "order": "desc"}, "EDCBA"),
        ({"sort": "price", "order": "asc", "difficulty": "beginner"}, "AEC"),
        ({"sort": "price", "order": "desc", "difficulty": "beginner"}, "CEA"),
        ({"sort": "created_at"}, "EDCBA"),
        ({"sort": "created_at", "order": "asc"}, "ABCDE"),
        ({"search": "plant"}, "DA"),
        ({"search": "PLANTS dye"}, "D"),
        ({"search": "eng"}, "E"),
        ({"search": "boat carp"}, "C"),
        ({"search": "carpet"}, ""),
        ({"search": "!!!"}, ""),
        ({"search": "bread' | 'x"}, ""),
        ({"search": "bread:*&!"}, "B"),
        ({"search": "\\bread\\"}, "B"),
    ],
    ids=str,
)
def test_the_catalogue_is_filtered_and_sorted(
    api: Api, category: dict[str, Any], shelf: list[Any], query: dict[str, str], letters: str
) -> None:
    if "plant" in query.get("search", ""):
        letters = "D"  # titles and descriptions are searched, tags are not
    found = titles(api, category=category["slug"], **query)
    assert "".join(title[0] for title in found) == letters
    assert api.get(LIST, params={"category": category["slug"], **query}).json()["count"] == len(letters)


def test_a_search_ranks_titles_above_descriptions(api: Api, instructor: Person) -> None:
    word = f"zq{uuid4().hex[:8]}"
    instructor.published_course(title="Other", description=f"Mentions {word} in passing")
    instructor.published_course(title=f"All about {word}", description="Nothing else")
    assert titles(api, search=word) == [f"All about {word}", "Other"]
    assert titles(api, search=word, sort="title", order="desc") == ["Other", f"All about {word}"]


def test_walking_the_pages_meets_each_course_once(api: Api, category: dict[str, Any], shelf: list[Any]) -> None:
    url: str | None = f"{api.server.base_url}{LIST}?category={category['slug']}&sort=price&page_size=2"
    walked, pages = [], 0
    while url:
        page = api.get(url.removeprefix(api.server.base_url)).json()
        walked += [course["id"] for course in page["results"]]
        pages += 1
        assert (page["count"], page["total_pages"], page["page"]) == (5, 3, pages)
        url = page["next"]
    assert sorted(walked) == sorted(course["id"] for course in shelf)


def test_a_page_past_the_end_is_empty(api: Api, category: dict[str, Any], shelf: list[Any]) -> None:
    for number in (4, 10**9):
        page = api.get(LIST, params={"category": category["slug"], "page": number, "page_size": 2}).json()
        assert (page["results"], page["next"], page["count"]) == ([], None, 5)
        assert page["previous"].endswith("page=3")


def test_drafts_and_archived_courses_are_in_no_list_not_even_their_owners(api: Api, instructor: Person) -> None:
    category = api.category()
    instructor.course(category_id=category["id"])
    archived = instructor.published_course(category_id=category["id"])
    instructor.post(f"/api/v1/instructor/courses/{archived['id']}/archive/")
    for caller in (api, instructor):
        assert caller.get(LIST, params={"category": category["slug"]}).json()["count"] == 0


def test_a_course_is_found_by_id_and_by_slug(api: Api, instructor: Person) -> None:
    course = instructor.published_course(title=f"Found {uuid4().hex}")
    by_id, by_slug = api.get(f"{LIST}{course['id']}/"), api.get(f"{LIST}{course['slug']}/")
    assert by_id.json() == by_slug.json()
    assert api.get(f"{LIST}{course['id'].upper()}/").status_code == 200


def test_an_unpublished_course_is_there_for_those_it_concerns(
    api: Api, instructor: Person, other_instructor: Person, learner: Person, admin: Person
) -> None:
    course = instructor.published_course()
    assert learner.post(f"{LIST}{course['id']}/enroll/").status_code == 201
    instructor.post(f"/api/v1/instructor/courses/{course['id']}/unpublish/")
    for path in (f"{LIST}{course['id']}/", f"{LIST}{course['slug']}/curriculum/"):
        assert [who.get(path).status_code for who in (instructor, learner, admin)] == [200, 200, 200]
        for stranger in (api, other_instructor, api.sign_up()):
            refused = stranger.get(path)
            assert (refused.status_code, code_of(refused)) == (404, "COURSE_NOT_FOUND")


def test_a_curriculum_carries_the_text_of_previews_and_of_nothing_else(api: Api, instructor: Person) -> None:
    course = instructor.course(description="d", price=0, category_id=api.category()["id"])
    open_section = instructor.section(course, is_published=True)
    instructor.lesson(open_section, body="<p>Open</p>", is_preview=True)
    instructor.lesson(open_section, body="<p>Secret</p>", duration_seconds=61)
    instructor.lesson(instructor.section(course), body="<p>Unpublished</p>")
    instructor.post(f"/api/v1/instructor/courses/{course['id']}/publish/")
    response = api.get(f"{LIST}{course['id']}/curriculum/")
    assert [lesson["body"] for section in response.json()["sections"] for lesson in section["lessons"]] == ["<p>Open</p>", None]
    assert (response.json()["sections_count"], response.json()["lessons_count"]) == (1, 2)
    assert response.json()["sections"][0]["is_preview"] is True
    for path in (f"{LIST}{course['id']}/", f"{LIST}{course['id']}/curriculum/", LIST):
        assert "Secret" not in api.get(path).text
        assert "Unpublished" not in api.get(path).text


def test_an_unchanged_answer_is_304(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    for path in (LIST, f"{LIST}{course['id']}/", f"{LIST}{course['id']}/curriculum/", "/api/v1/categories/"):
        tag = api.get(path).headers["etag"]
        unchanged = api.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    instructor.patch(f"/api/v1/instructor/courses/{course['id']}/", json={"title": "Renamed"})
    assert api.get(f"{LIST}{course['id']}/", headers={"If-None-Match": tag}).status_code == 200


def test_the_numbers_of_a_course_and_its_instructor_are_true(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    learners = [api.sign_up() for _ in range(3)]
    for learner in learners:
        learner.post(f"{LIST}{course['id']}/enroll/")
    enrolled = api.server.sql("SELECT id, user_id FROM enrollments WHERE course_id = %s ORDER BY id", course["id"])
    for (enrollment, user), rating in zip(enrolled, (5, 4, 4), strict=True):
        review = "INSERT INTO reviews (enrollment_id, course_id, user_id, rating) VALUES (%s, %s, %s, %s)"
        api.server.sql(review, enrollment, course["id"], user, rating)
    found = api.get(f"{LIST}{course['id']}/").json()
    assert (found["students_count"], found["reviews_count"], found["rating"]) == (3, 3, 4.3)
    profile = found["instructor"]
    assert (profile["courses_count"], profile["students_count"], profile["rating"]) == (1, 3, 4.3)
    api.server.sql("UPDATE enrollments SET status = 'cancelled' WHERE id = %s", enrolled[0][0])
    api.server.sql("DELETE FROM reviews WHERE enrollment_id = %s", enrolled[1][0])
    found = api.get(f"{LIST}{course['id']}/").json()
    assert (found["students_count"], found["reviews_count"], found["rating"]) == (2, 2, 4.5)


def test_content_counts_are_true_under_writers_at_once(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    sections = [instructor.section(course, is_published=True) for _ in range(4)]

    def add(section: dict[str, Any]) -> Any:
        path = f"/api/v1/content/sections/{section['id']}/lessons/"
        return lambda caller: (
            caller.post(path, json={"title": "x", "duration_seconds": 60}, headers=instructor.headers).status_code
        )

    assert in_parallel(api.server, [add(section) for section in sections for _ in range(2)]) == [201] * 8
    found = api.get(f"{LIST}{course['id']}/").json()
    assert (found["sections_count"], found["lessons_count"]) == (5, 9)
    counted = "SELECT count(*), sum(duration_seconds) FROM lessons WHERE course_id = %s"
    kept = "SELECT lessons_count, duration_seconds FROM course_stats WHERE course_id = %s"
    assert api.server.sql(counted, course["id"]) == api.server.sql(kept, course["id"])


def test_the_kept_counts_of_the_catalogue_are_those_of_its_rows(api: Api, instructor: Person) -> None:
    category, other = api.category(), api.category()
    courses = [instructor.published_course(category_id=category["id"]) for _ in range(3)]
    path = "/api/v1/instructor/courses/"
    instructor.patch(f"{path}{courses[0]['id']}/", json={"category_id": other["id"], "difficulty": "advanced"})
    instructor.post(f"{path}{courses[1]['id']}/unpublish/")
    instructor.delete(f"{path}{courses[2]['id']}/")
    assert [api.get(LIST, params={"category": item["slug"]}).json()["count"] for item in (category, other)] == [0, 1]
    kept = "SELECT category_id, difficulty, courses_count FROM catalogue_counts WHERE courses_count > 0"
    counted = "SELECT category_id, difficulty, count(*)::int FROM courses WHERE status = 'published' GROUP BY 1, 2"
    assert sorted(api.server.sql(kept)) == sorted(api.server.sql(counted))


def test_categories_are_listed_by_name_with_their_courses(api: Api, instructor: Person) -> None:
    category = api.category()
    instructor.published_course(category_id=category["id"])
    results, page = [], 1
    while found := api.get("/api/v1/categories/", params={"page": page, "page_size": 100}).json()["results"]:
        results += found
        page += 1
    names = [item["name"] for item in results]
    assert names == sorted(names)
    assert next(item for item in results if item["id"] == category["id"])["courses_count"] == 1


def test_a_page_takes_as_many_queries_whatever_it_holds(api: Api, instructor: Person) -> None:
    category = api.category()
    for _ in range(6):
        instructor.published_course(category_id=category["id"])
    few, many = (statements_of(api, f"{LIST}?category={category['slug']}&page_size={size}") for size in (1, 6))
    assert len(few) == len(many)


def statements_of(api: Api, path: str) -> list[str]:
    """The statements that one request runs."""
    from sqlalchemy import Engine, event

    seen: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    api.get(path)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert api.get(path).status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert seen
    return seen
