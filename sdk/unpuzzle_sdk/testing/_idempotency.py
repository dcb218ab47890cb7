"""Answers that are kept for their `Idempotency-Key`, so that a call that is repeated does not happen twice."""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx
from attrs import define

from .._core.operation import IDEMPOTENCY_KEY
from ._answers import Answers, Pieces
from ._requests import RecordedRequest

REPLAYED = {"Idempotency-Replayed": "true"}


@define
class _Kept:
    method: str
    path: str
    body: bytes
    response: httpx.Response | None = None
    """None while it is under way."""


class Idempotency:
    """The answers of one mock."""

    def __init__(self, answers: Answers) -> None:
        """Keep nothing yet."""
        self._answers = answers
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def answer(self, request: RecordedRequest, reply: Callable[[RecordedRequest], httpx.Response]) -> httpx.Response:
        """Give the reply to a request, or the answer that it has had before, or the error if its key was another's."""
        key = request.headers.get(IDEMPOTENCY_KEY)
        if not key or request.known is None or not request.known.takes(IDEMPOTENCY_KEY):
            return reply(request)
        mine = _Kept(request.method, request.path, request.body)
        with self._lock:
            kept = self._kept.setdefault(key, mine)
        if kept is not mine:
            return self._again(kept, mine)
        try:
            response = reply(request)
            # What was refused may be tried again, and a stream is told anew.
            if response.is_success and not isinstance(response.stream, Pieces):
                mine.response = response
        finally:
            if mine.response is None:
                self._kept.pop(key, None)
        return response

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()

    def _again(self, kept: _Kept, asked: _Kept) -> httpx.Response:
        if (kept.method, kept.path, kept.body) != (asked.method, asked.path, asked.body):
            return self._answers.refusal("IDEMPOTENCY_MISMATCH")
        first = kept.response
        if first is None:
            return self._answers.refusal("IDEMPOTENCY_IN_PROGRESS")
        return httpx.Response(first.status_code, headers={**first.headers, **REPLAYED}, content=first.content)
