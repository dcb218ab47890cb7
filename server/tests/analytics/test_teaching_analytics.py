"""What instructors are told of their courses: who comes, how far they come, and what it earns."""

from datetime import UTC, datetime
from typing import Any

import pytest
from shop import VISA, coupon, enroll

from harness import CHOICE, Api, Person, code_of

EARNINGS = "/api/v1/instructor/earnings/"


def analytics(person: Person, course: dict[str, Any], **query: Any) -> Any:
    return person.get(f"/api/v1/instructor/courses/{course['id']}/analytics/", params=query)


def lessons_of(person: Person, course: dict[str, Any]) -> list[str]:
    tree = person.get(f"/api/v1/student/courses/{course['id']}/learn/").json()
    return [lesson["id"] for section in tree["sections"] for lesson in section["lessons"]]


def test_a_course_that_nobody_takes_is_told_so(instructor: Person) -> None:
    told = analytics(instructor, instructor.published_course()).json()
    assert told["period"] == "month"
    assert {name: told["enrollments"][name] for name in ("total", "active", "completed", "new")} == dict.fromkeys(
        ("total", "active", "completed", "new"), 0
    )
    assert len(told["enrollments"]["by_day"]) == 30
    assert [(step["learners"], step["percentage"]) for step in told["funnel"]] == [(0, 0)] * 4
    assert (told["ratings"]["average"], told["quizzes"]["average_score"], told["revenue"]) == (None, None, [])
    assert [(lesson["started"], lesson["drop_off_percentage"]) for lesson in told["lessons"]] == [(0, 0)]


def test_how_far_learners_come_and_where_they_stop(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    section = instructor.section(course, is_published=True)
    instructor.lesson(section)
    instructor.lesson(section)
    idle, began, stopped, done = learners = [api.sign_up() for _ in range(4)]
    for learner in learners:
        enroll(learner, course)
    first, second, last = lessons_of(done, course)
    began.put(f"/api/v1/student/lessons/{first}/progress/", json={"active_seconds": 5})
    for learner, lessons in ((stopped, (first,)), (done, (first, second, last))):
        for lesson in lessons:
            learner.post(f"/api/v1/student/lessons/{lesson}/complete/")
    stopped.put(f"/api/v1/student/lessons/{second}/progress/", json={"active_seconds": 5})
    done.post(f"/api/v1/student/courses/{course['id']}/review/", json={"rating": 4})
    idle.post(f"/api/v1/courses/{course['id']}/unenroll/")
    told = analytics(instructor, course, period="week").json()
    steps = [(step["step"], step["learners"], step["percentage"]) for step in told["funnel"]]
    assert steps == [("enrolled", 4, 100), ("started", 3, 75), ("first_lesson", 2, 50), ("completed", 1, 25)]
    assert told["completion_rate"] == 25
    assert [told["enrollments"][name] for name in ("total", "active", "completed", "new")] == [4, 2, 1, 4]
    today = told["enrollments"]["by_day"][-1]
    assert today == {"date": f"{datetime.now(UTC):%Y-%m-%d}", "enrolled": 4, "completed": 1}
    assert len(told["enrollments"]["by_day"]) == 7
    counts = [(item["lesson_id"], item["started"], item["completed"], item["drop_off_percentage"]) for item in told["lessons"]]
    assert counts == [(first, 3, 2, 33), (second, 2, 1, 50), (last, 1, 1, 0)]
    assert told["ratings"]["average"] == 4
    assert [part["count"] for part in told["ratings"]["distribution"]] == [0, 1, 0, 0, 0]


def test_quizzes_of_a_course_tell_how_learners_do(instructor: Person, learner: Person) -> None:
    course = instructor.published_course()
    enroll(learner, course)
    quiz = instructor.quiz({"id": lessons_of(learner, course)[0]}, CHOICE, CHOICE)
    path = f"/api/v1/student/quizzes/{quiz['id']}/attempts/"
    for texts in (("this", "this"), ("this", "that")):
        attempt = learner.post(path).json()
        answers = [
            {
                "question_id": question["id"],
                "option_ids": [option["id"] for option in question["options"] if option["text"] == text],
            }
            for question, text in zip(attempt["questions"], texts, strict=True)
        ]
        learner.post(f"{path}{attempt['id']}/submit/", json={"answers": answers})
    learner.post(path)
    assert analytics(instructor, course).json()["quizzes"] == {"attempts": 2, "passed": 1, "average_score": 75}


def sums(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(item[name] for name in ("currency", "sales", "gross", "refunded", "net")) for item in found]


def test_what_is_paid_and_given_back_is_earned(api: Api, instructor: Person) -> None:
    dear, cheap = instructor.published_course(price=40), instructor.published_course(price=5, currency="EUR")
    buyers = [api.sign_up() for _ in range(3)]
    bought = [enroll(buyer, dear, **VISA).json()["payment"]["payment_id"] for buyer in buyers[:2]]
    enroll(buyers[2], dear, coupon_code=coupon(instructor, percentage=25)["code"], **VISA)
    enroll(buyers[2], cheap, **VISA)
    instructor.post(f"/api/v1/payments/history/{bought[0]}/refund/", json={"amount": 15.5})
    told = instructor.get(EARNINGS).json()
    month = f"{datetime.now(UTC):%Y-%m}"
    assert sums(told["totals"]) == [("EUR", 1, 5, 0, 5), ("USD", 3, 110, 15.5, 94.5)]
    assert [item["month"] for item in told["by_month"]] == [month, month]
    assert sums(told["by_month"]) == sums(told["totals"])
    assert [(item["course_id"], item["course_title"]) for item in told["by_course"]] == [
        (course["id"], course["title"]) for course in (dear, cheap)
    ]
    assert sums(analytics(instructor, dear).json()["revenue"]) == [("USD", 3, 110, 15.5, 94.5)]
    assert sums(instructor.get(EARNINGS, params={"course_id": cheap["id"]}).json()["totals"]) == [("EUR", 1, 5, 0, 5)]


def test_earnings_can_be_asked_for_by_month(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course(price=40)
    enroll(learner, course, **VISA)
    (payment,) = api.server.sql("SELECT id, course_id, instructor_id FROM payments WHERE course_id = %s", course["id"])
    api.server.sql("DELETE FROM earnings WHERE payment_id = %s", payment[0])
    book = """INSERT INTO earnings (payment_id, course_id, user_id, kind, amount_minor, currency, earned_at)
              VALUES (%s, %s, %s, %s, %s, 'USD', %s)"""
    for kind, amount, moment in (("sale", 4000, "2026-01-31T23:59:59Z"), ("refund", -1000, "2026-02-01T00:00:00Z")):
        api.server.sql(book, *payment, kind, amount, moment)
    api.server.sql("SELECT app.rebuild_analytics()")
    months = [item["month"] for item in instructor.get(EARNINGS).json()["by_month"]]
    assert months == ["2026-01", "2026-02"]
    for query, found in (({"start_month": "2026-02"}, -10), ({"end_month": "2026-01"}, 40), ({"start_month": "2026-01"}, 30)):
        assert instructor.get(EARNINGS, params=query).json()["totals"][0]["net"] == found
    assert instructor.get(EARNINGS, params={"end_month": "2025-12"}).json() == {"totals": [], "by_month": [], "by_course": []}


def test_it_is_for_whoever_teaches_the_course(
    instructor: Person, other_instructor: Person, learner: Person, admin: Person
) -> None:
    course = instructor.published_course(price=40)
    enroll(learner, course, **VISA)
    refused = analytics(other_instructor, course)
    assert (refused.status_code, code_of(refused)) == (404, "COURSE_NOT_FOUND")
    assert (analytics(learner, course).status_code, learner.get(EARNINGS).status_code) == (403, 403)
    assert sums(analytics(admin, course).json()["revenue"]) == [("USD", 1, 40, 0, 40)]
    assert other_instructor.get(EARNINGS).json()["totals"] == []


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "26-01-01"])
def test_a_month_is_one(instructor: Person, month: str) -> None:
    assert instructor.get(EARNINGS, params={"start_month": month}).status_code == 422
