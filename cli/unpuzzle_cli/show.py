"""Shows answers: tables and aligned values for people, lines with tabs for programs, JSON on request."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from unpuzzle_cli import answers, console
from unpuzzle_cli.commands.fields import MONEY
from unpuzzle_cli.common import FIELDS, JSON, PRINTER, Printer, field_names
from unpuzzle_cli.errors import CommandError

if TYPE_CHECKING:
    import typer

Item = dict[str, Any]

FIRST = (
    "title", "name", "full_name", "email", "course", "course_title", "content", "comment", "message", "lesson",
    "lesson_title", "user", "code", "device", "type", "status", "order", "category", "difficulty", "price", "amount", "total",
    "currency", "rating", "progress", "progress_percentage", "students_count", "lessons_count", "courses_count",
    "duration_hours", "duration_minutes", "is_published", "is_preview", "is_completed", "is_read", "is_current", "enrolled_at",
    "published_at", "created_at", "updated_at",
)  # fmt: skip
"""Columns in the order in which they matter; those of a list that are not here come after them."""
CUTTABLE = {
    "title", "name", "full_name", "email", "course", "course_title", "content", "comment", "message", "lesson",
    "lesson_title", "user", "device", "description", "category", "instructor",
}  # fmt: skip
NAMES = ("title", "name", "slug", "message", "id")
"""What an object is called, by the first of these that it has."""
TOO_LONG = ("description", "body", "bio", "_url", "metadata")
DECIMALS = {"CLP": 0, "JPY": 0, "KRW": 0, "VND": 0, "KWD": 3}
"""Of the currencies that do not have two."""
MOST_COLUMNS, NARROW = 9, 20
TOKENS = {"access_token", "refresh_token"}
"""For programs that ask for them, never by the way on a screen."""
DAY = 86_400
UNITS = ((365 * DAY, "year"), (30 * DAY, "month"), (DAY, "day"), (3600, "hour"), (60, "minute"))


@dataclass(frozen=True)
class Shape:
    """What `--json`, `--fields`, `--jq` and `--template` ask for."""

    as_json: bool = False
    names: list[str] = field(default_factory=list)
    printer: Printer | None = None

    @classmethod
    def of(cls, context: "typer.Context", columns: str = "") -> "Shape":
        """What was asked for; else text in these columns."""
        meta = context.meta
        as_json = JSON in meta or PRINTER in meta
        asked = meta.get(JSON) or meta.get(FIELDS) or ("" if as_json else columns)
        return cls(as_json, field_names(asked), meta.get(PRINTER))

    @property
    def asked(self) -> bool:
        """Whether anything but the usual was asked for."""
        return self.as_json or bool(self.names)

    def say(self, value: Any, *, on_one_line: bool = False) -> None:
        """JSON, or what the expression or the template makes of it."""
        if self.printer:
            self.printer(value)
        else:
            console.say_json(value, on_one_line=on_one_line)

    def picked(self, item: Item) -> Item:
        """The chosen fields of an item; all of them if none was chosen."""
        if not self.names:
            return item
        known = flat(item)
        return {name: _chosen(name, item, known) for name in self.names}


def one(item: Item, shape: Shape, *, sent: Collection[str] = ()) -> None:
    """A single resource. Its message says what was done and is talk, unless one was sent; the rest is data."""
    if shape.as_json:
        shape.say(shape.picked(item))
        return
    talk = {"message"} - set(sent)
    for name in talk:
        if isinstance(item.get(name), str):
            console.talk(item[name])
    hidden = set() if shape.names else TOKENS | talk
    shown = flat({name: value for name, value in shape.picked(item).items() if name not in hidden})
    tables = [name for name, value in shown.items() if console.for_people() and _is_table(value)]
    _values({name: value for name, value in shown.items() if name not in tables})
    for name in tables:
        _nested(name, shown[name])


def many(answer: Item, shape: Shape, key: str = "id") -> None:
    """A list; as JSON whole, or the chosen fields of its items. `key` is the column that names an item to the next command."""
    items: list[Item] = answer["results"]
    if shape.as_json:
        shape.say([shape.picked(item) for item in items] if shape.names else answer)
        return
    chosen = [shape.picked(item) if shape.names else flat(item, whole=True) for item in items]
    columns = shape.names or _columns(chosen, key)
    if not console.for_people():
        for item in chosen:
            console.say("\t".join(cell(item.get(column), people=False) for column in columns))
        return
    if items:
        _table(chosen, columns, asked=bool(shape.names))
    total = answer.get("count", len(items))
    console.talk(f"{len(items)} of {total}. All of them: --all" if total > len(items) else f"{total} in all")


def event(name: str, event_id: str | None, told: Item, shape: Shape) -> None:
    """One event of a stream, on a line."""
    if shape.as_json:
        shape.say({"event": name, "id": event_id, "data": shape.picked(told)}, on_one_line=True)
        return
    people = console.for_people()
    chosen = shape.picked(told) if shape.names else flat(told, whole=True)
    columns = shape.names or [column for column in _columns([chosen], "id") if not people or column != "id"]
    cells = [cell(chosen.get(column), people=people) for column in columns]
    console.say("  ".join(cells) if people else "\t".join([name, *cells]))


def flat(item: Item, prefix: str = "", *, whole: bool = False) -> Item:
    """Objects inside as `object.field`; `whole` keeps those that have a name, too."""
    found: Item = {}
    for name, value in item.items():
        if not isinstance(value, dict) or not value or (whole and _is_named(value)):
            found[f"{prefix}{name}"] = value
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.", whole=whole)
    return found


def cell(value: Any, *, people: bool) -> str:
    """A value on one line."""
    match value:
        case None:
            return "-" if people else ""
        case bool():
            return ("yes" if value else "no") if people else str(value).lower()
        case dict():
            return _name_of(value, people=people)
        case list():
            return ", ".join(cell(item, people=people) for item in value)
        case str() if people and (moment := _moment(value)):
            return ago(moment)
        case _:
            return " ".join(console.plain(str(value)).split())


def now() -> datetime:
    return datetime.now(UTC)


def ago(moment: datetime) -> str:
    """A time as one would say it."""
    seconds = (now() - moment).total_seconds()
    for size, unit in UNITS:
        count = int(abs(seconds) // size)
        if count:
            words = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now"


def _chosen(name: str, item: Item, known: Item) -> Any:
    if name in item or name in known:
        return item.get(name, known.get(name))
    inside, dot, _ = name.partition(".")
    if dot and item.get(inside, "") is None:  # an object that is null here has its fields elsewhere
        return None
    raise CommandError(*answers.absent(name, list(known)))


def _values(shown: Item) -> None:
    longest = max(map(len, shown), default=0)
    for name in shown:
        if console.for_people():
            console.say(_wrapped(f"{name:<{longest}}  ", _cell_of(shown, name)))
        else:
            console.say(f"{name}\t{cell(shown[name], people=False)}")


def _wrapped(label: str, text: str) -> str:
    """A long text in the column behind its label, where there is room for one."""
    from rich.cells import cell_len

    room = console.width() - len(label)
    if cell_len(text) <= room or room < NARROW or " " not in text:  # an address, say, is to be copied whole
        return label + text
    return label + f"\n{' ' * len(label)}".join(console.wrapped(text, room))


def _table(items: list[Item], names: list[str], *, asked: bool = False) -> None:
    from unpuzzle_cli.tables import Column

    def column(name: str) -> Column:
        numeric = any(type(item.get(name)) in (int, float) for item in items)
        return Column(name, [_cell_of(item, name) for item in items], numeric, name in CUTTABLE, asked)

    console.say_table([column(name) for name in names])


def _cell_of(item: Item, name: str) -> str:
    value = item.get(name)
    if name.rpartition(".")[2] in MONEY and "currency" in item and isinstance(value, (int, float)):
        return f"{value:,.{DECIMALS.get(item.get('currency', ''), 2)}f}"
    return cell(value, people=True)


def _nested(name: str, items: list[Item]) -> None:
    """A list inside: a table, and one for each list of things inside of that."""
    chosen = [flat(item, whole=True) for item in items]
    console.say(f"\n{name}")
    _table(chosen, _columns(chosen, "id"))
    for item in items:
        for inner, value in item.items():
            if _is_table(value) and _is_named(value[0]):
                _nested(f"{_name_of(item, people=True)}: {inner}", value)


def _columns(items: list[Item], key: str) -> list[str]:
    """The columns of a list, what names an item to the next command first. Programs get the id and the slug in any case."""
    if not items:
        return []
    names = list(items[0])
    if key not in names:  # an item that has no id of its own goes by its first field
        key = names[0]
    if console.for_people():
        first, names = [key], [name for name in names if name == key or _tells(name, items, key)]
    else:
        first = ["id", "slug", key]
    ranks = {name: rank for rank, name in enumerate((*first, *FIRST))}
    present = [name for name in names if name == key or _fits(name, items[0])]
    return sorted(present, key=lambda name: ranks.get(name, ranks.get(name.partition(".")[0], len(ranks))))[:MOST_COLUMNS]


def _fits(name: str, item: Item) -> bool:
    """Whether a field is short enough for a column, and not one of an object that has a column of its own."""
    return not name.endswith(TOO_LONG) and not isinstance(item[name], list) and not isinstance(item.get(_owner(name)), dict)


def _tells(name: str, items: list[Item], key: str) -> bool:
    """Whether a field says something to people: ids of other things don't, nor does what no item has."""
    doubled = key.endswith("slug") and name in ("id", _owner(key))
    return not doubled and not name.endswith("_id") and any(item.get(name) is not None for item in items)


def _owner(name: str) -> str:
    """The object that a field stands in."""
    return name.rpartition(".")[0]


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _is_named(item: Item) -> bool:
    return not item.keys().isdisjoint(NAMES)


def _name_of(item: Item, *, people: bool) -> str:
    for name in NAMES:
        if item.get(name):
            return cell(item[name], people=people)
    return ", ".join(f"{name}={cell(value, people=people)}" for name, value in item.items())


def _moment(value: str) -> datetime | None:
    if len(value) < 20 or value[10:11] != "T":
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
