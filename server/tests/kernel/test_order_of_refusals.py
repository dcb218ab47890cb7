"""Which refusal comes first: the route, 401, 403, 429, 400/413/415, 422, and then what the domain says."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness import Api, Person, Server, code_of, running_server

CREATE = "/api/v1/instructor/courses/create/"
NOBODYS = "/api/v1/instructor/courses/00000000-0000-0000-0000-000000000000/"
MALFORMED: dict[str, Any] = {"content": b"{", "headers": {"Content-Type": "text/plain", "X-API-Version": "9"}}
INVALID = {"json": {"title": None}, "params": {"colour": "red"}}


@pytest.fixture(scope="module")
def strict(server: Server) -> Iterator[Server]:
    """A server on which a user has three requests an hour."""
    with running_server(server.owner_url, rate_limit_authenticated=3) as found:
        yield found


@pytest.fixture
def stranger(strict: Server) -> Iterator[Api]:
    with Api(strict) as found:
        yield found


@pytest.fixture
def spent(stranger: Api) -> Person:
    """An instructor without a request left."""
    person = stranger.sign_up_instructor()
    assert [person.get("/api/v1/auth/profile/").status_code for _ in range(4)][-1] == 429
    return person


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, code_of(response)


def test_the_route_comes_first(stranger: Api, spent: Person) -> None:
    for caller in (stranger, spent):
        assert outcome(caller.post("/api/v1/nothing/", **MALFORMED)) == (404, "NOT_FOUND")
        assert outcome(caller.put(CREATE, **MALFORMED)) == (405, "METHOD_NOT_ALLOWED")


def test_who_it_is_comes_before_all_that_was_sent(stranger: Api) -> None:
    assert outcome(stranger.post(CREATE, **MALFORMED)) == (401, "AUTH_REQUIRED")
    assert outcome(stranger.post(CREATE, **INVALID)) == (401, "AUTH_REQUIRED")
    assert outcome(stranger.get("/api/v1/instructor/courses/no-id/")) == (401, "AUTH_REQUIRED")
    forged = {**MALFORMED, "headers": {**MALFORMED["headers"], "Authorization": "Bearer x"}}
    assert outcome(stranger.post(CREATE, **forged)) == (401, "AUTH_INVALID_TOKEN")


def test_whether_they_may_comes_before_the_limit(stranger: Api, spent: Person) -> None:
    assert outcome(spent.post("/api/v1/admin/categories/", **MALFORMED)) == (403, "PERMISSION_DENIED")
    cookie = {"Cookie": f"unpuzzle_access={spent.tokens['access_token']}"}
    assert outcome(stranger.post(CREATE, headers=cookie)) == (403, "CSRF_FAILED")
    stranger.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", spent.id)
    assert outcome(spent.post(CREATE, **MALFORMED)) == (403, "ACCOUNT_SUSPENDED")


def test_a_missing_role_comes_before_the_body_and_the_path(learner: Person) -> None:
    assert outcome(learner.post(CREATE, **MALFORMED)) == (403, "PERMISSION_DENIED")
    assert outcome(learner.post(CREATE, **INVALID)) == (403, "PERMISSION_DENIED")
    assert outcome(learner.get("/api/v1/instructor/courses/no-id/")) == (403, "PERMISSION_DENIED")
    assert outcome(learner.get(NOBODYS)) == (403, "PERMISSION_DENIED")


def test_the_limit_comes_before_the_body(spent: Person) -> None:
    assert outcome(spent.post(CREATE, **MALFORMED)) == (429, "RATE_LIMIT_EXCEEDED")
    assert outcome(spent.post(CREATE, content=b"x" * 2_000_000)) == (429, "RATE_LIMIT_EXCEEDED")
    assert outcome(spent.get(NOBODYS)) == (429, "RATE_LIMIT_EXCEEDED")


def test_what_was_refused_before_the_limit_was_not_counted(stranger: Api) -> None:
    person = stranger.sign_up()
    for _ in range(5):
        assert person.post(CREATE, json={"title": "x"}).status_code == 403
    assert person.get("/api/v1/auth/profile/").headers["x-ratelimit-remaining"] == "2"


def test_what_can_not_be_read_comes_before_what_is_invalid(instructor: Person) -> None:
    invalid_header = {"Idempotency-Key": "a b"}
    unreadable = {"headers": {**invalid_header, "Content-Type": "application/json"}, "params": {"colour": "red"}}
    assert outcome(instructor.post(CREATE, content=b"{", **unreadable)) == (400, "MALFORMED_REQUEST")
    assert outcome(instructor.post(CREATE, content=b" " * 2_000_000, **unreadable)) == (413, "PAYLOAD_TOO_LARGE")
    assert outcome(instructor.post(CREATE, content=b"{}", headers=invalid_header)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert outcome(instructor.post(CREATE, json={}, headers={**invalid_header, "X-API-Version": "2"})) == (
        400,
        "UNSUPPORTED_VERSION",
    )
    assert outcome(instructor.post(CREATE, json={}, headers=invalid_header)) == (422, "VALIDATION_ERROR")


def test_what_is_invalid_comes_before_what_the_domain_says(instructor: Person) -> None:
    assert outcome(instructor.patch(NOBODYS, json={"title": None})) == (422, "VALIDATION_ERROR")
    assert outcome(instructor.patch(NOBODYS, json={"title": "x"}, headers={"If-Match": '"9"'})) == (404, "COURSE_NOT_FOUND")
    course = instructor.course()
    path = f"/api/v1/instructor/courses/{course['id']}/"
    wrong = {"json": {"price": 0.001}, "headers": {"If-Match": '"9"'}}
    assert outcome(instructor.patch(path, **wrong)) == (412, "PRECONDITION_FAILED")
