"""What a test has a mock answer in the place of the examples."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from unpuzzle_sdk import Unpuzzle, errors
from unpuzzle_sdk.testing import ImpossibleReply, MockUnpuzzle, NoMoreEvents, RecordedRequest

COURSE = "a-course"


def test_a_reply_changes_the_example_field_by_field(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    usual = mocked.courses.get(COURSE)
    mock.on("courses.get").reply(title="Mine", price=Decimal("9.99"), instructor={"name": "Ada"})
    found = mocked.courses.get(COURSE)
    assert (found.title, found.price, found.instructor.name) == ("Mine", Decimal("9.99"), "Ada")
    assert (found.slug, found.instructor.id) == (usual.slug, usual.instructor.id)
    mock.on("courses.get").reply(usual)
    assert mocked.courses.get(COURSE) == usual


def test_replies_with_a_number_come_before_the_one_without(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mock.on("courses.get").reply(title="Then").reply(title="First", times=1).fail("COURSE_NOT_FOUND", times=1)
    assert mocked.courses.get(COURSE).title == "First"
    with pytest.raises(errors.CourseNotFound):
        mocked.courses.get(COURSE)
    assert [mocked.courses.get(COURSE).title for _ in range(2)] == ["Then", "Then"]


def test_a_reply_may_be_for_some_requests_only(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mock.on("courses.get", course_id="mine").reply(title="Mine")
    mock.on("courses.get").reply(title="Other")
    assert [mocked.courses.get(name).title for name in ("mine", "other")] == ["Mine", "Other"]
    with pytest.raises(ValueError, match=r"courses\.get has no parameter 'id' in its path or its query, but course_id"):
        mock.on("courses.get", id="mine")


def test_a_function_sees_the_request_and_may_refuse_it(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    def answer(request: RecordedRequest) -> Any:
        if request.path_params["course_id"] == "gone":
            raise errors.CourseNotFound("It is gone.")
        if request.path_params["course_id"] == "odd":
            return httpx.Response(200, json={})
        return {"slug": request.path_params["course_id"]}

    mock.on("courses.get").reply_with(answer)
    assert mocked.courses.get("mine").slug == "mine"
    with pytest.raises(errors.CourseNotFound, match="It is gone"):
        mocked.courses.get("gone")
    with pytest.raises(errors.InvalidResponseError):
        mocked.courses.get("odd")


def test_a_list_has_the_pages_that_its_items_fill(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mock.on("courses.list").reply_pages({"title": f"Course {number}"} for number in range(5))
    assert [course.title for course in mocked.courses.list(page_size=2)] == [f"Course {n}" for n in range(5)]
    assert [request.query["page"] for request in mock.requests[1:]] == ["2", "3"]
    last = mocked.courses.list(page=3, page_size=2)
    assert (last.count, last.total_pages, len(last.results)) == (5, 3, 1)
    mock.on("courses.list").reply_pages([])
    assert mocked.courses.list().count == 0


def test_a_stream_tells_what_a_test_wants_and_breaks_off(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    route = mock.on("notifications.stream")
    route.reply_events([("notification", {"title": "One"})], broken=True, times=1)
    route.reply_events([("notification", {"title": "Two"})])
    titles: list[Any] = []
    with pytest.raises(NoMoreEvents):
        titles.extend((event.id, event.data.title) for event in mocked.notifications.stream())
    assert titles == [("1", "One"), ("2", "Two")]
    assert mock.requests[1].headers["Last-Event-ID"] == "1"
    mock.on("ai.send_message").reply_events([("message.delta", {"text": "Wel"})], broken=True)
    with pytest.raises(errors.StreamInterrupted):
        mocked.ai.stream_message(message="Hello?").final()


def test_an_answer_is_for_who_wants_json_and_events_are_for_who_wants_them(
    mock: MockUnpuzzle, mocked: Unpuzzle
) -> None:
    mock.on("ai.send_message").reply_events([("message.done", {"response": "Streamed"})]).reply(response="Whole")
    assert mocked.ai.send_message(message="Why?").response == "Whole"
    assert mocked.ai.stream_message(message="Why?").final().response == "Streamed"
    with pytest.raises(ImpossibleReply, match="answers with events: say them by reply_events"):
        mock.on("notifications.stream").reply(title="New")


def test_what_is_said_of_an_operation_twice_is_one_script(mock: MockUnpuzzle, mocked: Unpuzzle) -> None:
    mock.on("courses.get", course_id="a").reply(title="First", times=1)
    mock.on("courses.get", course_id="a").reply(title="At last")
    mock.on("courses.get", course_id="a").fail(404, times=1)
    mock.on("courses.get", course_id="b").reply(title="Another")
    assert mocked.courses.get("a").title == "First"
    with pytest.raises(errors.NotFound):
        mocked.courses.get("a")
    assert [mocked.courses.get(course).title for course in ("a", "b", "a")] == ["At last", "Another", "At last"]


def test_a_reply_is_made_by_a_plain_function(mock: MockUnpuzzle) -> None:
    async def reply(_: Any) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        mock.on("courses.get").reply_with(reply)


@pytest.mark.parametrize(
    ("operation", "reply", "message"),
    [
        ("courses.get", {"titel": "Mine"}, "courses.get never answers this\n  titel: is not a known field: title?"),
        ("courses.get", {"title": 5}, "title: must be a string"),
        ("courses.get", {"instructor": {"nam": "Ada"}}, "instructor.nam: is not a known field: name?"),
        ("courses.get", {"status_code": 202}, r"courses.get answers \[200, 304\], never 202"),
        ("courses.delete", {"title": "x"}, "courses.delete answers no object with fields"),
    ],
)
def test_a_reply_that_the_api_never_gives_is_refused(
    mock: MockUnpuzzle, operation: str, reply: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImpossibleReply, match=message.replace("?", r"\?")):
        mock.on(operation).reply(**reply)


def test_what_is_no_list_or_stream_has_no_items_or_events(mock: MockUnpuzzle) -> None:
    with pytest.raises(ImpossibleReply, match="is no list"):
        mock.on("courses.get").reply_pages([])
    with pytest.raises(ImpossibleReply, match="streams no events"):
        mock.on("courses.get").reply_events([])
    with pytest.raises(ImpossibleReply, match="has no event 'notifcation'"):
        mock.on("notifications.stream").reply_events([("notifcation", {})])


def test_a_name_that_is_misspelt_is_refused_with_the_nearest(mock: MockUnpuzzle) -> None:
    said = "there is no operation 'courses.gett': did you mean 'courses.get'"
    for use in (mock.on, mock.calls, mock.assert_called, lambda name: mock.fail_next(500, operation=name)):
        with pytest.raises(ValueError, match=said):
            use("courses.gett")
