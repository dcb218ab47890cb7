"""What users write, for mypy --strict and pyright: it must pass, and each mistake in it must be found."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Never, assert_type

import httpx

from unpuzzle_sdk import (
    AsyncStream,
    AsyncUnpuzzle,
    Page,
    RateLimit,
    RawResponse,
    Stream,
    Tokens,
    TokenStore,
    Unpuzzle,
    errors,
    models,
)
from unpuzzle_sdk.errors import CourseNotFound
from unpuzzle_sdk.testing import MockUnpuzzle, RecordedRequest, local_server


def reads(client: Unpuzzle) -> None:
    course = client.courses.get("introduction-to-python-programming")
    assert_type(course, models.Course)
    assert_type(course.id, str)
    assert_type(course.price, Decimal | None)
    assert_type(course.created_at, datetime.datetime)
    page = client.courses.list(sort="rating", max_items=3)
    assert_type(page, Page[models.CourseSummary, models.CoursePage])
    assert_type(client.notifications.list().data.unread_count, int)
    page.resuls()  # type: ignore[attr-defined]  # pyright: ignore
    assert_type(page.count, int)
    for each in page:
        assert_type(each, models.CourseSummary)
    for one in page.pages():
        assert_type(one.results, list[models.CourseSummary])


def writes(client: Unpuzzle) -> None:
    created = client.courses.create(title="T", price=Decimal("79.99"), description=None, tags=("a", "b"))
    assert_type(created, models.OwnCourseResult)
    client.courses.create()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.courses.create(title=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.courses.update("id", title=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(client.courses.delete("id"), None)


def looks_closer(client: Unpuzzle) -> None:
    raw = client.raw.courses.get("id", if_none_match='"1"')
    assert_type(raw, RawResponse[models.Course])
    assert_type(raw.parsed.title, str)
    assert_type(raw.rate_limit, RateLimit | None)
    assert_type(client.raw.courses.list().parsed, Page[models.CourseSummary, models.CoursePage])
    assert_type(client.raw.request("GET", "/health/").content, bytes)
    assert_type(client.with_options(timeout=5, max_retries=0), Unpuzzle)
    assert_type(client.with_options(token="t"), Unpuzzle)
    client.raw.courses.get(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def fails(client: Unpuzzle) -> None:
    try:
        client.enrollments.enroll("id")
    except errors.EnrollmentExists as error:
        assert_type(error.request_id, str | None)
    except CourseNotFound as error:
        assert_type(error.headers["ETag"], str)
    except errors.RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except errors.APIConnectionError:
        pass


async def waits(client: AsyncUnpuzzle) -> None:
    assert_type(await client.courses.get("id"), models.Course)
    async for course in client.courses.list():
        assert_type(course, models.CourseSummary)
    page = await client.courses.list()
    assert_type(page.results, list[models.CourseSummary])
    assert_type((await client.notifications.list()).data, models.NotificationPage)
    page.resuls()  # type: ignore[attr-defined]  # pyright: ignore
    async for later in page.pages():
        assert_type(later.count, int)
    assert_type((await client.raw.courses.get("id")).parsed, models.Course)


class Store:
    """A store of one's own needs no base class."""

    def load(self) -> Tokens | None:
        return None

    def save(self, tokens: Tokens) -> None: ...

    def clear(self) -> None: ...

    def lock(self) -> httpx.Client:  # any context manager will do
        return httpx.Client()


def follows(client: Unpuzzle) -> None:
    with client.notifications.stream(last_event_id="7") as stream:
        for event in stream:
            title: str = event.data.title
            number: str | None = event.id
            print(title, number)
            event.data.titel()  # type: ignore[attr-defined]  # pyright: ignore
    raw: RawResponse[Stream[models.Notification, Never]] = client.raw.notifications.stream()
    print(raw.request_id)


def asks(client: Unpuzzle) -> None:
    stream = client.ai.stream_message(message="What is a closure?")
    pieces: list[str] = list(stream.text_deltas())
    answer: models.ChatAnswer = stream.final()
    print(pieces, answer.response)


async def follows_too(client: AsyncUnpuzzle) -> None:
    async for event in client.notifications.stream():
        found: models.Notification = event.data
        print(found)
    stream: AsyncStream[models.Notification, Never] = await client.notifications.stream()
    await stream.close()


def configures() -> None:
    store: TokenStore = Store()
    Unpuzzle(token_store=store, timeout=httpx.Timeout(5, connect=1), max_retry_time=20, headers={"X-A": "b"})
    Unpuzzle(transport=httpx.HTTPTransport(retries=1))
    Unpuzzle(transport=httpx.HTTPTransport, max_retry_time=None)
    AsyncUnpuzzle(transport=lambda: httpx.AsyncHTTPTransport(retries=1))
    AsyncUnpuzzle(http_client=httpx.AsyncClient())
    Unpuzzle(http_client=httpx.AsyncClient())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def tests() -> None:
    with MockUnpuzzle() as mock:
        assert_type(mock.client(), Unpuzzle)
        assert_type(mock.async_client(), AsyncUnpuzzle)
        assert_type(mock.requests, list[RecordedRequest])
        mock.on("courses.get").reply(title="Mine").fail(errors.CourseNotFound, times=1)
        mock.on("courses.gett")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        mock.fail_next("COURSE_NOT_FOUND", operation="courses.get")
        mock.fail_next("COURSE_NOT_FUND")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with local_server() as server:
        assert_type(server.client("student"), Unpuzzle)
