"""What goes wrong when a test wants it to, and what a mock refuses as the API would."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from unpuzzle_sdk import MemoryTokenStore, Unpuzzle, errors
from unpuzzle_sdk.testing import MockUnpuzzle

COURSE = "a-course"


def test_a_client_tries_again_without_sleeping(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mock.fail_next(429, retry_after=7, times=2)
    assert mocked.courses.get(COURSE).title
    assert [request.status for request in mock.requests] == [429, 429, 200]
    assert all(7 <= wait < 8 for wait in mock.waits)
    assert len(mock.waits) == 2


def test_a_client_in_asyncio_tries_again_without_sleeping(mock: MockUnpuzzle) -> None:
    mock.fail_next(503)
    mock.fail_next(ConnectionError)
    asyncio.run(mock.async_client().courses.get(COURSE))
    assert [request.status for request in mock.requests] == [503, None, 200]
    assert len(mock.waits) == 2


def test_it_sleeps_where_a_test_wants_it_to(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    mock = MockUnpuzzle(sleep=True)
    mock.fail_next(429, retry_after=1)
    mock.client().courses.get(COURSE)
    assert slept == mock.waits != []


@pytest.mark.parametrize(
    ("what", "raised", "status", "code"),
    [
        (404, errors.NotFound, 404, "NOT_FOUND"),
        (422, errors.ValidationError, 422, "VALIDATION_ERROR"),
        (502, errors.ServerError, 502, None),
        ("COURSE_NOT_FOUND", errors.CourseNotFound, 404, "COURSE_NOT_FOUND"),
        (errors.CourseNotFound, errors.CourseNotFound, 404, "COURSE_NOT_FOUND"),
        (errors.CourseNotFound("gone"), errors.CourseNotFound, 404, "COURSE_NOT_FOUND"),
        (errors.RateLimitError, errors.RateLimitExceeded, 429, "RATE_LIMIT_EXCEEDED"),
        (errors.PaymentFailed, errors.PaymentFailed, 402, "PAYMENT_FAILED"),
    ],
)
def test_a_failure_is_said_by_status_code_or_exception(
    mock: MockUnpuzzle, what: Any, raised: type[errors.APIStatusError], status: int, code: str | None
) -> None:
    mock.fail_next(what)
    with pytest.raises(raised) as found:
        mock.client(max_retries=0).courses.get(COURSE)
    assert type(found.value) is raised
    assert (found.value.status_code, found.value.code) == (status, code)


def test_an_error_says_what_a_test_wants_it_to(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mock.fail_next("PAYMENT_FAILED", message="No.", decline_code="expired_card")
    with pytest.raises(errors.PaymentFailed) as raised:
        mocked.enrollments.enroll(COURSE)
    assert (raised.value.message, raised.value.decline_code) == ("No.", "expired_card")
    mock.fail_next(errors.ValidationError("No.", details=[errors.ErrorDetail("title", "is odd")]))
    with pytest.raises(errors.ValidationError, match="title: is odd"):
        mocked.courses.get(COURSE)


@pytest.mark.parametrize(
    ("what", "raised", "sent"),
    [
        (ConnectionError, errors.APIConnectionError, False),
        (ConnectionRefusedError("no"), errors.APIConnectionError, False),
        (ConnectionResetError, errors.APIConnectionError, True),
        (OSError("network is down"), errors.APIConnectionError, False),
        (errors.APIConnectionError, errors.APIConnectionError, True),
        (errors.APIConnectionError("x", sent=True), errors.APIConnectionError, True),
        (errors.APIConnectionError("x", sent=False), errors.APIConnectionError, False),
        (TimeoutError, errors.APITimeoutError, True),
        (errors.APITimeoutError, errors.APITimeoutError, True),
        (errors.APITimeoutError("x", sent=False), errors.APITimeoutError, False),
        (errors.InvalidRequestError, errors.InvalidRequestError, False),
        (httpx.ReadError("cut"), errors.APIConnectionError, True),
    ],
)
def test_a_connection_fails_as_it_would(mock: MockUnpuzzle, what: Any, raised: type[Exception], sent: bool) -> None:
    mock.fail_next(what)
    with pytest.raises(raised) as found:
        mock.client(max_retries=0).courses.get(COURSE)
    assert type(found.value) is raised
    assert found.value.sent is sent  # type: ignore[attr-defined]


def test_only_the_operation_that_is_named_fails(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mock.fail_next(404, operation="courses.get")
    assert mocked.courses.list().results
    with pytest.raises(errors.NotFound):
        mocked.courses.get(COURSE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("COURSE_NOT_FUND",), "there is no error code 'COURSE_NOT_FUND': did you mean 'COURSE_NOT_FOUND'"),
        ((200,), "200 is no status of an error"),
        ((ConnectionError, "why"), "only an error answer of the API says something"),
        ((errors.StreamInterrupted,), "StreamInterrupted is nothing that goes wrong with a request"),
        ((errors.InvalidResponseError("x"),), "InvalidResponseError is nothing that goes wrong with a request"),
    ],
)
def test_a_failure_that_means_nothing_is_refused_at_once(
    mock: MockUnpuzzle, arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        mock.fail_next(arguments[0], message=arguments[1] if arguments[1:] else None)


def test_a_failure_that_never_came_to_be_fails_the_test() -> None:
    mock = MockUnpuzzle()
    mock.fail_next(429, operation="courses.get")
    with pytest.raises(AssertionError, match=r"fail_next\(429\) for courses\.get never came to be"), mock:
        mock.client().courses.list()
    with pytest.raises(KeyError), mock:
        raise KeyError  # which says more


def test_a_failure_of_one_operation_that_never_came_to_be_fails_the_test() -> None:
    mock = MockUnpuzzle()
    mock.on("courses.get").fail(503, times=1).fail(404).reply(title="Never asked for", times=1)
    with pytest.raises(AssertionError, match=r"^fail\(503\) for courses\.get never came to be"), mock:
        mock.client().courses.list()


def test_what_may_have_been_carried_out_is_not_repeated_without_a_key(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mock.fail_next(errors.APIConnectionError("x", sent=True), operation="auth.sign_in")
    with pytest.raises(errors.APIConnectionError):
        mocked.auth.sign_in(email="jane@example.com", password="learn-by-puzzling")
    assert len(mock.calls("auth.sign_in")) == 1


def test_a_call_that_is_under_way_is_not_carried_out_again(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    began, go_on = threading.Event(), threading.Event()

    def reply(_: Any) -> None:
        began.set()
        go_on.wait(5)

    mock.on("courses.create").reply_with(reply, times=1)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(mocked.courses.create, title="Mine", idempotency_key="a-key")
        began.wait(5)
        with pytest.raises(errors.IdempotencyInProgress):
            mocked.courses.create(title="Mine", idempotency_key="a-key")
        go_on.set()
        assert first.result().id == mocked.courses.create(title="Mine", idempotency_key="a-key").id
    assert [request.status for request in mock.requests].count(409) == 3


def test_a_lost_answer_was_carried_out_once_under_its_key(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    carried_out = []
    mock.on("courses.create").reply_with(lambda request: carried_out.append(request.json))
    mock.lose_next_answer()
    answer = mocked.raw.courses.create(title="Mine")
    assert carried_out == [{"title": "Mine"}]
    assert answer.headers["idempotency-replayed"] == "true"
    first, second = mock.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


def test_a_key_that_was_used_for_something_else_is_refused(mocked: Unpuzzle) -> None:
    mocked.courses.create(title="Mine", idempotency_key="k")
    with pytest.raises(errors.IdempotencyMismatch):
        mocked.courses.create(title="Yours", idempotency_key="k")


def test_a_session_goes_on_when_its_token_is_refused(mock: MockUnpuzzle) -> None:
    client = mock.client(token_store=MemoryTokenStore())
    client.auth.sign_in(email="user@example.com", password="SecurePassword123!")
    mock.fail_next("AUTH_INVALID_TOKEN")
    client.auth.get_profile()
    assert [request.operation for request in mock.requests] == [
        *("auth.sign_in", "auth.get_profile", "auth.refresh", "auth.get_profile"),
    ]


def test_a_request_is_checked_as_the_api_would(mocked: Unpuzzle) -> None:
    with pytest.raises(errors.ValidationError) as raised:
        mocked.request("POST", "/api/v1/instructor/courses/create/?a=1", json={"title": 5, "colour": "red"})
    assert {(detail.field, detail.message) for detail in raised.value.details} == {
        ("a", "is not a known parameter"),
        ("title", "must be a string"),
        ("colour", "is not a known field"),
    }


def test_nobody_gets_what_is_for_those_who_are_signed_in(mock: MockUnpuzzle) -> None:
    nobody = mock.client(token_store=MemoryTokenStore())
    assert nobody.courses.list().results
    with pytest.raises(errors.AuthRequired):
        nobody.auth.get_profile()


def test_a_path_that_is_not_there_is_named_with_the_nearest(mocked: Unpuzzle) -> None:
    with pytest.raises(errors.NotFound, match=r"no path /api/v1/coursess/\. Did you mean /api/v1/courses/\?"):
        mocked.request("GET", "/api/v1/coursess/")
    with pytest.raises(errors.MethodNotAllowed, match="takes GET, not PUT"):
        mocked.request("PUT", "/api/v1/courses/")


def test_a_mock_that_is_not_strict_takes_everything_that_has_a_path() -> None:
    client = MockUnpuzzle(strict=False).client(token_store=MemoryTokenStore())
    assert client.courses.create(title="").id
    with pytest.raises(errors.NotFound):
        client.request("GET", "/nowhere/")


@pytest.mark.parametrize("what", [object(), object, 3.5, None])
def test_a_failure_that_can_not_be_raised_is_refused_at_once(mock: MockUnpuzzle, what: Any) -> None:
    with pytest.raises(TypeError, match="give a status, an error code or an exception, no "):
        mock.fail_next(what)
