"""What somebody wants to be told and how: in the app, by mail, or not at all."""

from typing import Any

import pytest

from harness import Api, Person, code_of
from postman import Postman

PREFERENCES, LIST, PROFILE = "/api/v1/notifications/preferences/", "/api/v1/notifications/", "/api/v1/auth/profile/"
TELL = """INSERT INTO notifications (user_id, type, title, message, icon, action_url)
          VALUES (%s, %s, %s, 'Read <this>', 'x', '/courses/tea') RETURNING id::text"""


def tell(person: Person, kind: str = "course", title: str = "News") -> str | None:
    rows = person.api.server.sql(TELL, person.id, kind, title)
    return rows[0][0] if rows else None


def prefer(person: Person, **changes: Any) -> dict[str, Any]:
    answered = person.put(PREFERENCES, json=changes)
    assert answered.status_code == 200, answered.text
    preferences: dict[str, Any] = answered.json()
    return preferences


@pytest.fixture
def postman(api: Api) -> Postman:
    return Postman(api.server)


def test_at_first_everything_is_shown_and_nothing_is_mailed(learner: Person) -> None:
    channels = {"in_app": True, "mail": False}
    types = dict.fromkeys(("course", "payment", "achievement", "system"), channels)
    expected = {"email_notifications": True, "learning_reminders": True, "types": types}
    assert learner.get(PREFERENCES).json() == expected


def test_what_is_sent_changes_and_the_rest_stays(learner: Person) -> None:
    prefer(learner, types={"course": {"mail": True}, "payment": {"in_app": False}})
    changed = prefer(learner, types={"course": {"in_app": False}}, learning_reminders=False)
    assert changed["types"]["course"] == {"in_app": False, "mail": True}
    assert changed["types"]["payment"] == {"in_app": False, "mail": False}
    assert changed["types"]["system"] == {"in_app": True, "mail": False}
    assert (changed["email_notifications"], changed["learning_reminders"]) == (True, False)
    assert learner.get(PREFERENCES).json() == changed == prefer(learner)


def test_the_profile_shows_the_same_switches(learner: Person) -> None:
    prefer(learner, email_notifications=False)
    assert learner.get(PROFILE).json()["preferences"]["email_notifications"] is False
    learner.put(f"{PROFILE}update/", json={"preferences": {"learning_reminders": False, "email_notifications": True}})
    found = learner.get(PREFERENCES).json()
    assert (found["email_notifications"], found["learning_reminders"]) == (True, False)


def test_two_who_change_them_at_once_see_each_other(learner: Person) -> None:
    tag = learner.get(PREFERENCES).headers["etag"]
    assert learner.put(PREFERENCES, json={"learning_reminders": False}, headers={"If-Match": tag}).status_code == 200
    late = learner.put(PREFERENCES, json={"email_notifications": False}, headers={"If-Match": tag})
    assert (late.status_code, code_of(late)) == (412, "PRECONDITION_FAILED")
    assert learner.put(PREFERENCES, json={"types": {"news": {}}}).status_code == 422


def test_what_is_wanted_by_mail_is_mailed_and_shown(learner: Person, postman: Postman) -> None:
    prefer(learner, types={"course": {"mail": True}})
    for kind in ("course", "system"):
        postman.deliver(str(tell(learner, kind)))
    (mail,) = postman.mails(learner.email)
    assert mail.subject == "News"
    assert "https://app.unpuzzle.com/courses/tea" in mail.text
    assert "https://app.unpuzzle.com/settings/notifications" in mail.text
    assert "Read <this>" in mail.text
    assert "Read &lt;this&gt;" in mail.html
    assert learner.get(LIST).json()["count"] == 2


def test_what_is_wanted_by_mail_alone_is_not_shown(learner: Person, postman: Postman) -> None:
    prefer(learner, types={"course": {"mail": True, "in_app": False}})
    notification = str(tell(learner))
    assert learner.get(LIST).json()["count"] == 0
    assert learner.put(f"{LIST}{notification}/read/").status_code == 404
    postman.deliver(notification)
    assert len(postman.mails(learner.email)) == 1
    assert learner.api.server.sql("SELECT FROM notifications WHERE id = %s", notification) == []


def test_what_is_not_wanted_at_all_is_not_there(learner: Person) -> None:
    prefer(learner, types={"course": {"in_app": False}})
    assert tell(learner) is None
    assert tell(learner, "system") is not None
    assert learner.get(LIST).json()["count"] == 1


def test_no_mail_is_sent_where_none_may_come_or_none_is_wanted_any_more(learner: Person, postman: Postman) -> None:
    prefer(learner, types={"course": {"mail": True}})
    notification = str(tell(learner))
    prefer(learner, email_notifications=False)
    assert postman.deliver(notification) == ["notifications.mail"]
    assert postman.deliver(str(tell(learner))) == []
    assert postman.mails(learner.email) == []


def test_a_notification_is_deleted_by_its_receiver_alone(learner: Person, instructor: Person) -> None:
    notification = tell(learner)
    refused = instructor.delete(f"{LIST}{notification}/")
    assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")
    assert learner.delete(f"{LIST}{notification}/").status_code == 204
    assert learner.delete(f"{LIST}{notification}/").status_code == 404
    assert learner.get(LIST).json()["count"] == 0
