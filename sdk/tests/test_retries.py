"""What is sent again, and what is not."""

from __future__ import annotations

import datetime
import time
from email.utils import format_datetime
from typing import Any

import pytest
from loopback import Reply, Server, error

from unpuzzle_sdk import Unpuzzle, errors
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
    assert Answer(429, {"retry-after": "soon"}, b"").retry_after is None


def test_retries_end_with_their_number_and_their_time() -> None:
    request, answer = Request("GET", "/"), Answer(503, {}, b"")
    assert retry_delay(request, answer, Options(max_retries=2), 2, 0) is not None
    assert retry_delay(request, answer, Options(max_retries=2), 3, 0) is None
    assert retry_delay(request, answer, Options(max_retries=9, max_retry_time=10), 2, 11) is None


def test_timeout_is_an_error_of_its_own(server: Server) -> None:
    def slow(_: object) -> Reply:
        time.sleep(0.3)
        return Reply(500)

    server.respond = slow
    with Unpuzzle(base_url=server.url, timeout=0.05, max_retries=0) as client, pytest.raises(errors.APITimeoutError):
        client.system.health()


def test_nobody_there() -> None:
    with Unpuzzle(base_url="http://127.0.0.1:9", max_retries=1) as client, pytest.raises(errors.APIConnectionError):
        client.system.health()
