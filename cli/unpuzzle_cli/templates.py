"""`--template`: what a Jinja template makes of JSON, with the functions of gh's templates. Loads Jinja2, so import it late."""

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from unpuzzle_cli import console, show, values
from unpuzzle_cli.common import Printer
from unpuzzle_cli.errors import CommandError, UsageError

COLOURS = {
    "black": 30, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "white": 37, "gray": 90,
    "bold": 1, "dim": 2, "italic": 3, "underline": 4, "reset": 0,
}  # fmt: skip
CUT = "…"
MORE = "See: unpuzzle help formatting"


def printer(text: str) -> Printer:
    """Prints what the template makes of a value."""
    page = _Page()
    try:
        template = page.environment.from_string(str(values.text(text)))
    except TemplateSyntaxError as error:
        raise UsageError(f"--template, line {error.lineno}: {error.message}", MORE) from None
    return lambda value: console.say_composed(_rendered(template, value) + page.table())


def _rendered(template: Template, value: Any) -> str:
    this = _safe(value)
    known = this if isinstance(this, dict) else {}
    try:
        return template.render({"this": this, **known})
    except UndefinedError as error:
        raise CommandError(f"--template: {error.message}.", f"There are: {', '.join(['this', *known])}") from None
    except Exception as error:  # whatever it does wrong, down to calling itself for ever
        raise CommandError(f"--template: {error}", MORE) from None


def _safe(value: Any) -> Any:
    """A value whose texts can't command the terminal; escapes of colours and links are made by the template alone."""
    if isinstance(value, dict):
        return {key: _safe(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_safe(each) for each in value]
    return console.plain(value) if isinstance(value, str) else value


def _written(value: Any) -> Any:
    """What is written for a value; a method is one that nobody meant, as of a key in the place of an object."""
    if callable(value) and not isinstance(value, Undefined):
        raise ValueError(f"{value.__name__} is no field here: the items of a list are in this.results")
    return "" if value is None else value


class _Environment(ImmutableSandboxedEnvironment):
    """Templates in a sandbox, where `order.items` is the field of that name, whatever methods objects have."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return obj[attribute] if isinstance(obj, dict) and attribute in obj else super().getattr(obj, attribute)


class _Page:
    """What a template writes to; the rows of a table are kept until it is shown, since the widest cell makes a column."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.environment = _Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_written)
        self.environment.globals |= {"tablerow": self.row, "tablerender": self.table, "hyperlink": hyperlink}
        self.environment.filters |= {
            "autocolor": autocolor, "color": color, "hyperlink": hyperlink, "pluck": pluck,
            "timeago": timeago, "timefmt": timefmt, "truncate": truncate,
        }  # fmt: skip

    def row(self, *cells: Any) -> str:
        self.rows.append([" ".join(each.split()) if isinstance(each, str) else show.cell(each, people=False) for each in cells])
        return ""

    def table(self) -> str:
        """The rows so far: columns on a terminal, tabs in a pipe."""
        rows, self.rows = self.rows, []
        if not console.for_people():
            return "".join("\t".join(row) + "\n" for row in rows)
        from unpuzzle_cli.tables import aligned

        return "".join(f"{line}\n" for line in aligned(rows))


def color(text: Any, style: str) -> str:
    """Text in colours or styles, such as `green` or `red+bold`."""
    names = str(style).split("+")
    unknown = [name for name in names if name not in COLOURS]
    if unknown:
        raise ValueError(f"there is no colour {unknown[0]}; there are {', '.join(COLOURS)}")
    codes = ";".join(str(COLOURS[name]) for name in names)
    return f"\x1b[{codes}m{text}\x1b[0m"


def autocolor(text: Any, style: str) -> str:
    """As `color`, where a person looks on."""
    return color(text, style) if console.in_colour(sys.stdout) else str(text)


def hyperlink(url: str, text: str = "") -> str:
    """A link that terminals open; in a pipe its text."""
    return f"\x1b]8;;{url}\x1b\\{text or url}\x1b]8;;\x1b\\" if console.for_people() else text or url


def pluck(items: Iterable[Any], field: str) -> list[Any]:
    """A field of every item."""
    found = list(items)
    if not all(field in item for item in found):
        raise ValueError(f"there is no field {field} in every item")
    return [item[field] for item in found]


def timeago(moment: str) -> str:
    """A time as one would say it."""
    return show.ago(datetime.fromisoformat(moment)) if moment else ""


def timefmt(moment: str, form: str) -> str:
    """A time in a form of strftime's."""
    return datetime.fromisoformat(moment).strftime(form) if moment else ""


def truncate(text: str, length: int) -> str:
    """A text cut to so many cells of the terminal."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= length else set_cell_size(text, length - 1).rstrip() + CUT
