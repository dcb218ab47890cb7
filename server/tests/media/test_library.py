"""The library: one's own files, what is known of them, and their end."""

from typing import Any

from engines import CHUNK, Engine
from files import LIBRARY, fetched, made, uploaded

from harness import Api, Person, code_of

VIDEOS = "/api/v1/media/videos/"


def shown_in(engine: Engine, lesson: dict[str, Any], media_id: str) -> None:
    engine.server.sql("UPDATE lessons SET media_id = %s, type = 'video' WHERE id = %s", media_id, lesson["id"])


def titles(answer: Any) -> list[str]:
    return [item["title"] for item in answer.json()["results"]]


def test_files_are_found_by_what_they_are(engine: Engine, instructor: Person, other: Person) -> None:
    course = instructor.course()
    lesson = instructor.lesson(instructor.section(course))
    one = uploaded(instructor, made(300), filename="intro-one.mp4", metadata={"title": "Beta"})
    two = uploaded(instructor, made(200), filename="second.mp4", metadata={"title": "Alpha", "course_id": course["id"]})
    uploaded(instructor, made(100, "image/png"), "image/png", filename="cover.png")
    uploaded(other, made(100), filename="intro-other.mp4")
    shown_in(engine, lesson, one["media_id"])
    found = {
        "": ["Alpha", "Beta"],
        "?search=INTRO": ["Beta"],
        "?search=alph": ["Alpha"],
        "?search=%25": [],
        "?assigned=true": ["Beta"],
        "?assigned=false": ["Alpha"],
        f"?course_id={course['id']}": ["Alpha", "Beta"],
        "?sort=title&order=desc": ["Beta", "Alpha"],
        "?sort=file_size": ["Beta", "Alpha"],
        "?page=2&page_size=1": ["Beta"],
    }
    assert {query: titles(instructor.get(VIDEOS + query)) for query in found} == found
    everything = {
        "": ["cover.png", "Alpha", "Beta"],
        "?kind=image": ["cover.png"],
        "?processing_status=ready": [],
        "?sort=title": ["Alpha", "Beta", "cover.png"],
    }
    assert {query: titles(instructor.get(LIBRARY + query)) for query in everything} == everything
    assert two["metadata"]["course_id"] == course["id"]


def test_a_file_says_where_it_is_shown(engine: Engine, instructor: Person) -> None:
    course = instructor.course()
    section = instructor.section(course)
    lesson = instructor.lesson(section)
    media = uploaded(instructor, made(300))
    path = f"{LIBRARY}{media['media_id']}/"
    before = instructor.get(path).json()
    assert (before["is_assigned"], before["assigned_to"]) == (False, None)
    shown_in(engine, lesson, media["media_id"])
    after = instructor.get(path).json()
    place = {"course_id": course["id"], "course_title": course["title"], "section_id": section["id"]}
    place |= {"section_title": section["title"], "lesson_id": lesson["id"]}
    assert (after["is_assigned"], after["assigned_to"]) == (True, place)


def test_the_details_of_a_file_are_changed_by_its_owner(instructor: Person, other: Person) -> None:
    path = f"{LIBRARY}{uploaded(instructor, made(300), metadata={'title': 'Old', 'description': 'x'})['media_id']}/"
    read = instructor.get(path)
    assert instructor.get(path, headers={"If-None-Match": read.headers["etag"]}).status_code == 304
    changed = instructor.patch(path, json={"title": "New"}, headers={"If-Match": read.headers["etag"]})
    assert (changed.json()["title"], changed.json()["description"]) == ("New", "x")
    stale = instructor.patch(path, json={"title": "Newer"}, headers={"If-Match": read.headers["etag"]})
    assert code_of(stale) == "PRECONDITION_FAILED"
    assert instructor.patch(path, json={"description": None}).json()["description"] is None
    for refused in (other.get(path), other.patch(path, json={"title": "Mine"}), other.delete(path)):
        assert code_of(refused) == "NOT_FOUND"


def test_a_deleted_file_is_deleted_in_storage(engine: Engine, instructor: Person) -> None:
    media_id = uploaded(instructor, made(2 * CHUNK))["media_id"]
    engine.server.sql("UPDATE media SET thumbnail_key = %s WHERE id = %s", f"thumbnails/{media_id}.jpg", media_id)
    assert len(engine.kept_of(media_id)) == 1
    assert instructor.delete(f"{LIBRARY}{media_id}/").status_code == 204
    engine.do("media.discard")
    assert engine.kept_of(media_id) == []
    assert code_of(instructor.get(f"{LIBRARY}{media_id}/")) == "NOT_FOUND"


def test_what_a_lesson_shows_is_deleted_by_force_alone(engine: Engine, instructor: Person) -> None:
    """The lesson stays, without it."""
    lesson = instructor.lesson(instructor.section(instructor.course()))
    media_id = uploaded(instructor, made(300))["media_id"]
    shown_in(engine, lesson, media_id)
    assert code_of(instructor.delete(f"{LIBRARY}{media_id}/")) == "CONFLICT"
    assert instructor.delete(f"{LIBRARY}{media_id}/?force=true").status_code == 204
    assert engine.server.sql("SELECT media_id FROM lessons WHERE id = %s", lesson["id"]) == [(None,)]


def test_who_leaves_takes_their_files_but_those_that_a_course_shows(engine: Engine, api: Api, instructor: Person) -> None:
    lesson = instructor.lesson(instructor.section(instructor.course()))
    shown, unused = uploaded(instructor, made(300))["media_id"], uploaded(instructor, made(300))["media_id"]
    shown_in(engine, lesson, shown)
    engine.server.sql("UPDATE users SET deletes_at = now() WHERE id = %s", instructor.id)
    engine.server.sql("SELECT app.erase_account(%s, now())", instructor.id)
    left = engine.server.sql("SELECT id::text, filename, title FROM media WHERE user_id = %s", instructor.id)
    assert left == [(shown, shown, "Lesson")]
    assert engine.kept_of(shown)
    assert engine.server.sql("SELECT count(*) FROM media WHERE id = %s", unused) == [(0,)]


def test_the_picture_of_a_course_stays_at_its_address_when_its_instructor_leaves(
    engine: Engine, api: Api, instructor: Person
) -> None:
    data = made(300, "image/png")
    picture, unused = (uploaded(instructor, data, "image/png", filename="tea.png") for _ in range(2))
    instructor.course(thumbnail_url=picture["cdn_url"])
    engine.server.sql("UPDATE users SET deletes_at = now() WHERE id = %s", instructor.id)
    engine.server.sql("SELECT app.erase_account(%s, now())", instructor.id)
    assert fetched(api, picture["cdn_url"]).content == data
    assert api.get(unused["cdn_url"]).status_code == 404
