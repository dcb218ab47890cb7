"""What learners are told of their learning: by their own days, without gaps, each thing once."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from harness import CHOICE, PASSWORD, Api, Person, Server, code_of

LEARNING, ACHIEVEMENTS, PROFILE = "/api/v1/analytics/learning/", "/api/v1/analytics/achievements/", "/api/v1/auth/profile/update/"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Study:
    """A learner in a course of ten short lessons, a video and a quiz, who goes through time."""

    def __init__(self, api: Api) -> None:
        self.server, self.teacher, self.learner = api.server, api.sign_up_instructor(), api.sign_up()
        self.course = self.teacher.published_course()
        section = self.teacher.section(self.course, is_published=True)
        self.lessons = [self.teacher.lesson(section)["id"] for _ in range(10)]
        self.video = self.teacher.lesson(section, type="video", duration_seconds=3600)["id"]
        self.quiz = self.teacher.quiz({"id": self.lessons[0]}, CHOICE, CHOICE, is_required=False)
        self.at(NOON - timedelta(days=400))
        self.learner.post(f"/api/v1/courses/{self.course['id']}/enroll/")

    def at(self, moment: datetime) -> None:
        """Tokens are asked for anew: those of another day have ended."""
        self.server.clock.offset = moment - datetime.now(UTC)
        for person in (self.learner, self.teacher):
            body = {"email": person.email, "password": PASSWORD}
            person.tokens = person.api.post("/api/v1/auth/signin/", json=body).json()

    def watch(self, start: float, end: float) -> None:
        path = f"/api/v1/student/lessons/{self.video}/progress/"
        assert self.learner.put(path, json={"watched": [{"start": start, "end": end}]}).status_code == 200

    def complete(self, place: int) -> None:
        assert self.learner.post(f"/api/v1/student/lessons/{self.lessons[place]}/complete/").status_code == 200

    def take_quiz(self, *choices: str) -> None:
        path = f"/api/v1/student/quizzes/{self.quiz['id']}/attempts/"
        attempt = self.learner.post(path).json()
        answers = [
            {
                "question_id": question["id"],
                "option_ids": [option["id"] for option in question["options"] if option["text"] == text],
            }
            for question, text in zip(attempt["questions"], choices, strict=True)
        ]
        assert self.learner.post(f"{path}{attempt['id']}/submit/", json={"answers": answers}).status_code == 200

    def live_in(self, timezone: str) -> None:
        assert self.learner.put(PROFILE, json={"preferences": {"timezone": timezone}}).status_code == 200

    def told(self, **query: Any) -> dict[str, Any]:
        answer = self.learner.get(LEARNING, params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def summary(self, period: str) -> dict[str, Any]:
        found: dict[str, Any] = self.told(period=period)["summary"]
        return found

    def days(self, **query: Any) -> dict[str, tuple[int, int, int]]:
        """The days on which something was done."""
        told = self.told(**query)["daily_activity"]
        shown = {day["date"]: (day["minutes_learned"], day["lessons_completed"], day["quizzes_taken"]) for day in told}
        return {day: done for day, done in shown.items() if any(done)}

    def earned(self) -> set[str]:
        page = self.learner.get(ACHIEVEMENTS).json()
        names = {item["name"] for item in page["results"] if item["earned_at"]}
        assert len(names) == page["earned_count"]
        return names


@pytest.fixture
def study(api: Api) -> Iterator[Study]:
    try:
        yield Study(api)
    finally:
        api.server.clock.offset = timedelta()


def test_who_has_done_nothing_is_told_so(learner: Person) -> None:
    told = learner.get(LEARNING).json()
    assert told["period"] == "month"
    assert set(told["summary"].values()) == {0, None}
    assert len(told["daily_activity"]) == 30
    assert (told["course_progress"], told["achievements"]) == ([], [])
    assert len(learner.get(LEARNING, params={"period": "all_time"}).json()["daily_activity"]) == 1


@pytest.mark.parametrize(("period", "days"), [("week", 7), ("month", 30), ("year", 365)])
def test_a_period_ends_today_and_has_no_gaps(study: Study, period: str, days: int) -> None:
    for place, ago in enumerate((days, days - 1, 0)):
        study.at(NOON - timedelta(days=ago))
        study.complete(place)
    study.at(NOON)
    told = study.told(period=period)
    dates = [date.fromisoformat(day["date"]) for day in told["daily_activity"]]
    assert dates == [NOON.date() - timedelta(days=ago) for ago in reversed(range(days))]
    assert (told["start_date"], told["end_date"]) == (str(dates[0]), str(dates[-1]))
    assert [day["lessons_completed"] for day in (told["daily_activity"][0], told["daily_activity"][-1])] == [1, 1]
    assert told["summary"]["lessons_completed"] == 2
    whole = study.told(period="all_time")
    assert (whole["summary"]["lessons_completed"], len(whole["daily_activity"])) == (3, days + 1)


def test_time_counts_each_moment_once(study: Study) -> None:
    study.at(NOON)
    for start, end in ((0, 600), (300, 900), (0, 900)):
        study.watch(start, end)
    assert study.days() == {"2026-03-10": (15, 0, 0)}
    assert study.told()["summary"]["total_learning_time_minutes"] == 15
    assert study.told()["course_progress"][0]["time_spent_minutes"] == 15


def test_a_day_begins_where_the_learner_is_and_changes_when_they_move(study: Study) -> None:
    study.at(datetime(2026, 3, 10, 22, 30, tzinfo=UTC))
    study.watch(0, 600)
    study.complete(0)
    study.take_quiz("this", "that")
    assert study.days() == {"2026-03-10": (10, 1, 1)}
    study.live_in("Asia/Kathmandu")  # a quarter of an hour past: 04:15 on the next day
    assert study.days() == {"2026-03-11": (10, 1, 1)}
    assert study.told()["end_date"] == "2026-03-11"
    study.live_in("America/Los_Angeles")
    study.complete(1)
    assert study.days() == {"2026-03-10": (10, 2, 1)}


def test_quizzes_and_what_is_reopened_count_as_they_stand(study: Study) -> None:
    study.at(NOON)
    study.take_quiz("this", "this")
    study.take_quiz("this", "that")
    study.take_quiz("that", "that")
    for place in (0, 1):
        study.complete(place)
    study.learner.delete(f"/api/v1/student/lessons/{study.lessons[1]}/complete/")
    summary = study.told()["summary"]
    assert (summary["quizzes_taken"], summary["average_quiz_score"], summary["lessons_completed"]) == (3, 50, 1)
    study.teacher.delete(f"/api/v1/content/lessons/{study.lessons[0]}/")
    assert study.told()["summary"]["lessons_completed"] == 0


def test_a_completed_course_counts_with_its_certificate(study: Study) -> None:
    study.at(NOON)
    tree = study.learner.get(f"/api/v1/student/courses/{study.course['id']}/learn/").json()
    for lesson in [part["id"] for section in tree["sections"] for part in section["lessons"]]:
        study.learner.post(f"/api/v1/student/lessons/{lesson}/complete/")
    told = study.told()
    summary = told["summary"]
    assert (summary["courses_completed"], summary["certificates_earned"], summary["courses_in_progress"]) == (1, 1, 0)
    (course,) = told["course_progress"]
    assert (course["course_id"], course["course_title"]) == (study.course["id"], study.course["title"])
    assert (course["progress_percentage"], course["last_activity"] is not None) == (100, True)
    assert {"first-course", "first-lesson"} <= {item["name"] for item in told["achievements"]}


def test_of_all_time_a_course_counts_though_no_day_is_left_of_it(study: Study) -> None:
    study.at(NOON)
    course = study.teacher.published_course()
    study.learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    ((lesson,),) = study.server.sql("SELECT id::text FROM lessons WHERE course_id = %s", course["id"])
    study.learner.post(f"/api/v1/student/lessons/{lesson}/complete/")
    study.at(NOON + timedelta(days=40))
    study.learner.delete(f"/api/v1/student/lessons/{lesson}/complete/")
    counted = [(told["courses_completed"], told["certificates_earned"]) for told in map(study.summary, ("all_time", "month"))]
    assert counted == [(1, 1), (0, 0)]


def test_one_course_can_be_asked_for(study: Study) -> None:
    study.at(NOON)
    study.complete(0)
    other = study.teacher.published_course()
    study.learner.post(f"/api/v1/courses/{other['id']}/enroll/")
    assert study.told(course_id=study.course["id"])["summary"]["lessons_completed"] == 1
    told = study.told(course_id=other["id"])
    assert (told["summary"]["lessons_completed"], len(told["course_progress"])) == (0, 1)


def test_days_in_a_row_make_a_streak_until_one_is_missed(study: Study) -> None:
    for day in range(7):
        study.at(NOON + timedelta(days=day))
        study.complete(day)
        assert study.told()["summary"]["current_streak"] == day + 1
        assert ("streak-7" in study.earned()) == (day == 6)
    for later, current in ((7, 7), (8, 0)):
        study.at(NOON + timedelta(days=later))
        summary = study.told()["summary"]
        assert (summary["current_streak"], summary["longest_streak"]) == (current, 7)
    study.complete(8)
    assert study.told()["summary"]["current_streak"] == 1
    assert "streak-7" in study.earned()


def test_a_streak_is_one_of_the_learners_own_days(study: Study) -> None:
    """Three days in a row in UTC, of which two are one in Auckland, and the third is not the next."""
    study.live_in("Pacific/Auckland")
    for place, later in enumerate((timedelta(hours=-13), timedelta(hours=-2), timedelta(hours=23.5))):
        study.at(NOON + later)
        study.complete(place)
    assert study.told()["summary"]["current_streak"] == 1  # 10, 10 and 12 March, 00:30
    study.live_in("UTC")
    assert study.told()["summary"]["current_streak"] == 3


def test_achievements_are_earned_once_and_told(study: Study) -> None:
    study.at(datetime(2026, 3, 10, 2, tzinfo=UTC))
    study.watch(0, 60)
    study.complete(0)
    study.take_quiz("this", "this")
    study.take_quiz("this", "this")
    study.learner.post(f"/api/v1/student/courses/{study.course['id']}/review/", json={"rating": 5})
    assert study.earned() == {"first-lesson", "night-owl", "perfect-quiz", "reviewer"}
    study.learner.delete(f"/api/v1/student/lessons/{study.lessons[0]}/complete/")
    study.complete(1)
    assert "first-lesson" in study.earned()
    told = study.learner.get("/api/v1/notifications/", params={"type": "achievement"}).json()
    assert sorted(item["title"] for item in told["results"]) == ["First Lesson", "First Review", "Night Owl", "Perfect Quiz"]


def test_the_list_of_achievements_tells_how_far_one_is(study: Study) -> None:
    study.at(NOON)
    for place in range(3):
        study.complete(place)
    page = study.learner.get(ACHIEVEMENTS).json()
    shown = {item["name"]: (item["current"], item["target"], item["earned_at"] is not None) for item in page["results"]}
    assert shown["first-lesson"] == (3, 1, True)
    assert shown["lessons-100"] == (3, 100, False)
    assert page["results"][0]["name"] == "first-lesson"
    assert page["count"] == len(page["results"]) == 14


def test_every_achievement_has_a_picture(api: Api, learner: Person) -> None:
    for item in learner.get(ACHIEVEMENTS).json()["results"]:
        picture = api.get(item["icon_url"].removeprefix(api.server.base_url))
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/svg+xml")
        assert f"<title>{item['title']}</title>" in picture.text
    assert code_of(api.get("/achievements/nothing/icon.svg")) == "NOT_FOUND"


def test_nobody_elses_learning_is_in_it(study: Study) -> None:
    study.at(NOON)
    study.complete(0)
    other = study.learner.api.sign_up()
    assert other.get(LEARNING, params={"period": "all_time"}).json()["summary"]["lessons_completed"] == 0
    assert study.teacher.get(ACHIEVEMENTS).json()["earned_count"] == 0


@contextmanager
def statements() -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_all_of_it_is_one_statement_however_much_there_is(study: Study, server: Server) -> None:
    def asked() -> int:
        with statements() as sent:
            study.told(period="year")
        return len(sent)

    study.at(NOON)
    before = asked()
    for place in range(5):
        study.complete(place)
        study.take_quiz("this", "that")
    assert asked() == before
