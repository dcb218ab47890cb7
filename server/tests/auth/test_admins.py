"""What admins do to accounts: who there is, roles, suspensions, and who may teach."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from harness import Api, Person, code_of, in_parallel

USERS, APPLICATIONS = "/api/v1/admin/users/", "/api/v1/admin/instructor-applications/"
PROFILE, NOTIFICATIONS, CREATE = "/api/v1/auth/profile/", "/api/v1/notifications/", "/api/v1/instructor/courses/create/"


def found(admin: Person, **query: Any) -> list[dict[str, Any]]:
    response = admin.get(USERS, params={"page_size": 100, **query})
    assert response.status_code == 200
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def test_accounts_are_found_by_name_and_address(admin: Person, api: Api) -> None:
    word = uuid4().hex[:10]
    named, addressed = api.sign_up(full_name=f"Grace {word.upper()}"), api.sign_up(email=f"{word}@example.com")
    api.sign_up()
    assert [item["id"] for item in found(admin, search=word)] == [addressed.id, named.id]
    assert found(admin, search=f"{word}%") == []
    assert found(admin, search="_" * 30) == []


def test_accounts_are_found_by_role_and_suspension(admin: Person, api: Api) -> None:
    instructor, learner = api.sign_up_instructor(), api.sign_up()
    assert instructor.id in [item["id"] for item in found(admin, role="instructor")]
    assert learner.id not in [item["id"] for item in found(admin, role="instructor")]
    admin.patch(f"{USERS}{learner.id}/", json={"is_suspended": True})
    assert learner.id in [item["id"] for item in found(admin, is_suspended="true")]
    assert learner.id not in [item["id"] for item in found(admin, is_suspended="false")]


def test_whoever_is_suspended_is_out_at_once_until_let_in_again(admin: Person, learner: Person) -> None:
    suspended = admin.patch(f"{USERS}{learner.id}/", json={"is_suspended": True}).json()
    assert (suspended["is_suspended"], suspended["suspended_at"] is None) == (True, False)
    refused = learner.get(PROFILE)
    assert (refused.status_code, code_of(refused)) == (403, "ACCOUNT_SUSPENDED")
    again = admin.patch(f"{USERS}{learner.id}/", json={"is_suspended": True}).json()
    assert again["suspended_at"] == suspended["suspended_at"]
    assert admin.patch(f"{USERS}{learner.id}/", json={"is_suspended": False}).json()["suspended_at"] is None
    assert learner.get(PROFILE).status_code == 200


def test_roles_are_given_and_taken_with_the_next_request(admin: Person, learner: Person) -> None:
    changed = admin.patch(f"{USERS}{learner.id}/", json={"roles": ["instructor"]}).json()
    assert changed["roles"] == ["student", "instructor"]
    assert learner.post(CREATE, json={"title": "Mine"}).status_code == 201
    admin.patch(f"{USERS}{learner.id}/", json={"roles": ["student"]})
    assert code_of(learner.post(CREATE, json={"title": "Mine"})) == "PERMISSION_DENIED"


def test_nothing_changes_without_a_word_about_it(admin: Person, instructor: Person) -> None:
    before = found(admin, search=instructor.email)[0]
    assert admin.patch(f"{USERS}{instructor.id}/", json={}).json() == before


@pytest.mark.parametrize("change", [{"roles": ["student"]}, {"is_suspended": True}])
def test_admins_do_not_lock_themselves_out(api: Api, change: dict[str, Any]) -> None:
    admin = api.sign_up_admin()
    refused = admin.patch(f"{USERS}{admin.id.upper()}/", json=change)
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert admin.get(USERS).status_code == 200


def test_a_change_to_another_version_is_refused(admin: Person, learner: Person) -> None:
    first = admin.patch(f"{USERS}{learner.id}/", json={})
    learner.put("/api/v1/auth/profile/update/", json={"bio": "Changed"})
    refused = admin.patch(f"{USERS}{learner.id}/", json={"roles": ["admin"]}, headers={"If-Match": first.headers["etag"]})
    assert (refused.status_code, code_of(refused)) == (412, "PRECONDITION_FAILED")


def waiting(api: Api, motivation: str = "Because") -> tuple[Person, str]:
    """Somebody whose application was not decided at once."""
    person = api.sign_up()
    statement = "INSERT INTO instructor_applications (user_id, motivation) VALUES (%s, %s) RETURNING id::text"
    return person, api.server.sql(statement, person.id, motivation)[0][0]


@pytest.mark.parametrize(("decision", "status"), [("approved", 201), ("rejected", 403)])
def test_whoever_is_approved_may_write_courses_at_once(admin: Person, api: Api, decision: str, status: int) -> None:
    person, application = waiting(api)
    decided = admin.post(f"{APPLICATIONS}{application}/decision/", json={"decision": decision, "reason": "As agreed"}).json()
    assert (decided["status"], decided["reason"], decided["decided_at"] is None) == (decision, "As agreed", False)
    assert person.post(CREATE, json={"title": "First"}).status_code == status
    assert [item["icon"] for item in person.get(NOTIFICATIONS).json()["results"]] == ["application"]


def test_an_application_is_decided_once_however_many_do(admin: Person, api: Api) -> None:
    _, application = waiting(api)
    path, headers = f"{APPLICATIONS}{application}/decision/", admin.headers
    decisions = [{"decision": decision} for decision in ("approved", "rejected") * 3]
    acts = [lambda one, body=body: one.post(path, json=body, headers=headers) for body in decisions]
    answers = in_parallel(api.server, acts)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]


def test_what_waits_longest_comes_first(admin: Person, api: Api) -> None:
    first, second = waiting(api, "first")[1], waiting(api, "second")[1]
    listed = admin.get(APPLICATIONS, params={"status": "pending", "page_size": 100}).json()["results"]
    ids = [item["id"] for item in listed]
    assert ids.index(first) < ids.index(second)
    assert {item["status"] for item in listed} == {"pending"}
    assert next(item for item in listed if item["id"] == first)["motivation"] == "first"


def test_an_application_that_is_not_there_is_not_found(admin: Person) -> None:
    refused = admin.post(f"{APPLICATIONS}{uuid4()}/decision/", json={"decision": "approved"})
    assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")


@pytest.mark.parametrize("call", ["app.update_account(%s, '{admin}', false)", "app.decide_application(%s, 'approved', null)"])
def test_the_database_asks_who_decides(learner: Person, call: str) -> None:
    """No service has to: the functions refuse whoever is no admin."""
    with psycopg.connect(learner.api.server.settings.database_app_url) as connection:
        who = "SELECT set_config('app.user_id', %s, true), set_config('app.roles', 'student,instructor', true)"
        connection.execute(who, (learner.id,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"SELECT {call}", (learner.id,))
