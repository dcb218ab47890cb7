"""What is sent again, and what is not."""

from __future__ import annotations

import asyncio
import datetime
import math
import threading
import time
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from loopback import Reply, Server, error

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors
from unpuzzle_sdk._core.operation import Request
from unpuzzle_sdk._core.options import Options
from unpuzzle_sdk._core.response import Answer
from unpuzzle_sdk._core.retry import retry_delay


@pytest.mark.parametrize(
    "failure", [Reply(500), Reply(503), Reply(408), Reply(502, content=b"<html>"), Reply(drop=True)]
)
def test_get_is_repeated(client: Unpuzzle, server: Server, examples: dict[str, Any], failure: Reply) -> None:
    server.script = [failure, failure, Reply(json=examples["Health"])]
    assert client.system.health().status == "ok"
    assert len(server.received) == 3


def test_one_key_and_the_same_bytes_over_all_attempts(
    client: Unpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    in_progress = error(409, "IDEMPOTENCY_IN_PROGRESS")
    server.script = [Reply(drop=True), in_progress, Reply(201, examples["OwnCourseResult"])]
    client.courses.create(title="T")
    server.script = [Reply(201, examples["OwnCourseResult"])]
    client.courses.create(title="T")
    first, second, third, other = server.received
    keys = [request.headers["idempotency-key"] for request in (first, second, third)]
    assert len(set(keys)) == 1
    assert other.headers["idempotency-key"] != keys[0]
    assert first.body == second.body == third.body


def test_the_server_may_ask_for_another_attempt_of_anything(client: Unpuzzle, server: Server) -> None:
    server.script = [error(409, "CONFLICT", headers={"X-Should-Retry": "TRUE"}), error(404, "COURSE_NOT_FOUND")]
    with pytest.raises(errors.CourseNotFound):
        client.courses.publish("x")
    server.script = [error(401, "AUTH_INVALID_CREDENTIALS", headers={"X-Should-Retry": "true"}), error(429, "LIMIT")]
    with pytest.raises(errors.RateLimitError):
        client.auth.sign_in(email="a@b.c", password="x")
    assert len(server.received) == 4


def test_own_key_is_sent(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.script = [Reply(201, examples["OwnCourseResult"])]
    client.courses.create(title="T", idempotency_key="mine")
    assert server.received[0].headers["idempotency-key"] == "mine"


def test_post_without_a_key_is_sent_once(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(drop=True)]
    with pytest.raises(errors.APIConnectionError):
        client.auth.sign_in(email="a@b.c", password="x")
    assert len(server.received) == 1
    assert "idempotency-key" not in server.received[0].headers


@pytest.mark.parametrize(
    "failure",
    [
        error(409, "CONFLICT"),
        error(404, "COURSE_NOT_FOUND"),
        error(429, "RATE_LIMIT_EXCEEDED", headers={"X-Should-Retry": "false"}),
        error(429, "RATE_LIMIT_EXCEEDED", headers={"Retry-After": "3600"}),
    ],
)
def test_final_answers_are_not_repeated(client: Unpuzzle, server: Server, failure: Reply) -> None:
    server.script = [failure]
    with pytest.raises(errors.APIStatusError):
        client.courses.publish("x")
    assert len(server.received) == 1


def test_retry_after_is_waited_for(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.script = [error(429, "RATE_LIMIT_EXCEEDED", headers={"Retry-After": "0.2"}), Reply(json=examples["Health"])]
    start = time.monotonic()
    client.system.health()
    assert time.monotonic() - start >= 0.2


def test_retry_after_may_be_a_date() -> None:
    when = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=20)
    for text in (format_datetime(when, usegmt=True), "20"):
        assert 18 < (Answer(429, {"retry-after": text}, b"").retry_after or 0) <= 20


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "Fri, 99 Feb 20000000 00:00:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +9999999999999999",
    ],
)
def test_a_retry_after_that_says_nothing_is_none(text: str) -> None:
    assert Answer(429, {"retry-after": text}, b"").retry_after is None


def test_who_may_come_back_at_once_does_not_come_with_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    request = Request("GET", "/")
    for text in ("0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert retry_delay(request, Answer(503, {"retry-after": text}, b""), Options(), 1, 0.0) == retry_delay(
            request, Answer(503, {}, b""), Options(), 1, 0.0
        )


@pytest.mark.parametrize("text", ["99999999999", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_nobody_is_asked_to_wait_for_longer_than_one_can_sleep(text: str) -> None:
    delay = retry_delay(
        Request("GET", "/"), Answer(503, {"retry-after": text}, b""), Options(max_retry_time=None), 1, 0.0
    )
    assert delay is not None
    assert 1e9 <= delay < threading.TIMEOUT_MAX


def test_retry_after_of_the_past_is_now() -> None:
    for text in ("-5", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert Answer(429, {"retry-after": text}, b"").retry_after == 0


def test_jitter_is_full_and_its_bound_doubles_up_to_a_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unpuzzle_sdk._core.retry._FIRST_BOUND", 0.5)
    request, options = Request("GET", "/"), Options(max_retries=99)
    for attempt, bound in ((1, 0.5), (2, 1), (3, 2), (9, 8)):
        delays = [retry_delay(request, Answer(503, {}, b""), options, attempt, 0) or 0 for _ in range(200)]
        assert 0 <= min(delays) < 0.2 * bound
        assert 0.8 * bound < max(delays) <= bound
    told = [retry_delay(request, Answer(503, {"retry-after": "10"}, b""), options, 1, 0) or 0 for _ in range(50)]
    assert 10 <= min(told) < max(told) <= 11


def test_retries_end_with_their_number_and_their_time() -> None:
    request, answer = Request("GET", "/"), Answer(503, {}, b"")
    assert retry_delay(request, answer, Options(max_retries=2), 2, 0) is not None
    assert retry_delay(request, answer, Options(max_retries=2), 3, 0) is None
    assert retry_delay(request, answer, Options(max_retries=9, max_retry_time=10), 2, 11) is None


@pytest.fixture
def slow(server: Server) -> Server:
    def respond(_: object) -> Reply:
        time.sleep(0.3)
        return Reply(500)

    server.respond = respond
    return server


def test_no_attempt_outlives_the_deadline(slow: Server) -> None:
    start = time.monotonic()
    with (
        Unpuzzle(base_url=slow.url, timeout=0.2, max_retries=99, max_retry_time=0.5) as client,
        pytest.raises(errors.APITimeoutError),
    ):
        client.system.health()
    assert 0.3 < time.monotonic() - start < 0.7
    assert len(slow.received) == 3


def test_no_attempt_outlives_the_deadline_in_asyncio(slow: Server) -> None:
    async def main() -> None:
        async with AsyncUnpuzzle(base_url=slow.url, timeout=0.2, max_retries=99, max_retry_time=0.5) as client:
            await client.system.health()

    start = time.monotonic()
    with pytest.raises(errors.APITimeoutError):
        asyncio.run(main())
    assert 0.3 < time.monotonic() - start < 0.8


def test_a_timeout_may_be_that_of_one_call(slow: Server, client: Unpuzzle) -> None:
    once = client.with_options(max_retries=0)
    with pytest.raises(errors.APITimeoutError):
        once.with_options(timeout=0.05).system.health()
    with pytest.raises(errors.APITimeoutError):
        once.with_options(timeout=httpx.Timeout(5, read=0.05)).system.health()
    with pytest.raises(errors.ServerError):
        once.system.health()


def test_timeout_is_an_error_of_its_own(slow: Server) -> None:
    server = slow
    with Unpuzzle(base_url=server.url, timeout=0.05, max_retries=0) as client, pytest.raises(errors.APITimeoutError):
        client.system.health()


def test_what_was_never_sent_is_safe_to_send_again(examples: dict[str, Any]) -> None:
    outcomes = iter(
        [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.Response(200, json=examples["AuthSession"])]
    )

    def respond(_: httpx.Request) -> httpx.Response:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with Unpuzzle(base_url="http://api", transport=httpx.MockTransport(respond)) as client:
        assert client.auth.sign_in(email="a@b.c", password="x").user


def test_nobody_there() -> None:
    with Unpuzzle(base_url="http://127.0.0.1:9", max_retries=1) as client:
        with pytest.raises(errors.APIConnectionError) as caught:
            client.auth.sign_in(email="a@b.c", password="x")
        assert not caught.value.sent


@pytest.mark.parametrize("name", ["Idempotency-Key", "idempotency-key"])
def test_a_request_of_ones_own_that_writes_is_repeated_only_under_a_key_of_ones_own(
    client: Unpuzzle, server: Server, name: str
) -> None:
    server.script = [Reply(drop=True)]
    with pytest.raises(errors.APIConnectionError):
        client.request("POST", "/api/v1/auth/api-keys/", json={"name": "CI"})
    assert len(server.received) == 1
    server.script = [Reply(drop=True), Reply(json={})]
    client.request("POST", "/api/v1/courses/", json={}, headers={name: "mine"})
    assert [request.headers.get("idempotency-key") for request in server.received] == [None, "mine", "mine"]


@pytest.mark.parametrize("limit", [None, math.inf])
def test_there_may_be_no_limit_of_time(server: Server, examples: dict[str, Any], limit: float | None) -> None:
    server.script = [Reply(503), Reply(json=examples["Health"])]
    with Unpuzzle(base_url=server.url, timeout=limit, max_retry_time=limit) as client:
        assert client.system.health().status == "ok"


def test_the_thousandth_wait_is_no_longer_than_the_tenth() -> None:
    options = Options(max_retries=9999)
    assert 0 <= (retry_delay(Request("GET", "/"), Answer(503, {}, b""), options, 5000, 0) or 0) <= 8
