"""What learners and instructors are told of a course is what the rows say, whatever happened before, and at the same moment."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from itertools import cycle, islice
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from harness import Api, Person, Server, code_of, in_parallel, wait_for

COURSES, OWN, TAKEN = "/api/v1/courses/", "/api/v1/instructor/courses/", "/api/v1/student/courses/"
PLACES = st.integers(0, 5)
"""Which of the lessons or sections, counted around."""
RATINGS = st.integers(1, 5)
LEARNERS = st.integers(0, 2)

PEOPLE = "SELECT user_id::text, status, completed_at IS NOT NULL FROM enrollments WHERE course_id = %s"
REVIEWS = "SELECT rating FROM reviews WHERE course_id = %s"
LESSONS = """
    SELECT x.id::text, l.id::text, l.duration_seconds
      FROM sections x LEFT JOIN lessons l ON l.section_id = x.id WHERE x.course_id = %s AND x.is_published
"""
COMPLETED = """
    SELECT user_id::text, lesson_id::text FROM lesson_progress JOIN lessons ON id = lesson_id
     WHERE lessons.course_id = %s AND completed_at IS NOT NULL
"""
ALL_TAKEN = """
    SELECT count(*), count(*) FILTER (WHERE status = 'active'), count(*) FILTER (WHERE status = 'completed')
      FROM enrollments WHERE user_id = %s
"""
ALL_TAUGHT = """
    SELECT (SELECT count(*) FROM courses WHERE instructor_id = %(who)s AND status = 'published'),
           (SELECT count(DISTINCT e.user_id) FROM enrollments e JOIN courses c ON c.id = e.course_id
             WHERE c.instructor_id = %(who)s AND e.status IN ('active', 'completed')),
           (SELECT array_agg(r.rating) FROM reviews r JOIN courses c ON c.id = r.course_id WHERE c.instructor_id = %(who)s)
"""


def mean(ratings: list[int]) -> float | None:
    return float((Decimal(sum(ratings)) / len(ratings)).quantize(Decimal("0.1"), "ROUND_HALF_UP")) if ratings else None


def percentage(done: int, total: int) -> int:
    """Rounded half up."""
    return (200 * done + total) // (2 * total) if total else 0


class Recount:
    """A course counted from its raw rows, and held against every answer that says how much of anything there is."""

    def __init__(self, server: Server, course: dict[str, Any], instructor: Person) -> None:
        self.server, self.course, self.instructor = server, course, instructor
        self.people = {user: (status, completed) for user, status, completed in server.sql(PEOPLE, course["id"])}
        self.ratings = [rating for (rating,) in server.sql(REVIEWS, course["id"])]
        rows = server.sql(LESSONS, course["id"])
        self.sections = {section: {lesson for of, lesson, _ in rows if of == section and lesson} for section, _, _ in rows}
        self.lessons = {lesson: seconds for _, lesson, seconds in rows if lesson}
        self.completed = server.sql(COMPLETED, course["id"])

    def check(self, learners: list[Person]) -> None:
        self.check_course()
        self.check_reviews()
        self.check_instructor()
        for learner in learners:
            self.check_learner(learner)

    def check_course(self) -> None:
        api = self.instructor.api
        listed = api.get(COURSES, params={"category": self.course["category"]["slug"]}).json()["results"]
        students = [status in ("active", "completed") for status, _ in self.people.values()]
        expected = {"students_count": sum(students), "reviews_count": len(self.ratings), "rating": mean(self.ratings)}
        public = {"sections_count": len(self.sections), "lessons_count": len(self.lessons)}
        for shown in (api.get(f"{COURSES}{self.course['id']}/").json(), listed[0]):
            assert expected | public == {name: shown[name] for name in expected | public}
        own = self.instructor.get(f"{OWN}{self.course['id']}/").json()
        assert expected == {name: own[name] for name in expected}

    def check_reviews(self) -> None:
        shown = self.instructor.api.get(f"{COURSES}{self.course['id']}/reviews/").json()
        assert (shown["count"], shown["rating"]) == (len(self.ratings), mean(self.ratings))
        assert sorted(review["rating"] for review in shown["results"]) == sorted(self.ratings)
        given = Counter(self.ratings)
        assert [(part["rating"], part["count"]) for part in shown["distribution"]] == [(n, given[n]) for n in (5, 4, 3, 2, 1)]

    def check_instructor(self) -> None:
        with_all = self.instructor.api.get(f"{COURSES}{self.course['id']}/").json()["instructor"]
        courses, students, ratings = self.server.sql(ALL_TAUGHT.replace("%(who)s", f"'{self.instructor.id}'"))[0]
        shown = (with_all["courses_count"], with_all["students_count"], with_all["rating"])
        assert shown == (courses, students, mean(ratings or []))

    def check_learner(self, learner: Person) -> None:
        status, completed = self.people.get(learner.id, (None, False))
        mine = {lesson for user, lesson in self.completed if user == learner.id and lesson in self.lessons}
        done, total = len(mine), len(self.lessons)
        self.check_enrollments(learner, status, completed, percentage(done, total))
        self.check_taken(learner, status, mine)
        if status not in ("active", "completed"):
            return
        progress = learner.get(f"{TAKEN}{self.course['id']}/progress/").json()
        counted = (progress["overall_progress"], progress["completed_lessons"], progress["total_lessons"])
        assert counted == (percentage(done, total), done, total)
        parts = {part["section_id"]: part for part in progress["sections"]}
        assert parts.keys() == self.sections.keys()
        for section, lessons in self.sections.items():
            part, inside = parts[section], len(lessons & mine)
            counted = (part["progress"], part["completed_lessons"], part["total_lessons"])
            assert counted == (percentage(inside, len(lessons)), inside, len(lessons))
            assert {lesson["lesson_id"] for lesson in part["lessons"] if lesson["is_completed"]} == lessons & mine
        tree = learner.get(f"{TAKEN}{self.course['id']}/learn/").json()
        counted = (tree["progress_percentage"], tree["completed_lessons"], tree["total_lessons"])
        assert counted == (percentage(done, total), done, total)
        assert (tree["next_lesson"] is None) == (done == total)

    def check_enrollments(self, learner: Person, status: str | None, completed: bool, share: int) -> None:
        page = learner.get("/api/v1/enrollments/", params={"page_size": 100}).json()
        all_taken = (page["count"], page["active_enrollments"], page["completed_courses"])
        assert [all_taken] == self.server.sql(ALL_TAKEN, learner.id)
        shown = [item for item in page["results"] if item["course"]["id"] == self.course["id"]]
        standing = [(item["status"], item["completed_at"] is not None, item["progress_percentage"]) for item in shown]
        assert standing == ([] if status is None else [(status, completed, share)])

    def check_taken(self, learner: Person, status: str | None, mine: set[str]) -> None:
        page = learner.get(TAKEN, params={"page_size": 100}).json()
        _, active, completed = self.server.sql(ALL_TAKEN, learner.id)[0]
        assert page["count"] == active + completed
        shown = [item for item in page["results"] if item["course"]["id"] == self.course["id"]]
        assert len(shown) == (status in ("active", "completed"))
        for item in shown:
            assert (item["status"] == "completed") == (status == "completed")
            progress, total = item["progress"], len(self.lessons)
            counted = (progress["percentage"], progress["completed_lessons"], progress["total_lessons"])
            assert counted == (percentage(len(mine), total), len(mine), total)
            left = sum(seconds for lesson, seconds in self.lessons.items() if lesson not in mine)
            assert progress["estimated_time_remaining_hours"] == pytest.approx(left / 3600, abs=0.0501)


class Life(RuleBasedStateMachine):
    """A course in which anybody may do anything at any time, also what is refused; in the end everything is counted again."""

    instructor: Person
    learners: list[Person]

    @initialize()
    def begin(self) -> None:
        self.course = self.instructor.published_course()
        self.path = f"/api/v1/content/courses/{self.course['id']}/sections/"
        self.sections = self.instructor.get(self.path).json()["results"]
        self.lessons = self.instructor.get(f"/api/v1/content/sections/{self.sections[0]['id']}/lessons/").json()["results"]
        for learner in self.learners:
            self.sent(learner, "post", f"{COURSES}{self.course['id']}/enroll/")

    def sent(self, person: Person, method: str, path: str, **body: Any) -> httpx.Response:
        response: httpx.Response = getattr(person, method)(path, **body)
        assert response.status_code < 500, response.text
        return response

    @rule(learner=LEARNERS)
    def come_or_leave(self, learner: int) -> None:
        path = f"{COURSES}{self.course['id']}"
        if self.sent(self.learners[learner], "post", f"{path}/enroll/").status_code == 409:
            self.sent(self.learners[learner], "post", f"{path}/unenroll/")

    @rule(learner=LEARNERS, place=PLACES, method=st.sampled_from(["post", "post", "delete"]))
    def complete_or_reopen(self, learner: int, place: int, method: str) -> None:
        if self.lessons:
            lesson = self.lessons[place % len(self.lessons)]
            self.sent(self.learners[learner], method, f"/api/v1/student/lessons/{lesson['id']}/complete/")

    @rule(learner=LEARNERS, rating=RATINGS)
    def review_or_change_it(self, learner: int, rating: int) -> None:
        path, body = f"{TAKEN}{self.course['id']}/review/", {"rating": rating}
        if self.sent(self.learners[learner], "post", path, json=body).status_code == 409:
            self.sent(self.learners[learner], "put", path, json=body)

    @rule(learner=LEARNERS)
    def withdraw(self, learner: int) -> None:
        self.sent(self.learners[learner], "delete", f"{TAKEN}{self.course['id']}/review/")

    @rule(is_published=st.booleans())
    def add_section(self, is_published: bool) -> None:
        self.sections.append(self.instructor.section(self.course, is_published=is_published))

    @rule(place=PLACES, is_published=st.booleans())
    def show_or_hide_section(self, place: int, is_published: bool) -> None:
        section = self.sections[place % len(self.sections)]
        self.sent(self.instructor, "patch", f"{self.path}{section['id']}/", json={"is_published": is_published})

    @rule(place=PLACES, minutes=st.integers(0, 90))
    def add_lesson(self, place: int, minutes: int) -> None:
        section = self.sections[place % len(self.sections)]
        self.lessons.append(self.instructor.lesson(section, duration_seconds=60 * minutes))

    @rule(place=PLACES)
    def remove_lesson(self, place: int) -> None:
        if self.lessons:
            lesson = self.lessons[place % len(self.lessons)]
            removed = self.sent(self.instructor, "delete", f"/api/v1/content/lessons/{lesson['id']}/")
            if removed.status_code == 204:
                self.lessons.remove(lesson)

    def teardown(self) -> None:
        if hasattr(self, "course"):
            Recount(self.instructor.api.server, self.course, self.instructor).check(self.learners)


def test_whatever_happens_every_number_is_that_of_the_rows(api: Api, instructor: Person) -> None:
    people = {"instructor": instructor, "learners": [api.sign_up() for _ in range(3)]}
    # Without shrinking: a life that went wrong is short enough to read, and each try takes a second.
    run_state_machine_as_test(
        type("LifeOfThese", (Life,), people),
        settings=settings(
            max_examples=16,
            stateful_step_count=25,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
            deadline=None,
        ),
    )


def enrolled(api: Api, course: dict[str, Any], number: int) -> list[Person]:
    learners = [api.sign_up() for _ in range(number)]
    for learner in learners:
        assert learner.post(f"{COURSES}{course['id']}/enroll/").status_code == 201
    return learners


def test_the_rating_is_true_when_twenty_review_change_and_withdraw_at_once(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    learners = enrolled(api, course, 20)
    path = f"{TAKEN}{course['id']}/review/"

    def act(caller: Api, learner: Person, rating: int, withdraws: bool) -> list[int]:
        answers = [caller.post(path, json={"rating": rating}, headers=learner.headers)]
        answers += [caller.put(path, json={"rating": 6 - rating}, headers=learner.headers)]
        answers += [caller.delete(path, headers=learner.headers)] if withdraws else []
        return [answer.status_code for answer in answers]

    ratings = list(islice(cycle(range(1, 6)), 20))
    acts = [partial(act, learner=learner, rating=ratings[n], withdraws=n % 3 == 0) for n, learner in enumerate(learners)]
    assert in_parallel(api.server, acts) == [[201, 200, 204] if n % 3 == 0 else [201, 200] for n in range(20)]
    left = [6 - rating for n, rating in enumerate(ratings) if n % 3]
    shown = api.get(f"{COURSES}{course['id']}/").json()
    assert (shown["reviews_count"], shown["rating"]) == (len(left), mean(left))
    Recount(api.server, course, instructor).check(learners[:2])


def test_of_two_reviews_by_one_learner_at_once_one_counts(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    learner = enrolled(api, course, 1)[0]
    path = f"{TAKEN}{course['id']}/review/"
    answers = in_parallel(api.server, [lambda caller: caller.post(path, json={"rating": 5}, headers=learner.headers)] * 2)
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert [answer.json()["error"]["code"] for answer in answers if answer.status_code == 409] == ["CONFLICT"]
    Recount(api.server, course, instructor).check([learner])


def test_a_review_waits_for_whoever_is_just_leaving_and_is_refused(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    learner = enrolled(api, course, 1)[0]
    review = partial(learner.post, f"{TAKEN}{course['id']}/review/", json={"rating": 3})
    with ThreadPoolExecutor(1) as pool, psycopg.connect(api.server.owner_url) as leaving:
        leaving.execute("UPDATE enrollments SET status = 'cancelled' WHERE user_id = %s", [learner.id])
        answer = pool.submit(review)
        wait_for(lambda: api.server.sql("SELECT pid FROM pg_locks WHERE NOT granted"))
        leaving.commit()
        assert (answer.result().status_code, code_of(answer.result())) == (404, "ENROLLMENT_NOT_FOUND")
    Recount(api.server, course, instructor).check([learner])
