"""Counts, ratings and percentages are those of the rows, whatever has happened and in which order."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Api, Person, Server, in_parallel

QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
LEARNERS = 3
ACTS = ("enroll", "unenroll", "complete", "reopen", "review", "change", "withdraw", "add", "remove", "hide", "show")

# From the raw rows, without any of what triggers keep.
LESSONS = "FROM lessons l JOIN sections x ON x.id = l.section_id WHERE x.course_id = %(course)s AND x.is_published"
RECOUNT = f"""
    SELECT (SELECT count(*) FROM enrollments WHERE course_id = %(course)s AND status IN ('active', 'completed')),
           (SELECT count(*) FROM reviews WHERE course_id = %(course)s),
           (SELECT round(avg(rating), 1)::float FROM reviews WHERE course_id = %(course)s),
           (SELECT count(*) FROM sections WHERE course_id = %(course)s AND is_published),
           (SELECT count(*) {LESSONS})
"""
DONE = f"""
    SELECT count(p.completed_at), count(*)
      FROM (SELECT l.id {LESSONS}) l LEFT JOIN lesson_progress p ON p.lesson_id = l.id AND p.user_id = %(user)s
"""


class Classroom:
    """A course of two sections, and some who may learn in it."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.teacher = api.sign_up_instructor()
        self.learners = [api.sign_up() for _ in range(LEARNERS)]
        self.course = self.teacher.published_course()
        self.section = self.teacher.section(self.course, is_published=True)
        self.added = [self.teacher.lesson(self.section)["id"] for _ in range(2)]

    def act(self, act: str, learner: Person, number: int) -> None:
        """Whatever is refused changes nothing."""
        course = f"/api/v1/student/courses/{self.course['id']}"
        lesson = f"/api/v1/student/lessons/{self.added[number % len(self.added)] if self.added else self.course['id']}"
        section = f"/api/v1/content/courses/{self.course['id']}/sections/{self.section['id']}/"
        rating = {"rating": number % 5 + 1}
        match act:
            case "enroll" | "unenroll":
                learner.post(f"/api/v1/courses/{self.course['id']}/{act}/")
            case "complete":
                learner.post(f"{lesson}/complete/")
            case "reopen":
                learner.delete(f"{lesson}/complete/")
            case "review":
                learner.post(f"{course}/review/", json=rating)
            case "change":
                learner.put(f"{course}/review/", json=rating)
            case "withdraw":
                learner.delete(f"{course}/review/")
            case "add":
                self.added.append(self.teacher.lesson(self.section)["id"])
            case "remove" if self.added:
                self.teacher.delete(f"/api/v1/content/lessons/{self.added.pop(number % len(self.added))}/")
            case "hide" | "show":
                self.teacher.patch(section, json={"is_published": act == "show"})

    def check(self) -> None:
        server, course = self.api.server, self.course["id"]
        counted = recounted(server, course)
        shown = self.api.get(f"/api/v1/courses/{course}/").json()
        assert (
            tuple(shown[name] for name in ("students_count", "reviews_count", "rating", "sections_count", "lessons_count"))
            == counted
        )
        assert shown["instructor"]["students_count"] == counted[0]
        assert shown["instructor"]["rating"] == counted[2]
        reviews = self.api.get(f"/api/v1/courses/{course}/reviews/").json()
        assert (reviews["count"], reviews["rating"]) == counted[1:3]
        assert sum(item["count"] for item in reviews["distribution"]) == counted[1]
        assert sum(item["count"] * item["rating"] for item in reviews["distribution"]) == sum(
            item["rating"] for item in reviews["results"]
        )
        for learner in self.learners:
            self.check_learner(learner)

    def check_learner(self, learner: Person) -> None:
        for item in learner.get("/api/v1/student/courses/").json()["results"]:
            done, lessons = self.done(learner)
            progress = item["progress"]
            percentage = int(100 * done / lessons + 0.5) if lessons else 0
            assert (progress["completed_lessons"], progress["total_lessons"]) == (done, lessons)
            assert progress["percentage"] == percentage
            page = learner.get(f"/api/v1/student/courses/{self.course['id']}/progress/").json()
            assert (page["overall_progress"], page["completed_lessons"], page["total_lessons"]) == (percentage, done, lessons)
            assert sum(section["completed_lessons"] for section in page["sections"]) == done

    def done(self, learner: Person) -> tuple[int, int]:
        import psycopg

        with psycopg.connect(self.api.server.owner_url) as connection:
            found = connection.execute(DONE, {"course": self.course["id"], "user": learner.id}).fetchone()
        assert found
        return int(found[0]), int(found[1])


def recounted(server: Server, course: str) -> tuple[Any, ...]:
    import psycopg

    with psycopg.connect(server.owner_url) as connection:
        found = connection.execute(RECOUNT, {"course": course}).fetchone()
    assert found
    return tuple(found)


@pytest.fixture(scope="module")
def caller(server: Server) -> Iterator[Api]:
    with Api(server) as api:
        yield api


acts = st.tuples(st.sampled_from(ACTS), st.integers(0, LEARNERS - 1), st.integers(0, 20))


@QUICK
@given(story=st.lists(acts, min_size=5, max_size=25))
def test_whatever_happens_everything_is_as_a_recount_says(caller: Api, story: list[tuple[str, int, int]]) -> None:
    classroom = Classroom(caller)
    for learner in classroom.learners[:2]:
        classroom.act("enroll", learner, 0)
    for act, learner, number in story:
        classroom.act(act, classroom.learners[learner], number)
    classroom.check()


def test_ratings_stay_true_however_many_review_change_and_withdraw_at_once(caller: Api) -> None:
    classroom = Classroom(caller)
    classroom.learners = [caller.sign_up() for _ in range(12)]
    for learner in classroom.learners:
        classroom.act("enroll", learner, 0)
    path = f"/api/v1/student/courses/{classroom.course['id']}/review/"

    def storm(one: Api, learner: Person, number: int) -> None:
        one.post(path, json={"rating": number % 5 + 1}, headers=learner.headers)
        one.put(path, json={"rating": (number + 2) % 5 + 1}, headers=learner.headers)
        if number % 3 == 0:
            one.delete(path, headers=learner.headers)

    acts = [lambda one, who=learner, n=number: storm(one, who, n) for number, learner in enumerate(classroom.learners)]
    in_parallel(caller.server, acts)
    assert recounted(caller.server, classroom.course["id"])[:2] == (12, 8)
    classroom.check()


def test_of_two_reviews_at_once_one_is_the_review(caller: Api) -> None:
    classroom = Classroom(caller)
    learner = classroom.learners[0]
    classroom.act("enroll", learner, 0)
    path = f"/api/v1/student/courses/{classroom.course['id']}/review/"
    answers = in_parallel(caller.server, [lambda one: one.post(path, json={"rating": 3}, headers=learner.headers)] * 6)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    classroom.check()
