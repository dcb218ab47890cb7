"""Whatever happened, in whatever order: every number of analytics is that of the raw rows."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from harness import CHOICE, PASSWORD, Api, Person, Server
from unpuzzle_server import recounting

LEARNERS, PLACES, RATINGS = st.integers(0, 1), st.integers(0, 3), st.integers(1, 5)
ZONES = ["UTC", "Asia/Kathmandu", "Pacific/Kiritimati", "America/Los_Angeles"]
LEARNING, ACHIEVEMENTS = "/api/v1/analytics/learning/", "/api/v1/analytics/achievements/"

KEPT = {
    "learner_days": "true",
    "learner_courses": "lessons > 0",
    "learner_totals": "num_nonnulls(streak_until) > 0 OR courses > 0 OR reviews > 0",
    "course_counts": "true",
    "course_days": "enrolled > 0 OR completed > 0",
    "lesson_counts": "started > 0",
    "monthly_earnings": "true",
}
"""The tables that are kept, and which of their rows say anything."""
DIFFERENCE = """
    (SELECT * FROM {table} WHERE {says} EXCEPT SELECT * FROM app.recounted_{table} WHERE {says})
    UNION ALL (SELECT * FROM app.recounted_{table} WHERE {says} EXCEPT SELECT * FROM {table} WHERE {says})
"""
SETTLE = "SELECT app.settle_payment(id, 'succeeded', intent, NULL, NULL, %s) FROM payments WHERE id = %s"
BUY = """
    INSERT INTO payments (user_id, course_id, instructor_id, title, list_minor, currency, intent)
    SELECT %s, id, instructor_id, title, price_minor, currency, %s FROM courses WHERE id = %s
    ON CONFLICT DO NOTHING RETURNING id
"""


def differences(server: Server) -> dict[str, list[Any]]:
    found = {table: server.sql(DIFFERENCE.format(table=table, says=says)) for table, says in KEPT.items()}
    return {table: rows for table, rows in found.items() if rows}


def numbers(server: Server) -> dict[str, list[Any]]:
    return {table: sorted(server.sql(f"SELECT * FROM {table} WHERE {says}"), key=str) for table, says in KEPT.items()}


class Recount:
    """What a learner's answer should say, plainly from the rows."""

    def __init__(self, server: Server, learner: Person) -> None:
        self.server, self.learner = server, learner
        self.zone = ZoneInfo(server.sql("SELECT timezone FROM users WHERE id = %s", learner.id)[0][0])

    def rows(self, table: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        return self.server.sql(f"SELECT {columns} FROM {table} WHERE user_id = %s AND {where}", self.learner.id)

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    @cached_property
    def days(self) -> dict[date, list[Decimal]]:
        """Seconds, lessons and quizzes of each day."""
        found: dict[date, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
        parts = [(0, row) for row in self.rows("study_time", "quarter, seconds")]
        parts += [(1, (row[0], 1)) for row in self.rows("lesson_progress", "completed_at", "completed_at IS NOT NULL")]
        parts += [(2, (row[0], 1)) for row in self.rows("quiz_attempts", "submitted_at", "submitted_at IS NOT NULL")]
        for place, (moment, amount) in parts:
            found[self.day(moment)] = [value + (amount if n == place else 0) for n, value in enumerate(found[self.day(moment)])]
        return found

    @property
    def streaks(self) -> tuple[int, int]:
        """The present one and the longest."""
        ordered = sorted(self.days)
        runs = [[day for _, day in run] for _, run in groupby(enumerate(ordered), lambda item: item[1] - timedelta(days=item[0]))]
        today = self.day(self.server.clock.now())
        lasting = [len(run) for run in runs if run[-1] >= today - timedelta(days=1)]
        return (lasting[-1] if lasting else 0), max(map(len, runs), default=0)

    def check(self) -> None:
        told = self.learner.get(LEARNING, params={"period": "all_time"}).json()
        dates = [date.fromisoformat(day["date"]) for day in told["daily_activity"]]
        today = self.day(self.server.clock.now())
        first = min(self.days, default=today)
        assert dates == [first + timedelta(days=n) for n in range((today - first).days + 1)]
        for day, shown in zip(dates, told["daily_activity"], strict=True):
            seconds, lessons, quizzes = self.days.get(day, [0, 0, 0])
            counted = (shown["minutes_learned"], shown["lessons_completed"], shown["quizzes_taken"])
            assert counted == (int(seconds // 60), lessons, quizzes)
        self.check_summary(told["summary"])
        self.check_courses(told["course_progress"])

    def check_summary(self, summary: dict[str, Any]) -> None:
        scores = [score for (score,) in self.rows("quiz_attempts", "score", "submitted_at IS NOT NULL")]
        enrollments = self.rows("enrollments", "status, last_accessed_at, completed_at")
        assert summary["total_learning_time_minutes"] == int(sum(day[0] for day in self.days.values()) // 60)
        assert summary["lessons_completed"] == sum(day[1] for day in self.days.values())
        assert summary["quizzes_taken"] == len(scores)
        mean = round(float(sum(scores) / len(scores)), 6) if scores else None
        assert summary["average_quiz_score"] == (pytest.approx(mean, abs=0.0501) if scores else None)
        assert summary["courses_completed"] == len([row for row in enrollments if row[2]])
        assert summary["courses_in_progress"] == len([row for row in enrollments if row[0] == "active" and row[1]])
        assert summary["certificates_earned"] == len(self.rows("certificates", "id", "revoked_at IS NULL"))
        assert (summary["current_streak"], summary["longest_streak"]) == self.streaks

    def check_courses(self, shown: list[dict[str, Any]]) -> None:
        taken = {str(row[0]) for row in self.rows("enrollments", "course_id", "status IN ('active', 'completed')")}
        assert {item["course_id"] for item in shown} == taken
        for item in shown:
            spent = self.rows("study_time", "coalesce(sum(seconds), 0)", f"course_id = '{item['course_id']}'")[0][0]
            assert item["time_spent_minutes"] == int(spent // 60)


class Life(RuleBasedStateMachine):
    """Two learners in a free and a priced course over weeks and time zones, who do anything at any time, also what is refused."""

    teacher: Person
    learners: list[Person]

    @initialize()
    def begin(self) -> None:
        self.server = self.teacher.api.server
        self.server.clock.offset += timedelta(days=40)
        self.sign_in()
        self.free, self.priced = self.teacher.published_course(), self.teacher.published_course(price=20)
        section = self.teacher.section(self.free, is_published=True)
        self.lessons = [self.teacher.lesson(section)["id"] for _ in range(3)]
        self.video = self.teacher.lesson(section, type="video", duration_seconds=3600)["id"]
        self.quiz = self.teacher.quiz({"id": self.video}, CHOICE, is_required=False)["id"]
        for learner in self.learners:
            self.sent(learner, "post", f"/api/v1/courses/{self.free['id']}/enroll/")

    def sign_in(self) -> None:
        for person in (self.teacher, *self.learners):
            body = {"email": person.email, "password": PASSWORD}
            person.tokens = person.api.post("/api/v1/auth/signin/", json=body).json()

    def sent(self, person: Person, method: str, path: str, **body: Any) -> httpx.Response:
        response: httpx.Response = getattr(person, method)(path, **body)
        assert response.status_code < 500, response.text
        assert response.status_code != 401, response.text
        return response

    @rule(hours=st.sampled_from([3, 6, 20, 26, 50]))
    def time_passes(self, hours: int) -> None:
        self.server.clock.offset += timedelta(hours=hours)
        self.sign_in()

    @rule(learner=LEARNERS, zone=st.sampled_from(ZONES))
    def move(self, learner: int, zone: str) -> None:
        self.sent(self.learners[learner], "put", "/api/v1/auth/profile/update/", json={"preferences": {"timezone": zone}})

    @rule(learner=LEARNERS, start=st.integers(0, 50))
    def watch(self, learner: int, start: int) -> None:
        body = {"watched": [{"start": 60 * start, "end": 60 * start + 400}]}
        self.sent(self.learners[learner], "put", f"/api/v1/student/lessons/{self.video}/progress/", json=body)

    @rule(learner=LEARNERS, place=PLACES, method=st.sampled_from(["post", "post", "delete"]))
    def complete_or_reopen(self, learner: int, place: int, method: str) -> None:
        lessons = [*self.lessons, self.video]
        self.sent(self.learners[learner], method, f"/api/v1/student/lessons/{lessons[place % len(lessons)]}/complete/")

    @rule(learner=LEARNERS, right=st.booleans())
    def take_the_quiz(self, learner: int, right: bool) -> None:
        path = f"/api/v1/student/quizzes/{self.quiz}/attempts/"
        attempt = self.sent(self.learners[learner], "post", path).json()
        if "questions" in attempt:
            question = attempt["questions"][0]
            answer = {"question_id": question["id"], "option_ids": [question["options"][0 if right else 1]["id"]]}
            self.sent(self.learners[learner], "post", f"{path}{attempt['id']}/submit/", json={"answers": [answer]})

    @rule(learner=LEARNERS)
    def come_or_leave(self, learner: int) -> None:
        path = f"/api/v1/courses/{self.free['id']}"
        if self.sent(self.learners[learner], "post", f"{path}/enroll/").status_code == 409:
            self.sent(self.learners[learner], "post", f"{path}/unenroll/")

    @rule(learner=LEARNERS, rating=RATINGS, method=st.sampled_from(["post", "put", "delete"]))
    def review(self, learner: int, rating: int, method: str) -> None:
        body = {} if method == "delete" else {"json": {"rating": rating}}
        self.sent(self.learners[learner], method, f"/api/v1/student/courses/{self.free['id']}/review/", **body)

    @rule(learner=LEARNERS, refunded=st.sampled_from([0, 500, 2000]))
    def buy_or_be_refunded(self, learner: int, refunded: int) -> None:
        self.server.sql(BUY, self.learners[learner].id, f"pi_{uuid4().hex}", self.priced["id"])
        wanted = "SELECT id FROM payments WHERE user_id = %s AND course_id = %s AND status <> 'refunded'"
        for (payment,) in self.server.sql(wanted, self.learners[learner].id, self.priced["id"]):
            self.server.sql(SETTLE, refunded, payment)

    @rule(place=PLACES)
    def remove_a_lesson(self, place: int) -> None:
        if len(self.lessons) > 1:
            self.sent(self.teacher, "delete", f"/api/v1/content/lessons/{self.lessons.pop(place % len(self.lessons))}/")

    def teardown(self) -> None:
        if not hasattr(self, "free"):
            return
        assert differences(self.server) == {}
        for learner in self.learners:
            Recount(self.server, learner).check()
        for course in (self.free, self.priced):
            self.check_course(course)
        self.check_earnings()

    def check_course(self, course: dict[str, Any]) -> None:
        path = f"/api/v1/instructor/courses/{course['id']}/analytics/"
        told = self.teacher.get(path, params={"period": "all_time"}).json()
        rows = self.server.sql(
            "SELECT status, last_accessed_at, completed_at FROM enrollments WHERE course_id = %s", course["id"]
        )
        assert told["enrollments"]["total"] == told["enrollments"]["new"] == len(rows)
        assert told["enrollments"]["active"] == len([row for row in rows if row[0] == "active"])
        assert sum(day["completed"] for day in told["enrollments"]["by_day"]) == len([row for row in rows if row[2]])
        steps = [step["learners"] for step in told["funnel"]]
        first = """SELECT count(DISTINCT p.user_id) FROM lesson_progress p
                    WHERE p.course_id = %s AND p.completed_at IS NOT NULL"""
        began, ended = (len([row for row in rows if row[place]]) for place in (1, 2))
        assert steps == [len(rows), began, self.server.sql(first, course["id"])[0][0], ended]
        for lesson in told["lessons"]:
            counted = "SELECT count(*), count(completed_at) FROM lesson_progress WHERE lesson_id = %s"
            assert [(lesson["started"], lesson["completed"])] == self.server.sql(counted, lesson["lesson_id"])
        ratings = [rating for (rating,) in self.server.sql("SELECT rating FROM reviews WHERE course_id = %s", course["id"])]
        assert [part["count"] for part in told["ratings"]["distribution"]] == [ratings.count(n) for n in (5, 4, 3, 2, 1)]
        assert told["ratings"]["count"] == len(ratings)
        graded = (
            "SELECT count(*), count(*) FILTER (WHERE is_passed) FROM quiz_attempts WHERE course_id = %s AND score IS NOT NULL"
        )
        assert [(told["quizzes"]["attempts"], told["quizzes"]["passed"])] == self.server.sql(graded, course["id"])

    def check_earnings(self) -> None:
        totals = self.teacher.get("/api/v1/instructor/earnings/").json()["totals"]
        paid = """SELECT count(*), sum(amount_minor), sum(refunded_minor) FROM payments
                   WHERE instructor_id = %s AND paid_at IS NOT NULL"""
        ((count, gross, refunded),) = self.server.sql(paid, self.teacher.id)
        shown = [(item["sales"], 100 * item["gross"], 100 * item["refunded"]) for item in totals]
        assert shown == ([(count, gross, refunded)] if count else [])


def test_whatever_happens_every_number_is_that_of_the_rows(api: Api, server: Server) -> None:
    people = {"teacher": api.sign_up_instructor(), "learners": [api.sign_up() for _ in range(2)]}
    try:
        # Without shrinking: a life that went wrong is short enough to read.
        run_state_machine_as_test(
            type("LifeOfThese", (Life,), people),
            settings=settings(
                max_examples=5,
                stateful_step_count=30,
                phases=[Phase.generate],
                derandomize=True,
                database=None,
                deadline=None,
            ),
        )
    finally:
        server.clock.offset = timedelta()


def test_counting_anew_changes_nothing(api: Api, server: Server) -> None:
    kept = numbers(server)
    told = server.sql("SELECT count(*) FROM notifications")
    server.sql("SELECT app.rebuild_analytics()")
    assert kept == numbers(server)
    assert told == server.sql("SELECT count(*) FROM notifications")


def test_what_was_counted_wrong_is_mended_by_counting_anew(api: Api, server: Server) -> None:
    server.sql("UPDATE course_counts SET enrolled = enrolled + 1")
    assert "course_counts" in differences(server)
    assert recounting.rebuild(server.owner_url).startswith("Counted anew: ")
    assert differences(server) == {}
