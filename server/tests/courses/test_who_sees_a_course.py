"""Drafts and archived courses are there for those they concern, and the text of a lesson for those who take it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness import CONTRACT, Api, Person, Server, code_of

COURSES, OWN = "/api/v1/courses/", "/api/v1/instructor/courses/"
WHO = ["anonymous", "owner", "other instructor", "learner", "enrolled", "admin"]
SECRET, OPEN = "the paid words", "the free words"


@pytest.fixture(scope="module")
def people(server: Server, admin: Person) -> Iterator[dict[str, Any]]:
    with Api(server) as api:
        yield {
            "anonymous": api,
            "owner": api.sign_up_instructor(),
            "other instructor": api.sign_up_instructor(),
            "learner": api.sign_up(),
            "enrolled": api.sign_up(),
            "admin": admin,
        }


def taken_course(people: dict[str, Any], status: str) -> dict[str, Any]:
    """A course with a preview, a lesson that is paid for and a hidden section, which somebody has taken."""
    owner: Person = people["owner"]
    course = owner.course(title="Seen", description="x", price=0, category_id=owner.api.category()["id"], tags=["seen"])
    section = owner.section(course, title="Shown", is_published=True)
    owner.lesson(section, title="Preview", body=OPEN, is_preview=True)
    owner.lesson(section, title="Paid", body=SECRET)
    owner.lesson(owner.section(course, title="Hidden"), title="Later", body=SECRET, is_preview=True)
    assert owner.post(f"{OWN}{course['id']}/publish/").status_code == 200
    assert people["enrolled"].post(f"{COURSES}{course['id']}/enroll/").status_code == 201
    if status != "published":
        assert owner.post(f"{OWN}{course['id']}/{status}/").status_code == 200
    return course


@pytest.fixture(scope="module", params=["published", "unpublish", "archive"])
def status(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def course(people: dict[str, Any], status: str) -> dict[str, Any]:
    return taken_course(people, status)


@pytest.mark.parametrize("who", WHO)
def test_a_course_is_there_for_those_it_concerns(people: dict[str, Any], course: dict[str, Any], status: str, who: str) -> None:
    sees = status == "published" or who in ("owner", "enrolled", "admin")
    for name in (course["id"], course["id"].upper(), course["slug"]):
        for path in (f"{COURSES}{name}/", f"{COURSES}{name}/curriculum/"):
            answer = people[who].get(path)
            assert answer.status_code == (200 if sees else 404)
            assert sees or code_of(answer) == "COURSE_NOT_FOUND"


@pytest.mark.parametrize("who", WHO)
def test_public_lists_show_to_everybody_what_is_published_and_to_nobody_else_more(
    people: dict[str, Any], course: dict[str, Any], status: str, who: str
) -> None:
    expected = int(status == "published")
    category = people["owner"].get(f"{OWN}{course['id']}/").json()["category"]["slug"]
    for query in ({}, {"tag": "seen"}, {"search": "seen"}, {"difficulty": "beginner"}, {"sort": "rating"}):
        page = people[who].get(COURSES, params={"category": category, **query}).json()
        assert (page["count"], len(page["results"])) == (expected, expected)


@pytest.mark.parametrize("who", WHO)
def test_nobody_learns_of_a_hidden_section_nor_reads_what_is_paid_for(
    people: dict[str, Any], course: dict[str, Any], status: str, who: str
) -> None:
    """Every GET that needs no role, with every course that can be named in it."""
    for operation in CONTRACT.operations.values():
        if operation.method == "GET" and operation.id.startswith("courses.") and operation.role == "public":
            text = people[who].get(operation.path.format(course_id=course["id"])).text
            assert not any(word in text for word in (SECRET, "Hidden", "Later"))
    answer = people[who].get(f"{COURSES}{course['id']}/curriculum/")
    if answer.status_code == 200:
        (section,) = answer.json()["sections"]
        assert [(lesson["title"], lesson["body"]) for lesson in section["lessons"]] == [("Preview", OPEN), ("Paid", None)]
        assert (section["is_preview"], section["lessons_count"]) == (True, 2)


@pytest.mark.parametrize("who", WHO)
def test_the_database_itself_keeps_the_texts(
    server: Server, people: dict[str, Any], course: dict[str, Any], status: str, who: str
) -> None:
    """As the application's role, whatever its code might ask for."""
    person = people[who]
    roles = {"anonymous": "", "admin": "student,instructor,admin"}.get(who, "student,instructor")
    bodies = """
        SELECT body FROM lesson_texts JOIN lessons ON id = lesson_id WHERE course_id = %s
        UNION SELECT body FROM lesson_texts WHERE lesson_id = ANY (%s)
    """
    ids = [row[0] for row in server.sql("SELECT id FROM lessons WHERE course_id = %s", course["id"])]
    with psycopg.connect(server.settings.database_app_url) as application:
        settings = "SELECT set_config('app.user_id', %s, true), set_config('app.roles', %s, true)"
        application.execute(settings, [getattr(person, "id", "") if who != "anonymous" else "", roles])
        readable = {row[0] for row in application.execute(bodies, [course["id"], ids])}
        sections = application.execute("SELECT title FROM sections WHERE course_id = %s", [course["id"]]).fetchall()
        changed = application.execute("UPDATE lesson_texts SET body = 'taken' WHERE lesson_id = ANY (%s)", [ids]).rowcount
        application.rollback()
    shown = {OPEN} if status == "published" else set()
    assert readable == {"owner": {OPEN, SECRET}, "admin": {OPEN, SECRET}, "enrolled": {OPEN, SECRET}}.get(who, shown)
    assert (("Hidden",) in sections) is (who in ("owner", "admin"))
    assert changed == (3 if who in ("owner", "admin") else 0)


@pytest.mark.parametrize("standing", ["cancelled", "expired", "suspended"])
def test_whoever_no_longer_takes_a_course_sees_what_everybody_sees(people: dict[str, Any], standing: str) -> None:
    course = taken_course(people, "archive")
    enrolled: Person = people["enrolled"]
    server = enrolled.api.server
    server.sql("UPDATE enrollments SET status = %s WHERE course_id = %s", standing, course["id"])
    assert enrolled.get(f"{COURSES}{course['id']}/").status_code == 404
    server.sql("UPDATE enrollments SET status = 'completed' WHERE course_id = %s", course["id"])
    assert enrolled.get(f"{COURSES}{course['id']}/").status_code == 200


def test_a_draft_is_shown_as_far_as_it_is_written(instructor: Person, admin: Person) -> None:
    draft = instructor.course(title="Only a title")
    for caller in (instructor, admin):
        shown = caller.get(f"{COURSES}{draft['slug']}/").json()
        assert (shown["price"], shown["category"], shown["description"], shown["status"]) == (None, None, None, "draft")
        assert (shown["sections"], shown["published_at"], shown["rating"]) == ([], None, None)
        assert caller.get(f"{COURSES}{draft['slug']}/curriculum/").json()["sections"] == []


def test_an_admin_may_change_a_course_and_it_stays_its_instructors(instructor: Person, admin: Person) -> None:
    course = instructor.published_course()
    assert admin.patch(f"{OWN}{course['id']}/", json={"title": "Mended"}).json()["instructor_id"] == instructor.id
    assert admin.get(OWN, params={"search": "mended"}).json()["count"] == 0
    assert admin.post(f"{OWN}{course['id']}/archive/").json()["status"] == "archived"


def test_whoever_is_no_longer_an_instructor_writes_nothing_and_their_courses_stay(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    api.server.sql("UPDATE users SET roles = '{student}' WHERE id = %s", instructor.id)
    refused = instructor.patch(f"{OWN}{course['id']}/", json={"title": "x"})
    assert (refused.status_code, code_of(refused)) == (403, "PERMISSION_DENIED")
    assert api.get(f"{COURSES}{course['id']}/").json()["instructor"]["id"] == instructor.id
