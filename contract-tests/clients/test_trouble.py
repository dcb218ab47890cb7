"""What the SDK does about an answer that did not come, or that says to come back: for each operation, as the contract lets it."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from harness import CONTRACT
from objects import PICTURE
from unpuzzle_sdk import MemoryTokenStore, Tokens, Unpuzzle, errors
from unpuzzle_sdk._core import sync_client
from unpuzzle_sdk._core.sse import Parser
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import OCTETS, named

OPERATIONS = [item for item in CONTRACT.operations.values() if not (item.stream and not item.stream.flag)]
"""With one answer each: a stream has its own ways to come back, see sdk/tests."""
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=named)
RETRIES = 2
KEY = "Idempotency-Key"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits here; how long they would have is kept."""
    told: list[float] = []
    monkeypatch.setattr(sync_client.time, "sleep", told.append)
    return told


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    envelope = {
        "status": "error",
        "error": {"code": code, "message": "No"},
        "timestamp": "2026-01-01T00:00:00Z",
        "request_id": "r",
    }
    return httpx.Response(status, json=envelope, headers={name.replace("_", "-"): value for name, value in headers.items()})


def lost(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("the train is in a tunnel")


def sent(
    operation: Operation,
    answer: Callable[[httpx.Request], httpx.Response],
    own: dict[str, str] | None = None,
    **more: Any,
) -> list[httpx.Request]:
    """What a call sends in all, which fails in the end; the client may have headers of its own."""
    requests: list[httpx.Request] = []

    def kept(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answer(request)

    tag, verb = operation.id.split(".")
    with httpx.Client(transport=httpx.MockTransport(kept)) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", max_retries=RETRIES, headers=own, http_client=http_client)
        with pytest.raises(errors.UnpuzzleError):
            getattr(getattr(client, tag), verb)(**arguments(operation), **more)
    return requests


def arguments(operation: Operation) -> dict[str, Any]:
    """What the contract's examples say."""
    raw = [*spec.document()["paths"][operation.path].get("parameters", []), *CONTRACT.raw[operation.id].get("parameters", [])]
    needed = {item["name"]: item["example"] for item in spec.resolve(raw) if item.get("required")}
    if operation.body_type == OCTETS:
        return {**needed, "content": PICTURE}
    flag = operation.stream.flag if operation.stream else ""
    fields = spec.resolve(operation.body)["example"] if operation.body else {}
    return {**needed, **{name: value for name, value in fields.items() if name != flag}}


def is_repeatable(operation: Operation) -> bool:
    return operation.method == "GET" or operation.has(KEY)


@EVERY_OPERATION
def test_what_is_lost_is_sent_again_where_that_does_no_more(operation: Operation) -> None:
    """Under one key, which whoever calls may have given."""
    requests = sent(operation, lost)
    assert len(requests) == (1 + RETRIES if is_repeatable(operation) else 1)
    assert len({request.headers.get(KEY) for request in requests}) == 1
    assert (KEY in requests[0].headers) == operation.has(KEY)
    if operation.has(KEY):
        assert {request.headers[KEY] for request in sent(operation, lost, idempotency_key="mine")} == {"mine"}


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if is_repeatable(item)], ids=named)
def test_who_is_told_to_come_back_waits_as_long(operation: Operation, pauses: list[float]) -> None:
    requests = sent(operation, lambda _: refusal(429, "RATE_LIMIT_EXCEEDED", retry_after="7"))
    assert len(requests) == 1 + RETRIES
    assert len(pauses) == RETRIES
    assert all(7 <= pause <= 8 for pause in pauses)


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.has(KEY)], ids=named)
def test_a_call_that_is_under_way_is_asked_for_again_and_no_other_conflict_is(operation: Operation) -> None:
    assert len(sent(operation, lambda _: refusal(409, "IDEMPOTENCY_IN_PROGRESS"))) == 1 + RETRIES
    assert len(sent(operation, lambda _: refusal(409, "CONFLICT"))) == 1


@EVERY_OPERATION
def test_the_server_has_the_last_word_about_trying_again(operation: Operation) -> None:
    """Against what the status would say, and against what the method would."""
    assert len(sent(operation, lambda _: refusal(429, "AI_LIMIT_EXCEEDED", x_should_retry="false"))) == 1
    assert len(sent(operation, lambda _: refusal(400, "CONFLICT", x_should_retry="true"))) == 1 + RETRIES


def test_a_date_to_come_back_at_is_one_too(pauses: list[float]) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    sent(CONTRACT.operations["courses.get"], lambda _: refusal(429, "RATE_LIMIT_EXCEEDED", retry_after=then))
    assert pauses
    assert all(15 <= pause <= 22 for pause in pauses)


def test_a_token_that_has_ended_is_exchanged_and_the_call_made_again() -> None:
    """Once: what is refused with the new token is refused."""
    session = spec.resolve({"$ref": "#/components/schemas/AuthSession"})["example"]
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, request.headers.get("authorization")))
        return httpx.Response(200, json=session) if "/refresh/" in request.url.path else refusal(401, "AUTH_INVALID_TOKEN")

    with httpx.Client(transport=httpx.MockTransport(answer)) as http_client:
        store = MemoryTokenStore(Tokens("ended", "to-refresh"))
        client = Unpuzzle(base_url="http://api", token_store=store, http_client=http_client)
        with pytest.raises(errors.AuthInvalidToken):
            client.auth.get_profile()
    profile, refresh = "/api/v1/auth/profile/", "/api/v1/auth/refresh/"
    assert seen == [(profile, "Bearer ended"), (refresh, None), (profile, f"Bearer {session['access_token']}")]


def test_headers_of_ones_own_are_sent_and_the_calls_count_more() -> None:
    (request,) = sent(
        CONTRACT.operations["courses.create"],
        lambda _: refusal(404, "NOT_FOUND"),
        own={"X-Client-Version": "7", KEY: "the client's"},
        idempotency_key="the call's",
    )
    assert (request.headers["x-client-version"], request.headers[KEY]) == ("7", "the call's")


RESUMING = [item for item in CONTRACT.operations.values() if item.stream and item.has("Last-Event-ID")]


@pytest.mark.parametrize("operation", RESUMING, ids=named)
def test_a_stream_that_breaks_off_goes_on_after_its_last_event(operation: Operation) -> None:
    assert operation.stream
    (name, schema), asked = next(iter(operation.stream.events.items())), []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("last-event-id"))
        event = f"id: {len(asked)}\nevent: {name}\ndata: {json.dumps(spec.resolve(schema)['example'])}\n\n"
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=event)

    tag, verb = operation.id.split(".")
    with httpx.Client(transport=httpx.MockTransport(answer)) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", http_client=http_client)
        with patch.object(threading.Event, "wait"):
            ids = [event.id for event in islice(getattr(getattr(client, tag), verb)(), 3)]
    assert (ids, asked) == (["1", "2", "3"], [None, "1", "2"])


@pytest.mark.parametrize(
    "operation", [item for item in CONTRACT.operations.values() if item.stream and item not in RESUMING], ids=named
)
@pytest.mark.parametrize(("code", "status"), [("AI_SERVICE_ERROR", 503), ("RATE_LIMIT_EXCEEDED", 429), ("NEW_CODE", 500)])
def test_what_goes_wrong_within_a_stream_is_the_exception_of_its_code(operation: Operation, code: str, status: int) -> None:
    """Though the stream began with 200."""
    assert operation.stream
    event = f"event: error\ndata: {refusal(500, code).text}\n\n"
    tag, verb = operation.id.split(".")
    verb = CONTRACT.raw[operation.id]["x-unpuzzle-stream"].get("named", verb)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=event)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", max_retries=0, http_client=http_client)
        stream = getattr(getattr(client, tag), verb)(**arguments(operation))
        with pytest.raises(errors.APIStatusError) as raised:
            next(stream)
    assert (raised.value.code, raised.value.status_code) == (code, status)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_an_event_is_read_in_every_form_that_the_standard_knows(end: str, size: int) -> None:
    """Lines of each kind, data of two lines, comments, fields without a blank, cut anywhere."""
    lines = [": hello", "id: 1", "event: text", 'data: {"a":', "data: 1}", "", "event:done", "data:2", "", ""]
    stream = end.join(lines).encode()
    parser, found = Parser(), []
    for place in range(0, len(stream), size):
        found += [(event.event, event.data, event.id) for event in parser.feed(stream[place : place + size])]
    assert found == [("text", '{"a":\n1}', "1"), ("done", "2", "1")]


def test_who_signs_out_sends_no_token_any_more() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        example = spec.resolve({"$ref": "#/components/schemas/AuthSession"})["example"]
        return httpx.Response(200, json=example if "signin" in request.url.path else {"message": "Done"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http_client:
        client = Unpuzzle(base_url="http://api", http_client=http_client)
        client.auth.sign_in(email="a@example.com", password="x")
        client.auth.sign_out()
        client.request("GET", "/api/v1/")
    assert [token is not None for token in seen] == [False, True, False]


def test_all_that_is_wrong_is_told() -> None:
    details = [{"field": name, "message": "is wrong"} for name in ("title", "price", "tags")]
    body = {"status": "error", "error": {"code": "VALIDATION_ERROR", "message": "No", "details": details}}
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(422, json=body))) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", http_client=http_client)
        with pytest.raises(errors.ValidationError) as refused:
            client.courses.create(title="x")
    assert [detail.field for detail in refused.value.details] == ["title", "price", "tags"]


@pytest.mark.parametrize(("code", "status"), spec.statuses().items())
def test_a_code_that_is_new_is_what_its_status_says(code: str, status: int) -> None:
    """The class of a known code of that status, less its name."""
    known = getattr(errors, "".join(word.capitalize() for word in code.split("_")))
    with httpx.Client(transport=httpx.MockTransport(lambda _: refusal(status, "NEW_CODE"))) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", max_retries=0, http_client=http_client)
        with pytest.raises(errors.APIStatusError) as refused:
            client.courses.get("x")
    assert type(refused.value) is known.__base__


def test_a_value_of_a_path_stays_one_segment() -> None:
    paths: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return refusal(404, "NOT_FOUND")

    with httpx.Client(transport=httpx.MockTransport(answer)) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", http_client=http_client)
        with pytest.raises(errors.NotFound):
            client.courses.get("a b?c#d")
        with pytest.raises(ValueError, match="must not be 'a/b'"):  # to the server an encoded slash is a slash
            client.courses.get("a/b")
    assert paths == [b"/api/v1/courses/a%20b%3Fc%23d/"]
