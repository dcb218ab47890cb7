"""A call from its arguments to its answer: headers, session, retries. It does no input or output itself."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

from attrs import evolve

from .auth import Tokens
from .deprecation import warn_of
from .errors import APIConnectionError
from .flow import Flow, Send, Sender, Sleep
from .operation import Arguments, Operation, Request, build_request
from .options import Options
from .response import Answer
from .retry import retry_delay, time_left
from .session import Session


class Exchange:
    """How one view of a client talks to the API."""

    def __init__(self, session: Session, options: Options) -> None:
        """Share the session; use these options."""
        self._session = session
        self._options = options

    def call(self, operation: Operation[Any], arguments: Arguments) -> Flow[Answer]:
        """Call an operation. The answer may be an error."""
        if self._session.is_refresh(operation):
            arguments = evolve(arguments, body=(yield from self._session.explicit_refresh(arguments.body)))
        request = build_request(operation, arguments)
        answer = yield from self._traced(self._authorized if request.authenticated else self._send)(request)
        if answer.status < 300:
            yield from self._session.follow(operation, answer)
        warn_of(operation, answer)
        return answer

    def _traced(self, send: Sender) -> Sender:
        trace = self._options.trace
        return send if trace is None else lambda request: trace(request, send)

    def _authorized(self, request: Request) -> Flow[Answer]:
        tokens: Tokens | None = yield from self._session.tokens(self._traced(self._send))
        answer = yield from self._send(_authorize(request, tokens))
        if answer.status == 401:
            tokens = yield from self._session.after_401(answer, tokens, self._traced(self._send))
            if tokens is not None:
                return (yield from self._send(_authorize(request, tokens)))
        return answer

    def _send(self, request: Request) -> Flow[Answer]:
        # Loads logging, which takes its time, as httpx does with the first request.
        from .log import log_attempt

        request = request.with_headers({**self._options.headers, **request.headers})
        start = time.monotonic()
        at_most = None
        for attempt in count(1):
            outcome = yield from _attempt(Send(request, at_most, attempt))
            elapsed = time.monotonic() - start
            log_attempt(request, outcome, attempt, elapsed)
            delay = retry_delay(request, outcome, self._options, attempt, elapsed)
            if delay is not None:
                yield Sleep(delay)
                at_most = time_left(self._options, time.monotonic() - start)
            elif isinstance(outcome, APIConnectionError):
                raise outcome
            else:
                return outcome
        raise AssertionError("count() does not end")


def _attempt(send: Send) -> Flow[Answer | APIConnectionError]:
    try:
        answer: Answer = yield send
    except APIConnectionError as error:
        return error
    return answer


def _authorize(request: Request, tokens: Tokens | None) -> Request:
    return request.with_headers({"Authorization": f"Bearer {tokens.access_token}"}) if tokens else request
