"""A chart of days on a terminal: a column for each, or for several where there are more days than columns."""

from dataclasses import dataclass
from datetime import date

HEIGHT, WIDEST = 6, 6
EIGHTHS = " ▁▂▃▄▅▆▇█"
STEPS = len(EIGHTHS) - 1


@dataclass(frozen=True)
class Day:
    """A day and how many minutes were learnt on it."""

    date: date
    minutes: int


def lines(days: list[Day], width: int) -> list[str]:
    """The chart, in lines of at most so many characters."""
    together, sums = _fitting(days, width)
    top = max(1, *sums)
    label = len(f"{top} min")
    wide = min(WIDEST, max(1, (width - label - 2) // len(sums)))
    gap = " " if wide > 1 else ""
    columns = [_column(amount, top) for amount in sums]
    rows = [gap.join(column[row] * max(1, wide - 1) for column in columns).rstrip() for row in range(HEIGHT)]
    marks = [f"{top} min ┤", *[f"{'':>{label}} │"] * (HEIGHT - 1)]
    across = len(gap.join("x" * max(1, wide - 1) for _ in columns))
    ends = _ends(days[0].date, days[-1].date, across)
    several = [f"{together} days a column"] if together > 1 else []
    chart = [mark + row for mark, row in zip(marks, rows, strict=True)]
    return [*chart, f"{'0 min':>{label}} ┼{'─' * across}", f"{'':>{label + 2}}{ends}", *several]


def _fitting(days: list[Day], width: int) -> tuple[int, list[int]]:
    """How many days share a column, and what each column comes to: as few days as there is room for."""
    for together in range(1, len(days) + 1):
        sums = [sum(day.minutes for day in days[place : place + together]) for place in range(0, len(days), together)]
        if len(sums) + len(f"{max(1, *sums)} min") + 2 <= width:
            break
    return together, sums


def _column(amount: int, top: int) -> list[str]:
    """From the top down; whatever is more than nothing is seen."""
    filled = max(1, round(HEIGHT * STEPS * amount / top)) if amount else 0
    return [EIGHTHS[min(STEPS, max(0, filled - STEPS * row))] for row in reversed(range(HEIGHT))]


def _ends(first: date, last: date, width: int) -> str:
    """The first and the last day under their columns, where there is room for both."""
    left, right = (f"{day.day} {day:%b}" for day in (first, last))
    return left + right.rjust(width - len(left)) if width > len(left) + len(right) else right.rjust(width)
