"""Calls from the outside: arguments, bodies, models, the raw view, and the way around the resources."""

from __future__ import annotations

import asyncio
import copy
import datetime
import json
import logging
import math
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from decimal import Decimal
from typing import Any

import httpx
import pytest
from loopback import Reply, Server, error

from unpuzzle_sdk import UNSET, AsyncUnpuzzle, MemoryTokenStore, Tokens, Unpuzzle, errors, models


def test_get_gives_a_typed_model(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.script = [Reply(json=examples["Course"])]
    course = client.courses.get("intro python/1")
    assert course.title == examples["Course"]["title"]
    assert course.created_at == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert course.instructor.name == "Jane Smith"
    assert server.received[0].path == "/api/v1/courses/intro%20python%2F1/"
    assert server.received[0].headers["x-api-version"]


def test_unknown_fields_and_enum_values_are_kept(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    data = {**examples["Course"], "difficulty": "insane", "brand_new": {"a": 1}}
    server.script = [Reply(json=data)]
    course = client.courses.get("x")
    assert course.difficulty == "insane"
    assert course.additional_properties == {"brand_new": {"a": 1}}
    assert course["brand_new"] == {"a": 1}
    assert course.to_dict()["brand_new"] == {"a": 1}


def test_a_field_is_read_by_its_name_whether_this_version_knows_it_or_not(
    client: Unpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    data = {**examples["Course"], "brand_new": None}
    server.script = [Reply(json=data)]
    course = client.courses.get("x")
    assert {name: course[name] for name in data} == data
    assert [name in course for name in ("brand_new", "title", "never_heard_of")] == [True, True, False]
    with pytest.raises(KeyError, match="never_heard_of"):
        course["never_heard_of"]


def test_body_is_flattened_and_unset_is_not_null(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.script = [Reply(201, examples["OwnCourseResult"])]
    client.courses.create(title="T", price=Decimal("49.99"), description=None, category_id=UNSET, tags=("a", "b"))
    assert server.received[0].json == {"title": "T", "price": 49.99, "description": None, "tags": ["a", "b"]}
    assert server.received[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("preferences", [models.PreferencesUpdate(timezone="UTC"), {"timezone": "UTC"}])
def test_nested_bodies_take_models_and_mappings(
    client: Unpuzzle, server: Server, examples: dict[str, Any], preferences: Any
) -> None:
    server.script = [Reply(json=examples["ProfileUpdated"])]
    client.auth.update_profile(preferences=preferences, if_match='"1"')
    assert server.received[0].json == {"preferences": {"timezone": "UTC"}}
    assert server.received[0].headers["if-match"] == '"1"'


def test_optional_body_is_left_out(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.respond = lambda _: Reply(201, examples["EnrollmentCreated"])
    client.enrollments.enroll("x")
    client.enrollments.enroll("x", coupon_code="C")
    assert [request.body for request in server.received] == [b"", b'{"coupon_code":"C"}']


def test_delete_gives_none_and_yaml_gives_bytes(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(204), Reply(content=b"openapi: 3.0.3", headers={"Content-Type": "application/yaml"})]
    client.courses.delete("b6b28414-328b-5b14-930c-0a8320288e81")
    assert client.system.openapi_yaml() == b"openapi: 3.0.3"


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_a_path_parameter_cannot_change_the_path(client: Unpuzzle, bad: str) -> None:
    with pytest.raises(ValueError, match="course_id"):
        client.courses.get(bad)


def test_naive_times_and_inexact_decimals_are_refused() -> None:
    from unpuzzle_sdk._core.codec import to_json

    with pytest.raises(ValueError, match="time zone"):
        to_json(datetime.datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="digits"):
        to_json(Decimal("0.12345678901234567890"))


def test_envelope_is_understood(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    body = {"status": "success", "data": examples["Health"], "message": "", "timestamp": "2026-01-20T00:00:00Z"}
    server.script = [Reply(json=body, headers={"Preference-Applied": "envelope=standard"})]
    assert client.with_options(headers={"Prefer": "envelope=standard"}).system.health().status == "ok"
    assert server.received[0].headers["prefer"] == "envelope=standard"


def test_not_modified(client: Unpuzzle, server: Server) -> None:
    server.script = [Reply(304, headers={"ETag": '"3"', "X-Request-ID": "req_1"})]
    with pytest.raises(errors.NotModified) as caught:
        client.courses.get("x", if_none_match='"3"')
    assert (caught.value.etag, caught.value.request_id) == ('"3"', "req_1")


def test_raw_gives_the_whole_response(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    limits = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "1768867200"}
    headers = {"ETag": '"3"', "X-Request-ID": "req_1", **limits}
    server.script = [Reply(json=examples["Course"], headers=headers), Reply(json=examples["CoursePage"])]
    response = client.raw.courses.get("x")
    assert (response.status_code, response.etag, response.request_id) == (200, '"3"', "req_1")
    assert response.rate_limit is not None
    assert (response.rate_limit.limit, response.rate_limit.remaining) == (100, 7)
    assert response.parsed.title == examples["Course"]["title"]
    assert client.raw.courses.list(page=1).parsed.results[0].title


def test_raw_in_asyncio(async_client: AsyncUnpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.script = [Reply(json=examples["Course"]), Reply(json=examples["CoursePage"])]

    async def main() -> None:
        async with async_client as client:
            assert (await client.raw.courses.get("x")).parsed.slug
            assert (await client.raw.courses.list()).parsed.results[0].slug

    asyncio.run(main())


def test_request_goes_around_the_resources(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json={"ok": True})
    assert client.request("get", "/api/v1/new/", params={"a": [1, 2], "b": True, "c": None}) == {"ok": True}
    assert server.received[0].query == {"a": ["1", "2"], "b": ["true"]}
    assert client.request("POST", f"{server.url}/api/v1/new/", json={"a": 1}) == {"ok": True}
    for elsewhere in ("https://evil.example/", "//evil.example/", "api/v1/"):
        with pytest.raises(ValueError, match="path"):
            client.request("GET", elsewhere)


def test_a_raw_request_gives_any_answer_whole(client: Unpuzzle, server: Server) -> None:
    server.script = [
        error(404, "NOT_FOUND"),
        Reply(502, content=b"<html>"),
        Reply(502, content=b"<html>"),
        Reply(502, content=b"<html>"),
        Reply(304, headers={"ETag": '"1"'}),
    ]
    missing = client.raw.request("GET", "/api/v1/new/", params={"a": 1}, headers={"X-A": "b"})
    assert (missing.status_code, missing.request_id) == (404, "req_1")
    assert missing.parsed["error"]["code"] == "NOT_FOUND"
    assert json.loads(missing.content) == missing.parsed
    assert (server.received[0].query, server.received[0].headers["x-a"]) == ({"a": ["1"]}, "b")
    with pytest.raises(errors.NotFound):
        missing.raise_for_status()
    assert client.raw.request("GET", "/api/v1/new/").parsed == "<html>"
    unchanged = client.raw.request("GET", "/api/v1/new/")
    assert (unchanged.status_code, unchanged.etag, unchanged.parsed) == (304, '"1"', None)


def test_a_raw_request_in_asyncio(async_client: AsyncUnpuzzle, server: Server) -> None:
    server.script = [error(404, "NOT_FOUND")]

    async def main() -> int:
        async with async_client as client:
            return (await client.raw.request("DELETE", "/api/v1/new/")).status_code

    assert asyncio.run(main()) == 404


def test_a_request_may_send_any_bytes(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json=1)
    client.request("PUT", "/api/v1/new/", content=b"\x00")
    assert server.received[0].body == b"\x00"
    assert server.received[0].headers["content-type"] == "application/octet-stream"


def test_a_transport_of_ones_own_is_sent_over(examples: dict[str, Any]) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=examples["Health"], headers={"Set-Cookie": "a=b"})

    async def main() -> None:
        async with AsyncUnpuzzle(base_url="https://api.example", transport=httpx.MockTransport(respond)) as client:
            await client.system.health()

    with Unpuzzle(base_url="https://api.example", transport=httpx.MockTransport(respond)) as client:
        client.system.health()
        client.system.health()
    asyncio.run(main())
    assert [str(request.url) for request in seen] == ["https://api.example/health/"] * 3
    assert not [request for request in seen if "cookie" in request.headers]


def test_a_client_of_ones_own_stays_open(examples: dict[str, Any]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=examples["Health"]))
    with httpx.Client(transport=transport) as own:
        with Unpuzzle(base_url="https://api.example", http_client=own) as client:
            client.system.health()
        assert not own.is_closed
        with pytest.raises(ValueError, match="not both"):
            Unpuzzle(http_client=own, transport=transport)


def test_each_event_loop_has_one_pool_of_its_own(
    async_client: AsyncUnpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])
    pools: list[object] = []

    async def main() -> None:
        pool = async_client._wire.transport._pool
        found = {id(pool()) for _ in range(3)}
        await asyncio.gather(*(async_client.with_options(timeout=9).system.health() for _ in range(5)))
        assert found == {id(pool())}
        pools.append(pool())
        await pool().aclose()

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(pool) for pool in pools}) == 3


def test_one_async_client_in_three_event_loops(
    async_client: AsyncUnpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])

    async def main() -> str:
        status = (await async_client.system.health()).status
        await async_client._wire.transport._pool().aclose()
        return status

    assert [asyncio.run(main()) for _ in range(3)] == ["ok"] * 3


def test_with_options_shares_the_connections(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])
    view = client.with_options(timeout=5, max_retries=0)
    view.system.health()
    assert view._wire is client._wire
    assert view._session is client._session
    assert client._options.max_retries == 2


def test_environment(monkeypatch: pytest.MonkeyPatch, server: Server, examples: dict[str, Any]) -> None:
    monkeypatch.setenv("UNPUZZLE_BASE_URL", server.url + "/")
    monkeypatch.setenv("UNPUZZLE_TOKEN", "canary-token")
    server.respond = lambda _: Reply(json=examples["User"])
    with Unpuzzle() as client:
        client.auth.get_profile()
    assert server.received[0].headers["authorization"] == "Bearer canary-token"


def test_an_api_key_is_sent_in_the_place_of_a_token(
    monkeypatch: pytest.MonkeyPatch, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["User"])
    monkeypatch.setenv("UNPUZZLE_API_KEY", "unp_from_the_environment")
    for given, sent in (({"api_key": "unp_canary"}, "unp_canary"), ({}, "unp_from_the_environment")):
        with Unpuzzle(base_url=server.url, **given) as client:
            client.auth.get_profile()
            assert "unp_" not in repr(client)
        assert server.received[-1].headers["authorization"] == f"Bearer {sent}"
    with pytest.raises(ValueError, match="only one of them"):
        Unpuzzle(token="x", api_key="unp_x")


def test_a_sign_up_that_waits_for_a_mail_says_so(server: Server) -> None:
    server.respond = lambda _: Reply(202, json={"message": "Open the link that was sent to you"})
    with (
        Unpuzzle(base_url=server.url) as client,
        pytest.raises(errors.ConfirmationRequired, match="Open the link") as caught,
    ):
        client.auth.sign_up(email="a@b.c", password="correct horse", full_name="A")
    assert caught.value.status_code == 202
    assert (
        str(copy.copy(caught.value))
        == str(pickle.loads(pickle.dumps(caught.value)))
        == "Open the link that was sent to you"
    )


@pytest.mark.parametrize("url", ["http://a\0b", "http://xn--", f"http://{'a' * 80}.b"])
def test_a_malformed_address_is_an_error_of_the_sdk(url: str) -> None:
    with Unpuzzle(base_url=url) as client, pytest.raises(errors.InvalidRequestError):
        client.system.health()


@pytest.mark.parametrize("secret", ["canary\nX-B: c", "canary\N{SNOWMAN}"])
def test_a_malformed_token_is_not_sent_nor_shown(server: Server, secret: str) -> None:
    with Unpuzzle(base_url=server.url, token=secret) as client, pytest.raises(errors.InvalidRequestError) as caught:
        client.auth.get_profile()
    assert not server.received
    assert "canary" not in everything_shown(caught.value)


@pytest.mark.parametrize("url", ["api.unpuzzle.com", "ftp://x", "https://u:p@x", "https://x/?a=1"])
def test_bad_base_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Unpuzzle(base_url=url)


def everything_shown(error: BaseException) -> str:
    """What a reporter of errors would send: the whole chain, with the locals of every frame of the SDK and below."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    found = [repr(error), repr(vars(error).get("__context__"))]
    while report is not None:
        shown = [frame for frame in report.stack if frame.filename != __file__]
        found += [str(report), *(str(frame.locals) for frame in shown)]
        report = report.__cause__ or report.__context__
    return "\n".join(found)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(drop=True),
        error(401, "AUTH_INVALID_TOKEN"),
        Reply(200, content=b'{"access_token": "canary-new"'),
        Reply(200, json={"access_token": "canary-new", "expires_in": "soon"}),
        Reply(200, json={"access_token": "canary-new"}, claim_length=999),
    ],
)
def test_no_traceback_shows_a_secret_not_even_its_locals(server: Server, reply: Reply) -> None:
    server.respond = lambda _: reply
    tokens = Tokens("canary-a", "canary-r", time.time() - 1)
    with Unpuzzle(base_url=server.url, max_retries=1) as client:
        for act in (
            client.auth.get_profile,
            client.auth.refresh,
            lambda: client.request("POST", "/api/v1/auth/signin/", json=Secret("canary-b")),
        ):
            client._session._store.save(tokens)
            with pytest.raises(errors.UnpuzzleError) as caught:
                act()
            assert "canary" not in everything_shown(caught.value)


class Secret:
    """A body that its own `repr` does not show, as it is an argument of the frame that sends it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def to_dict(self) -> dict[str, Any]:
        return {"secret": self._value}


def test_cookies_of_a_sign_in_are_not_in_the_logs_of_libraries(
    client: Unpuzzle, server: Server, examples: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    cookie = {"Set-Cookie": "access_token=canary; Path=/; HttpOnly"}
    server.script = [Reply(json=examples["AuthSession"], headers=cookie)]
    client.auth.sign_in(email="a@b.c", password="canary")
    assert "Set-Cookie" in caplog.text
    assert "canary" not in caplog.text


def test_nothing_secret_is_shown_or_logged(
    server: Server, examples: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    session = {**examples["AuthSession"], "access_token": "canary-a", "refresh_token": "canary-r"}
    server.script = [Reply(json=session), Reply(401, json={"error": {"code": "AUTH_INVALID_CREDENTIALS"}})]
    caplog.set_level(logging.DEBUG)
    with Unpuzzle(base_url=server.url, headers={"X-Key": "canary-h"}) as client:
        answer = client.auth.sign_in(email="a@b.c", password="canary-p")
        with pytest.raises(errors.AuthInvalidCredentials) as caught:
            client.auth.sign_in(email="a@b.c", password="canary-p")
        shown = [repr(client), repr(answer), str(caught.value), repr(caught.value), repr(client._session), caplog.text]
    shown.append(repr(client._options))
    assert not [text for text in shown if "canary" in text]
    assert "POST /api/v1/auth/signin/" in caplog.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/auth/account/export/"), ("POST", "/api/v1/enrollments/bulk/"), ("GET", "/api/v1/new/")],
)
def test_only_what_the_contract_says_so_of_waits_for_a_mail(
    client: Unpuzzle, server: Server, method: str, path: str
) -> None:
    server.respond = lambda _: Reply(202, json={"message": "later", "id": 1})
    assert client.request(method, path)["id"] == 1
    server.respond = lambda _: Reply(202)
    assert client.request(method, path) is None


def test_a_link_may_bring_a_query_which_is_kept_as_it_is(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json=1)
    client.request("GET", f"{server.url}/a/?b=2&a=1&b=%2F#part", params={"a": 3})
    client.request("GET", "/a/?page=2")
    client.request("GET", "/a/%7Bid%7D/{id}/")
    assert [request.query for request in server.received] == [{"b": ["2", "/"], "a": ["1", "3"]}, {"page": ["2"]}, {}]
    assert server.received[0].path == "/a/"


def test_the_signature_of_a_link_is_not_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.respond = lambda _: Reply(drop=True)
    with Unpuzzle(base_url=server.url, max_retries=0) as client:
        for request in (client.request, client.raw.request):
            with pytest.raises(errors.APIConnectionError) as caught:
                request("GET", f"{server.url}/file/?signature=canary")
            assert "canary" not in everything_shown(caught.value)
    assert "GET /file/" in caplog.text
    assert "canary" not in caplog.text


@pytest.mark.parametrize("secret", ["json", "content", "params", "headers"])
def test_what_a_request_of_ones_own_sends_is_not_shown(server: Server, secret: str) -> None:
    server.respond = lambda _: Reply(drop=True)
    value: Any = b"canary" if secret == "content" else {"secret": "canary"}

    async def main() -> None:
        async with AsyncUnpuzzle(base_url=server.url, max_retries=0) as client:
            await (client.raw if secret == "json" else client).request("POST", "/x/", **{secret: value})

    with Unpuzzle(base_url=server.url, max_retries=0) as client:
        for request in (client.request, client.raw.request, lambda *_, **__: asyncio.run(main())):
            with pytest.raises(errors.APIConnectionError) as caught:
                request("POST", "/x/", **{secret: value})
            assert "canary" not in everything_shown(caught.value)


def test_a_header_is_sent_once_however_it_is_written(server: Server, examples: dict[str, Any]) -> None:
    names = ("user-agent", "authorization", "content-type", "idempotency-key", "accept")
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={})

    with Unpuzzle(
        base_url=server.url, headers={"USER-AGENT": "x", "ACCEPT": "x"}, transport=httpx.MockTransport(respond)
    ) as client:
        client.request("POST", "/x/", json={}, headers=dict.fromkeys(names, "mine"))
        client.with_options(headers={"user-agent": "y"}).request("GET", "/x/")
    for name in names:
        assert sent[0].headers.get_list(name) == ["mine"]
    assert sent[1].headers.get_list("user-agent") == ["y"]
    assert sent[1].headers.get_list("accept") == ["x"]


def test_a_function_that_makes_a_transport_is_called_in_each_event_loop_and_process(
    examples: dict[str, Any],
) -> None:
    made: list[httpx.MockTransport] = []

    def make() -> httpx.MockTransport:
        made.append(httpx.MockTransport(lambda _: httpx.Response(200, json=examples["Health"])))
        return made[-1]

    async def main(client: AsyncUnpuzzle) -> None:
        await client.system.health()
        await client.system.health()

    in_loops = AsyncUnpuzzle(base_url="http://api", transport=make)
    for _ in range(2):
        asyncio.run(main(in_loops))
    assert len(made) == 2
    with Unpuzzle(base_url="http://api", transport=make) as client:
        client.system.health()
        client.with_options(timeout=1).system.health()
        assert len(made) == 3
        client._wire.transport._after_fork()
        client.system.health()
    assert len(made) == 4


def test_a_client_of_ones_own_keeps_its_limits_of_time(examples: dict[str, Any]) -> None:
    limits: list[Any] = []

    def respond(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json=examples["Health"])

    with httpx.Client(transport=httpx.MockTransport(respond), timeout=7) as own:
        Unpuzzle(base_url="http://api", http_client=own).system.health()
        Unpuzzle(base_url="http://api", http_client=own, timeout=9).system.health()
        Unpuzzle(base_url="http://api", http_client=own).with_options(timeout=None).system.health()
    Unpuzzle(base_url="http://api", transport=httpx.MockTransport(respond)).system.health()
    assert limits == [7, 9, None, 30]


def test_a_client_of_the_other_kind_is_refused() -> None:
    with (
        httpx.Client() as own,
        pytest.raises(TypeError, match=r"http_client must be an httpx\.AsyncClient, not Client"),
    ):
        AsyncUnpuzzle(http_client=own)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"http_client must be an httpx\.Client, not AsyncClient"):
        Unpuzzle(http_client=httpx.AsyncClient())  # type: ignore[arg-type]


def test_a_client_of_ones_own_that_is_closed_is_an_error_of_the_sdk() -> None:
    own, asynchronous = httpx.Client(), httpx.AsyncClient()
    own.close()
    with pytest.raises(errors.UnpuzzleError, match="the http_client is closed"):
        Unpuzzle(base_url="http://api", http_client=own).system.health()

    async def main() -> None:
        await asynchronous.aclose()
        await AsyncUnpuzzle(base_url="http://api", http_client=asynchronous).system.health()

    with pytest.raises(errors.UnpuzzleError, match="the http_client is closed"):
        asyncio.run(main())


def test_what_is_given_is_never_replaced_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, server: Server, examples: dict[str, Any]
) -> None:
    class Empty(MemoryTokenStore):
        def __len__(self) -> int:
            return 0

    monkeypatch.setenv("UNPUZZLE_TOKEN", "somebody-else")
    monkeypatch.setenv("UNPUZZLE_BASE_URL", server.url)
    server.respond = lambda _: Reply(json=examples["User"])
    for name in ("token", "api_key"):
        with pytest.raises(ValueError, match=f"{name} must not be empty"):
            Unpuzzle(**{name: ""})
    with pytest.raises(ValueError, match="base_url"):
        Unpuzzle(base_url="")
    with Unpuzzle(token_store=Empty()) as client:
        client.auth.get_profile()
    assert "authorization" not in server.received[0].headers


def test_an_empty_variable_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, server: Server, examples: dict[str, Any]
) -> None:
    monkeypatch.setenv("UNPUZZLE_TOKEN", "")
    monkeypatch.setenv("UNPUZZLE_API_KEY", "unp_mine")
    server.respond = lambda _: Reply(json=examples["User"])
    with Unpuzzle(base_url=server.url) as client:
        client.auth.get_profile()
    assert server.received[0].headers["authorization"] == "Bearer unp_mine"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"timeout": "5"}, TypeError),
        ({"timeout": True}, TypeError),
        ({"timeout": 0}, ValueError),
        ({"timeout": math.nan}, ValueError),
        ({"max_retries": 1.5}, TypeError),
        ({"max_retries": None}, TypeError),
        ({"max_retries": -1}, ValueError),
        ({"max_retry_time": "1"}, TypeError),
        ({"max_retry_time": -1}, ValueError),
        ({"max_retry_time": math.nan}, ValueError),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_when_it_is_given(
    client: Unpuzzle, given: dict[str, Any], kind: type[Exception]
) -> None:
    for make in (Unpuzzle, AsyncUnpuzzle, client.with_options):
        with pytest.raises(kind, match=f"^{next(iter(given))} must"):
            make(**given)


@pytest.mark.parametrize("url", ["ftp://u:canary@x", "canary@", "http://u:canary@[x", "http://u:canary@\u2100.x"])
def test_a_refused_address_does_not_repeat_a_password(url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        Unpuzzle(base_url=url)
    assert "canary" not in str(caught.value)


def test_a_client_that_can_not_be_made_does_not_show_its_token() -> None:
    for given in ({"base_url": "x", "token": "canary"}, {"token": "canary", "api_key": "canary"}, {"api_key": ""}):
        for make in (Unpuzzle, AsyncUnpuzzle):
            with pytest.raises(ValueError, match=r"base_url|only one|empty") as caught:
                make(**given, headers={"X-Key": "canary"})
            assert "canary" not in everything_shown(caught.value)
    assert repr(Unpuzzle.__new__(Unpuzzle)) == "<Unpuzzle (without an address)>"


@pytest.mark.parametrize("bad", [None, UNSET])
def test_nothing_is_no_id(client: Unpuzzle, bad: Any) -> None:
    with pytest.raises(ValueError, match="course_id must not be"):
        client.courses.delete(bad)


def test_a_level_of_the_environment_prints_each_line_once(server: Server) -> None:
    program = f"""
import logging, unpuzzle_sdk
logging.basicConfig(level="DEBUG")
unpuzzle_sdk.Unpuzzle(base_url={server.url!r}, max_retries=0).raw.request("GET", "/x/")
"""
    server.respond = lambda _: Reply(404)
    environment = {**os.environ, "UNPUZZLE_LOG": "info", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.count("GET /x/: status 404") == 1


def test_what_httpx_logs_of_others_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    import unpuzzle_sdk._core.wire  # noqa: F401

    caplog.set_level(logging.INFO, logger="httpx")
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as other:
        other.get("http://other/?page=1")
        other.get("http://other/?signature=canary")
    first, second = (record for record in caplog.records if record.name == "httpx")
    assert first.args == ("GET", httpx.URL("http://other/?page=1"), "HTTP/1.1", 200, "OK")
    assert (second.msg, second.args[3]) == (first.msg, 200)  # type: ignore[index]
    assert "canary" not in caplog.text


def test_what_httpx_says_of_a_connection_can_be_said_otherwise(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json={})
    client.request("GET", "/x", headers={"accept-encoding": "identity", "Connection": "close"})
    (request,) = server.received
    assert (request.headers["accept-encoding"], request.headers["connection"]) == ("identity", "close")


def test_whoever_reports_a_refused_setting_may_ask_for_all_that_is_there(client: Unpuzzle) -> None:
    for make in (lambda: Unpuzzle(timeout=-1), lambda: client.with_options(timeout=-1, token="a canary")):
        with pytest.raises(ValueError, match="timeout") as refused:
            make()
        told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
        assert "a canary" not in "".join(
            line for frame in told.stack for line in (frame.locals or {}).values() if "sdk/tests" not in frame.filename
        )


def test_the_address_of_somebody_else_is_in_no_frame(client: Unpuzzle) -> None:
    with pytest.raises(ValueError, match="base_url") as refused:
        client.request("GET", "https://elsewhere/x?signature=canary")
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    frames = [frame for frame in told.stack if "unpuzzle_sdk" in frame.filename]
    assert frames
    assert not any("canary" in value for frame in frames for value in (frame.locals or {}).values())


def test_a_proxy_of_the_environment_that_can_not_be_used_is_told_once(
    monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "foo://x")

    async def ask() -> None:
        async with AsyncUnpuzzle(base_url=server.url) as asynchronous:
            await asynchronous.system.health()

    with (
        Unpuzzle(base_url=server.url) as client,
        pytest.raises(errors.InvalidRequestError, match="HTTPS_PROXY") as refused,
    ):
        client.system.health()
    with pytest.raises(errors.InvalidRequestError, match="HTTPS_PROXY"):
        asyncio.run(ask())
    assert (refused.value.sent, server.received) == (False, [])
