"""Tables that fit the terminal: whole columns or none, and only long texts are cut. Loads rich, so import it late."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

MOST_COLUMNS = 9
SHORTEST, GAP = 24, 2
STYLES = {
    "published": "green", "active": "green", "completed": "green", "succeeded": "green", "approved": "green", "ok": "green",
    "draft": "yellow", "pending": "yellow", "archived": "dim", "cancelled": "dim", "failed": "red", "rejected": "red",
}  # fmt: skip
"""States in the colours that people expect; NO_COLOR takes them away."""


def table(rows: list[list[str]], columns: list[str], numeric: set[str], cuttable: set[str], room: int) -> "Table":
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    widths = [max(map(cell_len, [name, *cells])) for name, *cells in zip(columns, *rows, strict=True)]
    least = [min(width, SHORTEST) if name in cuttable else width for name, width in zip(columns, widths, strict=True)]
    kept = list(_fitting(least, room))
    found = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for index in kept:
        found.add_column(
            columns[index].upper(),
            overflow="ellipsis",
            no_wrap=True,
            min_width=least[index],
            justify="right" if columns[index] in numeric else "left",
        )
    for row in rows:
        found.add_row(*(Text(row[index], style=STYLES.get(row[index], "")) for index in kept))
    return found


def _fitting(widths: list[int], room: int) -> Iterator[int]:
    """Which columns fit beside each other. The first always does; one that is too wide is left out, not those behind it."""
    used = 0
    for index, width in enumerate(widths):
        if index and used + width > room:
            continue
        used += width + GAP
        yield index
