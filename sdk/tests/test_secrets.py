"""A canary in the place of every secret of every operation is in no log, `repr`, traceback, span or pickled error."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from reading import OPERATIONS, resolve, sample
from test_opentelemetry import Traces

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors
from unpuzzle_sdk._core import redact
from unpuzzle_sdk._secrets import SECRETS
from unpuzzle_sdk.opentelemetry import instrument
from unpuzzle_sdk.testing import MockUnpuzzle

SENT, RECEIVED = "c4n4ry-sent", "c4n4ry-received"
HEADERS = {"Set-Cookie": f"a={RECEIVED}", "X-New": RECEIVED, "Location": f"https://x/?code={RECEIVED}&page=1"}
FAILURE = {"error": {"code": "X", "message": "No", "client_secret": RECEIVED, "next_action_url": f"u?token={RECEIVED}"}}


def success_of(operation_id: str) -> httpx.Response:
    _, _, operation = OPERATIONS[operation_id]
    status = next(status for status in sorted(operation["responses"]) if status < "4")
    content = resolve(operation["responses"][status]).get("content", {})
    if "application/json" in content:
        return httpx.Response(
            int(status), headers=HEADERS, json=sample(content["application/json"]["schema"], RECEIVED)
        )
    return httpx.Response(int(status), headers=HEADERS, content=RECEIVED.encode() if content else b"")


def arguments_of(operation_id: str, method: Any) -> dict[str, Any]:
    """What an operation must be given, and a canary for each secret that it may be given."""
    secret, _ = SECRETS.get(operation_id, ((), ()))
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if name in secret:
            given[name] = SENT
        elif parameter.default is parameter.empty:
            kind = str(parameter.annotation)
            given[name] = b"1" if kind == "bytes" else [] if kind.startswith("Sequence") else "1"
    return given


class Watched:
    """A client whose API answers everything in one way, and everything that could be seen of its calls."""

    def __init__(self, make: type[Unpuzzle | AsyncUnpuzzle]) -> None:
        self.traces = Traces()
        self.sent: list[str] = []
        self.outcome: Callable[[], httpx.Response] = lambda: httpx.Response(500)
        self.make = make
        self.outcomes: dict[str, list[Any]] = {operation_id: [] for operation_id in OPERATIONS}

    @property
    def methods(self) -> Iterator[tuple[str, Any]]:
        """The method of each operation, each of a client of its own: some change the session."""
        transport: Any = httpx.MockTransport(self.answer)
        for operation_id in OPERATIONS:
            tag, verb = operation_id.split(".")
            client = self.make(
                base_url="http://api", token=SENT, transport=transport, max_retries=0, headers={"X-Own": SENT}
            )
            yield operation_id, getattr(getattr(instrument(client, tracer_provider=self.traces.provider), tag), verb)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(f"{request.url}\n{request.content.decode()}")
        return self.outcome()

    def outcomes_of(self, operation_id: str) -> Iterator[Callable[[], httpx.Response]]:
        def fail() -> httpx.Response:
            raise httpx.ReadError("lost")

        yield lambda: success_of(operation_id)
        yield lambda: httpx.Response(402, headers=HEADERS, json=FAILURE)
        yield lambda: httpx.Response(200, headers=HEADERS, content=f'{{"key": "{RECEIVED}'.encode())
        yield fail


def shown(outcome: Any) -> list[str]:
    """What a program or a reporter of errors shows of what came of a call."""
    if not isinstance(outcome, BaseException):
        # A program that asks for bytes has asked for all of them.
        return [repr(outcome), repr(getattr(outcome, "results", None))] if not isinstance(outcome, (bytes, str)) else []
    found = [repr(outcome), str(outcome), pickle.dumps(outcome).decode("latin1").replace(RECEIVED, "its body")]
    report: Any = traceback.TracebackException.from_exception(outcome, capture_locals=True)
    while report is not None:
        frames = [frame for frame in report.stack if frame.filename != __file__]
        found += [str(report), *(f"{frame.name}: {frame.locals}" for frame in frames)]
        report = report.__cause__ or report.__context__
    return found


def leaks(operation_id: str, seen: list[str]) -> list[str]:
    return [f"{operation_id}: {text}" for text in seen if SENT in text or RECEIVED in text]


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def check(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    sent = unquote("".join(watched.sent))
    assert sent.count(SENT) >= 4 * sum(len(names) for names, _ in SECRETS.values())
    assert not [leak for name, found in watched.outcomes.items() for one in found for leak in leaks(name, shown(one))]
    assert not leaks("log", caplog.text.splitlines())
    assert not leaks("span", [span.to_json() for span in watched.traces.spans])
    assert '"password": "***"' in caplog.text
    assert "Location: https://x/?code=***&page=1" in caplog.text.replace("location", "Location")
    assert len(watched.traces.spans) == 4 * len(OPERATIONS)


def test_no_secret_of_any_operation_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(Unpuzzle)
    for operation_id, method in watched.methods:
        for outcome in watched.outcomes_of(operation_id):
            watched.outcome = outcome
            try:
                found = method(**arguments_of(operation_id, method))
                watched.outcomes[operation_id].append(found.open() if hasattr(found, "open") else found)
            except errors.UnpuzzleError as error:
                watched.outcomes[operation_id].append(error)
    check(watched, caplog)


def test_no_secret_of_any_operation_is_seen_in_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(AsyncUnpuzzle)

    async def main() -> None:
        for operation_id, method in watched.methods:
            for outcome in watched.outcomes_of(operation_id):
                watched.outcome = outcome
                try:
                    watched.outcomes[operation_id].append(await method(**arguments_of(operation_id, method)))
                except errors.UnpuzzleError as error:
                    watched.outcomes[operation_id].append(error)

    asyncio.run(main())
    check(watched, caplog)


def test_a_body_that_can_not_be_encoded_is_in_no_traceback(client: Unpuzzle) -> None:
    for bad in (object(), float("nan")):
        with pytest.raises((TypeError, ValueError)) as caught:
            client.auth.sign_in(email=bad, password=SENT)  # type: ignore[arg-type]
        assert not leaks("sign_in", shown(caught.value))


@pytest.mark.parametrize("make", [Unpuzzle, AsyncUnpuzzle])
def test_what_storage_lets_one_in_by_is_in_no_traceback(mock: MockUnpuzzle, make: Any) -> None:
    lane = {
        "url": "https://storage/part",
        "method": "POST",
        "headers": {"Authorization": SENT},
        "part_number_header": "X-Part",
        "sha1_header": "X-Sha1",
    }
    mock.on("media.initiate_upload").reply(total_chunks=1, parts=[lane])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "storage":
            raise httpx.ReadError("lost")
        return mock.transport.handle_request(request)

    async def upload() -> Any:
        found = make(token=SENT, transport=httpx.MockTransport(answer), max_retries=0).media.upload(
            b"x", filename="a.mp4"
        )
        return await found

    with pytest.raises(errors.UploadInterrupted, match="lost") as caught:
        asyncio.run(upload())
    assert any("send_elsewhere" in text for text in shown(caught.value))
    assert not leaks("upload", shown(caught.value))


def test_a_client_does_not_give_its_token_away() -> None:
    client = Unpuzzle(base_url="http://x", token=SENT, headers={"X-Own": SENT})
    assert not leaks(
        "client", [repr(client), repr(client.with_options(timeout=1)), repr(client.raw), repr(vars(client))]
    )
    with pytest.raises(TypeError):
        pickle.dumps(client)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ({"a": [{"new_password": "x", "b": 1}]}, {"a": [{"new_password": "***", "b": 1}]}),
        ({"apiKey": "x", "cardNumber": "4242", "cvc": 1}, {"apiKey": "***", "cardNumber": "***", "cvc": "***"}),
        ({"total_tokens": 7, "token_type": "x", "token": None}, {"total_tokens": 7, "token_type": "x", "token": None}),
        ({"headers": {"authorization": {"deep": "x"}}}, {"headers": {"authorization": "***"}}),
        (["https://x/?a=1&X-Amz-Signature=ab%3D&b=2"], ["https://x/?a=1&X-Amz-Signature=***&b=2"]),
        (["https://x/file?Authorization=3_2026&b=2"], ["https://x/file?Authorization=***&b=2"]),
        ({"user_pwd": "x", "id_jwt": "x", "OTP": 1}, {"user_pwd": "***", "id_jwt": "***", "OTP": "***"}),
        (["https://x/#access_token=a.b-c&b=2"], ["https://x/#access_token=***&b=2"]),
        (["http://jane:pw@x/?mail=a@b.c, mailto:a@b.c"], ["http://***@x/?mail=a@b.c, mailto:a@b.c"]),
    ],
)
def test_names_speak_for_themselves_at_any_depth(value: Any, seen: Any) -> None:
    assert redact.fields(value) == seen


def test_what_the_contract_marks_is_hidden_where_it_is_marked_only() -> None:
    sent, received = redact.secret_names("auth.oauth_callback")
    assert json.loads(redact.body(b'{"code": "x", "key": "y"}', "application/json", sent)) == {
        "code": "***",
        "key": "y",
    }
    assert json.loads(redact.body(b'{"error": {"code": "X"}}', "application/json", received)) == {
        "error": {"code": "X"}
    }
    assert redact.query("sv=2026&sig=x&error=y") == "sv=2026&sig=***&error=y"
    assert redact.query("state=x&error=y", redact.secret_names("auth.oauth_redirect")[0]) == "state=***&error=y"


def test_of_a_body_that_is_no_text_only_the_size_is_shown_and_long_ones_are_cut() -> None:
    assert redact.body(b"x" * 1234, "video/mp4") == "<1,234 bytes of video/mp4>"
    assert redact.body(b'{"password": "x"', "application/json") == "<16 bytes of application/json>"
    assert redact.body(b"password=x&a=b", "application/x-www-form-urlencoded") == "password=***&a=b"
    assert redact.body(json.dumps(["y" * 5000]).encode(), "application/json").endswith("y… (5,004 characters)")


def test_where_an_answer_leads_is_in_no_log_of_a_library_with_what_it_is_signed_by(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.getLogger("httpcore.http11").debug(
        "receive_response_headers.complete return_value="
        f"(b'HTTP/1.1', 302, b'Found', [(b'Location', b'https://x/file?Authorization={RECEIVED}'), (b'Age', b'1')])"
    )
    assert "Authorization=***'), (b'Age', b'1')" in caplog.text
    assert not leaks("log", [caplog.text])
