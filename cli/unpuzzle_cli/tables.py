"""Tables that fit the terminal: whole columns or none, and only long texts are cut. Loads rich, so import it late."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from rich.text import Text

SHORTEST, GAP = 24, 2
STYLES = {
    "published": "green", "active": "green", "completed": "green", "succeeded": "green", "approved": "green", "ok": "green",
    "draft": "yellow", "pending": "yellow", "archived": "dim", "cancelled": "dim", "failed": "red", "rejected": "red",
}  # fmt: skip
"""States in the colours that people expect; NO_COLOR takes them away."""


@dataclass(frozen=True)
class Column:
    """A column: its cells, whether they are numbers or may be cut, and whether it was asked for and so is never left out."""

    name: str
    cells: list[str]
    numeric: bool = False
    cuttable: bool = False
    asked: bool = False

    @property
    def width(self) -> int:
        return max(map(cell_len, [self.name, *self.cells]))

    def least(self, room: int) -> int:
        """The fewest cells it can do with in so much room."""
        return min(self.width, max(SHORTEST, len(self.name)) if self.cuttable else room)

    def fitted(self, text: str, width: int) -> str:
        if cell_len(text) > width:
            text = set_cell_size(text, width - 1).rstrip() + "…"
        return " " * (width - cell_len(text)) + text if self.numeric else set_cell_size(text, width)


def lines(columns: list[Column], room: int) -> "list[Text]":
    """The lines of a table, with its head."""
    widths = _widths(columns, room)
    head = _line([column.fitted(column.name.upper(), width) for column, width in widths], bold=True)
    rows = range(len(columns[0].cells)) if columns else ()
    return [head, *(_line([column.fitted(column.cells[row], width) for column, width in widths]) for row in rows)]


def aligned(rows: list[list[str]]) -> list[str]:
    """Rows of any text, colours and links included, with their columns under each other."""
    from rich.text import Text

    seen = [[cell_len(Text.from_ansi(cell).plain) for cell in row] for row in rows]
    widths = [max(row[place] for row in seen if place < len(row)) for place in range(max(map(len, seen), default=0))]
    padded = [
        [cell + " " * (width - length) for cell, length, width in zip(row, lengths, widths, strict=False)]
        for row, lengths in zip(rows, seen, strict=True)
    ]
    return [(" " * GAP).join(row).rstrip() for row in padded]


def _line(cells: list[str], *, bold: bool = False) -> "Text":
    from rich.text import Text

    gap = " " * GAP
    styled = [(cell, "bold" if bold else STYLES.get(cell.strip(), "")) for cell in cells]
    line = Text(gap).join(Text(cell, style=style) for cell, style in styled)
    line.rstrip()
    return line


def _widths(columns: list[Column], room: int) -> list[tuple[Column, int]]:
    """The columns that fit beside each other, and how wide they are.

    The first names a thing, so an id or a slug stays whole; the second says what it is, so it is cut rather than left out.
    """
    kept: list[tuple[Column, int]] = []
    left = room
    for column in columns:
        least = column.least(room) if kept or not column.cuttable else min(column.width, max(SHORTEST, room // 2))
        if len(kept) == 1 and column.cuttable:
            least = min(least, max(left, len(column.name)))
        if not kept or column.asked or least <= left:
            kept.append((column, min(least, room)))
            left -= least + GAP
    spare = max(0, left + GAP)
    for index, (column, width) in enumerate(kept):
        more = min(spare, column.width - width)
        kept[index] = (column, width + more)
        spare -= more
    return kept
