"""Parameters of query, path and header: read strictly, refused by name."""

from typing import Any

import pytest

from harness import Api, Person, code_of, fields_of
from unpuzzle_server.kernel.validation import coerce

LIST, OWN = "/api/v1/courses/", "/api/v1/instructor/courses/"
UPDATE = "/api/v1/auth/profile/update/"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1", "integer", 1),
        ("-1", "integer", -1),
        ("0", "integer", 0),
        ("9" * 18, "integer", int("9" * 18)),
        ("9" * 19, "integer", "9" * 19),
        ("01", "integer", "01"),
        ("+1", "integer", "+1"),
        (" 1", "integer", " 1"),
        ("1\n", "integer", "1\n"),
        ("1_0", "integer", "1_0"),
        ("1.0", "integer", "1.0"),
        ("1e1", "integer", "1e1"),
        ("٣", "integer", "٣"),
        ("１", "integer", "１"),
        ("", "integer", ""),
        ("1.5", "number", 1.5),
        ("-0.5", "number", -0.5),
        (".5", "number", ".5"),
        ("5.", "number", "5."),
        ("1e5", "number", "1e5"),
        ("NaN", "number", "NaN"),
        ("inf", "number", "inf"),
        ("true", "boolean", True),
        ("false", "boolean", False),
        ("True", "boolean", "True"),
        ("1", "boolean", "1"),
        ("1", "string", "1"),
        ("null", "string", "null"),
    ],
)
def test_a_text_is_of_a_kind_in_one_spelling_only(text: str, kind: str, value: Any) -> None:
    assert coerce(text, kind) == value
    assert type(coerce(text, kind)) is type(value)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=+1", "page"),
        ("page=1_0", "page"),
        ("page=%D9%A1", "page"),
        ("page=%20", "page"),
        ("page=2147483648", "page"),
        ("page", "page"),
        ("page=1&page=1", "page"),
        ("page=1&PAGE=1", "PAGE"),
        ("page=1;page_size=1", "page"),
        ("page_size=100.0", "page_size"),
        ("page_size=null", "page_size"),
        ("order=DESC", "order"),
        ("order[]=desc", "order[]"),
        ("=1", ""),
        ("1%3D2", "1=2"),
        ("%F0%9F%92%A5=1", "💥"),
        ("search=" + "%F0%9F%92%A5" * 201, "search"),
    ],
)
def test_a_parameter_is_refused_by_its_name(api: Api, query: str, field: str) -> None:
    response = api.get(f"{LIST}?{query}")
    assert (response.status_code, fields_of(response)) == (422, {field})


@pytest.mark.parametrize("query", ["search=%00", "%00=1", "search=%FF", "search=%ED%A0%80", "%C0%80=1"])
def test_a_query_that_is_no_text_is_malformed(api: Api, query: str) -> None:
    response = api.get(f"{LIST}?{query}")
    assert (response.status_code, code_of(response)) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(("count", "status"), [(100, 422), (101, 400)])
def test_a_query_has_a_hundred_parameters_at_most(api: Api, count: int, status: int) -> None:
    assert api.get(f"{LIST}?{'&'.join(f'p{number}=1' for number in range(count))}").status_code == status


@pytest.mark.parametrize(
    "query",
    ["", "?", "?&&", "?search=a%20b", "?search=a+b", "?search=%25", "?search=%F0%9F%92%A5", "?search='--", "?page=2147483647"],
)
def test_what_is_a_query_is_read(api: Api, query: str) -> None:
    assert api.get(f"{LIST}{query}").status_code == 200


def test_every_problem_of_a_query_comes_at_once(api: Api) -> None:
    response = api.get(f"{LIST}?page=0&page_size=101&order=up&sort=password&colour=red&difficulty=")
    assert fields_of(response) == {"page", "page_size", "order", "sort", "colour", "difficulty"}


def test_a_parameter_of_another_operation_is_unknown_here(api: Api, learner: Person) -> None:
    assert fields_of(api.get("/health/?page=1")) == {"page"}
    assert fields_of(learner.get("/api/v1/auth/profile/?page=1")) == {"page"}
    assert fields_of(learner.put(f"{UPDATE}?bio=x", json={})) == {"bio"}
    assert fields_of(learner.post("/api/v1/auth/signout/?all=true")) == {"all"}


def test_an_id_is_the_same_in_capitals(instructor: Person) -> None:
    course = instructor.course()
    assert instructor.get(f"{OWN}{course['id'].upper()}/").json()["id"] == course["id"]


@pytest.mark.parametrize(
    "wrong",
    [
        "1",
        "%7B{id}%7D",
        "urn:uuid:{id}",
        "{id}%20",
        "{id}%00",
        "{id}'--",
        "%F0%9F%92%A5",
        "٣" * 8 + "-3333-3333-3333-333333333333",
        "{id}x",
    ],
)
def test_a_path_that_holds_no_id_is_refused_by_the_name_of_the_parameter(instructor: Person, wrong: str) -> None:
    path = wrong.replace("{id}", instructor.course()["id"])
    response = instructor.get(f"{OWN}{path}/")
    assert (response.status_code, fields_of(response)) == (422, {"course_id"})


def test_an_encoded_slash_is_a_slash(instructor: Person) -> None:
    assert instructor.get(f"{OWN}{instructor.course()['id']}%2Freadiness/").status_code == 200
    assert instructor.get(f"{OWN}a%2Fb/").status_code == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", b""),
        ("Idempotency-Key", b"a b"),
        ("Idempotency-Key", "ключ".encode()),
        ("Idempotency-Key", b"k" * 256),
        ("If-Match", b""),
        ("If-Match", b'"' + b"x" * 1024 + b'"'),
        ("If-Match", '"é"'.encode()),
    ],
)
def test_a_header_is_refused_by_its_name(learner: Person, name: str, value: bytes) -> None:
    response = learner.put(UPDATE, json={}, headers={name: value})
    assert (response.status_code, fields_of(response)) == (422, {name})
