"""Answers that are kept for their `Idempotency-Key`, so that a call that is repeated does not happen twice."""

from __future__ import annotations

import httpx
from attrs import frozen

from .._core.operation import IDEMPOTENCY_KEY
from ._answers import Answers, Pieces
from ._requests import RecordedRequest

REPLAYED = {"Idempotency-Replayed": "true"}


@frozen
class _Kept:
    method: str
    path: str
    body: bytes
    response: httpx.Response


class Idempotency:
    """The answers of one mock."""

    def __init__(self, answers: Answers) -> None:
        """Keep nothing yet."""
        self._answers = answers
        self._kept: dict[str, _Kept] = {}

    def replayed(self, request: RecordedRequest) -> httpx.Response | None:
        """Give the answer that a request has had before, or the error if its key was another's."""
        kept = self._kept.get(request.headers.get(IDEMPOTENCY_KEY, ""))
        if kept is None:
            return None
        if (kept.method, kept.path, kept.body) != (request.method, request.path, request.body):
            return self._answers.refusal("IDEMPOTENCY_MISMATCH")
        first = kept.response
        return httpx.Response(first.status_code, headers={**first.headers, **REPLAYED}, content=first.content)

    def keep(self, request: RecordedRequest, response: httpx.Response) -> None:
        """Keep a success; what was refused may be tried again."""
        key = request.headers.get(IDEMPOTENCY_KEY)
        takes_it = request.known is not None and request.known.takes(IDEMPOTENCY_KEY)
        is_stream = isinstance(response.stream, Pieces)  # which is told anew
        if key and takes_it and response.is_success and not is_stream:
            self._kept[key] = _Kept(request.method, request.path, request.body, response)

    def clear(self) -> None:
        """Forget them."""
        self._kept.clear()
