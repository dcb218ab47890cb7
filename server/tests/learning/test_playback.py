"""A lesson plays for whoever may read it: at an address that is signed for one person, and ends."""

from datetime import timedelta
from typing import Any

import pytest

from harness import Api, Person, Server, code_of
from library import Library

FILM = bytes(range(256)) * 40


@pytest.fixture
def library(server: Server) -> Library:
    return Library(server)


class Course:
    """A published one with a paid lesson, a preview and a hidden one, each of a file."""

    def __init__(self, library: Library, teacher: Person) -> None:
        self.course = teacher.published_course()
        section, hidden = teacher.section(self.course, is_published=True), teacher.section(self.course)
        self.media = [library.add(teacher, FILM, title=title) for title in ("paid", "preview", "hidden")]
        shown = teacher.post(f"/api/v1/content/sections/{section['id']}/media/", json={"media_ids": self.media[:2]}).json()
        unseen = teacher.post(f"/api/v1/content/sections/{hidden['id']}/media/", json={"media_ids": self.media[2:]}).json()
        self.paid, self.preview, self.hidden = (lesson["id"] for lesson in [*shown["lessons"], *unseen["lessons"]])
        self.text = teacher.lesson(section)["id"]
        teacher.patch(f"/api/v1/content/lessons/{self.preview}/", json={"is_preview": True})


@pytest.fixture
def made(library: Library, instructor: Person) -> Course:
    return Course(library, instructor)


def play(person: Any, lesson: str) -> Any:
    return person.post(f"/api/v1/student/lessons/{lesson}/playback/")


def path_in(url: str, server: Server) -> str:
    assert url.startswith(server.base_url)
    return url.removeprefix(server.base_url)


def test_who_takes_a_course_plays_it_from_anywhere_in_it(api: Api, server: Server, made: Course, learner: Person) -> None:
    learner.post(f"/api/v1/courses/{made.course['id']}/enroll/")
    found = play(learner, made.paid)
    assert found.status_code == 200, found.text
    shown = {
        key: found.json()[key] for key in ("lesson_id", "media_id", "kind", "content_type", "duration_seconds", "has_transcript")
    }
    assert shown == {
        "lesson_id": made.paid,
        "media_id": made.media[0],
        "kind": "video",
        "content_type": "video/mp4",
        "duration_seconds": 600,
        "has_transcript": False,
    }
    path = path_in(found.json()["playback_url"], server)
    assert api.get(path).content == FILM
    part = api.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, FILM[100:200])


def test_everybody_else_plays_previews_alone(
    api: Api, made: Course, learner: Person, instructor: Person, other_instructor: Person, admin: Person
) -> None:
    for stranger in (api, learner, other_instructor):
        assert [play(stranger, lesson).status_code for lesson in (made.paid, made.preview, made.hidden)] == [404, 200, 404]
        assert [code_of(play(stranger, lesson)) for lesson in (made.paid, made.hidden)] == ["ENROLLMENT_NOT_FOUND", "NOT_FOUND"]
    for owner in (instructor, admin):
        assert [play(owner, lesson).status_code for lesson in (made.paid, made.preview, made.hidden)] == [200, 200, 200]
    learner.post(f"/api/v1/courses/{made.course['id']}/enroll/")
    assert [play(learner, lesson).status_code for lesson in (made.paid, made.preview, made.hidden)] == [200, 200, 404]
    learner.post(f"/api/v1/courses/{made.course['id']}/unenroll/")
    assert play(learner, made.paid).status_code == 404


def test_an_address_is_for_one_person_and_ends(
    api: Api, server: Server, made: Course, learner: Person, other_instructor: Person
) -> None:
    other = api.sign_up()
    for person in (learner, other):
        person.post(f"/api/v1/courses/{made.course['id']}/enroll/")
    mine, theirs = (play(person, made.paid).json()["playback_url"] for person in (learner, other))
    assert learner.id in mine
    assert mine != theirs
    path = path_in(mine, server)
    for forged in (
        path.replace(learner.id, other.id),
        path.replace(made.media[0], made.media[2]),
        path.partition("?")[0],
        path[:-1] + ("0" if path[-1] != "0" else "1"),
    ):
        assert api.get(forged).status_code == 404
    for minutes, status in ((239, 200), (241, 404)):
        server.clock.offset = timedelta(minutes=minutes)
        try:
            assert api.get(path).status_code == status
        finally:
            server.clock.offset = timedelta()


def test_what_shows_nothing_or_is_not_ready_does_not_play(library: Library, made: Course, instructor: Person) -> None:
    refused = play(instructor, made.text)
    assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")
    library.server.sql("UPDATE media SET processing_status = 'processing' WHERE id = %s", made.media[0])
    refused = play(instructor, made.paid)
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")


def test_a_player_is_told_of_what_can_be_read_along(made: Course, instructor: Person) -> None:
    said = {"format": "segments", "segments": [{"start": 0, "end": 1, "text": "Hello"}]}
    instructor.put(f"/api/v1/content/lessons/{made.preview}/transcript/", json=said)
    assert play(instructor, made.preview).json()["has_transcript"] is True
