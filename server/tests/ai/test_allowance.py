"""The allowance of requests to the tutor: by plan, by day and by month, exact when many ask at once."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from classroom import TUTOR, Classroom, ask, limited, used
from harness import Api, Person, Server, code_of, in_parallel


@pytest.fixture
def clock(server: Server) -> object:
    """Moved by tests, and put back."""
    yield server.clock
    server.clock.offset = timedelta()


def at(server: Server, moment: datetime) -> None:
    server.clock.offset = moment - datetime.now(UTC)


def limits(person: Person) -> dict:  # type: ignore[type-arg]
    found: dict = person.get(f"{TUTOR}/user/check-limits/").json()  # type: ignore[type-arg]
    return found


def test_the_free_plan_has_three_a_day_and_ninety_a_month(learner: Person) -> None:
    found = limits(learner)
    assert found["subscription_plan"] == "free"
    assert found["limits"] == {"daily_limit": 3, "monthly_limit": 90}
    assert found["usage"] == {"daily_used": 0, "monthly_used": 0, "daily_remaining": 3, "monthly_remaining": 90}


def test_the_profile_says_the_same(learner: Person) -> None:
    ask(learner, "What is a parser?")
    subscription = learner.get("/api/v1/auth/profile/").json()["subscription"]
    assert (subscription["plan"], subscription["ai_limit"], subscription["ai_used"]) == ("free", 3, 1)


def test_features_say_only_what_is_built(learner: Person) -> None:
    assert not any(limits(learner)["features"].values())


def test_every_success_counts_one_whatever_was_asked(classroom: Classroom, student: Person) -> None:
    limited(student, 100, 100)
    asked = {
        "chat/send/": {"message": "What is a parser?"},
        "agents/hint/": {"lesson_id": classroom.spoken, "concept": "parser"},
        "agents/quiz/": {"lesson_id": classroom.spoken},
        "agents/reflection/": {"lesson_id": classroom.spoken},
        "agents/path/": {},
    }
    for number, (path, body) in enumerate(asked.items(), 1):
        assert student.post(f"{TUTOR}/{path}", json=body).status_code == 200
        assert limits(student)["usage"] == {
            "daily_used": number, "monthly_used": number, "daily_remaining": 100 - number, "monthly_remaining": 100 - number,
        }  # fmt: skip


def test_what_is_refused_counts_nothing(classroom: Classroom, student: Person) -> None:
    for path, body in {
        "agents/hint/": {"lesson_id": classroom.empty, "concept": "parser"},
        "agents/quiz/": {"lesson_id": classroom.empty},
        "agents/reflection/": {"lesson_id": classroom.empty},
        "chat/send/": {"message": "Why?", "session_id": str(uuid4())},
    }.items():
        assert student.post(f"{TUTOR}/{path}", json=body).status_code in (404, 409)
    assert used(student) == 0


def test_one_too_many_is_told_when_to_come_back(server: Server, clock: object, learner: Person) -> None:
    at(server, datetime(2030, 1, 31, 22, 30, tzinfo=UTC))
    tokens = learner.api.post("/api/v1/auth/signin/", json={"email": learner.email, "password": "correct horse battery"}).json()
    learner.tokens = tokens
    assert [ask(learner, "What is a parser?").status_code for _ in range(3)] == [200] * 3
    refused = ask(learner, "What is a parser?")
    assert (refused.status_code, code_of(refused)) == (429, "AI_LIMIT_EXCEEDED")
    assert refused.headers["x-should-retry"] == "false"
    error = refused.json()["error"]
    assert (error["daily_reset"], error["monthly_reset"]) == ("2030-02-01T00:00:00.000000Z", "2030-02-01T00:00:00.000000Z")
    assert 5390 < error["retry_after"] <= 5400
    assert refused.headers["retry-after"] == str(error["retry_after"])


def test_days_and_months_begin_at_midnight_in_utc(server: Server, clock: object, learner: Person) -> None:
    limited(learner, 2, 3)
    start = datetime(2031, 5, 30, 23, 50, tzinfo=UTC)

    def outcomes(minutes: int, times: int) -> list[int]:
        at(server, start + timedelta(minutes=minutes))
        body = {"email": learner.email, "password": "correct horse battery"}
        learner.tokens = learner.api.post("/api/v1/auth/signin/", json=body).json()
        return [ask(learner, "What is a parser?").status_code for _ in range(times)]

    assert outcomes(0, 3) == [200, 200, 429]
    assert outcomes(11, 2) == [200, 429]  # the next day, but the month's three are used
    assert "a month" in ask(learner, "And?").json()["error"]["message"]
    assert limits(learner)["usage"]["daily_remaining"] == 1
    assert outcomes(11 + 24 * 60, 3) == [200, 200, 429]  # June


def test_an_enterprise_may_have_no_limit(learner: Person) -> None:
    limited(learner, None, None)
    assert [ask(learner, "What is a parser?").status_code for _ in range(5)] == [200] * 5
    found = limits(learner)
    assert found["limits"] == {"daily_limit": None, "monthly_limit": None}
    assert found["usage"] == {"daily_used": 5, "monthly_used": 5, "daily_remaining": None, "monthly_remaining": None}


def test_of_a_hundred_at_once_the_last_request_is_one_and_only_one(server: Server, learner: Person) -> None:
    ask(learner, "What is a parser?")
    ask(learner, "What is a parser?")
    headers = learner.headers

    def once(api: Api) -> int:
        return api.post(f"{TUTOR}/chat/send/", json={"message": "What is a lexer?"}, headers=headers).status_code

    outcomes = in_parallel(server, [once] * 100)
    assert sorted(outcomes) == [200] + [429] * 99
    assert limits(learner)["usage"]["daily_used"] == 3


def test_the_same_key_at_once_counts_once(server: Server, learner: Person) -> None:
    headers = {**learner.headers, "Idempotency-Key": uuid4().hex}

    def once(api: Api) -> int:
        return api.post(f"{TUTOR}/chat/send/", json={"message": "What is a lexer?"}, headers=headers).status_code

    outcomes = in_parallel(server, [once] * 8)
    assert set(outcomes) <= {200, 409}
    assert used(learner) == 1


def test_a_request_that_was_cut_short_counts_until_its_lease_ends(server: Server, learner: Person) -> None:
    """As a server leaves it that was killed while it asked."""
    reserve = """INSERT INTO ai_requests (id, user_id, agent, expires_at)
                 SELECT gen_random_uuid(), %s, 'chat', now() + make_interval(secs => s) FROM unnest(%s::int[]) s"""
    server.sql(reserve, learner.id, [60, -1])
    assert used(learner) == 1
    server.sql("UPDATE ai_requests SET expires_at = now() WHERE user_id = %s", learner.id)
    assert used(learner) == 0


class TestUsage:
    def test_it_is_told_by_day_and_by_agent(self, classroom: Classroom, student: Person) -> None:
        answers = [ask(student, "What is a parser?", lesson=classroom.spoken).json()["usage"] for _ in range(2)]
        hint = student.post(f"{TUTOR}/agents/hint/", json={"lesson_id": classroom.spoken, "concept": "parser"}).json()["usage"]
        found = student.get(f"{TUTOR}/user/usage/").json()
        total = sum(each["total_tokens"] for each in [*answers, hint])
        assert (found["total"]["requests"], found["total"]["total_tokens"]) == (3, total)
        assert found["total"]["cost_usd"] == pytest.approx(total * 0.00003)
        assert [each["requests"] for each in found["by_day"]] == [3]
        assert [(each["agent"], each["requests"]) for each in found["by_agent"]] == [("chat", 2), ("hint", 1)]
        assert found["by_agent"][1]["total_tokens"] == hint["total_tokens"]

    def test_for_as_many_days_as_are_asked_for(self, student: Person) -> None:
        ask(student, "What is a parser?")
        student.api.server.sql("UPDATE ai_requests SET created_at = now() - interval '40 days' WHERE user_id = %s", student.id)
        assert student.get(f"{TUTOR}/user/usage/").json()["total"]["requests"] == 0
        since = (datetime.now(UTC) - timedelta(days=41)).date().isoformat()
        assert student.get(f"{TUTOR}/user/usage/", params={"start_date": since}).json()["total"]["requests"] == 1

    @pytest.mark.parametrize(
        ("start", "end", "field"), [("2026-02-02", "2026-02-01", "end_date"), ("2025-01-01", "2026-01-02", "start_date")]
    )
    def test_a_range_has_an_order_and_an_end(self, learner: Person, start: str, end: str, field: str) -> None:
        refused = learner.get(f"{TUTOR}/user/usage/", params={"start_date": start, "end_date": end})
        assert (refused.status_code, code_of(refused)) == (422, "RANGE_INVALID")
        assert [detail["field"] for detail in refused.json()["error"]["details"]] == [field]

    def test_the_first_days_of_all_are_days_too(self, learner: Person) -> None:
        assert learner.get(f"{TUTOR}/user/usage/", params={"end_date": "0001-01-02"}).json()["start_date"] == "0001-01-01"

    def test_it_is_nobody_elses(self, student: Person, learner: Person, api: Api) -> None:
        ask(student, "What is a parser?")
        assert api.sign_up().get(f"{TUTOR}/user/usage/").json()["total"]["requests"] == 0
