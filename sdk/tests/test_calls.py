"""Calls from the outside: arguments, bodies, models, and the raw view."""

from __future__ import annotations

import asyncio
import copy
import datetime
import pickle
from decimal import Decimal
from typing import Any

import pytest
from loopback import Reply, Server

from unpuzzle_sdk import UNSET, AsyncUnpuzzle, Unpuzzle, errors, models


def test_get_gives_a_typed_model(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.script = [Reply(json=examples["Course"])]
    course = client.courses.get("intro python")
    assert course.title == examples["Course"]["title"]
    assert course.created_at == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    assert course.instructor.name == "Jane Smith"
    assert server.received[0].path == "/api/v1/courses/intro%20python/"
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


@pytest.mark.parametrize("bad", [None, UNSET])
def test_nothing_is_no_id(client: Unpuzzle, bad: Any) -> None:
    with pytest.raises(ValueError, match="course_id must not be"):
        client.courses.delete(bad)
