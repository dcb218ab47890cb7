"""Reflections that are shared: with whoever teaches the course, or with those who take it; and what is answered to them."""

from typing import Any

import pytest

from harness import Api, Person, code_of, fields_of

REFLECTIONS, LIST = "/api/v1/reflections/", "/api/v1/notifications/"
NOBODYS = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def course(instructor: Person) -> dict[str, Any]:
    return instructor.published_course(title="Tea")


@pytest.fixture
def lesson(api: Api, course: dict[str, Any]) -> str:
    found: str = api.server.sql("SELECT id::text FROM lessons WHERE course_id = %s", course["id"])[0][0]
    return found


@pytest.fixture
def author(learner: Person, course: dict[str, Any]) -> Person:
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    return learner


@pytest.fixture
def fellow(api: Api, course: dict[str, Any]) -> Person:
    fellow = api.sign_up(full_name="Grace Hopper")
    fellow.post(f"/api/v1/courses/{course['id']}/enroll/")
    return fellow


def write(person: Person, lesson: str, visibility: str, content: str = "", **fields: Any) -> dict[str, Any]:
    body = {"lesson_id": lesson, "visibility": visibility, "content": content or visibility, **fields}
    answered = person.post(REFLECTIONS, json=body)
    assert answered.status_code == 201, answered.text
    reflection: dict[str, Any] = answered.json()
    return reflection


def shared(person: Person, course: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.get(f"/api/v1/courses/{course['id']}/reflections/", params=query).json()["results"]
    return found


def contents(person: Person, course: dict[str, Any], **query: Any) -> list[str]:
    return [item["content"] for item in shared(person, course, **query)]


def respond(person: Person, reflection: dict[str, Any], content: str = "Think of a stack.") -> Any:
    return person.post(f"{REFLECTIONS}{reflection['id']}/responses/", json={"content": content})


def test_each_sees_what_is_shared_with_them(
    course: dict[str, Any], lesson: str, author: Person, fellow: Person, instructor: Person
) -> None:
    for visibility in ("private", "instructor", "public"):
        write(author, lesson, visibility)
    assert contents(instructor, course) == ["public", "instructor"]
    assert contents(fellow, course) == contents(author, course) == ["public"]
    (found,) = shared(fellow, course)
    assert found["author"] == {"id": author.id, "name": "Ada Lovelace", "avatar_url": None}
    assert found["lesson"]["course_title"] == "Tea"


def test_others_see_nothing(api: Api, course: dict[str, Any], lesson: str, author: Person, other_instructor: Person) -> None:
    reflection = write(author, lesson, "public")
    path = f"/api/v1/courses/{course['slug']}/reflections/"
    for stranger in (other_instructor, api.sign_up()):
        refused = stranger.get(path)
        assert (refused.status_code, code_of(refused)) == (404, "ENROLLMENT_NOT_FOUND")
        assert stranger.get(f"{REFLECTIONS}{reflection['id']}/").status_code == 404
    assert code_of(author.get("/api/v1/courses/none/reflections/")) == "COURSE_NOT_FOUND"
    author.post(f"/api/v1/courses/{course['id']}/unenroll/")
    assert code_of(author.get(path)) == "ENROLLMENT_NOT_FOUND"


def test_a_fellow_changes_and_deletes_nothing(lesson: str, author: Person, fellow: Person, instructor: Person) -> None:
    reflection = write(author, lesson, "public")
    for other in (fellow, instructor):
        assert other.patch(f"{REFLECTIONS}{reflection['id']}/", json={"content": "x"}).status_code == 404
        assert other.delete(f"{REFLECTIONS}{reflection['id']}/").status_code == 404


def test_what_is_shared_is_found_by_lesson_type_tag_and_words(
    course: dict[str, Any], lesson: str, author: Person, instructor: Person
) -> None:
    write(author, lesson, "public", "Closures outlive 100% of scopes", tags=["hooks"])
    write(author, lesson, "public", "A question", type="question", tags=["State-Management"])
    assert contents(instructor, course, tag="hooks") == ["Closures outlive 100% of scopes"]
    assert contents(instructor, course, type="question") == ["A question"]
    assert contents(instructor, course, search="state") == ["A question"]
    assert contents(instructor, course, search="OUTLIVE") == contents(instructor, course, search="100%")
    assert contents(instructor, course, search="_") == contents(instructor, course, search="\\") == []
    assert len(contents(instructor, course, lesson_id=lesson)) == 2
    assert contents(instructor, course, lesson_id=NOBODYS) == []
    own = [item["content"] for item in author.get(REFLECTIONS, params={"search": "state"}).json()["results"]]
    assert own == ["A question"]


def test_an_answer_is_shown_and_its_reader_is_told(
    course: dict[str, Any], lesson: str, author: Person, fellow: Person, instructor: Person
) -> None:
    reflection = write(author, lesson, "public")
    answered = respond(instructor, reflection)
    assert answered.status_code == 201
    expected = answered.json()
    assert (expected["content"], expected["author"]["id"]) == ("Think of a stack.", instructor.id)
    assert author.get(f"{REFLECTIONS}{reflection['id']}/").json()["responses"] == [expected]
    assert shared(fellow, course)[0]["responses"] == [expected]
    told = author.get(LIST).json()["results"][0]
    assert (told["title"], told["icon"]) == ("Your reflection was answered", "response")
    respond(instructor, reflection, "And of a heap.")
    own = author.get(REFLECTIONS).json()["results"][0]["responses"]
    assert [item["content"] for item in own] == ["Think of a stack.", "And of a heap."]


def test_only_whoever_teaches_the_course_answers_and_only_what_is_shared_with_them(
    lesson: str, author: Person, fellow: Person, instructor: Person, other_instructor: Person
) -> None:
    private, public = write(author, lesson, "private"), write(author, lesson, "public")
    assert code_of(respond(instructor, private)) == "NOT_FOUND"
    assert code_of(respond(other_instructor, public)) == "NOT_FOUND"
    assert code_of(respond(fellow, public)) == "PERMISSION_DENIED"
    empty = respond(instructor, public, " ")
    assert (empty.status_code, fields_of(empty)) == (422, {"content"})


def test_an_answer_stays_with_its_author_when_they_share_no_more(
    lesson: str, author: Person, fellow: Person, instructor: Person
) -> None:
    reflection = write(author, lesson, "public")
    respond(instructor, reflection)
    author.patch(f"{REFLECTIONS}{reflection['id']}/", json={"visibility": "private"})
    assert len(author.get(f"{REFLECTIONS}{reflection['id']}/").json()["responses"]) == 1
    assert code_of(respond(instructor, reflection)) == "NOT_FOUND"
