"""The numbers that are kept of courses, categories and instructors are those of the rows, after every kind of change."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from harness import Api, Person, Server, in_parallel

COURSES, OWN = "/api/v1/courses/", "/api/v1/instructor/courses/"
# What course_stats should say, counted from the rows.
COUNTED = """
    SELECT c.id, (SELECT count(*) FROM sections WHERE course_id = c.id AND is_published)::int,
           count(l.id)::int, coalesce(sum(l.duration_seconds), 0)::int,
           (SELECT count(*) FROM enrollments WHERE course_id = c.id AND status IN ('active', 'completed'))::int,
           (SELECT count(*) FROM reviews WHERE course_id = c.id)::int,
           (SELECT round(avg(rating), 1) FROM reviews WHERE course_id = c.id)
      FROM courses c
      LEFT JOIN sections x ON x.course_id = c.id AND x.is_published
      LEFT JOIN lessons l ON l.section_id = x.id
     WHERE c.instructor_id = %s GROUP BY c.id ORDER BY c.id
"""
KEPT = """
    SELECT course_id, sections_count, lessons_count, duration_seconds, students_count, reviews_count, rating
      FROM course_stats JOIN courses ON id = course_id WHERE instructor_id = %s ORDER BY course_id
"""
COUNTED_CATALOGUE = (
    "SELECT category_id, difficulty, count(*)::int FROM courses WHERE status = 'published' GROUP BY 1, 2 ORDER BY 1, 2"
)
KEPT_CATALOGUE = "SELECT * FROM catalogue_counts WHERE courses_count <> 0 ORDER BY 1, 2"
REVIEW = """
    INSERT INTO reviews (enrollment_id, course_id, user_id, rating)
    SELECT id, course_id, user_id, %s FROM enrollments WHERE id = %s
"""


def check(server: Server, *people: Person) -> None:
    for person in people:
        assert server.sql(KEPT, person.id) == server.sql(COUNTED, person.id)
    assert server.sql(KEPT_CATALOGUE) == server.sql(COUNTED_CATALOGUE)


def content(course: dict[str, Any]) -> str:
    return f"/api/v1/content/courses/{course['id']}/sections/"


def test_they_are_true_after_each_change_of_the_content(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    one, two = (instructor.section(course, is_published=flag) for flag in (True, False))
    lessons = [instructor.lesson(section, duration_seconds=100 * n) for n, section in enumerate((one, one, two), 1)]
    expected: list[tuple[Callable[[], Any], tuple[int, int, float]]] = [
        (lambda: None, (2, 3, 0.1)),
        (lambda: instructor.patch(f"{content(course)}{two['id']}/", json={"is_published": True}), (3, 4, 0.2)),
        (lambda: instructor.patch(f"/api/v1/content/lessons/{lessons[2]['id']}/", json={"duration_seconds": 7200}), (3, 4, 2.1)),
        (lambda: instructor.patch(f"/api/v1/content/lessons/{lessons[0]['id']}/", json={"order": 2}), (3, 4, 2.1)),
        (lambda: instructor.delete(f"/api/v1/content/lessons/{lessons[1]['id']}/"), (3, 3, 2.0)),
        (lambda: instructor.patch(f"{content(course)}{one['id']}/", json={"is_published": False}), (2, 2, 2.0)),
        (lambda: instructor.delete(f"{content(course)}{two['id']}/"), (1, 1, 0.0)),
    ]
    for change, (sections, lessons_count, hours) in expected:
        change()
        shown = [
            api.get(f"{COURSES}{course['id']}/").json(),
            api.get(f"{COURSES}{course['id']}/curriculum/").json(),
            api.get(COURSES, params={"category": course["category"]["slug"]}).json()["results"][0],
        ]
        for numbers in shown:
            assert (numbers["sections_count"], numbers["lessons_count"]) == (sections, lessons_count)
            assert numbers["duration_hours"] == pytest.approx(hours, abs=0.05)
        assert len(shown[1]["sections"]) == sections
        assert sum(section["lessons_count"] for section in shown[1]["sections"]) == lessons_count
        check(api.server, instructor)


def test_an_instructor_counts_what_is_not_published_too(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    instructor.lesson(instructor.section(course), duration_seconds=3600)
    own, listed = instructor.get(f"{OWN}{course['id']}/").json(), instructor.get(OWN).json()["results"][0]
    public = api.get(f"{COURSES}{course['id']}/").json()
    for numbers in (own, listed):
        assert (numbers["sections_count"], numbers["lessons_count"], numbers["duration_hours"]) == (2, 2, 1.0)
    assert (public["sections_count"], public["lessons_count"], public["duration_hours"]) == (1, 1, 0.0)


def test_they_are_true_after_each_change_of_a_course(api: Api, instructor: Person) -> None:
    one, two = api.category(), api.category()
    course = instructor.published_course(category_id=one["id"])
    path = f"{OWN}{course['id']}/"

    def counts() -> list[int]:
        """In each category: in its list, in its list for beginners, and in the list of categories."""
        check(api.server, instructor)
        slugs = [category["slug"] for category in (one, two)]
        lists = [api.get(COURSES, params={"category": slug}).json() for slug in slugs]
        easy = [api.get(COURSES, params={"category": slug, "difficulty": "beginner"}).json() for slug in slugs]
        assert [page["count"] for page in lists + easy] == [len(page["results"]) for page in lists + easy]
        return [page["count"] for page in lists + easy]

    assert counts() == [1, 0, 1, 0]
    instructor.patch(path, json={"category_id": two["id"]})
    assert counts() == [0, 1, 0, 1]
    instructor.patch(path, json={"difficulty": "advanced", "category_id": one["id"]})
    assert counts() == [1, 0, 0, 0]
    for action, expected in (("archive", 0), ("publish", 1), ("publish", 1), ("unpublish", 0), ("unpublish", 0), ("publish", 1)):
        instructor.post(f"{path}{action}/")
        assert counts() == [expected, 0, 0, 0]
    instructor.post(f"{path}duplicate/")
    assert counts() == [1, 0, 0, 0]
    instructor.delete(path)
    assert counts() == [0, 0, 0, 0]


def test_the_numbers_of_people_follow_every_status_and_review(api: Api, instructor: Person) -> None:
    courses = [instructor.published_course() for _ in range(2)]
    learners = [api.sign_up() for _ in range(3)]
    ids = [
        [learner.post(f"{COURSES}{course['id']}/enroll/").json()["enrollment_id"] for learner in learners] for course in courses
    ]
    instructor.course()
    sql = api.server.sql
    for enrollment, rating in ((ids[0][0], 5), (ids[0][1], 4), (ids[1][0], 2), (ids[1][1], 2)):
        sql(REVIEW, rating, enrollment)

    def numbers() -> tuple[Any, ...]:
        check(api.server, instructor)
        first, second = (api.get(f"{COURSES}{course['id']}/").json() for course in courses)
        profile = first["instructor"]
        assert profile == second["instructor"]
        profiled = (profile["courses_count"], profile["students_count"], profile["rating"])
        return first["students_count"], first["reviews_count"], first["rating"], *profiled

    assert numbers() == (3, 2, 4.5, 2, 3, 3.3)
    for status in ("completed", "cancelled", "active", "suspended", "expired"):
        sql("UPDATE enrollments SET status = %s WHERE id = %s", status, ids[0][2])
        assert numbers()[0] == (3 if status in ("completed", "active") else 2)
    assert numbers()[4] == 3  # the other course counts them still
    sql("UPDATE reviews SET rating = 1 WHERE enrollment_id = %s", ids[0][0])
    assert numbers()[:3] == (2, 2, 2.5)
    sql("DELETE FROM users WHERE id = %s", learners[0].id)
    assert numbers() == (1, 1, 4.0, 2, 2, 3.0)
    sql("DELETE FROM enrollments WHERE course_id = %s", courses[0]["id"])
    assert numbers() == (0, 0, None, 2, 2, 2.0)
    instructor.post(f"{OWN}{courses[1]['id']}/archive/")
    profile = api.get(f"{COURSES}{courses[0]['id']}/").json()["instructor"]
    assert (profile["courses_count"], profile["students_count"], profile["rating"]) == (1, 0, None)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE lessons SET section_id = {b}, course_id = {to}, position = 9 WHERE section_id = {a}",
        "UPDATE sections SET course_id = {to}, position = 9 WHERE course_id = {of} AND title = 'Empty'",
        "UPDATE sections SET is_published = NOT is_published WHERE course_id IN ({of}, {to})",
        "UPDATE lessons SET duration_seconds = duration_seconds * 2 + 1 WHERE course_id IN ({of}, {to})",
        "INSERT INTO lessons (section_id, course_id, title, position) VALUES ({a}, {of}, 'x', 7), ({b}, {to}, 'x', 7)",
        "DELETE FROM lessons WHERE course_id IN ({of}, {to})",
        "DELETE FROM sections WHERE course_id IN ({of}, {to})",
        "UPDATE enrollments SET course_id = {to} WHERE course_id = {of}",
        "UPDATE reviews SET rating = 1 WHERE course_id = {of}",
        "UPDATE courses SET status = 'archived' WHERE id IN ({of}, {to})",
        "UPDATE courses SET difficulty = 'advanced' WHERE id = {to}",
        "UPDATE courses t SET category_id = c.category_id FROM courses c WHERE c.id = {of} AND t.id = {to}",
        "DELETE FROM courses WHERE id = {to}",
    ],
)
def test_they_are_true_after_changes_around_the_application(
    api: Api, instructor: Person, learner: Person, other_instructor: Person, change: str
) -> None:
    of, to = instructor.published_course(), other_instructor.published_course()
    instructor.section(of, title="Empty", is_published=True)
    enrollment = learner.post(f"{COURSES}{of['id']}/enroll/").json()["enrollment_id"]
    api.server.sql(REVIEW, 5, enrollment)
    a, b = (
        api.server.sql("SELECT id FROM sections WHERE course_id = %s AND title <> 'Empty'", course["id"])[0][0]
        for course in (of, to)
    )
    names = {"of": of["id"], "to": to["id"], "a": a, "b": b}
    api.server.sql(change.format(**{name: f"'{value}'" for name, value in names.items()}))
    check(api.server, instructor, other_instructor)


def test_they_are_true_under_writers_at_once(api: Api, instructor: Person) -> None:
    categories = [api.category() for _ in range(2)]
    courses = [instructor.published_course(category_id=category["id"]) for category in categories]
    spare = [[instructor.section(course, is_published=True) for _ in range(2)] for course in courses]
    people = [api.sign_up() for _ in range(2)]
    mine = instructor.headers

    def enrol(caller: Api, person: Person) -> list[int]:
        return [caller.post(f"{COURSES}{course['id']}/enroll/", headers=person.headers).status_code for course in courses]

    def swap(caller: Api, course: int) -> list[int]:
        """Into the other category and back: two at once lock the same two counts in opposite orders."""
        moves = [categories[1 - course]["id"], categories[course]["id"]] * 3
        path = f"{OWN}{courses[course]['id']}/"
        return [caller.patch(path, json={"category_id": category}, headers=mine).status_code for category in moves]

    def write(caller: Api, course: int) -> list[int]:
        sections = spare[course]
        added = [
            caller.post(
                f"/api/v1/content/sections/{sections[0]['id']}/lessons/", json={"title": "x", "duration_seconds": n}, headers=mine
            )
            for n in (60, 600)
        ]
        rest = [
            caller.patch(f"{content(courses[course])}{sections[1]['id']}/", json={"is_published": False}, headers=mine),
            caller.delete(f"/api/v1/content/lessons/{added[0].json()['id']}/", headers=mine),
            caller.delete(f"{content(courses[course])}{sections[1]['id']}/", headers=mine),
        ]
        return [response.status_code for response in [*added, *rest]]

    acts: list[Callable[[Api], Any]] = [partial(enrol, person=person) for person in people]
    for number in (0, 1):
        acts += [partial(swap, course=number), partial(write, course=number)]
    outcomes = in_parallel(api.server, acts)
    assert outcomes == [[201, 201]] * 2 + [[200] * 6, [201, 201, 200, 204, 204]] * 2
    check(api.server, instructor)
    assert [api.get(f"{COURSES}{course['id']}/").json()["students_count"] for course in courses] == [2, 2]


def test_a_category_counts_its_published_courses_only(api: Api, instructor: Person, admin: Person) -> None:
    category = admin.post("/api/v1/admin/categories/", json={"name": f"Joinery {uuid4().hex[:8]}"}).json()
    assert category["courses_count"] == 0
    instructor.course(category_id=category["id"])
    instructor.published_course(category_id=category["id"])
    path = f"/api/v1/admin/categories/{category['id']}/"
    assert admin.patch(path, json={}).json()["courses_count"] == 1
