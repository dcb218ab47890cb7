"""Where a caller stands is told truly: in a moment and in seconds, which are the same, and never beyond the limit."""

import time
from collections.abc import Mapping

from unpuzzle_cli.conformance.laws.exchange import Exchange

APART = 60
"""Seconds between the server's look at its clock and ours, with a machine that is busy in between."""


def limits(exchange: Exchange) -> None:
    """The four headers of a limit agree with each other and with the clock."""
    check(exchange.reply.headers)


def check(headers: Mapping[str, str], apart: float = APART) -> None:
    if "x-ratelimit-limit" not in headers:
        return
    numbers = [int(headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset", "reset-after")]
    limit, remaining, reset, after = numbers
    assert 0 <= remaining < limit, f"{remaining} requests of {limit} remain after this one"
    if remaining == 0 and "retry-after" in headers and "x-should-retry" not in headers:
        told = headers["retry-after"]
        assert told == str(after), f"Retry-After is {told}, where the limit is reset in {after} s"
    assert abs(reset - after - time.time()) <= apart, f"the limit is reset at {reset}, which is not in {after} s"
