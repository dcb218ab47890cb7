"""The one owner of the terminal: data to stdout, talk to stderr; tables for people, lines for pipes."""

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Item = dict[str, Any]

FIRST = (
    "id", "slug", "title", "name", "type", "status", "order", "category", "difficulty", "price", "currency", "rating",
    "students_count", "lessons_count", "courses_count", "duration_hours", "duration_minutes", "is_published", "is_preview",
    "enrolled_at", "published_at", "updated_at",
)  # fmt: skip
"""The columns of a table, in the order in which they matter."""
COLUMNS = 9
LONG = ("title", "name", "slug", "description", "email")
"""Columns that are cut where there is no room."""
SHORTEST, GAP = 24, 2
NUMBERS = (int, float, Decimal)
DAY = 86_400
UNITS = ((365 * DAY, "year"), (30 * DAY, "month"), (DAY, "day"), (3600, "hour"), (60, "minute"))


def plain(text: str) -> str:
    """Text without what could command the terminal."""
    return "".join(character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text)


def raw(content: bytes) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.flush()


def talk(line: str, *, quiet: bool) -> None:
    if not quiet:
        print(plain(line), file=sys.stderr)


def one(item: Item, *, as_json: bool, fields: str, quiet: bool) -> None:
    """A single resource: its fields, aligned on a terminal, with tabs in a pipe."""
    message = item.get("message")
    if as_json:
        print_json(_chosen(item, fields))
        return
    shown = _chosen({key: value for key, value in item.items() if key != "message"}, fields)
    if isinstance(message, str):
        talk(message, quiet=quiet)
    width = max((len(key) for key in shown), default=0)
    for key, value in shown.items():
        text = cell(value, people=sys.stdout.isatty())
        print(f"{key:<{width}}  {text}" if sys.stdout.isatty() else f"{key}\t{text}")


def many(items: list[Item], *, total: int, as_json: bool, fields: str, quiet: bool) -> None:
    """A list."""
    if as_json:
        print_json([_chosen(item, fields) for item in items])
    elif sys.stdout.isatty():
        columns = _columns(items, fields)
        _table(items, [name for name in columns if fields or name != "id" or "slug" not in columns])
        talk(f"{len(items)} of {total}" if total != len(items) else f"{total} in all", quiet=quiet)
    else:
        for item in items:
            print("\t".join(cell(item.get(column), people=False) for column in _columns(items, fields)))


def print_json(value: Any) -> None:
    text = json.dumps(value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False, default=_plain_value)
    print(plain(text) if sys.stdout.isatty() else text)


def _plain_value(value: Any) -> Any:
    """Money is a number in JSON, as the server writes it."""
    return float(value) if isinstance(value, Decimal) else str(value)


def _chosen(item: Item, fields: str) -> Item:
    names = [name.strip() for name in fields.split(",") if name.strip()]
    return {name: item.get(name) for name in names} if names else item


def _columns(items: list[Item], fields: str) -> list[str]:
    if fields:
        return [name.strip() for name in fields.split(",") if name.strip()]
    present = items[0] if items else {}
    return [name for name in FIRST if name in present][:COLUMNS]


def _table(items: list[Item], columns: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    rows = [[cell(item.get(column), people=True) for column in columns] for item in items]
    widths = [max(len(text) for text in [column, *cells]) for column, *cells in zip(columns, *rows, strict=True)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = _fitting(columns, widths, console.width)
    for column, width in zip(columns[:shown], widths, strict=False):
        numeric = any(isinstance(item.get(column), NUMBERS) and not isinstance(item.get(column), bool) for item in items)
        least = min(width, SHORTEST) if column in LONG else width
        table.add_column(
            column.upper(), overflow="ellipsis", no_wrap=True, min_width=least, justify="right" if numeric else "left"
        )
    for row in rows:
        table.add_row(*map(Text, row[:shown]))
    console.print(table)


def _fitting(columns: list[str], widths: list[int], room: int) -> int:
    """How many columns fit when the long ones are cut and the others are not."""
    used = 0
    for number, (column, width) in enumerate(zip(columns, widths, strict=True)):
        used += (min(width, SHORTEST) if column in LONG else width) + GAP
        if used > room + GAP:
            return max(number, 1)
    return len(columns)


def cell(value: Any, *, people: bool) -> str:
    """A value on one line."""
    match value:
        case None:
            return "-" if people else ""
        case bool():
            return ("yes" if value else "no") if people else str(value).lower()
        case dict():
            return cell(
                value.get("title") or value.get("name") or value.get("slug") or json.dumps(value, default=str), people=people
            )
        case list():
            return ", ".join(cell(item, people=people) for item in value)
        case str() if people and (moment := _moment(value)):
            return ago(moment)
        case _:
            return " ".join(plain(str(value)).split())


def _moment(value: str) -> datetime | None:
    if len(value) < 19 or value[10:11] != "T":
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def ago(moment: datetime) -> str:
    """A time as one would say it."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for size, unit in UNITS:
        count = int(abs(seconds) // size)
        if count:
            words = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now"
