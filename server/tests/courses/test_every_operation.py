"""What every operation on courses, content and enrolments refuses, whoever asks and however."""

from typing import Any
from uuid import uuid4

import pytest

from harness import CONTRACT, Api, Person, code_of, fields_of
from unpuzzle_server.kernel.spec import Operation

TAGS = ("courses.", "content.", "enrollments.")
NOBODYS = "00000000-0000-4000-8000-000000000000"
OPERATIONS = [operation for operation in CONTRACT.operations.values() if operation.id.startswith(TAGS)]
WITH_BODY = [operation for operation in OPERATIONS if operation.body]
GUARDED = [operation for operation in OPERATIONS if operation.role != "public"]
NOT_FOUND = {"COURSE_NOT_FOUND", "NOT_FOUND"}
# The least that each body needs, to come past the check of its form.
BODIES: dict[str, Any] = {
    "content.reorder_sections": {"section_ids": [NOBODYS]},
    "content.reorder_lessons": {"lesson_ids": [NOBODYS]},
    "courses.create_category": {"name": "x"},
    "courses.create": {"title": "x"},
    "content.create_section": {"title": "x"},
    "content.create_lesson": {"title": "x"},
}


def name(value: Any) -> str | None:
    return value.id if isinstance(value, Operation) else None


def path_of(operation: Operation, value: str = NOBODYS) -> str:
    return "/".join(value if part.startswith("{") else part for part in operation.path.split("/"))


def send(caller: Any, operation: Operation, path: str = "", **kwargs: Any) -> Any:
    if operation.body and not {"json", "content"} & kwargs.keys():
        kwargs["json"] = BODIES.get(operation.id, {})
    return getattr(caller, operation.method.lower())(path or path_of(operation), **kwargs)


@pytest.fixture(scope="module")
def callers(admin: Person) -> dict[str, Person]:
    """Somebody of each role."""
    api = admin.api
    return {"user": api.sign_up(), "instructor": api.sign_up_instructor(), "admin": admin}


@pytest.fixture
def allowed(callers: dict[str, Person], operation: Operation) -> Person:
    return callers.get(operation.role, callers["user"])


@pytest.mark.parametrize("operation", GUARDED, ids=name)
def test_somebody_unknown_is_asked_to_sign_in(api: Api, operation: Operation) -> None:
    refused = send(api, operation)
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_REQUIRED")
    forged = send(api, operation, headers={"Authorization": "Bearer x.y.z"})
    assert (forged.status_code, code_of(forged)) == (401, "AUTH_INVALID_TOKEN")


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_each_role_gets_as_far_as_it_should(callers: dict[str, Person], operation: Operation) -> None:
    ranks = ["user", "instructor", "admin"]
    needed = 0 if operation.role == "public" else ranks.index(operation.role)
    for rank, role in enumerate(ranks):
        refused = send(callers[role], operation, params={"colour": "red"})
        expected = (422, "VALIDATION_ERROR") if rank >= needed else (403, "PERMISSION_DENIED")
        assert (refused.status_code, code_of(refused)) == expected


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_what_is_wrong_with_a_request_is_named_all_at_once(allowed: Person, operation: Operation) -> None:
    bad = {"content": b'{"colour": 1}', "headers": {"Content-Type": "application/json", "X-API-Version": "one"}}
    refused = send(allowed, operation, path_of(operation, "~"), params={"shade": "dark"}, **(bad if operation.body else {}))
    expected = {"shade"} | {item.name for item in operation.parameters if item.location == "path"}
    expected |= {"colour", "X-API-Version"} if operation.body else set()
    assert (refused.status_code, code_of(refused)) == (422, "VALIDATION_ERROR")
    assert fields_of(refused) - {"title", "name", "section_ids", "lesson_ids"} == expected


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_another_version_of_the_api_is_not_spoken(allowed: Person, operation: Operation) -> None:
    refused = send(allowed, operation, headers={"X-API-Version": "2.0.0"})
    assert (refused.status_code, code_of(refused)) == (400, "UNSUPPORTED_VERSION")


@pytest.mark.parametrize("operation", WITH_BODY, ids=name)
def test_a_body_is_whole_json_of_its_kind_and_not_too_large(allowed: Person, operation: Operation) -> None:
    as_json = {"Content-Type": "application/json"}
    for content, headers, status, code in (
        (b'{"title": ', as_json, 400, "MALFORMED_REQUEST"),
        (b'{"title": "a", "title": "b"}', as_json, 400, "MALFORMED_REQUEST"),
        (b"title=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b'{"title": "' + b"x" * 2**20 + b'"}', as_json, 413, "PAYLOAD_TOO_LARGE"),
    ):
        refused = send(allowed, operation, content=content, headers=headers)
        assert (refused.status_code, code_of(refused)) == (status, code)


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.errors & NOT_FOUND], ids=name)
def test_what_is_not_there_is_not_found(allowed: Person, operation: Operation) -> None:
    refused = send(allowed, operation)
    assert refused.status_code == 404
    assert code_of(refused) in operation.errors & NOT_FOUND
    assert send(allowed, operation, path_of(operation, NOBODYS.upper())).status_code == 404


@pytest.mark.parametrize("operation", [item for item in GUARDED if item.has("Idempotency-Key")], ids=name)
def test_a_refusal_is_not_kept_for_its_key(allowed: Person, operation: Operation) -> None:
    """The same key may be sent again with what was meant; a key with a blank in it is none."""
    refused = send(allowed, operation, headers={"Idempotency-Key": "a key"})
    assert (refused.status_code, fields_of(refused)) == (422, {"Idempotency-Key"})
    if operation.errors & NOT_FOUND:
        key = {"Idempotency-Key": uuid4().hex}
        for path in (path_of(operation), path_of(operation, NOBODYS.replace("8", "9"))):
            again = send(allowed, operation, path, headers=key)
            assert again.status_code == 404
            assert "idempotency-replayed" not in again.headers


@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
def test_a_method_that_is_not_there_says_which_are(allowed: Person, operation: Operation) -> None:
    refused = allowed.put(path_of(operation))
    assert (refused.status_code, code_of(refused)) == (405, "METHOD_NOT_ALLOWED")
    assert operation.method in refused.headers["allow"].split(", ")


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.method == "GET"], ids=name)
def test_head_answers_as_get_does_without_the_body(callers: dict[str, Person], operation: Operation) -> None:
    owner = callers["instructor"]
    course = owner.published_course()
    section = owner.get(f"/api/v1/content/courses/{course['id']}/sections/").json()["results"][0]
    lesson = owner.get(f"/api/v1/content/sections/{section['id']}/lessons/").json()["results"][0]
    path = operation.path.format(course_id=course["id"], section_id=section["id"], lesson_id=lesson["id"])
    whole, head = (owner.api.client.request(method, path, headers=owner.headers) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (whole.status_code, b"") == (200, b"")
    assert {key: head.headers[key] for key in ("content-length", "content-type")} == {
        key: whole.headers[key] for key in ("content-length", "content-type")
    }
    assert head.headers.get("etag") == whole.headers.get("etag")
