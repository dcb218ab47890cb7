"""How many requests the server's limits still allow whom, as its answers tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

from unpuzzle_cli.conformance.contract import Operation

RESERVE = 10
"""Requests that are kept for the end, besides one for each thing to delete."""
DIGITS = 18
"""Of the largest number that a header can mean."""
EACH = 100
"""How many requests an operation takes with one made-up example; others add little to the edges of its fields."""


@dataclass(frozen=True)
class Allowance:
    limit: int
    remaining: int
    until: float
    """When it is full again, by our clock."""

    @property
    def seconds(self) -> int:
        return max(0, round(self.until - monotonic()))


@dataclass
class Allowances:
    """The latest that each sender was told. Operations with a limit of their own are left to the answers 429."""

    _told: dict[str, Allowance] = field(default_factory=dict)

    def saw(self, owner: str, operation: Operation, headers: Mapping[str, str]) -> None:
        told = [headers.get(f"X-RateLimit-{name}", "") for name in ("Limit", "Remaining", "Reset-After")]
        if is_of_all(operation) and all(number.isdecimal() and len(number) <= DIGITS for number in told):
            limit, remaining, after = map(int, told)
            self._told[owner] = Allowance(limit, remaining, monotonic() + after)

    def wait(self, owner: str, operation: Operation, things: int | None) -> int:
        """Seconds until somebody may send; with things to delete, these are kept in reserve."""
        told = self._told.get(owner)
        if told is None or not is_of_all(operation):
            return 0
        reserve = 0 if things is None else min(RESERVE + things, told.limit // 2)
        return told.seconds if told.remaining <= reserve else 0

    def has_more_than(self, owner: str, needed: int) -> bool:
        told = self._told.get(owner)
        return told is None or told.remaining > needed or not told.seconds

    def too_small(self, owner: str, operations: int) -> str:
        """What to say where a limit can't suffice for so many operations."""
        told = self._told.get(owner)
        if told is None or told.remaining >= operations * EACH:
            return ""
        return (
            f"{owner or 'Nobody'} has {told.remaining} of {told.limit} requests left for {told.seconds} s, and this takes about "
            f"{operations * EACH}: the run may end early. Raise the server's limits (docs/conformance.md), or choose: --include."
        )


def is_of_all(operation: Operation) -> bool:
    """Whether the limit of an operation is the one that all share."""
    return "x-unpuzzle-limit" not in operation.node
