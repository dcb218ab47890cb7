"""Files become lessons: one for each, in one section, at their places, of all or of none."""

from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, Server, code_of, in_parallel
from library import Library


@pytest.fixture
def library(server: Server) -> Library:
    return Library(server)


@pytest.fixture
def section(instructor: Person) -> dict[str, Any]:
    return instructor.section(instructor.course(), is_published=True)


def path_of(section: dict[str, Any]) -> str:
    return f"/api/v1/content/sections/{section['id']}/media/"


def assign(person: Person, section: dict[str, Any], *media_ids: str, **places: int) -> Any:
    body: dict[str, Any] = {"media_ids": media_ids}
    if places:
        body["order_mapping"] = {media_ids[int(number[1:])]: place for number, place in places.items()}
    return person.post(path_of(section), json=body)


def lessons_of(person: Person, section: dict[str, Any]) -> list[dict[str, Any]]:
    lessons: list[dict[str, Any]] = person.get(f"/api/v1/content/sections/{section['id']}/lessons/").json()["results"]
    assert [lesson["order"] for lesson in lessons] == list(range(1, len(lessons) + 1))
    return lessons


def titles(person: Person, section: dict[str, Any]) -> list[str]:
    return [lesson["title"] for lesson in lessons_of(person, section)]


def test_a_file_becomes_a_lesson_and_again_changes_nothing(library: Library, instructor: Person, section: dict[str, Any]) -> None:
    film = library.add(instructor, title="Hooks", seconds=600.04)
    document = library.add(instructor, b"%PDF-", "application/pdf", title="Slides", seconds=None)
    first = assign(instructor, section, film, document, _0=1, _1=2)
    assert first.status_code == 200, first.text
    answer = first.json()
    assert (answer["message"], answer["assigned_count"], answer["section_id"]) == (
        "Media assigned successfully",
        2,
        section["id"],
    )
    shown = [
        (item["title"], item["type"], item["duration_seconds"], item["media_id"], item["order"]) for item in answer["lessons"]
    ]
    assert shown == [("Hooks", "video", 601, film, 1), ("Slides", "document", 0, document, 2)]
    again = assign(instructor, section, film.upper(), document, film, _0=1, _1=2)
    assert again.json() == answer
    assert lessons_of(instructor, section) == answer["lessons"]


def test_files_go_to_their_places_and_the_rest_to_the_end(library: Library, instructor: Person, section: dict[str, Any]) -> None:
    for title in ("old 1", "old 2"):
        instructor.lesson(section, title=title)
    ids = [library.add(instructor, title=title) for title in "abcd"]
    assign(instructor, section, *ids, _0=2, _2=1, _3=9000)
    assert titles(instructor, section) == ["c", "a", "old 1", "old 2", "b", "d"]


def test_of_what_cannot_be_assigned_nothing_is(library: Library, instructor: Person, section: dict[str, Any]) -> None:
    elsewhere = instructor.section(instructor.course())
    good, taken = library.add(instructor), library.add(instructor, title="Taken")
    assign(instructor, elsewhere, taken)
    picture = library.add(instructor, content_type="image/png", title="Cat")
    broken = library.add(instructor, ready=False, title="Noise")
    library.process(broken)
    for media_id, message in (
        (taken, "'Taken' is shown in another section: unassign it first."),
        (picture, "'Cat' is a picture, which is no lesson."),
        (broken, "'Noise' can't be used: It is damaged, or is not what its name says."),
    ):
        refused = assign(instructor, section, good, media_id)
        assert (refused.status_code, code_of(refused), refused.json()["error"]["message"]) == (409, "CONFLICT", message)
    strange = instructor.post(path_of(section), json={"media_ids": [good], "order_mapping": {good: 1, taken: 2}})
    assert (strange.status_code, code_of(strange)) == (422, "ORDER_INVALID")
    assert strange.json()["error"]["details"] == [{"field": f"order_mapping.{taken}", "message": "is not among the media_ids"}]
    assert titles(instructor, section) == []


def test_only_ones_own_files_go_into_ones_own_sections(
    library: Library, admin: Person, instructor: Person, other_instructor: Person, section: dict[str, Any]
) -> None:
    own, theirs = library.add(instructor), library.add(other_instructor)
    for refused in (
        assign(instructor, section, theirs),
        assign(instructor, section, own, str(uuid4())),
        assign(other_instructor, section, theirs),
        other_instructor.get(path_of(section)),
        other_instructor.post(f"/api/v1/content/media/{own}/unassign/"),
    ):
        assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")
    of_an_admin = assign(admin, section, library.add(admin))
    assert (of_an_admin.status_code, code_of(of_an_admin)) == (409, "CONFLICT")


def test_a_file_that_two_sections_want_is_in_one(library: Library, instructor: Person) -> None:
    sections = [instructor.section(instructor.course()) for _ in range(3)]
    ids = [library.add(instructor) for _ in range(3)]
    wishes = [
        lambda caller, section=section, order=order: caller.post(
            path_of(section), json={"media_ids": order}, headers=instructor.headers
        )
        for section, order in zip(sections, ([ids[0], ids[1]], [ids[1], ids[2]], [ids[2], ids[0]]), strict=True)
    ]
    answers = [
        (response.status_code, "CONFLICT" if response.status_code == 409 else "")
        for response in in_parallel(library.server, wishes)
    ]
    assert sorted(answers) == [(200, ""), (409, "CONFLICT"), (409, "CONFLICT")]
    assert sum(len(lessons_of(instructor, section)) for section in sections) == 2


def test_the_files_of_a_section_are_listed_counted_and_found_in_the_library(
    library: Library, instructor: Person, section: dict[str, Any]
) -> None:
    one, two, free = (library.add(instructor, title=title) for title in ("one", "two", "free"))
    instructor.lesson(section)
    assign(instructor, section, one, two, _1=1)
    listed = instructor.get(path_of(section), params={"page_size": 1}).json()
    assert (listed["count"], listed["total_pages"], [item["id"] for item in listed["results"]]) == (2, 2, [two])
    assert listed["results"][0]["assigned_to"]["section_id"] == section["id"]
    shown = instructor.get(f"/api/v1/content/courses/{section['course_id']}/sections/{section['id']}/").json()
    assert (shown["media_count"], shown["lessons_count"]) == (2, 3)
    for query, expected in (
        ({"assigned": True}, {one, two}),
        ({"assigned": False}, {free}),
        ({"course_id": section["course_id"]}, {one, two}),
        ({"search": "tw"}, {two}),
    ):
        found = instructor.get("/api/v1/media/videos/", params=query).json()["results"]
        assert {item["id"] for item in found} == expected


def test_what_is_taken_out_stays_in_the_library(library: Library, instructor: Person, section: dict[str, Any]) -> None:
    ids = [library.add(instructor, title=title) for title in "abc"]
    assign(instructor, section, *ids)
    unassign = f"/api/v1/content/media/{ids[1]}/unassign/"
    for section_id in (section["id"], None):
        answer = instructor.post(unassign)
        assert (answer.status_code, answer.json()) == (
            200, {"message": "Media unassigned", "media_id": ids[1], "section_id": section_id},
        )  # fmt: skip
    assert titles(instructor, section) == ["a", "c"]
    assert instructor.get(f"/api/v1/media/library/{ids[1]}/").json()["is_assigned"] is False
    elsewhere = instructor.section(instructor.course())
    assert assign(instructor, elsewhere, ids[1]).status_code == 200


def test_the_last_lesson_of_a_published_course_is_not_taken_out(library: Library, instructor: Person) -> None:
    course = instructor.published_course()
    (section,) = instructor.get(f"/api/v1/content/courses/{course['id']}/sections/").json()["results"]
    film = library.add(instructor)
    assign(instructor, section, film)
    text = next(lesson for lesson in lessons_of(instructor, section) if lesson["media_id"] is None)
    instructor.delete(f"/api/v1/content/lessons/{text['id']}/")
    refused = instructor.post(f"/api/v1/content/media/{film}/unassign/")
    assert (refused.status_code, code_of(refused)) == (422, "COURSE_NOT_READY")
    assert len(lessons_of(instructor, section)) == 1


def test_a_file_that_a_lesson_shows_is_deleted_by_force_alone(
    library: Library, instructor: Person, section: dict[str, Any]
) -> None:
    film = library.add(instructor)
    assign(instructor, section, film)
    refused = instructor.delete(f"/api/v1/media/library/{film}/")
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert instructor.delete(f"/api/v1/media/library/{film}/", params={"force": True}).status_code == 204
    assert [lesson["media_id"] for lesson in lessons_of(instructor, section)] == [None]


def test_a_lesson_is_as_long_as_its_file_turns_out_to_be(library: Library, instructor: Person, section: dict[str, Any]) -> None:
    film = library.add(instructor, seconds=None)
    assign(instructor, section, film)
    assert lessons_of(instructor, section)[0]["duration_seconds"] == 0
    library.server.sql("UPDATE media SET duration_seconds = 61.2 WHERE id = %s", film)
    assert lessons_of(instructor, section)[0]["duration_seconds"] == 62


def test_a_section_takes_no_more_than_it_can(library: Library, instructor: Person, section: dict[str, Any]) -> None:
    library.server.sql(
        "INSERT INTO lessons (section_id, course_id, title, position) SELECT %s, %s, 'x', n FROM generate_series(1, 499) n",
        section["id"],
        section["course_id"],
    )
    one, two = library.add(instructor), library.add(instructor)
    refused = assign(instructor, section, one, two)
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert assign(instructor, section, one).status_code == 200


def test_a_lesson_never_shows_somebody_elses_file_whatever_the_code_does(
    api: Api, library: Library, instructor: Person, other_instructor: Person, section: dict[str, Any]
) -> None:
    theirs = library.add(other_instructor)
    lesson = instructor.lesson(section)
    columns, values = "section_id, course_id, title, position, media_id", f"section_id, course_id, 'x', 9, '{theirs}'"
    for statement in (
        f"UPDATE lessons SET media_id = '{theirs}' WHERE id = '{lesson['id']}'",
        f"INSERT INTO lessons ({columns}) SELECT {values} FROM lessons WHERE id = '{lesson['id']}'",
    ):
        with pytest.raises(Exception, match="whoever teaches its course"):
            library.server.sql(statement)
