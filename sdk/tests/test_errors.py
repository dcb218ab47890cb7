"""Every failure is an exception of the right class, and survives copying."""

from __future__ import annotations

import ast
import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from loopback import Reply, Server, error, load_contract

from unpuzzle_sdk import Unpuzzle, errors
from unpuzzle_sdk._core.errors import class_of_status

STATUSES = load_contract()["components"]["schemas"]["ErrorCode"]["x-unpuzzle-statuses"]


@pytest.fixture
def once(client: Unpuzzle) -> Unpuzzle:
    return client.with_options(max_retries=0)


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_each_code_has_its_class(once: Unpuzzle, server: Server, code: str, status: int) -> None:
    server.script = [error(status, code)]
    with pytest.raises(errors.APIStatusError) as caught:
        once.courses.get("x")
    name = "".join(word.capitalize() for word in code.split("_"))
    assert type(caught.value) is getattr(errors, name)
    assert isinstance(caught.value, class_of_status(status))
    assert (caught.value.code, caught.value.status_code, caught.value.request_id) == (code, status, "req_1")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(404, "BRAND_NEW"), errors.NotFoundError),
        (error(418, "BRAND_NEW"), errors.APIStatusError),
        (Reply(502, content=b"<html>Bad gateway</html>"), errors.ServerError),
        (Reply(599), errors.ServerError),
        (Reply(500, json=["not", "an", "object"]), errors.ServerError),
        (Reply(500, json={"error": "text"}), errors.ServerError),
        (Reply(422, json={"error": {"details": [1, {"field": "a"}]}}), errors.UnprocessableEntityError),
        (Reply(422, json={"error": {"details": 5}}), errors.UnprocessableEntityError),
        (Reply(422, content=b"[" * 100_000), errors.UnprocessableEntityError),
        (Reply(503, json={"error": {"retry_after": "soon"}}), errors.ServiceUnavailableError),
        (Reply(200), errors.InvalidResponseError),
        (Reply(200, content=b'{"id": 1'), errors.InvalidResponseError),
        (Reply(200, content=b"\xff\xfe"), errors.InvalidResponseError),
        (Reply(200, content=b"[" * 100_000), errors.InvalidResponseError),
        (Reply(200, content=b"garbage", headers={"Content-Encoding": "gzip"}), errors.APIConnectionError),
        (Reply(500, content=b'{"error"', claim_length=99), errors.APIConnectionError),
        (Reply(200, json={"id": "1"}), errors.InvalidResponseError),
        (Reply(200, json=[]), errors.InvalidResponseError),
        (Reply(302, headers={"Location": "/"}), errors.InvalidResponseError),
        (Reply(200, content=b"{}", claim_length=99), errors.APIConnectionError),
    ],
)
def test_odd_answers_are_typed_errors(once: Unpuzzle, server: Server, reply: Reply, kind: type[Exception]) -> None:
    server.script = [reply]
    with pytest.raises(kind):
        once.courses.get("x")


@pytest.mark.parametrize(
    "reply", [Reply(502, content=b"<html>"), Reply(599), Reply(503, json={"error": {"retry_after": []}})]
)
def test_what_an_odd_answer_does_not_say_is_none(once: Unpuzzle, server: Server, reply: Reply) -> None:
    server.script = [reply]
    with pytest.raises(errors.ServerError) as caught:
        once.courses.get("x")
    odd = caught.value
    assert (odd.code, odd.request_id, odd.retry_after, odd.rate_limit, odd.details) == (None, None, None, None, [])
    assert odd.status_code == reply.status
    assert str(reply.status) in odd.message


def test_attributes(once: Unpuzzle, server: Server) -> None:
    limits = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "Retry-After": "12"}
    server.script = [
        error(429, "RATE_LIMIT_EXCEEDED", headers=limits),
        error(422, "VALIDATION_ERROR", details=[{"field": "title", "message": "is empty"}]),
        error(503, "SERVICE_UNAVAILABLE", retry_after=5),
    ]
    with pytest.raises(errors.RateLimitExceeded) as limited:
        once.courses.get("x")
    assert limited.value.retry_after == 12
    assert limited.value.rate_limit is not None
    assert limited.value.rate_limit.remaining == 0
    with pytest.raises(errors.ValidationError) as invalid:
        once.courses.create(title="")
    assert invalid.value.details == [errors.ErrorDetail("title", "is empty")]
    assert "title: is empty" in str(invalid.value)
    assert invalid.value.body["error"]["code"] == "VALIDATION_ERROR"
    with pytest.raises(errors.ServiceUnavailable) as down:
        once.courses.get("x")
    assert down.value.retry_after == 5


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name != "ErrorDetail"])
def test_errors_survive_pickling_and_copying(name: str) -> None:
    kind: Any = getattr(errors, name)
    facts = {"status_code": 404, "code": "C", "details": [errors.ErrorDetail("a", "b")], "request_id": "req_1"}
    original = kind("No", **facts) if issubclass(kind, errors.APIStatusError) else kind("No")
    for twin in (pickle.loads(pickle.dumps(original)), copy.copy(original), copy.deepcopy(original)):
        assert type(twin) is kind
        assert str(twin) == str(original)
        assert vars(twin) == vars(original)


def test_type_checkers_can_read_which_names_are_public() -> None:
    tree = ast.parse(Path(errors.__file__).read_text())
    (named,) = [ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)]
    found = [name for name, value in vars(errors).items() if isinstance(value, type) and not name.startswith("_")]
    assert sorted(named) == sorted(found)


def test_the_headers_of_an_error_can_be_read_by_names_in_any_case_and_show_no_secret(
    once: Unpuzzle, server: Server
) -> None:
    server.script = [error(404, "COURSE_NOT_FOUND", headers={"Set-Cookie": "a=canary", "ETag": "1"})]
    with pytest.raises(errors.CourseNotFound) as caught:
        once.courses.get("x")
    headers = caught.value.headers
    assert (headers["ETag"], headers["set-cookie"], headers.get("X-None")) == ("1", "a=canary", None)
    assert "etag: 1" in repr(headers)
    assert "canary" not in repr(headers)
    assert pickle.loads(pickle.dumps(caught.value)).headers == headers
    with pytest.raises(TypeError):
        headers["etag"] = "2"  # type: ignore[index]


def test_an_answer_that_leads_elsewhere_says_where_to_and_what_to_do(once: Unpuzzle, server: Server) -> None:
    for rest in ("?signature=canary", "#access_token=canary"):
        server.script = [Reply(301, headers={"Location": f"https://canary@api.example/x{rest}"})]
        with pytest.raises(
            errors.InvalidResponseError, match=r"leads on to https://\*\*\*@api\.example/x: set base_url"
        ) as caught:
            once.courses.get("x")
        assert "canary" not in str(caught.value)


def test_an_amount_that_is_none_is_an_error_of_the_sdk(
    once: Unpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.script = [Reply(json={**examples["Course"], "price": "free"})]
    with pytest.raises(errors.InvalidResponseError):
        once.courses.get("x")
