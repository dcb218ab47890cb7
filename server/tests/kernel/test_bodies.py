"""Bodies: strict JSON, every problem at once, and never a 500. What is not even HTTP stands in contract-tests/wire."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from harness import PASSWORD, Api, Person, code_of, fields_of
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.validation import parse_json

SIGN_UP, SIGN_OUT = "/api/v1/auth/signup/", "/api/v1/auth/signout/"
UPDATE, APPLY, CREATE = "/api/v1/auth/profile/update/", "/api/v1/auth/instructor/apply/", "/api/v1/instructor/courses/create/"
JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024


def put(person: Person, raw: bytes, **headers: str) -> httpx.Response:
    """A body as it is, under an operation that asks for no key in particular."""
    response: httpx.Response = person.put(UPDATE, content=raw, headers={**JSON, **headers})
    return response


@pytest.mark.parametrize("levels", [1, 20, 240, 254, 255, 256, 257, 300, 600, 900, 970, 980, 985, 990, 995, 1000, 1100, 5000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
def test_no_depth_of_nesting_breaks_the_server(learner: Person, levels: int, opening: bytes, closing: bytes) -> None:
    response = put(learner, b'{"bio":' + opening * levels + b"1" + closing * levels + b"}")
    refusals = [(422, "VALIDATION_ERROR"), (400, "MALFORMED_REQUEST")]
    assert (response.status_code, code_of(response)) in (
        refusals[:1] if levels <= 240 else refusals[1:] if levels > 1000 else refusals
    )


def test_deep_nesting_with_escapes_breaks_nothing_either(learner: Person) -> None:
    for levels in (300, 900, 980):
        assert put(learner, b'{"bio":' + b"[" * levels + b'"\\u0041"' + b"]" * levels + b"}").status_code == 400


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (b"1e400", 422),
        (b"-1e400", 422),
        (b"1e308", 422),
        (b"9" * 19, 422),
        (b"9" * 400, 422),
        (b"9" * 4300, 422),
        (b"9" * 4301, 400),
        (b"-" + b"9" * 5000, 400),
        (b"-0", 201),
        (b"1E-400", 201),
        (b"0.1e2", 201),
    ],
    ids=lambda value: value[:8].decode() + f"_{len(value)}" if isinstance(value, bytes) else value,
)
def test_numbers_of_any_size_are_read_or_refused(instructor: Person, number: bytes, status: int) -> None:
    response = instructor.post(CREATE, content=b'{"title":"x","price":' + number + b"}", headers=JSON)
    assert response.status_code == status


def test_a_refusal_does_not_speak_of_the_language_that_the_server_is_written_in(learner: Person) -> None:
    message = put(learner, b'{"bio":' + b"9" * 5000 + b"}").json()["error"]["message"]
    assert message == "The body holds a number of too many digits."


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a":{"b":1,"b":1}}', "The body is not valid JSON: a key stands twice in an object."),
        (b'{"a":1,"\\u0061":2}', "The body is not valid JSON: a key stands twice in an object."),
        (b"[-Infinity]", "The body is not valid JSON: -Infinity is not a JSON value."),
        (b'["\\udc00\\ud800"]', "The body is not valid JSON: a string holds NUL or half a surrogate pair."),
        (b'{"\\ud83d":1}', "The body is not valid JSON: a string holds NUL or half a surrogate pair."),
        (b'{"a\\u0000":1}', "The body is not valid JSON: a string holds NUL or half a surrogate pair."),
        (b'["\xed\xa0\x80"]', "The body is not UTF-8."),
        (b'["\xc0\x80"]', "The body is not UTF-8."),
        (b"\xef\xbb\xbf{}", "The body is not valid JSON: line 1, column 1."),
        (b'{\n "a": tru}', "The body is not valid JSON: line 2, column 7."),
        (b"01", "The body is not valid JSON: line 1, column 2."),
        (b"1.", "The body is not valid JSON: line 1, column 2."),
        (b"[1]\x0b", "The body is not valid JSON: line 1, column 4."),
    ],
    ids=str,
)
def test_what_parsers_disagree_on_is_malformed(raw: bytes, message: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_json(raw)
    assert (refused.value.code, refused.value.message) == ("MALFORMED_REQUEST", message)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b' {"a" : [ ] }\r\n\t', {"a": []}),
        (b'"\\ud83d\\udca5"', "💥"),
        ('"💥\u2028"'.encode(), "💥\u2028"),
        (b'{"":1}', {"": 1}),
        (b'"\\u007f\\\\ud800"', "\x7f\\ud800"),
        (b"1E2", 100.0),
    ],
    ids=str,
)
def test_what_is_json_is_read(raw: bytes, value: Any) -> None:
    assert parse_json(raw) == value


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON ; Charset=UTF-8", 200),
        ('application/json; charset="utf-8"', 200),
        ("application/json; odata=verbose", 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=iso-8859-1", 415),
        ("application/json, application/json", 415),
        ("application/merge-patch+json", 415),
        ("text/json", 415),
        ("", 415),
    ],
)
def test_a_body_is_json_in_utf_8_by_its_content_type(learner: Person, media_type: str, status: int) -> None:
    assert put(learner, b"{}", **{"Content-Type": media_type}).status_code == status


@pytest.mark.parametrize(("encoding", "status"), [("identity", 200), ("gzip", 415), ("deflate", 415), ("identity, gzip", 415)])
def test_a_body_comes_as_it_is(learner: Person, encoding: str, status: int) -> None:
    assert put(learner, b"{}", **{"Content-Encoding": encoding}).status_code == status


def test_a_content_type_is_asked_for_with_a_body_only(api: Api, learner: Person) -> None:
    assert learner.post(SIGN_OUT, headers={"Content-Type": "text/plain"}).status_code == 200
    assert api.post("/api/v1/auth/refresh/", headers={"Content-Type": "text/plain"}).status_code == 401
    response = api.post("/api/v1/auth/refresh/", content=b"{}")
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_missing_body_is_named_where_one_is_needed(learner: Person) -> None:
    response = put(learner, b"")
    assert (response.status_code, fields_of(response)) == (422, {"body"})
    assert learner.post(APPLY).json()["error"]["details"] == [{"field": "body", "message": "is required"}]


@pytest.mark.parametrize("raw", [b"null", b"[]", b"1", b'"x"', b"true"])
def test_a_body_is_an_object(learner: Person, raw: bytes) -> None:
    response = put(learner, raw)
    assert response.json()["error"]["details"] == [{"field": "body", "message": "must be an object"}]


def test_a_body_of_one_mebibyte_is_read_and_one_byte_more_is_not(learner: Person) -> None:
    assert put(learner, b"{}" + b" " * (MIB - 2)).status_code == 200
    response = put(learner, b"{}" + b" " * (MIB - 1))
    assert (response.status_code, code_of(response)) == (413, "PAYLOAD_TOO_LARGE")


def test_every_problem_has_its_path_and_its_sentence(instructor: Person) -> None:
    body = {
        "title": "",
        "price": "1",
        "difficulty": "hard",
        "tags": ["ok", "", 5],
        "category_id": "x",
        "thumbnail_url": "x",
        "a": 1,
    }
    response = instructor.post(CREATE, json=body)
    assert response.status_code == 422
    found = {(detail["field"], detail["message"]) for detail in response.json()["error"]["details"]}
    assert found >= {
        ("title", "must have at least 1 characters"),
        ("price", "must be null or a number"),
        ("difficulty", "must be one of beginner, intermediate, advanced"),
        ("tags.1", "must have at least 1 characters"),
        ("tags.2", "must be a string"),
        ("category_id", "is not a UUID"),
        ("a", "is not a known field"),
    }


def test_problems_of_the_body_and_of_headers_come_together(learner: Person) -> None:
    response = put(learner, b'{"full_name":null}', **{"Idempotency-Key": "a b", "If-Match": ""})
    assert fields_of(response) == {"full_name", "Idempotency-Key", "If-Match"}


def test_thousands_of_problems_are_told_in_a_short_answer(learner: Person) -> None:
    response = put(learner, json.dumps({f"{number}" * 500: 1 for number in range(400)}).encode())
    details = response.json()["error"]["details"]
    assert len(details) == 100
    assert all(len(detail["field"]) <= 100 for detail in details)


def test_no_problem_quotes_what_was_sent(api: Api) -> None:
    secret = "s3cr3t-" * 60
    wrong: list[dict[str, Any]] = [
        {"password": secret},
        {"password": [secret]},
        {"password": {"x": secret}},
        {"email": secret},
        {"metadata": {"key": secret * 2}},
        {"metadata": secret},
    ]
    for fields in wrong:
        response = api.post(SIGN_UP, json={"email": "a@example.com", "password": PASSWORD, "full_name": "Ada", **fields})
        assert response.status_code == 422
        assert "s3cr3t" not in response.text
    assert "s3cr3t" not in api.post(SIGN_UP, content=secret.encode(), headers=JSON).text


@pytest.mark.parametrize("path", ["signup", "signin"])
def test_a_key_that_is_there_with_null_is_not_a_key_that_is_absent(api: Api, path: str) -> None:
    absent = api.post(f"/api/v1/auth/{path}/", json={"email": "a@example.com", "full_name": "Ada"})
    null = api.post(f"/api/v1/auth/{path}/", json={"email": "a@example.com", "full_name": "Ada", "password": None})
    assert {"field": "password", "message": "is required"} in absent.json()["error"]["details"]
    assert {"field": "password", "message": "must be a string"} in null.json()["error"]["details"]


@pytest.mark.parametrize(
    "text", ["\u200b", " \u2060 ", "\u3164", "\u202e", "a\x1b[31mb", "a\x07", "a\r\nb", "a\tb", "\x85", "a\u2028b"]
)
def test_a_name_or_title_is_one_line_with_something_to_see(api: Api, instructor: Person, text: str) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "full_name": text}
    assert fields_of(api.post(SIGN_UP, json=body)) == {"full_name"}
    assert fields_of(instructor.post(CREATE, json={"title": text})) == {"title"}


@pytest.mark.parametrize("text", ["Zoë", "👩‍🔬", "می\u200cخواهم", "a\u00adb", "한글"])
def test_what_can_not_be_seen_may_stand_among_what_can(instructor: Person, text: str) -> None:
    assert instructor.course(title=text)["title"] == text
