"""`unpuzzle api`: any request."""

import json
from pathlib import Path
from typing import Any

import pytest
from loopback import Reply, error


def test_fields_are_the_query_of_a_get_and_the_body_of_a_post(unpuzzle: Any, stand_in: Any, tmp_path: Path) -> None:
    (tmp_path / "body.txt").write_text("From a file")
    unpuzzle("api", "get", "courses/", "-f", "search=a b", "-F", "page=2")
    fields = [
        "-f",
        "title=5",
        "-F",
        "price=5",
        "-F",
        'tags=["a"]',
        "-F",
        "draft=true",
        "-F",
        f"body=@{tmp_path}/body.txt",
        "-F",
        "x=y",
    ]
    unpuzzle("api", "POST", "/api/v1/instructor/courses/create/", *fields)
    get, post = stand_in.received
    assert (get.path, get.query) == ("/api/v1/courses/", {"search": ["a b"], "page": ["2"]})
    assert post.json == {"title": "5", "price": 5, "tags": ["a"], "draft": True, "body": "From a file", "x": "y"}


def test_a_write_goes_under_no_key_but_the_one_that_is_given(unpuzzle: Any, stand_in: Any) -> None:
    unpuzzle("api", "POST", "auth/api-keys/", "-f", "name=CI")
    unpuzzle("api", "POST", "instructor/courses/create/", "-f", "title=T", "-H", "idempotency-key: mine")
    assert [request.headers.get("idempotency-key") for request in stand_in.received] == [None, "mine"]


def test_a_path_alone_is_a_get(unpuzzle: Any, stand_in: Any) -> None:
    assert unpuzzle("api", "courses/", "-f", "page=2", "--jq", "").returncode == 0
    assert (stand_in.received[0].method, stand_in.received[0].path) == ("GET", "/api/v1/courses/")
    assert stand_in.received[0].query == {"page": ["2"]}
    assert unpuzzle("api", "POST").returncode == 2


def test_a_body_comes_from_a_file_or_stdin_and_fields_are_then_the_query(unpuzzle: Any, stand_in: Any, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"a": [1]}')
    unpuzzle("api", "PUT", "x/", "--input", str(tmp_path / "body.json"), "-f", "dry=1")
    unpuzzle("api", "PATCH", "x/", "--input", "-", "-H", "If-Match: *", stdin='{"b": null}')
    put, patch = stand_in.received
    assert (put.json, put.query) == ({"a": [1]}, {"dry": ["1"]})
    assert (patch.json, patch.headers["if-match"]) == ({"b": None}, "*")
    assert unpuzzle("api", "PUT", "x/", "--input", "-", stdin="{").returncode == 2


def test_pages_are_joined(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.script = [
        Reply(200, {"results": [1, 2], "next": "https://elsewhere.example/api/v1/courses/?page=2&page_size=2"}),
        Reply(200, {"results": [3], "next": None}),
    ]
    assert json.loads(unpuzzle("api", "GET", "courses/", "-f", "page_size=2", "--paginate").stdout) == [1, 2, 3]
    assert stand_in.received[1].query == {"page": ["2"], "page_size": ["2"]}
    stand_in.script = [Reply(200, {"name": "no list"})]
    assert unpuzzle("api", "GET", "x/", "--paginate").returncode == 1


def test_status_and_headers_are_included_on_request(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.script = [Reply(200, {"a": 1}, {"Content-Type": "application/json", "ETag": '"3"'})]
    head, _, body = unpuzzle("api", "GET", "x/", "--include").stdout.partition("\n\n")
    assert head.startswith("HTTP 200\n")
    assert 'etag: "3"' in head
    assert json.loads(body) == {"a": 1}


def test_an_error_answer_is_data_too(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: error(404, "NOT_FOUND")
    outcome = unpuzzle("api", "GET", "nothing/", "-i")
    assert outcome.returncode == 5
    assert outcome.stdout.startswith("HTTP 404\n")
    assert "x-request-id: req_1\n" in outcome.stdout
    assert json.loads(outcome.stdout.partition("\n\n")[2])["error"]["code"] == "NOT_FOUND"
    assert "request id: req_1" in outcome.stderr


def test_what_is_not_json_comes_as_it_is(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.script = [Reply(200, content=b"a: 1\n", headers={"Content-Type": "application/yaml"}), Reply(204)]
    assert unpuzzle("api", "GET", "openapi.yaml").stdout == "a: 1\n"
    assert unpuzzle("api", "DELETE", "x/").stdout == ""


def test_the_token_goes_to_no_other_server(unpuzzle: Any, stand_in: Any) -> None:
    token = {"UNPUZZLE_TOKEN": "mine"}
    assert unpuzzle("api", "GET", "https://elsewhere.example/x/", **token).returncode == 2
    assert unpuzzle("api", "GET", "//elsewhere.example/x/", **token).returncode == 2
    assert stand_in.received == []
    assert unpuzzle("api", "GET", f"{stand_in.url}/x/", **token).returncode == 0
    assert stand_in.received[0].path == "/x/"


@pytest.mark.parametrize("page", [{"count": 0, "results": []}, {"results": [1], "next": None}])
def test_a_list_without_a_next_page_ends(unpuzzle: Any, stand_in: Any, page: Any) -> None:
    stand_in.script = [Reply(200, page)]
    assert json.loads(unpuzzle("api", "x/", "--paginate").stdout) == page["results"]


@pytest.mark.parametrize("second", [{"name": "no list"}, {"results": None, "next": None}, [1]])
def test_a_page_that_holds_no_list_is_told(unpuzzle: Any, stand_in: Any, second: Any) -> None:
    stand_in.script = [Reply(200, {"results": [1], "next": f"{stand_in.url}/api/v1/x/?page=2"}), Reply(200, second)]
    refused = unpuzzle("api", "x/", "--paginate")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "This is not a list of pages" in refused.stderr


def test_a_server_that_leads_elsewhere_has_not_answered(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: Reply(302, headers={"Location": "https://login.example.com/"})
    refused = unpuzzle("api", "courses/")
    assert (refused.returncode, "leads on to https://login.example.com/" in refused.stderr) == (1, True)
    assert unpuzzle("api", "courses/", "--include").returncode == 0


def test_an_address_that_only_begins_as_the_servers_is_not_on_it(unpuzzle: Any, stand_in: Any) -> None:
    assert unpuzzle("api", f"{stand_in.url}1/health/").returncode == 2
    assert unpuzzle("api", f"{stand_in.url}/health/").returncode == 0
    assert [each.path for each in stand_in.received] == ["/health/"]
