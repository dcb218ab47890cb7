"""When to send a request again, and after how long."""

from __future__ import annotations

import math
import random

from .errors import APIConnectionError, InvalidRequestError
from .operation import Request
from .options import Options
from .response import Answer, error_code

# Full jitter: anything from nothing to a bound that doubles, so that clients who failed together come back apart.
_FIRST_BOUND = 0.5
_LAST_BOUND = 8.0
# Whoever is told the same second does not come back in the same instant.
_SPREAD = 0.1
# Thirty years, in seconds: Python can't sleep for as long as a server may ask.
_LONGEST = 1e9


def retry_delay(
    request: Request, outcome: Answer | APIConnectionError, options: Options, attempt: int, elapsed: float
) -> float | None:
    """Give the seconds to wait before the next attempt, or None if there must be none.

    Args:
        request: What was sent.
        outcome: What came of it.
        options: The limits.
        attempt: How many attempts there were, from 1.
        elapsed: The seconds since the first.
    """
    if attempt > options.max_retries or not _worth_it(request, outcome):
        return None
    delay = _delay(outcome, attempt)
    return delay if elapsed + delay < options.max_retry_time else None


def time_left(options: Options, elapsed: float) -> float | None:
    """Give how long the next attempt may take at most; None if there is no limit."""
    return None if options.max_retry_time == math.inf else max(0.0, options.max_retry_time - elapsed)


def _worth_it(request: Request, outcome: Answer | APIConnectionError) -> bool:
    if isinstance(outcome, APIConnectionError):
        safe = request.repeatable or not outcome.sent
        return safe and not isinstance(outcome, InvalidRequestError)
    # The server knows what it has done with the request, and so has the last word.
    told = outcome.headers.get("x-should-retry", "").lower() if outcome.status >= 400 else ""
    return told == "true" or (told != "false" and request.repeatable and _may_pass(outcome))


def _may_pass(outcome: Answer) -> bool:
    if outcome.status == 409:
        # The first attempt is still under way on the server; every other conflict stays one.
        return error_code(outcome) == "IDEMPOTENCY_IN_PROGRESS"
    return outcome.status in (408, 429) or outcome.status >= 500


def _delay(outcome: Answer | APIConnectionError, attempt: int) -> float:
    # The power has a bound as well: a thousand attempts would be too much for a float.
    bound = min(_LAST_BOUND, _FIRST_BOUND * 2 ** min(attempt - 1, 30))
    asked = None if isinstance(outcome, APIConnectionError) else outcome.retry_after
    if not asked:
        # At once, or at a time that has passed here, is when everybody else comes too.
        return random.uniform(0, bound)
    return min(asked, _LONGEST) * (1 + random.uniform(0, _SPREAD))
