"""What a mock was asked, and how a test looks at it."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from unpuzzle_sdk import Unpuzzle, errors
from unpuzzle_sdk.testing import MockUnpuzzle

COURSE = "a-course"


def test_a_request_is_recorded_as_it_was_sent(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mocked.courses.update("b6b28414-328b-5b14-930c-0a8320288e81", title="New", if_match="*")
    mocked.courses.list(search="a b", page_size=5)
    changed, listed = mock.requests
    assert (changed.operation, changed.method) == ("courses.update", "PATCH")
    assert changed.path_params == {"course_id": "b6b28414-328b-5b14-930c-0a8320288e81"}
    assert changed.json == {"title": "New"}
    assert changed.body == b'{"title":"New"}'
    assert (changed.headers["If-Match"], changed.status) == ("*", 200)
    assert (listed.query, listed.json) == ({"search": "a b", "page_size": "5"}, None)


def test_the_api_may_stand_under_a_path(mock: MockUnpuzzle) -> None:
    client = mock.client(base_url="https://example.com/learn ing/")
    assert client.courses.get(COURSE).title
    (request,) = mock.calls("courses.get")
    assert (request.path, request.path_params) == (f"/api/v1/courses/{COURSE}/", {"course_id": COURSE})
    with pytest.raises(errors.NotFound):
        mock.client().request("GET", "/other/api/v1/courses/a-course/")


@pytest.mark.parametrize(
    ("method", "path", "arguments"),
    [
        ("POST", "/api/v1/ai-assistant/chat/send/", {}),
        ("POST", "/api/v1/ai-assistant/chat/send/", {"content": b"\xff"}),
        ("GET", "/api/v1/courses/", {"params": {"page_size": 0, "page": "first"}}),
    ],
)
def test_a_mock_that_is_not_strict_answers_what_the_api_would_refuse(
    method: str, path: str, arguments: dict[str, Any]
) -> None:
    client = MockUnpuzzle(strict=False).client()
    assert client.request(method, path, **arguments)
    with pytest.raises(errors.APIStatusError):
        MockUnpuzzle().client().request(method, path, **arguments)


def test_what_is_shown_of_a_request_holds_no_secret(mock: MockUnpuzzle) -> None:
    client = mock.client(token="s3cret-token")
    client.auth.sign_in(email="user@example.com", password="s3cret-password")
    client.auth.get_profile()
    shown = repr(mock.requests) + repr([request.headers for request in mock.requests])
    with pytest.raises(AssertionError) as raised:
        mock.assert_called("auth.sign_in", json={"password": "s3cret-other"})
    assert "s3cret" not in shown + str(raised.value)


def test_a_failed_assertion_shows_nothing_that_the_contract_says_is_secret(mock: MockUnpuzzle) -> None:
    client = mock.client()
    client.auth.oauth_callback(provider="google", code="s3cret-code", state="s3cret-state")
    client.media.download("f47ac10b-58cc-4372-a567-0e02b2c3d479", "a.mp4", expires=1768870800, signature="5ec2e7")
    for operation, expected in (
        ("auth.oauth_callback", {"json": {"code": "s3cret-other"}}),
        ("media.download", {"signature": "5ec2e70"}),
    ):
        with pytest.raises(AssertionError) as raised:
            mock.assert_called(operation, **expected)  # type: ignore[arg-type]
        assert "s3cret" not in str(raised.value)
        assert "5ec2e7" not in str(raised.value)


def test_a_body_that_can_not_be_read_fails_the_assertion_and_no_more(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    headers = {"Content-Type": "application/json"}
    with pytest.raises(errors.MalformedRequest):
        mocked.request("POST", "/api/v1/auth/signin/", content=b"{", headers=headers)
    with pytest.raises(AssertionError, match=r"auth\.sign_in\(\) → 400"):
        mock.assert_called("auth.sign_in", json={})


def test_what_was_called_can_be_asserted(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mocked.courses.create(title="Mine", price=Decimal("9.5"))
    mocked.courses.get("mine")
    mock.assert_called("courses.create", times=1, json={"title": "Mine", "price": Decimal("9.5")})
    mock.assert_called("courses.get", course_id="mine")
    mock.assert_called("courses.list", times=0)


def test_a_body_that_is_no_json_can_be_asserted_too(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    arguments = {
        "expires": 1768870800,
        "signature": "9f2c1e",
        "content_range": "bytes 0-1/2",
        "x_bz_content_sha_1": "0" * 40,
    }
    mocked.media.upload_content("f47ac10b-58cc-4372-a567-0e02b2c3d479", content=b"\xff\x00", **arguments)
    mock.assert_called("media.upload_content", times=1, signature="9f2c1e")
    with pytest.raises(AssertionError, match="was called never"):
        mock.assert_called("media.upload_content", json={})


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("courses.get", {"course": "mine"}),
        ("courses.create", {"title": "Mine"}),
        ("courses.create", {"Idempotency-Key": "k"}),
    ],
)
def test_parameters_that_no_request_has_are_refused_as_they_would_never_be_found(
    mock: MockUnpuzzle, operation: Any, parameters: dict[str, Any]
) -> None:
    for ask in (lambda: mock.assert_called(operation, times=0, **parameters), lambda: mock.on(operation, **parameters)):
        with pytest.raises(ValueError, match=r"has no parameter .* in its path or its query"):
            ask()


@pytest.mark.parametrize(
    ("operation", "expected", "message"),
    [
        (
            "courses.create",
            {"times": 2},
            "courses.create() was called once, not 2 times. The mock was asked:\n"
            '  courses.create() json={"title": "Mine"} → 201',
        ),
        (
            "courses.create",
            {"json": {"title": "Yours"}},
            'courses.create(json={"title": "Yours"}) was called never. The mock was asked:\n'
            '  courses.create() json={"title": "Mine"} → 201',
        ),
        (
            "courses.get",
            {"course_id": "x"},
            "courses.get(course_id='x') was called never. The mock was asked:\n"
            '  courses.create() json={"title": "Mine"} → 201\n'
            "  courses.list(page='2') → 200",
        ),
    ],
)
def test_a_failed_assertion_shows_what_was_asked(
    mock: MockUnpuzzle, mocked: Unpuzzle, operation: str, expected: dict[str, Any], message: str
) -> None:
    mocked.courses.create(title="Mine")
    mocked.courses.list(page=2)
    with pytest.raises(AssertionError) as raised:
        mock.assert_called(operation, **expected)
    assert str(raised.value) == message


def test_a_client_of_your_own_uses_the_transport(mock: MockUnpuzzle) -> None:
    client = Unpuzzle(base_url="http://somewhere", token="x", transport=mock.transport)
    assert client.auth.get_profile().email
    with httpx.Client(transport=mock.transport, base_url="http://somewhere") as bare:
        assert bare.get("/api/v1/courses").json()["count"] == 1  # the slash at the end may be missing
    assert [request.operation for request in mock.requests] == ["auth.get_profile", "courses.list"]


def test_the_environment_of_a_developer_is_not_used(monkeypatch: pytest.MonkeyPatch, mock: MockUnpuzzle) -> None:
    monkeypatch.setenv("UNPUZZLE_TOKEN", "a-real-token")
    monkeypatch.setenv("UNPUZZLE_BASE_URL", "https://real.example.com")
    mock.client().auth.get_profile()
    assert "a-real-token" not in mock.requests[0].headers["Authorization"]


def test_a_mock_that_is_reset_has_forgotten_everything(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mocked.courses.create(title="Mine", idempotency_key="k")
    mock.on("courses.create").fail(500)
    mock.fail_next(500)
    mock.reset()
    assert mocked.courses.create(title="Yours", idempotency_key="k").id
    assert len(mock.requests) == 1


def test_times_are_read_and_written_as_models_do(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    mock.on("courses.get").reply(published_at=moment)
    assert mocked.courses.get(COURSE).published_at == moment


def test_what_the_readme_shows_is_so() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = (
        block for block in re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL) if "MockUnpuzzle" in block
    )
    exec(compile(code, "README.md", "exec"), {})


def test_clients_of_one_mock_may_look_for_the_api_at_different_paths(mock: MockUnpuzzle) -> None:
    for client in (
        mock.client(base_url="https://example.com/api"),
        mock.client(),
        mock.client(base_url="https://example.com/edu"),
    ):
        assert client.courses.get("any-course").title
    assert [request.operation for request in mock.requests] == ["courses.get"] * 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"email": "\\u0000"}', "The body is not valid JSON: a string holds NUL or half a surrogate pair."),
        (b'{"email": ["\\ud800"]}', "The body is not valid JSON: a string holds NUL or half a surrogate pair."),
        (b'{"\\u0000": 1}', "The body is not valid JSON: a string holds NUL or half a surrogate pair."),
        (b'{\n "email" 1}', "The body is not valid JSON: line 2, column 10."),
        (b'\xef\xbb\xbf{"email": 1}', "The body is not valid JSON: line 1, column 1."),
        ('{"email": 1}'.encode("utf-16"), "The body is not UTF-8."),
        (b'{"email": ' + b"[" * 9999 + b"]" * 9999 + b"}", "The body is nested too deeply."),
        (b'{"email": ' + b"9" * 5000 + b"}", "The body holds a number of too many digits."),
    ],
)
def test_a_body_that_the_api_can_not_read_is_refused_in_its_words(mocked: Unpuzzle, body: bytes, message: str) -> None:
    with pytest.raises(errors.MalformedRequest) as raised:
        mocked.request("POST", "/api/v1/auth/signin/", content=body, headers={"Content-Type": "Application/JSON"})
    assert raised.value.message == message


def test_a_query_that_holds_nul_is_refused_as_the_api_does(mocked: Unpuzzle) -> None:
    with pytest.raises(errors.MalformedRequest, match="The query holds a NUL character"):
        mocked.courses.list(search="a\0")


def test_a_body_of_another_type_is_refused_in_the_words_of_the_api(mocked: Unpuzzle) -> None:
    with pytest.raises(
        errors.UnsupportedMediaType, match='Send the body as "Content-Type: application/json", in UTF-8'
    ):
        mocked.request("POST", "/api/v1/auth/signin/", content=b"<a/>", headers={"Content-Type": "text/xml"})


def test_what_is_wrong_with_a_field_is_said_in_the_order_of_the_api(mocked: Unpuzzle) -> None:
    with pytest.raises(errors.ValidationError) as raised:
        mocked.auth.sign_in(email="x" * 300, password="a-password")
    assert [detail.message for detail in raised.value.details] == [
        "must have at most 254 characters",
        "has characters or a form that is not allowed here",
        "is not an e-mail address",
    ]


def test_an_etag_is_found_among_others_as_the_api_finds_it(mocked: Unpuzzle) -> None:
    tag = mocked.raw.courses.get("mine").etag
    for known in (tag, f"W/{tag}", f'"other", W/{tag}', f'"other" ,{tag}', "*"):
        with pytest.raises(errors.NotModified):
            mocked.courses.get("mine", if_none_match=known)
    assert mocked.courses.get("mine", if_none_match='"other", "another"')
