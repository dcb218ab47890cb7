"""Malformed requests over a bare socket: each gets its documented status and code in the envelope, and none a 500."""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from harness import Api, Person, Server

CREATE = "/api/v1/instructor/courses/create/"
SIGN_IN = "/api/v1/auth/signin/"
LIST = "/api/v1/courses/"
SOME_ID = "8a3c1f0e-5b7d-4c2a-9e6f-1d2b3c4d5e6f"
SOME_COURSE = f"/api/v1/instructor/courses/{SOME_ID}/"


@pytest.fixture(scope="module")
def teacher(server: Server) -> Iterator[Person]:
    with Api(server) as api:
        yield api.sign_up_instructor()


def exchange(server: Server, raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """Sends bytes as they are; answers the status, headers and body of the one answer."""
    host, port = server.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(raw)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split(" ")[1]), headers, body


def request(method: str, path: str, token: str | None, body: bytes | None, headers: dict[str, str]) -> bytes:
    given = {"Host": "localhost", "Connection": "close", **headers}
    if token:
        given.setdefault("Authorization", f"Bearer {token}")
    if body is not None:
        given.setdefault("Content-Type", "application/json")
        if "Transfer-Encoding" not in given:
            given.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def title(value: Any) -> bytes:
    return json.dumps({"title": value}).encode()


BODIES: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("an empty body", b"", {}, 422, "VALIDATION_ERROR"),
    ("white space", b"  \n ", {}, 400, "MALFORMED_REQUEST"),
    ("half an object", b'{"title": "x"', {}, 400, "MALFORMED_REQUEST"),
    ("two objects", b'{"title": "x"}{"title": "y"}', {}, 400, "MALFORMED_REQUEST"),
    ("a trailing comma", b'{"title": "x",}', {}, 400, "MALFORMED_REQUEST"),
    ("single quotes", b"{'title': 'x'}", {}, 400, "MALFORMED_REQUEST"),
    ("a comment", b'{"title": "x" /* no */}', {}, 400, "MALFORMED_REQUEST"),
    ("NaN", b'{"title": "x", "price": NaN}', {}, 400, "MALFORMED_REQUEST"),
    ("Infinity", b'{"title": "x", "price": Infinity}', {}, 400, "MALFORMED_REQUEST"),
    ("a key twice", b'{"title": "x", "title": "y"}', {}, 400, "MALFORMED_REQUEST"),
    ("a key twice, deep down", b'{"title": "x", "tags": [{"a": 1, "a": 2}]}', {}, 400, "MALFORMED_REQUEST"),
    ("a NUL escaped", b'{"title": "x\\u0000y"}', {}, 400, "MALFORMED_REQUEST"),
    ("a NUL raw", b'{"title": "x\x00y"}', {}, 400, "MALFORMED_REQUEST"),
    ("half a surrogate pair", b'{"title": "\\ud800"}', {}, 400, "MALFORMED_REQUEST"),
    ("half a surrogate pair in a key", b'{"title": "x", "\\udfff": 1}', {}, 400, "MALFORMED_REQUEST"),
    ("invalid UTF-8", b'{"title": "\xff\xfe"}', {}, 400, "MALFORMED_REQUEST"),
    ("latin-1", '{"title": "Zoë"}'.encode("latin-1"), {}, 400, "MALFORMED_REQUEST"),
    ("UTF-16", '{"title": "x"}'.encode("utf-16"), {}, 400, "MALFORMED_REQUEST"),
    ("a byte order mark", b'\xef\xbb\xbf{"title": "x"}', {}, 400, "MALFORMED_REQUEST"),
    ("a control character in a string", b'{"title": "x\ny"}', {}, 400, "MALFORMED_REQUEST"),
    ("a number of 5000 digits", b'{"title": "x", "price": ' + b"9" * 5000 + b"}", {}, 400, "MALFORMED_REQUEST"),
    ("100,000 brackets", b"[" * 100_000, {}, 400, "MALFORMED_REQUEST"),
    ("100,000 braces", b'{"a":' * 100_000, {}, 400, "MALFORMED_REQUEST"),
    ("null", b"null", {}, 422, "VALIDATION_ERROR"),
    ("a list", b"[]", {}, 422, "VALIDATION_ERROR"),
    ("a string", b'"title"', {}, 422, "VALIDATION_ERROR"),
    ("a number", b"1", {}, 422, "VALIDATION_ERROR"),
    ("nothing in the object", b"{}", {}, 422, "VALIDATION_ERROR"),
    ("an unknown key", b'{"title": "x", "admin": true}', {}, 422, "VALIDATION_ERROR"),
    ("a key that is not the caller's", b'{"title": "x", "instructor_id": "1"}', {}, 422, "VALIDATION_ERROR"),
    ("a title that is a number", title(1), {}, 422, "VALIDATION_ERROR"),
    ("a title that is null", title(None), {}, 422, "VALIDATION_ERROR"),
    ("an empty title", title(""), {}, 422, "VALIDATION_ERROR"),
    ("a title of spaces", title("   "), {}, 422, "VALIDATION_ERROR"),
    ("a title too long", title("x" * 201), {}, 422, "VALIDATION_ERROR"),
    ("a negative price", b'{"title": "x", "price": -1}', {}, 422, "VALIDATION_ERROR"),
    ("a price as text", b'{"title": "x", "price": "1"}', {}, 422, "VALIDATION_ERROR"),
    ("an enormous price", b'{"title": "x", "price": 1e308}', {}, 422, "VALIDATION_ERROR"),
    ("a price of too many decimals", b'{"title": "x", "price": 0.001}', {}, 422, "PRICE_INVALID"),
    ("an unknown currency", b'{"title": "x", "currency": "XXX"}', {}, 422, "VALIDATION_ERROR"),
    ("a currency in small letters", b'{"title": "x", "currency": "usd"}', {}, 422, "VALIDATION_ERROR"),
    ("a category that is no UUID", b'{"title": "x", "category_id": "1"}', {}, 422, "VALIDATION_ERROR"),
    ("a category that is not there", f'{{"title": "x", "category_id": "{SOME_ID}"}}'.encode(), {}, 422, "CATEGORY_UNKNOWN"),
    ("tags that are no list", b'{"title": "x", "tags": "a"}', {}, 422, "VALIDATION_ERROR"),
    ("tags of the wrong kind", b'{"title": "x", "tags": [1, null, {}]}', {}, 422, "VALIDATION_ERROR"),
    ("too many tags", json.dumps({"title": "x", "tags": ["t"] * 21}).encode(), {}, 422, "VALIDATION_ERROR"),
    ("a URL that is none", b'{"title": "x", "thumbnail_url": "javascript:alert(1)"}', {}, 422, "VALIDATION_ERROR"),
    ("a form", b"title=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("plain text", title("x"), {"Content-Type": "text/plain"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("multipart without a boundary", b"--x", {"Content-Type": "multipart/form-data"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("an empty content type", title("x"), {"Content-Type": ""}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("a content type that is none", title("x"), {"Content-Type": "json"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("JSON of another kind", title("x"), {"Content-Type": "application/vnd.api+json"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("another charset", title("x"), {"Content-Type": "application/json; charset=utf-16"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("gzip", gzip.compress(title("x")), {"Content-Encoding": "gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("an unknown encoding", title("x"), {"Content-Encoding": "br, gzip"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("a body over 1 MiB", title("x" * 1_100_000), {}, 413, "PAYLOAD_TOO_LARGE"),
    ("an announced body over 1 MiB", b"{", {"Content-Length": "99999999999"}, 413, "PAYLOAD_TOO_LARGE"),
    ("a key of 300 characters", title("x"), {"Idempotency-Key": "k" * 300}, 422, "VALIDATION_ERROR"),
    ("a key with a space", title("x"), {"Idempotency-Key": "a b"}, 422, "VALIDATION_ERROR"),
    ("an empty key", title("x"), {"Idempotency-Key": ""}, 422, "VALIDATION_ERROR"),
    ("a version of nine", title("x"), {"X-API-Version": "9"}, 400, "UNSUPPORTED_VERSION"),
    ("a version that is none", title("x"), {"X-API-Version": "new"}, 422, "VALIDATION_ERROR"),
]


@pytest.mark.parametrize(("what", "body", "headers", "status", "code"), BODIES, ids=[probe[0] for probe in BODIES])
def test_a_body_is_refused(
    server: Server, teacher: Person, what: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = exchange(server, request("POST", CREATE, teacher.tokens["access_token"], body, headers))
    check(answer, status, code)


TARGETS: list[tuple[str, str, str, int, str]] = [
    ("an unknown path", "GET", "/api/v1/nothing/", 404, "NOT_FOUND"),
    ("another version of the API", "GET", "/api/v2/courses/", 404, "NOT_FOUND"),
    ("two slashes", "GET", "/api/v1//courses/", 404, "NOT_FOUND"),
    ("a path above", "GET", "/api/v1/../../etc/passwd", 404, "NOT_FOUND"),
    ("a path above, encoded", "GET", "/api/v1/courses/%2e%2e%2f%2e%2e%2fetc/", 404, "NOT_FOUND"),
    ("capital letters", "GET", "/API/V1/COURSES/", 404, "NOT_FOUND"),
    ("a method that is not there", "DELETE", LIST, 405, "METHOD_NOT_ALLOWED"),
    ("a method that nobody knows", "BREW", LIST, 400, "MALFORMED_REQUEST"),
    ("TRACE", "TRACE", LIST, 405, "METHOD_NOT_ALLOWED"),
    ("a method in small letters", "get", LIST, 400, "MALFORMED_REQUEST"),
    ("a page of zero", "GET", f"{LIST}?page=0", 422, "VALIDATION_ERROR"),
    ("a negative page", "GET", f"{LIST}?page=-1", 422, "VALIDATION_ERROR"),
    ("a page with a plus", "GET", f"{LIST}?page=%2B1", 422, "VALIDATION_ERROR"),
    ("a page with a space", "GET", f"{LIST}?page=%201", 422, "VALIDATION_ERROR"),
    ("a page with an underscore", "GET", f"{LIST}?page=1_0", 422, "VALIDATION_ERROR"),
    ("a page in other digits", "GET", f"{LIST}?page=%D9%A3", 422, "VALIDATION_ERROR"),
    ("a page as a float", "GET", f"{LIST}?page=1.0", 422, "VALIDATION_ERROR"),
    ("a page in hexadecimal", "GET", f"{LIST}?page=0x1", 422, "VALIDATION_ERROR"),
    ("a page with a leading zero", "GET", f"{LIST}?page=01", 422, "VALIDATION_ERROR"),
    ("a page of 40 digits", "GET", f"{LIST}?page={'9' * 40}", 422, "VALIDATION_ERROR"),
    ("an empty page", "GET", f"{LIST}?page=", 422, "VALIDATION_ERROR"),
    ("a page twice", "GET", f"{LIST}?page=1&page=2", 422, "VALIDATION_ERROR"),
    ("a page size of zero", "GET", f"{LIST}?page_size=0", 422, "VALIDATION_ERROR"),
    ("a page size of 101", "GET", f"{LIST}?page_size=101", 422, "VALIDATION_ERROR"),
    ("an unknown parameter", "GET", f"{LIST}?colour=red", 422, "VALIDATION_ERROR"),
    ("a parameter in brackets", "GET", f"{LIST}?page[]=1", 422, "VALIDATION_ERROR"),
    ("an unknown sort", "GET", f"{LIST}?sort=password", 422, "VALIDATION_ERROR"),
    ("SQL for a sort", "GET", f"{LIST}?sort=title;drop%20table%20users", 422, "VALIDATION_ERROR"),
    ("an unknown order", "GET", f"{LIST}?order=up", 422, "VALIDATION_ERROR"),
    ("an unknown difficulty", "GET", f"{LIST}?difficulty=easy", 422, "VALIDATION_ERROR"),
    ("a category with capitals", "GET", f"{LIST}?category=Programming", 422, "VALIDATION_ERROR"),
    ("an empty search", "GET", f"{LIST}?search=", 422, "VALIDATION_ERROR"),
    ("a search too long", "GET", f"{LIST}?search={'x' * 201}", 422, "VALIDATION_ERROR"),
    ("a NUL in a search", "GET", f"{LIST}?search=a%00b", 400, "MALFORMED_REQUEST"),
    ("invalid UTF-8 in a search", "GET", f"{LIST}?search=%FF", 400, "MALFORMED_REQUEST"),
    ("invalid UTF-8 in a name", "GET", f"{LIST}?%FF=1", 400, "MALFORMED_REQUEST"),
    ("101 parameters", "GET", f"{LIST}?{'&'.join(f'p{n}=1' for n in range(101))}", 400, "MALFORMED_REQUEST"),
    ("a course that is not there", "GET", f"{LIST}nothing-here/", 404, "COURSE_NOT_FOUND"),
    ("a course by an id that is not there", "GET", f"{LIST}{SOME_ID}/", 404, "COURSE_NOT_FOUND"),
    ("a slug with dots", "GET", f"{LIST}a.b/", 422, "VALIDATION_ERROR"),
    ("a slug with a NUL", "GET", f"{LIST}a%00b/", 422, "VALIDATION_ERROR"),
    ("a slug too long", "GET", f"{LIST}{'a' * 121}/", 422, "VALIDATION_ERROR"),
    ("an id that is none", "GET", "/api/v1/instructor/courses/1/", 422, "VALIDATION_ERROR"),
    ("an id with braces", "GET", f"/api/v1/instructor/courses/%7B{SOME_ID}%7D/", 422, "VALIDATION_ERROR"),
    ("an id without hyphens", "GET", f"/api/v1/instructor/courses/{SOME_ID.replace('-', '')}/", 422, "VALIDATION_ERROR"),
    ("an id that is not there", "GET", SOME_COURSE, 404, "COURSE_NOT_FOUND"),
    ("the same without its slash", "GET", SOME_COURSE.rstrip("/"), 404, "COURSE_NOT_FOUND"),
]


@pytest.mark.parametrize(("what", "method", "path", "status", "code"), TARGETS, ids=[probe[0] for probe in TARGETS])
def test_a_target_is_refused(server: Server, teacher: Person, what: str, method: str, path: str, status: int, code: str) -> None:
    check(exchange(server, request(method, path, teacher.tokens["access_token"], None, {})), status, code)


AUTHORIZATIONS = [
    ("nothing", {}, "AUTH_REQUIRED"),
    ("an empty header", {"Authorization": ""}, "AUTH_REQUIRED"),
    ("a bearer without a token", {"Authorization": "Bearer "}, "AUTH_REQUIRED"),
    ("another scheme", {"Authorization": "Basic dXNlcjpwYXNz"}, "AUTH_INVALID_TOKEN"),
    ("a token that is none", {"Authorization": "Bearer x"}, "AUTH_INVALID_TOKEN"),
    ("a token of dots", {"Authorization": "Bearer .."}, "AUTH_INVALID_TOKEN"),
    ("a token in other letters", {"Authorization": "Bearer \xfc\xe9"}, "AUTH_INVALID_TOKEN"),
    ("alg none", {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."}, "AUTH_INVALID_TOKEN"),
    ("a token of 30,000 characters", {"Authorization": f"Bearer {'a' * 30_000}"}, "AUTH_INVALID_TOKEN"),
    ("a cookie that is none", {"Cookie": "unpuzzle_access=x"}, "AUTH_INVALID_TOKEN"),
    ("a cookie header that is none", {"Cookie": "=;;;\x80"}, "AUTH_REQUIRED"),
]


@pytest.mark.parametrize(("what", "headers", "code"), AUTHORIZATIONS, ids=[probe[0] for probe in AUTHORIZATIONS])
def test_an_authorization_is_refused(server: Server, what: str, headers: dict[str, str], code: str) -> None:
    answer = exchange(server, request("GET", "/api/v1/auth/profile/", None, None, headers))
    check(answer, 401, code)
    assert answer[1]["www-authenticate"].startswith("Bearer")


UNREADABLE = [
    ("no HTTP at all", b"hello\r\n\r\n"),
    ("another version of HTTP", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"),
    ("TLS", bytes.fromhex("16030100a5010000a10303") + b"\0" * 40 + b"\r\n\r\n"),
    ("a header without a colon", b"GET /health/ HTTP/1.1\r\nHost\r\n\r\n"),
    ("two lengths", b"POST /health/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    ("a length that is none", b"POST /health/ HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"),
    (
        "a length and chunks",
        b"POST /health/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("a control character in the path", b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("a control character in a header", b"GET /health/ HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n"),
]


@pytest.mark.parametrize(("what", "raw"), UNREADABLE, ids=[probe[0] for probe in UNREADABLE])
def test_what_is_not_http_is_refused_in_the_envelope(server: Server, what: str, raw: bytes) -> None:
    check(exchange(server, raw), 400, "MALFORMED_REQUEST")


def test_a_chunked_body_is_taken(server: Server, teacher: Person) -> None:
    body = title("Chunked")
    chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    status, _, _ = exchange(
        server, request("POST", CREATE, teacher.tokens["access_token"], chunked, {"Transfer-Encoding": "chunked"})
    )
    assert status == 201


def test_a_chunked_body_over_1_mib_is_refused(server: Server, teacher: Person) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    raw = request("POST", CREATE, teacher.tokens["access_token"], chunk * 17 + b"0\r\n\r\n", {"Transfer-Encoding": "chunked"})
    check(exchange(server, raw), 413, "PAYLOAD_TOO_LARGE")


def test_a_foreign_host_never_gets_into_a_link(server: Server) -> None:
    _, _, body = exchange(server, request("GET", f"{LIST}?page_size=1&page=2", None, None, {"Host": "evil.example"}))
    assert b"evil.example" not in body


def check(answer: tuple[int, dict[str, str], bytes], status: int, code: str) -> None:
    found, headers, body = answer
    assert found == status, body[:500]
    assert headers["content-type"] == "application/json"
    envelope = json.loads(body)
    assert envelope["error"]["code"] == code
    assert envelope["status"] == "error"
    assert envelope["request_id"] == headers["x-request-id"]
