"""What every answer has, whatever it answers: ids, envelopes, CORS, links, methods."""

import logging
from typing import Any

import pytest

from harness import PASSWORD, Api, Person, code_of, running_server
from unpuzzle_server.kernel import operations, spec
from unpuzzle_server.kernel.settings import Settings

LIST, PROFILE, CREATE = "/api/v1/courses/", "/api/v1/auth/profile/", "/api/v1/instructor/courses/create/"
APP = "https://app.unpuzzle.com"


@pytest.mark.parametrize("path", [LIST, "/api/v1/nothing/", PROFILE, "/docs/"])
def test_a_request_id_is_echoed_or_made(api: Api, path: str) -> None:
    assert api.client.get(path, headers={"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"
    for odd in ("", "a b", "x" * 129):
        assert api.client.get(path, headers={"X-Request-ID": odd}).headers["x-request-id"].startswith("req_")


def test_the_standard_envelope_comes_on_request(api: Api, instructor: Person) -> None:
    response = instructor.post(CREATE, json={"title": "x"}, headers={"Prefer": "return=minimal, Envelope=standard"})
    envelope = response.json()
    assert (envelope["status"], envelope["message"]) == ("success", "Course created successfully")
    assert envelope["data"]["title"] == "x"
    assert response.headers["preference-applied"] == "envelope=standard"
    assert "preference-applied" not in api.get(LIST).headers
    assert api.get(LIST, headers={"Prefer": "envelope=standard"}).json()["data"].keys() == api.get(LIST).json().keys()
    assert "status" in api.get("/api/v1/courses/none/", headers={"Prefer": "envelope=standard"}).json()


def test_the_apps_origin_may_ask_from_a_browser_and_no_other(api: Api) -> None:
    for path in (LIST, PROFILE, "/api/v1/nothing/"):
        allowed = api.client.get(path, headers={"Origin": APP}).headers
        assert allowed["access-control-allow-origin"] == APP
        assert allowed["access-control-allow-credentials"] == "true"
        assert "X-RateLimit-Remaining" in allowed["access-control-expose-headers"]
        assert "access-control-allow-origin" not in api.client.get(path, headers={"Origin": "https://evil.example"}).headers
    asked = {"Origin": APP, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "If-Match, X-CSRF-Token"}
    preflight = api.client.options(CREATE, headers=asked)
    assert preflight.status_code == 200
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["x-request-id"]


def test_options_and_405_tell_every_method_of_the_path(api: Api) -> None:
    path = "/api/v1/instructor/courses/8a3c1f0e-5b7d-4c2a-9e6f-1d2b3c4d5e6f/"
    assert api.client.options(path).headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"
    refused = api.put(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET, HEAD, OPTIONS, PATCH")


def test_head_is_get_without_a_body(api: Api) -> None:
    got, head = api.get(LIST), api.client.head(LIST)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]


def test_a_path_without_its_slash_is_served_with_its_body(api: Api, instructor: Person) -> None:
    assert api.get(LIST.rstrip("/")).status_code == 200
    assert instructor.post(CREATE.rstrip("/"), json={"title": "Slashless"}).json()["title"] == "Slashless"
    assert api.get("/api/v1/openapi.yaml/").status_code == 404


def test_links_start_with_the_public_url_and_keep_what_was_asked(api: Api) -> None:
    with running_server(api.server.owner_url, public_url="https://api.example.com") as server, Api(server) as other:
        instructor = other.sign_up_instructor()
        category = other.category()
        for _ in range(3):
            instructor.published_course(category_id=category["id"], tags=["a&b"])
        page = other.get(
            LIST, params={"category": category["slug"], "tag": "a&b", "page_size": 1, "page": 2}, headers={"Host": "evil"}
        )
        expected = f"https://api.example.com{LIST}?category={category['slug']}&tag=a%26b&page_size=1&page="
        assert (page.json()["next"], page.json()["previous"]) == (f"{expected}3", f"{expected}1")


def test_without_its_database_a_server_says_that_it_is_not_available(api: Api) -> None:
    from dataclasses import replace

    from starlette.testclient import TestClient

    from unpuzzle_server.app import create_app

    nowhere = replace(api.server.settings, database_app_url="postgresql://nobody:s3cr3t@127.0.0.1:1/none")
    with TestClient(create_app(nowhere)) as client:
        for path in ("/health/", LIST):
            response = client.get(path)
            assert (response.status_code, code_of(response)) == (503, "SERVICE_UNAVAILABLE")
            assert int(response.headers["retry-after"]) == response.json()["error"]["retry_after"] > 0
            assert "s3cr3t" not in response.text


def test_no_secret_is_ever_logged(api: Api, learner: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api.post("/api/v1/auth/signin/", json={"email": learner.email, "password": PASSWORD})
    api.post("/api/v1/auth/signup/", json={"email": learner.email, "password": PASSWORD, "full_name": "x"})
    api.post("/api/v1/auth/refresh/", json={"refresh_token": learner.tokens["refresh_token"]})
    learner.get(f"{PROFILE}?search=private")
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name.startswith("unpuzzle"))
    assert PROFILE in logged
    for secret in (PASSWORD, learner.tokens["refresh_token"], learner.tokens["access_token"], "private", "argon2"):
        assert secret not in logged


def test_secrets_have_no_repr() -> None:
    settings = Settings(secret_key="s3cr3t" * 6, database_url="postgresql://u:s3cr3t@h/d", redis_url="redis://:s3cr3t@h")
    assert "s3cr3t" not in repr(settings)


async def _fits(tx: Any, course_id: str) -> None: ...
async def _misspelt(tx: Any, curse_id: str) -> None: ...
async def _without_transaction(course_id: str) -> None: ...
async def _more(tx: Any, course_id: str, extra: str) -> None: ...


@pytest.mark.parametrize("handler", [_misspelt, _without_transaction, _more])
def test_the_server_refuses_a_handler_that_does_not_fit_its_operation(handler: Any) -> None:
    operation = next(item for item in spec.operations() if item.id == "courses.get")
    assert operations.check_signature(operation, _fits) == "tx"
    with pytest.raises(operations.BindingError, match=r"courses\.get"):
        operations.check_signature(operation, handler)


def test_the_server_refuses_an_operation_without_a_handler() -> None:
    with pytest.raises(operations.BindingError, match="nonsense"):
        operations.handler_of("courses.nonsense")


def test_health_tells_the_time_of_the_one_clock(api: Api) -> None:
    health = api.get("/health/").json()
    assert (health["status"], health["database"]) == ("ok", "ok")
    assert api.get("/api/v1/").json()["documentation_url"] == f"{api.server.base_url}/docs/"


def test_the_reference_asks_no_other_host_for_anything(api: Api) -> None:
    page = api.client.get("/docs/")
    assert page.status_code == 200
    assert "http" not in page.text.replace("https://", "http://").split("<body>")[0].replace("http-equiv", "")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for asset in ("assets/swagger-ui-bundle.js", "assets/swagger-ui.css", "start.js"):
        assert api.client.get(f"/docs/{asset}").status_code == 200
    assert api.client.get("/").headers["location"] == "/docs/"
