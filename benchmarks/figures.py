"""Figures with their spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Rounds = dict[str, list[float]]
"""One figure a round: of ours, and of its peers."""


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, with the least and the most."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        """With three significant digits of the median, or all before the point."""
        digits = 0 if self.middle >= 100 else 1 if self.middle >= 10 else 2
        return f"{self.middle:,.{digits}f} ({self.least:,.{digits}f} – {self.most:,.{digits}f})"


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """How many times, round by round: what both met in a round (a busy machine, say) cancels out."""
    return Spread.of([above / below for above, below in zip(over, under, strict=True)])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
