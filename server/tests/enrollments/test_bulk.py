"""Bulk enrolment: each row for itself, told one by one, and the same however often it is sent; and invitations."""

from typing import Any
from uuid import uuid4

import pytest

from harness import PASSWORD, Api, Person, code_of
from postman import Postman
from unpuzzle_server.enrollments import tasks

BULK, ACCEPT = "/api/v1/enrollments/bulk/", "/api/v1/enrollments/invitations/accept/"
MANY = 10_000
SIGN_UP_MANY = """
    INSERT INTO users (id, email, full_name) SELECT gen_random_uuid(), 'p' || n || %s, 'P' FROM generate_series(1, %s) n
"""


@pytest.fixture
def course(instructor: Person) -> dict[str, Any]:
    return instructor.published_course(title="Tea", price=49.99)


@pytest.fixture
def postman(api: Api) -> Postman:
    return Postman(api.server)


def new_address() -> str:
    return f"new-{uuid4().hex[:8]}@example.com"


def begin(person: Person, course: dict[str, Any], *emails: str, **fields: Any) -> Any:
    return person.post(BULK, json={"course_id": course["id"], "rows": [{"email": email} for email in emails], **fields})


def enroll(postman: Postman, person: Person, course: dict[str, Any], *emails: str, **fields: Any) -> dict[str, Any]:
    """The job, once a worker has done it."""
    begun = begin(person, course, *emails, **fields)
    assert begun.status_code == 202, begun.text
    assert (begun.json()["status"], begun.json()["processed"]) == ("running", 0)
    postman.deliver(begun.json()["job_id"])
    job: dict[str, Any] = person.get(begun.headers["location"]).json()
    assert job["status"] == "completed"
    return job


def outcomes(job: dict[str, Any]) -> list[str]:
    return [row["outcome"] for row in job["results"]]


def invitation_of(api: Api, email: str) -> str:
    found: str = api.server.sql("SELECT id::text FROM invitations WHERE email = %s", email)[0][0]
    return found


def test_each_row_is_done_for_itself(
    api: Api, course: dict[str, Any], instructor: Person, learner: Person, postman: Postman
) -> None:
    taker, new = api.sign_up(), new_address()
    enroll(postman, instructor, course, taker.email)
    api.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", (suspended := api.sign_up()).id)
    emails = [f" {learner.email.upper()} ", taker.email, new, new, "no address", instructor.email, suspended.email]
    job = enroll(postman, instructor, course, *emails)
    assert outcomes(job) == ["enrolled", "already_enrolled", "invited", "duplicate", "invalid", "invalid", "invalid"]
    assert [row["message"] for row in job["results"]][3:] == [
        "An earlier row has the same address.",
        "This is not an e-mail address.",
        "Whoever teaches the course does not take it.",
        "This account can't be enrolled.",
    ]
    assert [row["row"] for row in job["results"]] == [*range(1, 8)]
    assert job["results"][0]["email"] == emails[0]
    assert (job["total"], job["processed"], job["enrolled"], job["invalid"]) == (7, 7, 1, 3)
    assert learner.get("/api/v1/enrollments/").json()["active_enrollments"] == 1
    assert learner.get("/api/v1/notifications/").json()["results"][0]["title"] == "Welcome to the course"


def test_an_address_is_one_that_can_sign_up(api: Api, course: dict[str, Any], instructor: Person, postman: Postman) -> None:
    for email in ("<b@c.de>", "a..b@c.de", "é@c.de", "b@c@d.de", f"{'a' * 250}@c.de"):
        body = {"email": email, "password": PASSWORD, "full_name": "Ada"}
        assert api.post("/api/v1/auth/signup/", json=body).status_code == 422
        assert outcomes(enroll(postman, instructor, course, email)) == ["invalid"]
    assert outcomes(enroll(postman, instructor, course, f"new-{uuid4().hex}@localhost")) == ["invited"]


def test_an_address_that_has_an_account_is_never_invalid(
    api: Api, course: dict[str, Any], instructor: Person, postman: Postman
) -> None:
    local, foreign = api.sign_up(email=f"z{uuid4().hex}@localhost"), api.sign_up()
    api.server.sql("UPDATE users SET email = %s WHERE id = %s", odd := f"é{uuid4().hex}@c.de", foreign.id)
    assert outcomes(enroll(postman, instructor, course, local.email, odd)) == ["enrolled", "enrolled"]


def test_doing_it_again_changes_nothing(
    api: Api, course: dict[str, Any], instructor: Person, learner: Person, postman: Postman
) -> None:
    emails = (learner.email, new_address())
    enroll(postman, instructor, course, *emails)
    before = api.server.sql("SELECT * FROM enrollments WHERE course_id = %s", course["id"])
    invited = api.server.sql("SELECT * FROM invitations WHERE course_id = %s", course["id"])
    assert outcomes(enroll(postman, instructor, course, *emails)) == ["already_enrolled", "already_invited"]
    assert api.server.sql("SELECT * FROM enrollments WHERE course_id = %s", course["id"]) == before
    assert api.server.sql("SELECT * FROM invitations WHERE course_id = %s", course["id"]) == invited
    assert learner.get("/api/v1/notifications/").json()["count"] == 1


def test_a_dry_run_tells_and_changes_nothing(
    api: Api, course: dict[str, Any], instructor: Person, learner: Person, postman: Postman
) -> None:
    job = enroll(postman, instructor, course, learner.email, new_address(), "x", dry_run=True)
    assert (outcomes(job), job["dry_run"]) == (["enrolled", "invited", "invalid"], True)
    assert api.server.sql("SELECT count(*) FROM enrollments WHERE course_id = %s", course["id"]) == [(0,)]
    assert api.server.sql("SELECT count(*) FROM invitations WHERE course_id = %s", course["id"]) == [(0,)]


def test_one_bad_row_in_ten_thousand_keeps_none_of_the_others(
    api: Api, course: dict[str, Any], instructor: Person, postman: Postman
) -> None:
    domain = f"@{uuid4().hex[:8]}.example.com"
    api.server.sql(SIGN_UP_MANY, domain, MANY)
    emails = [f"p{number}{domain}" for number in range(1, MANY + 1)]
    emails[4321] = "p4322.example.com"
    job = enroll(postman, instructor, course, *emails)
    assert (job["total"], job["enrolled"], job["invalid"]) == (MANY, MANY - 1, 1)
    bad = instructor.get(f"{BULK}{job['job_id']}/", params={"outcome": "invalid"}).json()["results"]
    assert bad == [{"row": 4322, "email": emails[4321], "outcome": "invalid", "message": "This is not an e-mail address."}]
    assert api.server.sql("SELECT count(*) FROM enrollments WHERE course_id = %s", course["id"]) == [(MANY - 1,)]
    assert instructor.get(f"{BULK}{job['job_id']}/", params={"with_results": "false"}).json()["results"] == []


def test_a_worker_that_dies_leaves_the_rest_to_another(
    api: Api, course: dict[str, Any], instructor: Person, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "BATCH", 2)
    people = [api.sign_up().email for _ in range(5)]
    job = begin(instructor, course, *people).json()["job_id"]
    api.server.sql("SELECT app.enroll_in_bulk(%s, 2, now())", job)
    half = instructor.get(f"{BULK}{job}/").json()
    assert (half["status"], half["processed"], half["results"][2]["outcome"]) == ("running", 2, None)
    postman.deliver(job)
    whole = instructor.get(f"{BULK}{job}/").json()
    assert (whole["status"], whole["enrolled"]) == ("completed", 5)


def test_whoever_has_no_account_is_invited_and_takes_the_course_with_their_link(
    api: Api, course: dict[str, Any], instructor: Person, postman: Postman
) -> None:
    email = new_address()
    enroll(postman, instructor, course, email)
    postman.deliver(invitation_of(api, email))
    (mail,) = postman.mails(email)
    assert mail.subject == "Ada Lovelace invites you to Tea"
    assert mail.token.encode() not in api.server.sql("SELECT hash FROM invitations WHERE email = %s", email)[0][0]
    newcomer = api.sign_up(email=email)
    accepted = newcomer.post(ACCEPT, json={"token": mail.token})
    assert (accepted.status_code, accepted.json()["payment"]) == (201, None)
    assert newcomer.get(accepted.headers["location"]).json()["course"]["title"] == "Tea"
    again = newcomer.post(ACCEPT, json={"token": mail.token})
    assert (again.status_code, code_of(again)) == (400, "TOKEN_INVALID")


def test_a_mail_that_is_sent_again_has_the_same_link(
    api: Api, course: dict[str, Any], instructor: Person, postman: Postman
) -> None:
    enroll(postman, instructor, course, email := new_address())
    invitation = invitation_of(api, email)
    postman.deliver(invitation)
    postman.perform("enrollments.mail_invitation", invitation_id=invitation)
    first, second = postman.mails(email)
    assert first.token == second.token
    assert len(first.token) == 64


def test_an_invitation_expires_and_is_spent_by_nobody_who_takes_the_course(
    api: Api, course: dict[str, Any], instructor: Person, learner: Person, postman: Postman
) -> None:
    enroll(postman, instructor, course, learner.email, email := new_address())
    postman.deliver(invitation_of(api, email))
    token = postman.mails(email)[0].token
    taken = learner.post(ACCEPT, json={"token": token})
    assert (taken.status_code, code_of(taken)) == (409, "ENROLLMENT_EXISTS")
    api.server.sql("UPDATE invitations SET expires_at = now() WHERE email = %s", email)
    late = api.sign_up().post(ACCEPT, json={"token": token})
    assert (late.status_code, code_of(late)) == (400, "TOKEN_INVALID")
    assert outcomes(enroll(postman, instructor, course, email)) == ["invited"]


def test_an_invitation_is_not_for_whoever_teaches_the_course(
    api: Api, course: dict[str, Any], instructor: Person, postman: Postman
) -> None:
    enroll(postman, instructor, course, email := new_address())
    postman.deliver(invitation_of(api, email))
    token = postman.mails(email)[0].token
    refused = instructor.post(ACCEPT, json={"token": token})
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert api.sign_up().post(ACCEPT, json={"token": token}).status_code == 201


def test_an_invitation_to_what_is_not_published_any_more_waits(
    api: Api, course: dict[str, Any], instructor: Person, postman: Postman
) -> None:
    enroll(postman, instructor, course, email := new_address())
    postman.deliver(invitation_of(api, email))
    body = {"token": postman.mails(email)[0].token}
    newcomer, at = api.sign_up(email=email), f"/api/v1/instructor/courses/{course['id']}/"
    instructor.post(f"{at}unpublish/")
    refused = newcomer.post(ACCEPT, json=body)
    assert (refused.status_code, code_of(refused)) == (409, "COURSE_NOT_PUBLISHED")
    instructor.post(f"{at}publish/")
    assert newcomer.post(ACCEPT, json=body).status_code == 201


def test_what_nobody_needs_any_more_is_removed(api: Api, course: dict[str, Any], instructor: Person, postman: Postman) -> None:
    old, kept = enroll(postman, instructor, course, gone := new_address()), enroll(postman, instructor, course, new_address())
    api.server.sql("UPDATE bulk_jobs SET created_at = now() - interval '91 days' WHERE id = %s", old["job_id"])
    api.server.sql("UPDATE invitations SET expires_at = now() WHERE email = %s", gone)
    postman.perform("enrollments.purge")
    assert code_of(instructor.get(f"{BULK}{old['job_id']}/")) == "NOT_FOUND"
    assert instructor.get(f"{BULK}{kept['job_id']}/").json()["invited"] == 1
    assert api.server.sql("SELECT count(*) FROM invitations WHERE course_id = %s", course["id"]) == [(1,)]


def test_only_whoever_teaches_a_published_course_enrols_in_it(
    course: dict[str, Any], instructor: Person, learner: Person, other_instructor: Person, postman: Postman
) -> None:
    draft = begin(instructor, instructor.course(), "a@example.com")
    assert (draft.status_code, code_of(draft)) == (409, "COURSE_NOT_PUBLISHED")
    assert code_of(begin(other_instructor, course, "a@example.com")) == "COURSE_NOT_FOUND"
    assert code_of(begin(learner, course, "a@example.com")) == "PERMISSION_DENIED"
    job = enroll(postman, instructor, course, "x")
    assert code_of(other_instructor.get(f"{BULK}{job['job_id']}/")) == "NOT_FOUND"
    assert begin(instructor, course).status_code == 422
