"""What was first stays so, a copy is like its original, and what a search finds best comes first."""

from collections.abc import Iterator
from typing import Any

import pytest

from harness import CONTRACT, Api, Server
from library import Library
from world import World

OF_THE_ORIGINAL = {
    "id", "title", "slug", "message", "status", "published_at", "created_at", "updated_at", "rating", "reviews_count",
    "students_count",
}  # fmt: skip
"""What a copy has of its own."""
LISTS = ("requirements", "objectives", "target_audience", "tags")
PICTURE, FILM = "https://example.com/picture.png", "https://example.com/film.mp4"


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    with Api(server) as api:
        yield World(api)


def test_a_copy_is_like_its_original(world: World) -> None:
    own = World(world.api)
    texts: dict[str, Any] = {name: [f"of {name}"] for name in LISTS} | {"thumbnail_url": PICTURE, "preview_video_url": FILM}
    assert own.send(CONTRACT.operations["courses.update"], json={**texts, "detailed_description": "<p>Long</p>"}).is_success
    original = own.send(CONTRACT.operations["courses.get_own"]).json()
    copy = own.send(CONTRACT.operations["courses.duplicate"]).json()
    assert copy["status"] == "draft"
    assert {name: copy.get(name) for name in original.keys() - OF_THE_ORIGINAL} == {
        name: original[name] for name in original.keys() - OF_THE_ORIGINAL
    }


def test_what_was_first_published_then_was_so_ever_after(world: World) -> None:
    own = World(world.api)
    moments = [
        own.send(CONTRACT.operations[f"courses.{verb}"]).json()["published_at"] for verb in ("publish", "unpublish", "publish")
    ]
    assert moments[0]
    assert {*moments} == {moments[0]}


def test_an_address_is_confirmed_by_its_link_alone(world: World) -> None:
    own = World(world.api)
    assert not own.caller.tokens["user"]["email_verified"]
    assert own.send(CONTRACT.operations["auth.verify_email"]).is_success
    assert own.caller.get("/api/v1/auth/profile/").json()["email_verified"]


def test_a_title_is_found_before_a_description(world: World) -> None:
    teacher, word = world.api.sign_up_instructor(), f"zq{world.owner.id[:8]}"
    titled = teacher.published_course(title=f"All about {word}", description="Nothing else")["id"]
    mentioned = teacher.published_course(description=f"It is not about {word}, and of much else")["id"]
    for path in ("/api/v1/courses/", "/api/v1/instructor/courses/"):
        found = teacher.get(path, params={"search": word}).json()["results"]
        assert [course["id"] for course in found] == [titled, mentioned]


def test_a_conversation_is_told_as_it_went(world: World) -> None:
    """The law of sums looks at the times; within one exchange it is who asks that comes first."""
    own = World(world.api)
    assert own.send(CONTRACT.operations["ai.send_message"]).is_success
    messages = own.send(CONTRACT.operations["ai.get_session"]).json()["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"] * 2


def test_sections_and_lessons_come_in_their_order_whoever_looks(world: World) -> None:
    """As the law of sums says of each answer."""
    teacher, learner = world.api.sign_up_instructor(), world.api.sign_up()
    course = teacher.published_course()
    made = [teacher.section(course, is_published=True, order=1)["id"] for _ in range(2)]
    for section in made:
        for _ in range(2):
            teacher.lesson({"id": section}, order=1)
    assert learner.post(f"/api/v1/courses/{course['id']}/enroll/").is_success
    places = ("courses/{}/", "courses/{}/curriculum/", "student/courses/{}/learn/", "student/courses/{}/progress/")
    trees = [learner.get(f"/api/v1/{place.format(course['id'])}").json()["sections"] for place in places]
    titles = [[section["title"] for section in tree] for tree in trees]
    assert len(titles[0]) == 3
    assert titles == [titles[0]] * len(places)
    lessons = [[lesson["title"] for section in tree for lesson in section["lessons"]] for tree in trees[1:]]
    assert lessons == [lessons[0]] * len(lessons)


NEEDED = {"description": None, "category_id": None, "price": None}
"""What a course is not published without, besides its title and its lessons."""


@pytest.mark.parametrize("field", NEEDED)
def test_a_course_is_ready_when_publishing_it_would_succeed(world: World, field: str) -> None:
    own = World(world.api)
    check, publish = (CONTRACT.operations[f"courses.{verb}"] for verb in ("check_readiness", "publish"))
    assert own.send(check).json()["ready"]
    assert own.send(CONTRACT.operations["courses.update"], json={field: NEEDED[field]}).is_success
    told, refused = own.send(check).json(), own.send(publish)
    assert (told["ready"], [each["field"] for each in told["problems"]]) == (False, [field])
    assert (refused.status_code, refused.json()["error"]["details"]) == (422, told["problems"])


def test_films_are_listed_without_other_files(world: World) -> None:
    own = World(world.api)
    library = Library(world.api.server)
    film, _ = library.add(own.owner, None), library.add(own.owner, None, "image/png", seconds=None)
    kinds = {item["kind"] for item in own.send(CONTRACT.operations["media.list"]).json()["results"]}
    films = own.send(CONTRACT.operations["media.list_videos"]).json()
    assert kinds == {"video", "image"}
    assert [item["id"] for item in films["results"]] == [film]
