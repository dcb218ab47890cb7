"""One log line for each attempt, with nothing in it that could be secret: no headers, no bodies, no queries.

The logger is `unpuzzle_sdk`. UNPUZZLE_LOG=debug (or info) prints it to standard error.
"""

from __future__ import annotations

import logging
import os

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
        "%s %s: %s after %.3f s (attempt %d, request %s)",
        request.method,
        request.path,
        result,
        elapsed,
        attempt,
        request_id,
    )


def _configure(level: str) -> None:
    if level.upper() in ("DEBUG", "INFO"):
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(level.upper())


_configure(os.environ.get("UNPUZZLE_LOG", ""))
