"""What a mock answers: the examples of the contract, as the API would send them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NoReturn
from urllib.parse import urlencode

import httpx

from .._spec import BASE_URL
from ._contract import Operation, contract
from ._requests import RecordedRequest
from ._uploads import Uploads

EVENTS = "text/event-stream"
PAGE_SIZE = 20
RETRY_AFTER = 1
"""Seconds, where a refusal of the API says some and the test does not: a client that heeds it tries again."""

_FILES = {
    "application/pdf": b"%PDF-1.4\n%%EOF\n",
    "application/zip": b"PK\x05\x06" + bytes(18),
    "image/svg+xml": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "text/html": b"<!doctype html><title>Unpuzzle</title>",
}
"""The smallest files of their kinds, for which the contract has no examples."""


class NoMoreEvents(Exception):
    """A stream that never ends has told all that it was to tell. The API would let the client wait for more.

    Example:
        ```python
        from unpuzzle_sdk.testing import NoMoreEvents

        mock.on("notifications.stream").reply_events([("notification", {"title": "Welcome"})])
        titles = []
        try:
            for event in mock.client().notifications.stream():
                titles.append(event.data.title)
        except NoMoreEvents:
            assert titles == ["Welcome"]
        ```
    """


class Answers:
    """Makes the answers of one mock, whose requests are numbered."""

    def __init__(self) -> None:
        """Begin to count."""
        self._numbers = count(1)
        self._uploads = Uploads()

    def usual(self, request: RecordedRequest, operation: Operation) -> httpx.Response:
        """Give the documented answer."""
        if wants_events(request, operation):
            events = operation.stream["events"].items()
            return self.events(request, operation, [(name, contract().example(schema)) for name, schema in events])
        if operation.items:
            value = example(operation)
            return self.value(operation, page(request, operation, value, value[operation.items]))
        return self.value(operation, self._uploads.fitted(request, example(operation)))

    def clear(self) -> None:
        """Forget what was uploaded."""
        self._uploads.clear()

    def value(self, operation: Operation, value: Any, status: int | None = None) -> httpx.Response:
        """Answer with a value: JSON, bytes or nothing."""
        status = operation.usual if status is None else status
        answer = operation.answers[status]
        media_type = answer.get("type", "")
        content = value if isinstance(value, bytes) else _encoded(value) if media_type else b""
        headers = {**answer.get("headers", {}), **self._numbered()}
        if media_type:
            headers["Content-Type"] = "application/octet-stream" if media_type == "*/*" else media_type
        if "ETag" in headers:
            headers["ETag"] = f'"1-{hashlib.sha256(content).hexdigest()[:10]}"'
        return httpx.Response(status, headers=headers, content=content)

    def events(
        self, request: RecordedRequest, operation: Operation, told: Sequence[tuple[str, Any]], *, broken: bool = False
    ) -> httpx.Response:
        """Answer with a stream of events, after which the connection may be lost."""
        headers = {**operation.answers[operation.usual].get("headers", {}), **self._numbered(), "Content-Type": EVENTS}
        pieces = _pieces(request, operation, told, broken)
        return httpx.Response(operation.usual, headers=headers, stream=Pieces(pieces))

    def unchanged(self, request: RecordedRequest, response: httpx.Response) -> httpx.Response | None:
        """Answer 304 if a client has what it would be sent."""
        tag = response.headers.get("ETag")
        known = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
        if tag is None or not {tag, "*"} & {*known}:
            return None
        return httpx.Response(304, headers={**self._numbered(), "ETag": tag})

    def refusal(
        self,
        code: str,
        message: str | None = None,
        *,
        details: Sequence[Mapping[str, str]] = (),
        retry_after: float | None = None,
        status: int | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Answer with an error in the envelope of the API."""
        known = contract().errors[code]
        error = {**known["error"], **(about or {})}
        if message is not None:
            error["message"] = message
        if details:
            error["details"] = list(details)
        if retry_after is not None or "retry_after" in error:
            error["retry_after"] = RETRY_AFTER if retry_after is None else retry_after
        headers = self._numbered()
        if "retry_after" in error:
            headers["Retry-After"] = str(error["retry_after"])
        envelope = {
            "status": "error",
            "error": error,
            "timestamp": "2026-01-20T00:00:00Z",
            "request_id": headers["X-Request-ID"],
        }
        return httpx.Response(known["status"] if status is None else status, headers=headers, json=envelope)

    def _numbered(self) -> dict[str, str]:
        return {"X-Request-ID": f"req_mock_{next(self._numbers)}"}


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The pieces of a stream, for a client of either kind."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """Send these."""
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        """Give them one by one."""
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give them one by one."""
        for piece in self._pieces:
            yield piece


def wants_events(request: RecordedRequest, operation: Operation) -> bool:
    """Tell whether a request asks for a stream of events."""
    stream = operation.stream
    return bool(stream) and (not stream["flag"] or request.fields.get(stream["flag"]) is True)


def example(operation: Operation, status: int | None = None) -> Any:
    """Give the example of an answer, the usual one; bytes where it is a file, None where it has no body."""
    answer = operation.answers[operation.usual if status is None else status]
    media_type, schema = answer.get("type", ""), answer.get("schema", {})
    if "$ref" in schema:
        return contract().example(schema["$ref"])
    return _FILES.get(media_type, b"An example of a file\n") if media_type else None


def page(request: RecordedRequest, operation: Operation, envelope: Any, items: Sequence[Any]) -> dict[str, Any]:
    """Give the page of a list that a request asks for."""
    number = _positive(request.query.get("page"), 1)
    size = _positive(request.query.get("page_size"), PAGE_SIZE)
    last = -(-len(items) // size)
    return {
        **envelope,
        operation.items: [*items[(number - 1) * size : number * size]],
        "count": len(items),
        "next": _link(request, number + 1) if number < last else None,
        "previous": _link(request, min(number - 1, last)) if min(number - 1, last) else None,
        "page": number,
        "page_size": size,
        "total_pages": last,
    }


def lost() -> NoReturn:
    """Lose the connection before the answer is complete."""
    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")


def _pieces(
    request: RecordedRequest, operation: Operation, told: Sequence[tuple[str, Any]], broken: bool
) -> Iterator[bytes]:
    resumes = operation.stream["resumes"]
    first = int(request.headers.get("Last-Event-ID", 0)) + 1
    for number, (name, value) in enumerate(told, first):
        head = f"id: {number}\n" if resumes else ""
        yield f"{head}event: {name}\ndata: {json.dumps(value)}\n\n".encode()
    if broken:
        lost()
    if resumes:
        raise NoMoreEvents(f"{operation.id} has told all of its {len(told)} events: leave the loop, or expect this")


def _positive(text: Any, usual: int) -> int:
    """Read a number; the usual one where there is none, which only a mock that is not strict lets pass."""
    return int(text) if isinstance(text, str) and text.isdecimal() and int(text) else usual


def _link(request: RecordedRequest, number: int) -> str:
    return f"{BASE_URL}{request.path}?{urlencode({**request.query, 'page': number}, doseq=True)}"


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
