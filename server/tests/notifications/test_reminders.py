"""Reminders to learn: after a week without, at most one a week, to those who want them."""

from datetime import timedelta

import pytest

from harness import Api, Person
from postman import Postman

AGO = "UPDATE enrollments SET enrolled_at = now() - interval '8 days', last_accessed_at = {} WHERE user_id = %s"


@pytest.fixture
def postman(api: Api) -> Postman:
    return Postman(api.server)


@pytest.fixture
def idle(learner: Person, instructor: Person) -> Person:
    """Somebody who has taken a course for eight days and not begun with it."""
    course = instructor.published_course(title="Tea")
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    learner.api.server.sql(AGO.format("NULL"), learner.id)
    return learner


def remind(postman: Postman, person: Person) -> int:
    """How many mails a round makes for somebody."""
    before = len(postman.mails(person.email))
    postman.perform("notifications.remind")
    postman.deliver(person.id)
    return len(postman.mails(person.email)) - before


def test_whoever_has_not_learnt_for_a_week_is_reminded_once_in_it(idle: Person, postman: Postman) -> None:
    assert [remind(postman, idle) for _ in range(3)] == [1, 0, 0]
    (mail,) = postman.mails(idle.email)
    assert mail.subject == "Tea waits for you"
    assert "https://app.unpuzzle.com/courses/tea" in mail.text
    idle.api.server.sql("UPDATE reminders SET reminded_at = now() - interval '7 days' WHERE user_id = %s", idle.id)
    assert remind(postman, idle) == 1


def test_the_server_s_clock_says_when_a_week_is_over(idle: Person, postman: Postman, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remind(postman, idle) == 1
    monkeypatch.setattr(postman.server.clock, "offset", timedelta(days=7))
    assert remind(postman, idle) == 1


@pytest.mark.parametrize("switch", ["learning_reminders", "email_notifications"])
def test_nobody_is_reminded_who_does_not_want_it(idle: Person, postman: Postman, switch: str) -> None:
    idle.put("/api/v1/auth/profile/update/", json={"preferences": {switch: False}})
    assert remind(postman, idle) == 0


@pytest.mark.parametrize(
    "change",
    [
        AGO.format("now() - interval '6 days'"),
        "UPDATE enrollments SET status = 'completed' WHERE user_id = %s",
        "UPDATE enrollments SET status = 'cancelled' WHERE user_id = %s",
        "UPDATE users SET suspended_at = now() WHERE id = %s",
        "UPDATE users SET deletes_at = now() + interval '9 days' WHERE id = %s",
    ],
)
def test_nobody_is_reminded_without_a_reason(idle: Person, postman: Postman, change: str) -> None:
    idle.api.server.sql(change, idle.id)
    assert remind(postman, idle) == 0


def test_whoever_learns_before_the_mail_is_sent_gets_none(idle: Person, postman: Postman) -> None:
    postman.perform("notifications.remind")
    idle.api.server.sql(AGO.format("now()"), idle.id)
    assert postman.deliver(idle.id) == ["notifications.mail_reminder"]
    assert postman.mails(idle.email) == []
