"""Reflections: written on what one may see, found by what they are, and one's own for good."""

from collections.abc import Callable
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, code_of, fields_of, in_parallel

REFLECTIONS = "/api/v1/reflections/"


def path(reflection: dict[str, Any]) -> str:
    return f"{REFLECTIONS}{reflection['id']}/"


def course_with_lesson(instructor: Person, *, is_preview: bool = False, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A published course, and a lesson of it."""
    course = instructor.published_course(**fields)
    return course, instructor.lesson(instructor.section(course, is_published=True), is_preview=is_preview)


def enrol(learner: Person, course: dict[str, Any]) -> None:
    assert learner.post(f"/api/v1/courses/{course['id']}/enroll/").status_code == 201


def leave(learner: Person, course: dict[str, Any]) -> None:
    assert learner.post(f"/api/v1/courses/{course['id']}/unenroll/").status_code == 200


def taken_lesson(instructor: Person, learner: Person) -> tuple[dict[str, Any], dict[str, Any]]:
    """A course that the learner takes, and a lesson of it."""
    course, lesson = course_with_lesson(instructor)
    enrol(learner, course)
    return course, lesson


def reflect(person: Person, lesson: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = person.post(REFLECTIONS, json={"lesson_id": lesson["id"], "content": "Why?", **fields})
    assert response.status_code == 201, response.text
    written: dict[str, Any] = response.json()
    return written


def found(person: Person, **filters: Any) -> list[str]:
    """The ids that a list with these filters holds."""
    return [item["id"] for item in person.get(REFLECTIONS, params=filters).json()["results"]]


class TestWriting:
    def test_the_documented_request_gets_the_documented_answer(self, instructor: Person, learner: Person) -> None:
        course, lesson = taken_lesson(instructor, learner)
        sent = {
            "lesson_id": lesson["id"],
            "type": "puzzle",
            "content": "This concept reminds me of...",
            "tags": ["hooks", "state-management"],
            "visibility": "private",
        }
        response = learner.post(REFLECTIONS, json=sent)
        written = response.json()
        assert response.status_code == 201
        assert sent.items() <= written.items()
        assert written["lesson"] == {
            "id": lesson["id"],
            "title": lesson["title"],
            "course_id": course["id"],
            "course_title": course["title"],
        }
        assert response.headers["location"] == path(written)
        read = learner.get(response.headers["location"])
        assert (read.json(), read.headers["etag"]) == (written, response.headers["etag"])
        assert learner.get(REFLECTIONS).json()["results"] == [written]

    def test_what_is_not_said_is_a_private_puzzle_without_tags_or_moment(self, instructor: Person, learner: Person) -> None:
        written = reflect(learner, taken_lesson(instructor, learner)[1])
        defaults = {"type": "puzzle", "visibility": "private", "tags": [], "timestamp_seconds": None}
        assert defaults.items() <= written.items()
        assert written["created_at"] == written["updated_at"]

    def test_tags_are_kept_once_each_in_the_order_they_came(self, instructor: Person, learner: Person) -> None:
        lesson = taken_lesson(instructor, learner)[1]
        written = reflect(learner, lesson, tags=["b", "a", "b", "B", "a"])
        assert written["tags"] == ["b", "a", "B"]
        assert learner.patch(path(written), json={"tags": ["c", "b", "c"]}).json()["tags"] == ["c", "b"]

    @pytest.mark.parametrize("moment", [None, 0, 42.5, 0.001, 86400])
    def test_a_moment_may_be_any_second_of_a_day_a_part_of_one_or_none(
        self, instructor: Person, learner: Person, moment: float | None
    ) -> None:
        written = reflect(learner, taken_lesson(instructor, learner)[1], timestamp_seconds=moment)
        assert written["timestamp_seconds"] == moment

    @pytest.mark.parametrize(
        "content",
        [
            "  two\r\nlines, <b>no</b> HTML &amp; a tab:\t\n\n",
            "日本語 · עברית · e\u0301 is not é · 👩‍🔬",
            "'; DROP TABLE reflections; -- %s :name {0}",
            "x" * 10_000,
        ],
    )
    def test_content_and_tags_stay_as_they_were_sent(self, instructor: Person, learner: Person, content: str) -> None:
        tag = content[:50]
        written = reflect(learner, taken_lesson(instructor, learner)[1], content=content, tags=[tag])
        assert (written["content"], written["tags"]) == (content, [tag])
        assert found(learner, tag=tag) == [written["id"]]

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"content": ""}, "content"),
            ({"content": " \n"}, "content"),
            ({"content": "x" * 10_001}, "content"),
            ({"type": "poem"}, "type"),
            ({"visibility": "friends"}, "visibility"),
            ({"tags": ["x"] * 21}, "tags"),
            ({"tags": [" "]}, "tags.0"),
            ({"tags": ["x" * 51]}, "tags.0"),
            ({"timestamp_seconds": -0.5}, "timestamp_seconds"),
            ({"timestamp_seconds": 86400.5}, "timestamp_seconds"),
        ],
    )
    def test_what_the_contract_does_not_take_is_named(
        self, instructor: Person, learner: Person, wrong: dict[str, Any], field: str
    ) -> None:
        lesson = taken_lesson(instructor, learner)[1]
        written = reflect(learner, lesson)
        refusals = [
            learner.post(REFLECTIONS, json={"lesson_id": lesson["id"], "content": "Why?", **wrong}),
            learner.patch(path(written), json=wrong),
        ]
        for refused in refusals:
            assert (refused.status_code, code_of(refused), fields_of(refused)) == (422, "VALIDATION_ERROR", {field})


class TestWhichLessons:
    """One reflects on what one may see; anything else does not exist."""

    @pytest.fixture
    def writes(self, learner: Person) -> Callable[..., None]:
        def expect(status: int, lesson: dict[str, Any], by: Person = learner) -> None:
            response = by.post(REFLECTIONS, json={"lesson_id": lesson["id"], "content": "Why?"})
            assert response.status_code == status, response.text
            if status == 404:
                assert code_of(response) == "NOT_FOUND"
                assert found(by) == []

        return expect

    def test_none_that_is_not_there(self, writes: Callable[..., None]) -> None:
        writes(404, {"id": str(uuid4())})

    def test_none_of_a_draft(self, instructor: Person, writes: Callable[..., None]) -> None:
        section = instructor.section(instructor.course(), is_published=True)
        writes(404, instructor.lesson(section, is_preview=True))

    def test_none_of_a_section_that_is_not_published_also_when_one_takes_the_course(
        self, instructor: Person, learner: Person, writes: Callable[..., None]
    ) -> None:
        course = instructor.published_course()
        enrol(learner, course)
        writes(404, instructor.lesson(instructor.section(course), is_preview=True))

    @pytest.mark.parametrize("price", [0, 49.99])
    def test_none_of_a_course_that_one_does_not_take(self, instructor: Person, writes: Callable[..., None], price: float) -> None:
        writes(404, course_with_lesson(instructor, price=price)[1])

    def test_none_of_a_course_that_one_has_left(self, instructor: Person, learner: Person, writes: Callable[..., None]) -> None:
        course, lesson = taken_lesson(instructor, learner)
        leave(learner, course)
        writes(404, lesson)

    def test_a_preview_of_a_published_course_without_enrolling(self, instructor: Person, writes: Callable[..., None]) -> None:
        writes(201, course_with_lesson(instructor, is_preview=True, price=49.99)[1])

    def test_any_of_a_course_that_one_takes_also_when_it_is_archived(
        self, instructor: Person, learner: Person, writes: Callable[..., None]
    ) -> None:
        course, lesson = taken_lesson(instructor, learner)
        assert instructor.post(f"/api/v1/instructor/courses/{course['id']}/archive/").status_code == 200
        writes(201, lesson)

    def test_any_of_the_course_that_one_teaches(
        self, instructor: Person, other_instructor: Person, writes: Callable[..., None]
    ) -> None:
        lesson = instructor.lesson(instructor.section(instructor.course()))
        writes(404, lesson, by=other_instructor)
        writes(201, lesson, by=instructor)

    def test_any_at_all_as_an_admin(self, instructor: Person, admin: Person, writes: Callable[..., None]) -> None:
        writes(201, instructor.lesson(instructor.section(instructor.course())), by=admin)


class TestFinding:
    def test_every_filter_goes_with_every_other(self, instructor: Person, learner: Person) -> None:
        (one, first), (two, second) = taken_lesson(instructor, learner), taken_lesson(instructor, learner)
        kinds = list(product([(one, first), (two, second)], ["puzzle", "note"], ["private", "public"], [["a"], ["a", "b"]]))
        written = {
            reflect(learner, lesson, type=kind, visibility=visibility, tags=tags)["id"]: {
                "course_id": {course["id"]},
                "lesson_id": {lesson["id"]},
                "type": {kind},
                "visibility": {visibility},
                "tag": set(tags),
            }
            for (course, lesson), kind, visibility, tags in kinds
        }
        asked = {"course_id": one["id"], "lesson_id": first["id"], "type": "note", "visibility": "public", "tag": "b"}
        for chosen in product([True, False], repeat=len(asked)):
            filters = {name: value for (name, value), taken in zip(asked.items(), chosen, strict=True) if taken}
            fits = {key for key, known in written.items() if all(value in known[name] for name, value in filters.items())}
            assert fits
            answer = learner.get(REFLECTIONS, params={**filters, "page_size": 100}).json()
            assert (answer["count"], {item["id"] for item in answer["results"]}) == (len(fits), fits), filters

    @pytest.mark.parametrize("name", ["course_id", "lesson_id", "tag"])
    def test_what_nothing_is_about_finds_nothing(self, instructor: Person, learner: Person, name: str) -> None:
        reflect(learner, taken_lesson(instructor, learner)[1], tags=["Hooks"])
        unknown = "hooks" if name == "tag" else str(uuid4())
        assert found(learner, **{name: unknown}) == []

    def test_a_walk_over_the_pages_meets_each_once_from_the_newest_on(self, instructor: Person, learner: Person) -> None:
        lesson = taken_lesson(instructor, learner)[1]
        written = [reflect(learner, lesson, content=f"{number}")["id"] for number in range(7)]
        learner.api.server.sql(
            "UPDATE reflections SET created_at = date_trunc('minute', created_at) WHERE id = ANY(%s)", written[:3]
        )
        pages, address = [], f"{REFLECTIONS}?page_size=3"
        while address:
            pages.append(learner.get(address).json())
            address = pages[-1]["next"]
        walked = [item["id"] for page in pages for item in page["results"]]
        assert [len(page["results"]) for page in pages] == [3, 3, 1]
        assert {(page["count"], page["total_pages"]) for page in pages} == {(7, 3)}
        assert walked[:4] == written[:2:-1]
        assert sorted(walked) == sorted(written)

    def test_they_are_sorted_by_what_is_asked_for(self, instructor: Person, learner: Person) -> None:
        lesson = taken_lesson(instructor, learner)[1]
        one, two, three = (reflect(learner, lesson) for _ in range(3))
        learner.patch(path(one), json={"content": "Now I see."})
        for sort, ascending in {"created_at": [one, two, three], "updated_at": [two, three, one]}.items():
            ids = [item["id"] for item in ascending]
            assert found(learner, sort=sort, order="asc") == ids
            assert found(learner, sort=sort, order="desc") == found(learner, sort=sort) == ids[::-1]

    @pytest.mark.parametrize("visibility", ["private", "instructor", "public"])
    def test_nobody_but_its_author_meets_one_whomever_it_is_meant_for(
        self, api: Api, admin: Person, instructor: Person, learner: Person, visibility: str
    ) -> None:
        course, lesson = taken_lesson(instructor, learner)
        classmate = api.sign_up()
        enrol(classmate, course)
        written = reflect(learner, lesson, visibility=visibility)
        for stranger in (classmate, instructor, admin):
            assert found(stranger, lesson_id=lesson["id"]) == []
            refusals = [
                stranger.get(path(written)),
                stranger.patch(path(written), json={"content": "Mine"}),
                stranger.delete(path(written)),
            ]
            assert [(refused.status_code, code_of(refused)) for refused in refusals] == [(404, "NOT_FOUND")] * 3
        assert learner.get(path(written)).json() == written


class TestChanging:
    @pytest.mark.parametrize(
        "change",
        [
            {"type": "question"},
            {"content": "It is a closure."},
            {"tags": []},
            {"visibility": "public"},
            {"timestamp_seconds": None},
            {"timestamp_seconds": 0.25, "tags": ["late"]},
        ],
    )
    def test_what_is_sent_changes_and_the_rest_stays(self, instructor: Person, learner: Person, change: dict[str, Any]) -> None:
        written = reflect(learner, taken_lesson(instructor, learner)[1], tags=["hooks"], timestamp_seconds=42.5)
        changed = learner.patch(path(written), json=change).json()
        assert changed == {**written, **change, "updated_at": changed["updated_at"]}
        assert changed["updated_at"] > written["updated_at"]
        assert learner.get(path(written)).json() == changed

    def test_nothing_to_change_changes_nothing(self, instructor: Person, learner: Person) -> None:
        written = reflect(learner, taken_lesson(instructor, learner)[1])
        before = learner.get(path(written)).headers["etag"]
        unchanged = learner.patch(path(written), json={})
        assert (unchanged.json(), unchanged.headers["etag"]) == (written, before)

    def test_the_lesson_can_not_be_changed(self, instructor: Person, learner: Person) -> None:
        lesson = taken_lesson(instructor, learner)[1]
        refused = learner.patch(path(reflect(learner, lesson)), json={"lesson_id": lesson["id"]})
        assert (refused.status_code, fields_of(refused)) == (422, {"lesson_id"})

    def test_a_stale_tag_neither_changes_nor_deletes(self, instructor: Person, learner: Person) -> None:
        written = reflect(learner, taken_lesson(instructor, learner)[1])
        stale = {"If-Match": learner.get(path(written)).headers["etag"]}
        fresh = {"If-Match": learner.patch(path(written), json={"content": "New"}, headers=stale).headers["etag"]}
        refusals = [
            learner.patch(path(written), json={"content": "Lost"}, headers=stale),
            learner.delete(path(written), headers=stale),
        ]
        assert [(refused.status_code, code_of(refused)) for refused in refusals] == [(412, "PRECONDITION_FAILED")] * 2
        assert learner.get(path(written)).json()["content"] == "New"
        assert learner.delete(path(written), headers=fresh).status_code == 204

    def test_what_was_deleted_is_gone(self, instructor: Person, learner: Person) -> None:
        written = reflect(learner, taken_lesson(instructor, learner)[1])
        assert learner.delete(path(written)).status_code == 204
        answers = [
            learner.get(path(written)),
            learner.patch(path(written), json={"content": "x"}),
            learner.delete(path(written)),
        ]
        assert [(answer.status_code, code_of(answer)) for answer in answers] == [(404, "NOT_FOUND")] * 3
        assert found(learner) == []

    def test_of_two_changes_to_one_version_exactly_one_is_made(self, instructor: Person, learner: Person) -> None:
        written = reflect(learner, taken_lesson(instructor, learner)[1])
        headers = {**learner.headers, "If-Match": learner.get(path(written)).headers["etag"]}

        def change(content: str) -> Callable[[Api], int]:
            return lambda caller: caller.patch(path(written), json={"content": content}, headers=headers).status_code

        contents = ["one", "two"]
        statuses = in_parallel(learner.api.server, [change(content) for content in contents])
        assert sorted(statuses) == [200, 412]
        assert learner.get(path(written)).json()["content"] == contents[statuses.index(200)]


class TestOutliving:
    """A reflection is its author's, whatever becomes of the course."""

    def test_it_can_be_read_and_changed_after_leaving_the_course(self, instructor: Person, learner: Person) -> None:
        course, lesson = taken_lesson(instructor, learner)
        written = reflect(learner, lesson)
        leave(learner, course)
        assert learner.get(path(written)).json() == written
        assert learner.patch(path(written), json={"content": "I see now."}).status_code == 200
        assert found(learner, course_id=course["id"]) == [written["id"]]

    def test_it_goes_by_the_present_titles_while_they_are_there(self, instructor: Person, learner: Person) -> None:
        course, lesson = taken_lesson(instructor, learner)
        written = reflect(learner, lesson)
        instructor.patch(f"/api/v1/content/lessons/{lesson['id']}/", json={"title": "A better title"})
        instructor.patch(f"/api/v1/instructor/courses/{course['id']}/", json={"title": "A better course"})
        shown = learner.get(path(written)).json()["lesson"]
        assert (shown["title"], shown["course_title"]) == ("A better title", "A better course")

    def test_it_goes_by_the_titles_it_had_once_its_author_may_not_see_them(self, instructor: Person, learner: Person) -> None:
        course, lesson = taken_lesson(instructor, learner)
        written = reflect(learner, lesson)
        instructor.post(f"/api/v1/instructor/courses/{course['id']}/archive/")
        leave(learner, course)
        instructor.patch(f"/api/v1/content/lessons/{lesson['id']}/", json={"title": "Not for them"})
        instructor.patch(f"/api/v1/instructor/courses/{course['id']}/", json={"title": "Not for them either"})
        assert learner.get(path(written)).json() == written

    def test_it_outlives_its_lesson_under_the_title_it_had(self, instructor: Person, learner: Person) -> None:
        course, lesson = taken_lesson(instructor, learner)
        written = reflect(learner, lesson)
        assert instructor.delete(f"/api/v1/content/lessons/{lesson['id']}/").status_code == 204
        left = {**written, "lesson_id": None, "lesson": {**written["lesson"], "id": None}}
        assert learner.get(path(written)).json() == left
        assert found(learner, course_id=course["id"]) == [written["id"]]
        assert found(learner, lesson_id=lesson["id"]) == []

    def test_it_outlives_its_course_under_the_titles_it_had(self, instructor: Person) -> None:
        course = instructor.course()
        written = reflect(instructor, instructor.lesson(instructor.section(course)))
        assert instructor.delete(f"/api/v1/instructor/courses/{course['id']}/").status_code == 204
        nowhere = {**written["lesson"], "id": None, "course_id": None}
        left = {**written, "lesson_id": None, "lesson": nowhere}
        assert instructor.get(path(written)).json() == left
