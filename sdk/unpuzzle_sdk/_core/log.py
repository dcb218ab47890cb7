"""One log line for each attempt, and at the level "debug" what went over the wire, without its secrets.

The logger is `unpuzzle_sdk`. UNPUZZLE_LOG=debug (or info) prints it to standard error.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping

from .errors import APIConnectionError
from .operation import Request
from .response import Answer

logger = logging.getLogger("unpuzzle_sdk")


def log_attempt(request: Request, outcome: Answer | APIConnectionError, attempt: int, elapsed: float) -> None:
    """Log what came of an attempt; what failed at the level "info", the rest at "debug"."""
    failed = isinstance(outcome, APIConnectionError) or outcome.status >= 400
    level = logging.INFO if failed else logging.DEBUG
    if not logger.isEnabledFor(level):
        return
    result = type(outcome).__name__ if isinstance(outcome, APIConnectionError) else f"status {outcome.status}"
    request_id = None if isinstance(outcome, APIConnectionError) else outcome.request_id
    logger.log(
        level,
        "%s %s: %s after %.3f s (attempt %d, request %s)%s",
        request.method,
        request.path,
        result,
        elapsed,
        attempt,
        request_id,
        _details(request, outcome) if logger.isEnabledFor(logging.DEBUG) else "",
    )


def _details(request: Request, outcome: Answer | APIConnectionError) -> str:
    from . import redact

    sent, received = redact.secret_names(request.operation)
    target = f"{request.path}?{redact.query(request.query, sent)}" if request.query else request.path
    lines = [f"> {request.method} {target}", *_message("> ", request.headers, request.content, sent)]
    if isinstance(outcome, APIConnectionError):
        return "\n".join(["", *lines])
    lines += [f"< {outcome.status}", *_message("< ", outcome.headers, outcome.content, received)]
    return "\n".join(["", *lines] if outcome.chunks is None else ["", *lines, "< <a stream>"])


def _message(mark: str, headers: Mapping[str, str], content: bytes | None, names: frozenset[str]) -> list[str]:
    from . import redact

    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    body = redact.body(content, kind, names)
    return [f"{mark}{line}" for line in [*redact.header_lines(headers), *([body] if body else [])]]


def _hide_in_headers(record: logging.LogRecord) -> bool:
    record.msg = _without_secrets(_COOKIE.sub("***", str(record.msg)))
    return True


def _hide_queries(record: logging.LogRecord) -> bool:
    # The lines may be of other clients in this program: they stay as they are, as far as they hold no secret.
    if isinstance(record.args, tuple):
        record.args = tuple(_without_secrets(value) for value in record.args)
    record.msg = _without_secrets(record.msg)
    return True


def _without_secrets(value: object) -> object:
    from .redact import addresses

    text = str(value)
    shown = addresses(text)
    return value if shown == text else shown


# At the level DEBUG httpcore logs the headers of answers. Those of a sign-in hold its tokens a second time, as cookies;
# `Location` may be a signed address.
_COOKIE = re.compile(r"(?<=b'set-cookie', )b(['\"]).*?\1(?=\))", re.IGNORECASE)


def hide_secrets_from_libraries() -> None:
    """Keep secrets out of what the libraries below log."""
    for name in ("httpcore.http11", "httpcore.http2"):
        logging.getLogger(name).addFilter(_hide_in_headers)
    # httpx logs addresses, some of which are signed.
    logging.getLogger("httpx").addFilter(_hide_queries)


def _configure(level: str) -> None:
    if level.upper() in ("DEBUG", "INFO"):
        logger.addHandler(logging.StreamHandler())
        # A program with handlers of its own would print each line twice.
        logger.propagate = False
        logger.setLevel(level.upper())


_configure(os.environ.get("UNPUZZLE_LOG", ""))
