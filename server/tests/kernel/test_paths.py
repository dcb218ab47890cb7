"""From a path to an operation: 404, 405, OPTIONS, HEAD, and the slash at the end."""

import re

import pytest

from harness import CONTRACT, Api, Person, code_of
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.routing import Tree

OPERATIONS = [operation.id for operation in spec.operations()]
NOBODY = "00000000-0000-0000-0000-000000000000"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"}


def some_path(operation: spec.Operation) -> str:
    """A path of an operation, to things that are not there."""
    return "/".join(NOBODY if part.startswith("{") else part for part in operation.path.split("/"))


def methods_of(path: str) -> set[str]:
    """What the spec has at a path, and what follows from it."""
    found = {operation.method for operation in spec.operations() if operation.path == path}
    return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())


@pytest.mark.parametrize(
    "path",
    [
        "/nothing/",
        "/api/",
        "/api/v2/",
        "/api/v1/auth/",
        "/api/v1/auth/profile//",
        "//api/v1/",
        "/api/v1//courses/",
        "/API/v1/",
        "/api/v1/courses/a/b/c/",
        "/api/v1/openapi.json/",
        "/api/v1/courses/%2F/",
        "/api/v1/courses/%2E%2E/%2E%2E/health/",
        "/health.json",
        "/health/x",
        "/%F0%9F%92%A5/",
        "/%00/",
        "/%FF/",
        "/" + "a/" * 2000,
        "/" + "a" * 20_000,
    ],
)
def test_nothing_is_at_a_path_that_the_spec_does_not_have(api: Api, path: str) -> None:
    response = api.get(path)
    assert (response.status_code, code_of(response)) == (404, "NOT_FOUND")
    assert "X-RateLimit-Limit" not in response.headers  # what is nowhere costs nobody anything


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_another_method_is_told_which_ones_there_are(api: Api, operation_id: str) -> None:
    operation = CONTRACT.operations[operation_id]
    there = methods_of(operation.path)
    for method in METHODS - there - {"HEAD"}:
        response = api.request(method, some_path(operation))
        assert (response.status_code, code_of(response)) == (405, "METHOD_NOT_ALLOWED")
        assert set(response.headers["allow"].split(", ")) == there


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_options_lists_the_methods_of_a_path_to_anybody(api: Api, operation_id: str) -> None:
    operation = CONTRACT.operations[operation_id]
    for path in {some_path(operation), some_path(operation).removesuffix("/")}:
        response = api.request("OPTIONS", path)
        assert (response.status_code, response.content) == (204, b"")
        assert set(response.headers["allow"].split(", ")) == methods_of(operation.path)


def test_options_of_nothing_is_404(api: Api) -> None:
    assert api.request("OPTIONS", "/nothing/").status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/auth/profile/", "/api/v1/courses/", "/health/", "/api/v1/openapi.json", "/api/v1"])
def test_head_is_get_without_its_body(learner: Person, path: str) -> None:
    client = learner.api.client  # the harness holds bodies against the spec, and here there is none
    head, full = (client.request(method, path, headers=learner.headers) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    changing = {"date", "x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset-after"}
    assert {name: value for name, value in head.headers.items() if name not in changing} == {
        name: value for name, value in full.headers.items() if name not in changing
    }


def test_head_is_refused_as_get_is(api: Api) -> None:
    for path, status in {"/api/v1/auth/profile/": 401, "/api/v1/auth/signup/": 405, "/nothing/": 404}.items():
        response = api.client.head(path)
        assert (response.status_code, response.content) == (status, b"")


def test_head_is_safe_under_a_cookie(learner: Person) -> None:
    cookie = {"Cookie": f"unpuzzle_access={learner.tokens['access_token']}"}
    assert learner.api.client.head("/api/v1/auth/profile/", headers=cookie).status_code == 200


def test_a_path_without_its_slash_is_served_with_every_method_and_body(instructor: Person) -> None:
    created = instructor.post("/api/v1/instructor/courses/create", json={"title": "Without a slash"})
    assert created.status_code == 201
    path = f"/api/v1/instructor/courses/{created.json()['id']}"
    assert instructor.get(path).json()["title"] == "Without a slash"
    assert instructor.patch(path, json={"title": "Changed"}).json()["title"] == "Changed"
    assert instructor.put("/api/v1/auth/profile/update", json={"bio": "kept"}).json()["profile"]["bio"] == "kept"
    assert instructor.delete(path).status_code == 204
    assert instructor.get(f"{path}/").status_code == 404


def test_an_answer_without_the_slash_is_the_same(api: Api) -> None:
    with_slash, without = api.get("/api/v1/categories/?page_size=1"), api.get("/api/v1/categories?page_size=1")
    assert with_slash.json() == without.json()
    assert without.json()["next"] is None or without.json()["next"].startswith(f"{api.server.base_url}/api/v1/categories/?")


def test_letters_may_be_encoded(api: Api) -> None:
    assert api.get("/%61pi/v1/c%6Furses/").status_code == 200


def test_a_literal_wins_over_a_parameter_and_gives_way_where_it_leads_nowhere() -> None:
    tree = Tree()
    tree.add("GET", "/a/new/", "literal")
    tree.add("GET", "/a/{id}/", "parameter")
    tree.add("GET", "/a/{id}/b/", "below")
    found = {path: tree.find(path) for path in ("/a/new/", "/a/x/", "/a/new/b/", "/a/x/b", "/a//", "/a/", "/a/x/c/", "")}
    names = {path: hit[0].methods["GET"][0] for path, hit in found.items() if hit}
    assert names == {"/a/new/": "literal", "/a/x/": "parameter", "/a/new/b/": "below", "/a/x/b": "below"}
    below = found["/a/new/b/"]
    assert below is not None
    assert below[1] == ("new",)


def test_no_operation_hides_another() -> None:
    places = {(operation.method, re.sub(r"\{\w+\}", "{}", operation.path)) for operation in spec.operations()}
    assert len(places) == len(OPERATIONS)
