"""The headers of every request and answer: X-Request-ID, X-API-Version, Prefer, caching, and pages of other origins."""

import re

import httpx
import pytest

from harness import CONTRACT, Api, Person, code_of, fields_of

PROFILE, LIST, UPDATE = "/api/v1/auth/profile/", "/api/v1/courses/", "/api/v1/auth/profile/update/"
MADE = re.compile(r"req_[0-9a-f]{20}")
ORIGIN = {"Origin": "https://app.unpuzzle.com"}
FOREIGN = {"Origin": "https://app.unpuzzle.com.evil.example"}
ANSWERS = [
    ("GET", "/health/", 200),
    ("GET", PROFILE, 401),
    ("GET", f"{LIST}?page=0", 422),
    ("GET", "/no/", 404),
    ("PUT", LIST, 405),
]


@pytest.mark.parametrize(("method", "path", "status"), [*ANSWERS, ("OPTIONS", LIST, 204), ("GET", "/docs/none", 404)])
def test_the_id_of_a_request_is_echoed_on_every_answer(api: Api, method: str, path: str, status: int) -> None:
    response = api.request(method, path, headers={"X-Request-ID": "my-id_1/!~"})
    assert (response.status_code, response.headers["x-request-id"]) == (status, "my-id_1/!~")
    assert not response.content or response.json().get("request_id", "my-id_1/!~") == "my-id_1/!~"


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 129, "é".encode(), "é".encode("latin-1"), b"a\tb", b'{"$a": 1}'])
def test_an_id_that_can_not_be_logged_is_replaced(api: Api, given: bytes) -> None:
    response = api.get("/no/", headers={"X-Request-ID": given})
    assert MADE.fullmatch(response.headers["x-request-id"])
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_an_id_of_128_characters_is_kept_and_each_request_without_one_gets_its_own(api: Api) -> None:
    assert api.get("/health/", headers={"X-Request-ID": "x" * 128}).headers["x-request-id"] == "x" * 128
    assert len({api.get("/health/").headers["x-request-id"] for _ in range(20)}) == 20


@pytest.mark.parametrize("version", ["1", "1.0", "1.0.0", "1.9999.9999"])
def test_version_one_is_spoken(api: Api, version: str) -> None:
    assert api.get("/health/", headers={"X-API-Version": version}).status_code == 200


@pytest.mark.parametrize("version", ["2", "0", "2.0.0", "10", "11.0", "9" * 5000])
def test_another_version_is_not(api: Api, version: str) -> None:
    response = api.get("/health/", headers={"X-API-Version": version})
    assert (response.status_code, code_of(response)) == (400, "UNSUPPORTED_VERSION")
    assert len(response.content) < 1000


@pytest.mark.parametrize("version", ["", "v1", "1.", "1.0.0.0", "1.x", "-1", "01", "٢".encode(), "1.00000", "latest"])
def test_what_is_no_version_is_invalid(api: Api, version: str) -> None:
    response = api.get("/health/", headers={"X-API-Version": version})
    assert (response.status_code, fields_of(response)) == (422, {"X-API-Version"})


def test_every_operation_knows_the_version_header() -> None:
    assert all(operation.has("X-API-Version") for operation in CONTRACT.operations.values() if operation.role != "service")


@pytest.mark.parametrize(
    "prefer", ["envelope=standard", "Envelope=Standard", "respond-async, envelope=standard", 'ENVELOPE="standard"']
)
def test_the_standard_envelope_comes_on_request(learner: Person, prefer: str) -> None:
    plain, wrapped = learner.get(PROFILE), learner.get(PROFILE, headers={"Prefer": prefer})
    envelope = wrapped.json()
    assert set(envelope) == {"status", "data", "message", "timestamp"}
    assert (envelope["status"], envelope["data"], envelope["message"]) == ("success", plain.json(), "OK")
    assert wrapped.headers["preference-applied"] == "envelope=standard"
    assert "preference-applied" not in plain.headers


@pytest.mark.parametrize("prefer", ["", "envelope", "envelope=other", "xenvelope=standard", "return=minimal"])
def test_another_preference_changes_nothing(learner: Person, prefer: str) -> None:
    response = learner.get(PROFILE, headers={"Prefer": prefer})
    assert response.json()["id"] == learner.id
    assert "preference-applied" not in response.headers


def test_the_envelope_takes_its_message_from_the_answer(learner: Person) -> None:
    envelope = learner.put(UPDATE, json={}, headers={"Prefer": "envelope=standard"}).json()
    assert envelope["message"] == envelope["data"]["message"] == "Profile updated successfully"


def test_a_list_in_the_envelope_keeps_its_pages(api: Api) -> None:
    assert set(api.get(LIST, headers={"Prefer": "envelope=standard"}).json()["data"]) >= {"count", "next", "previous", "results"}


def test_errors_yaml_and_answers_without_a_body_are_not_wrapped_again(api: Api, instructor: Person) -> None:
    wanted = {"Prefer": "envelope=standard"}
    refused = api.get(PROFILE, headers=wanted)
    assert refused.json()["status"] == "error"
    yaml = api.get("/api/v1/openapi.yaml", headers=wanted)
    deleted = instructor.delete(f"/api/v1/instructor/courses/{instructor.course()['id']}/", headers=wanted)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert not any("preference-applied" in response.headers for response in (refused, yaml, deleted))


def test_what_may_be_kept_is_asked_about_and_the_rest_is_not_kept(api: Api, learner: Person) -> None:
    kept = api.get(LIST)
    assert kept.headers["cache-control"] == "no-cache"
    assert "Prefer" in kept.headers["vary"]  # else a cache would give a plain answer to who asks for the envelope
    tag = kept.headers["etag"]
    unchanged = api.get(LIST, headers={"If-None-Match": tag})
    assert (unchanged.status_code, unchanged.headers["cache-control"]) == (304, "no-cache")
    for response in (learner.get("/api/v1/auth/csrf-token/"), learner.put(UPDATE, json={}), api.get(PROFILE), api.get("/no/")):
        assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*;q=0", "", "application/vnd.unpuzzle+json"])
def test_accept_is_ignored(api: Api, accept: str) -> None:
    assert api.get("/health/", headers={"Accept": accept}).headers["content-type"] == "application/json"


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_pages_of_the_app_may_read_every_answer_errors_too(api: Api, method: str, path: str, status: int) -> None:
    response = api.request(method, path, headers=ORIGIN)
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert response.headers["access-control-allow-credentials"] == "true"
    exposed = set(response.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"X-RateLimit-Remaining", "X-Request-ID", "ETag", "Location", "Retry-After", "Idempotency-Replayed"}
    assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize("origin", [FOREIGN["Origin"], "https://APP.unpuzzle.com", "http://app.unpuzzle.com", "null", "*", ""])
@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_pages_of_other_origins_may_not(api: Api, method: str, path: str, status: int, origin: str) -> None:
    response = api.request(method, path, headers={"Origin": origin})
    assert response.status_code == status
    assert "access-control-allow-origin" not in response.headers
    assert "Origin" in response.headers["vary"]


def preflight(api: Api, **headers: str) -> httpx.Response:
    # A preflight is no operation of the spec, so the harness has nothing to hold it against.
    return api.client.options(UPDATE, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_browser_may_ask_before_it_sends_what_the_document_lists(api: Api) -> None:
    wanted = (
        "authorization, content-type, x-api-version, x-request-id, x-client-version, x-csrf-token, idempotency-key, if-match, "
        "if-none-match, prefer, last-event-id, x-part-number, content-range"
    )
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        asked = {"Access_Control_Request_Method": method, "Access_Control_Request_Headers": wanted}
        allowed = preflight(api, **ORIGIN, **asked)
        headers = allowed.headers
        assert (allowed.status_code, headers["access-control-allow-origin"]) == (200, ORIGIN["Origin"])
        assert headers["access-control-allow-credentials"] == "true"
        assert method in headers["access-control-allow-methods"].split(", ")
        assert {name.lower() for name in headers["access-control-allow-headers"].split(", ")} >= set(wanted.split(", "))


@pytest.mark.parametrize(
    "asked",
    [
        {**FOREIGN, "Access_Control_Request_Method": "PUT"},
        {**ORIGIN, "Access_Control_Request_Method": "TRACE"},
        {**ORIGIN, "Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "x-admin"},
    ],
    ids=["origin", "method", "header"],
)
def test_a_browser_is_told_no_for_anything_else(api: Api, asked: dict[str, str]) -> None:
    refused = preflight(api, **asked)
    assert (refused.status_code, code_of(refused)) == (403, "PERMISSION_DENIED")
    assert refused.headers["x-request-id"] == refused.json()["request_id"]
    assert refused.headers.get("access-control-allow-origin") != FOREIGN["Origin"]
