"""The programs of the guides: what stands between `[start:…]` and `[end:…]` is what the pages show."""

import asyncio
import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors
from unpuzzle_sdk.testing import MockUnpuzzle

PART = 5 * 2**20
SLUG = "introduction-to-python-programming"


@pytest.fixture
def mock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MockUnpuzzle:
    monkeypatch.chdir(tmp_path)
    Path("lecture.mp4").write_bytes(bytes(3 * PART))
    return MockUnpuzzle()


@pytest.fixture
def client(mock: MockUnpuzzle) -> Iterator[Unpuzzle]:
    with mock.client() as client:
        yield client


@pytest.fixture
def async_client(mock: MockUnpuzzle) -> AsyncUnpuzzle:
    return mock.async_client()


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("ENROLLMENT_EXISTS", "You are in already."),
        ("PAYMENT_REQUIRED", "This course costs 49.99 USD: send a payment_method_id."),
        ("PERMISSION_DENIED", "403 PERMISSION_DENIED"),
        (ConnectionError, "No answer. It may have been carried out: False"),
    ],
)
def test_each_failure_has_its_class(mock: MockUnpuzzle, client: Unpuzzle, what: Any, said: str, capsys: Any) -> None:
    mock.fail_next(what, times=9)
    # [start:errors]
    from unpuzzle_sdk import errors

    try:
        client.enrollments.enroll("introduction-to-python-programming")
    except errors.EnrollmentExists:
        print("You are in already.")
    except errors.PaymentRequired as error:
        print(error.message)
    except errors.APIStatusError as error:
        print(error.status_code, error.code, error.request_id)
    except errors.APIConnectionError as error:
        print("No answer. It may have been carried out:", error.sent)
    # [end:errors]
    assert printed(capsys)[0].startswith(said)


def test_validation_tells_every_problem(client: Unpuzzle, capsys: Any) -> None:
    # [start:details]
    try:
        client.courses.create(title="", price=-1)
    except errors.ValidationError as error:
        for detail in error.details:
            print(f"{detail.field}: {detail.message}")
    # [end:details]
    assert {line.partition(":")[0] for line in printed(capsys)} == {"title", "price"}


def test_a_call_may_have_options_of_its_own(mock: MockUnpuzzle, client: Unpuzzle) -> None:
    mock.fail_next(503, times=4)
    # [start:options]
    patient = client.with_options(timeout=120, max_retries=5)
    course = patient.courses.get("introduction-to-python-programming")
    # [end:options]
    assert course.title
    mock.assert_called("courses.get", times=5)


def test_a_key_makes_it_safe_to_begin_again(mock: MockUnpuzzle, client: Unpuzzle) -> None:
    order = "order-1842"
    for _ in range(2):
        # [start:idempotency]
        client.courses.create(title="Advanced React", idempotency_key=f"course-of-{order}")
        # [end:idempotency]
    assert {request.headers["Idempotency-Key"] for request in mock.calls("courses.create")} == {"course-of-order-1842"}


def test_who_was_slower_learns_of_it(mock: MockUnpuzzle, client: Unpuzzle, capsys: Any) -> None:
    course_id = "b6b28414-328b-5b14-930c-0a8320288e81"
    mock.fail_next("PRECONDITION_FAILED", operation="courses.update")
    # [start:etags]
    response = client.raw.courses.get_own(course_id)
    try:
        client.courses.update(course_id, if_match=response.etag, title=f"{response.parsed.title}, revised")
    except errors.PreconditionFailed:
        print("Somebody was faster: read it again, and decide anew.")
    # [end:etags]
    assert printed(capsys)
    assert mock.calls("courses.update")[0].headers["If-Match"].startswith('"')


def courses(count: int) -> list[dict[str, Any]]:
    example = MockUnpuzzle().client().courses.list().results[0].to_dict()
    return [{**example, "title": f"Course {number}"} for number in range(1, count + 1)]


def test_a_loop_goes_through_all_pages(mock: MockUnpuzzle, client: Unpuzzle, capsys: Any) -> None:
    mock.on("courses.list").reply_pages(courses(45))
    # [start:iterate]
    for course in client.courses.list(category="programming", sort="rating"):
        print(course.title)
    # [end:iterate]
    assert len(printed(capsys)) == 45
    mock.assert_called("courses.list", times=3)


def test_a_list_may_end_early(mock: MockUnpuzzle, client: Unpuzzle) -> None:
    mock.on("courses.list").reply_pages(courses(45))
    # [start:max-items]
    best = list(client.courses.list(sort="rating", max_items=3))
    # [end:max-items]
    assert [course.title for course in best] == ["Course 1", "Course 2", "Course 3"]
    mock.assert_called("courses.list", times=1)


def test_pages_can_be_had_one_by_one(mock: MockUnpuzzle, client: Unpuzzle, capsys: Any) -> None:
    mock.on("courses.list").reply_pages(courses(45))
    # [start:pages]
    page = client.courses.list(page=2, page_size=20)
    print(page.page, "of", page.total_pages, "pages,", page.count, "courses")
    for course in page.results:
        print(course.title)
    after = page.next_page()  # None after the last
    # [end:pages]
    assert printed(capsys)[:2] == ["2 of 3 pages, 45 courses", "Course 21"]
    assert after is not None
    assert len(after.results) == 5


def test_lists_in_asyncio(mock: MockUnpuzzle, async_client: AsyncUnpuzzle) -> None:
    mock.on("courses.list").reply_pages(courses(45))

    async def main(client: AsyncUnpuzzle) -> tuple[list[str], int]:
        # [start:async-pages]
        titles = [course.title async for course in client.courses.list(page_size=50)]
        page = await client.courses.list()
        print(page.count)
        # [end:async-pages]
        return titles, page.count

    titles, count = asyncio.run(main(async_client))
    assert len(titles) == count == 45


def test_an_upload_tells_how_far_it_is(client: Unpuzzle, capsys: Any) -> None:
    # [start:upload]
    media = client.media.upload(
        "lecture.mp4",
        title="Lesson 1",
        on_progress=lambda progress: print(f"{progress.sent} of {progress.total} bytes"),
    )
    print(media.media_id, media.processing_status)
    # [end:upload]
    lines = printed(capsys)
    assert lines[3] == f"{3 * PART} of {3 * PART} bytes"
    assert lines[4].endswith(" pending")


def test_an_upload_goes_on_where_it_broke_off(mock: MockUnpuzzle, client: Unpuzzle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unpuzzle_sdk._upload_job.ATTEMPTS", 1)
    mock.fail_next(ConnectionError, times=3, operation="media.upload_content")  # what one part tries, and none is left to resume
    # [start:resume]
    try:
        media = client.media.upload("lecture.mp4")
    except errors.UploadInterrupted as error:
        media = client.media.upload("lecture.mp4", resume=error.upload_id)
    # [end:resume]
    assert media.media_id


def test_uploads_go_side_by_side(mock: MockUnpuzzle, async_client: AsyncUnpuzzle) -> None:
    async def main(client: AsyncUnpuzzle) -> None:
        paths = ["lecture.mp4"] * 3
        # [start:async-upload]
        async with asyncio.TaskGroup() as group:
            for path in paths:
                group.create_task(client.media.upload(path, parallel=2))
        # [end:async-upload]

    asyncio.run(main(async_client))
    mock.assert_called("media.complete_upload", times=3)


def test_events_come_as_they_happen(client: Unpuzzle, capsys: Any) -> None:
    # [start:events]
    for event in client.notifications.stream():
        print(event.data.title)
        if event.data.type == "course":
            break  # leaving the loop closes the connection
    # [end:events]
    assert printed(capsys)


def test_a_stream_goes_on_in_another_process(mock: MockUnpuzzle, client: Unpuzzle) -> None:
    # [start:last-event-id]
    kept = None
    with client.notifications.stream() as stream:
        for event in stream:
            kept = event.id
            break
    later = client.notifications.stream(last_event_id=kept)
    # [end:last-event-id]
    for _ in later:
        break
    assert mock.calls("notifications.stream")[1].headers["Last-Event-ID"] == kept


def test_the_tutor_is_read_while_it_writes(client: Unpuzzle, capsys: Any) -> None:
    # [start:text]
    stream = client.ai.stream_message(message="What is a closure?")
    for piece in stream.text_deltas():
        print(piece, end="", flush=True)
    print()
    print([reference.lesson_title for reference in stream.final().references])
    # [end:text]
    assert len(printed(capsys)) >= 2


def test_streams_in_asyncio(async_client: AsyncUnpuzzle) -> None:
    seen: list[str] = []

    async def main(client: AsyncUnpuzzle) -> None:
        # [start:async-events]
        async with client.notifications.stream() as stream:
            async for event in stream:
                print(event.data.title)
                break
        # [end:async-events]
        seen.append(event.event)

    asyncio.run(main(async_client))
    assert seen == ["notification"]


def test_what_breaks_off_for_good_is_raised(mock: MockUnpuzzle, client: Unpuzzle, capsys: Any) -> None:
    mock.fail_next("AI_LIMIT_EXCEEDED", times=3, operation="ai.send_message")
    # [start:stream-errors]
    try:
        answer = client.ai.stream_message(message="What is a closure?").final()
        print(answer.response)
    except errors.StreamInterrupted:
        print("The connection broke off: ask again.")
    except errors.AiLimitExceeded as error:
        print(error.message)
    # [end:stream-errors]
    assert "requests" in printed(capsys)[0]


def test_an_event_signed_as_stripe_does_is_taken(mock: MockUnpuzzle, client: Unpuzzle) -> None:
    secret = "whsec_for_tests"
    # [start:stripe]
    import json
    import time

    sent_at = int(time.time())
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
    body = json.dumps(event).encode()
    signature = hmac.new(secret.encode(), b"%d.%s" % (sent_at, body), hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={sent_at},v1={signature}", "Content-Type": "application/json"}
    client.request("POST", "/api/v1/payments/webhooks/stripe/", content=body, headers=headers)
    # [end:stripe]
    (request,) = mock.calls("payments.receive_webhook")
    assert request.body == body
