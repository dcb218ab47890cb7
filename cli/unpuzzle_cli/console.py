"""The one owner of the terminal: data goes to stdout, talk to stderr, and only people are asked."""

import io
import json
import os
import re
import shutil
import sys
import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from unpuzzle_cli.errors import CommandError, UsageError

if TYPE_CHECKING:
    from unpuzzle_cli.tables import Column

UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What could command a terminal or turn the order of what it shows: controls, C1, directions, halves of pairs."""

_silent = False


def prepare() -> None:
    """Makes the streams fit for all that is said: where an encoding has no such character, an escape is better than a crash."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence() -> None:
    """Say nothing but data and errors from now on."""
    global _silent  # noqa: PLW0603 - one process, one terminal
    _silent = True


def talks() -> bool:
    """Whether lines beside the data are wanted."""
    return not _silent


def for_people() -> bool:
    """Whether a person reads stdout; else a program does."""
    return sys.stdout.isatty()


def obeys(stream: Any) -> bool:
    """Whether it is a terminal that can be told to colour, or to go back on a line."""
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def in_colour(stream: Any) -> bool:
    """Whether colours and bold are wanted there: on a terminal, unless NO_COLOR is set."""
    return obeys(stream) and not os.environ.get("NO_COLOR")


def plain(text: str) -> str:
    """Text without what could command the terminal."""
    return UNSAFE.sub("\ufffd", text)


def say(line: str) -> None:
    """A line of data."""
    _write(sys.stdout, plain(line))


def show_help(text: str) -> None:
    """The help of a command, whose headings are bold on a terminal."""
    import typer

    typer.echo(text)


def talk(line: str) -> None:
    """A line for the person, beside the data. That nobody can read it stops no work, as keeping a token behind it would be."""
    if not _silent:
        _tell(plain(line) + "\n")


def pass_on_warnings() -> None:
    """What the SDK warns of, such as an operation that is going away, is for the person."""
    warnings.filterwarnings("default", category=DeprecationWarning, module=r"unpuzzle_cli\.")
    warnings.showwarning = lambda message, *_, **__: talk(f"unpuzzle: {message}")


def complain(message: str, details: list[str], hint: str) -> None:
    """An error: what, why, and what to type next."""
    lines = [f"unpuzzle: {message}", *(f"  {line}" for line in details), *([hint] if hint else [])]
    _tell("\n".join(map(_folded, plain("\n".join(lines)).split("\n"))) + "\n")


def _folded(line: str) -> str:
    """A line whose words stay whole on a terminal. A program gets lines as they are."""
    if not sys.stderr.isatty() or len(line) <= width():
        return line
    import textwrap

    return textwrap.fill(line, width(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def say_piece(text: str) -> None:
    """A piece of a line that has not come to its end."""
    _write(sys.stdout, plain(text), end="")
    sys.stdout.flush()


def flush() -> None:
    """Hands on what was said: whoever reads a pipe has it now, and not when there is more."""
    sys.stdout.flush()


def say_json(value: Any, *, on_one_line: bool = False) -> None:
    """JSON, indented for people. What could command the terminal is escaped, so that nothing is lost."""
    text = in_json(value, indent=2 if for_people() and not on_one_line else None)
    _write(sys.stdout, UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def in_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON; money is a number, as the server writes it."""
    return json.dumps(value, indent=indent, ensure_ascii=False, default=_number)


def say_composed(text: str) -> None:
    """What a template made, colours and all, with an end of its last line. Its values are made safe by the template's side."""
    if text:
        _write(sys.stdout, text, end="" if text.endswith("\n") else "\n")


def say_bytes(content: bytes) -> None:
    """Content as it came. A terminal is spared what is not text."""
    if not for_people():
        sys.stdout.flush()  # what was said as text comes first
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        text = plain(content.decode())
    except UnicodeDecodeError:
        raise CommandError("This is not text, and a terminal would not like it.", "Keep it: --output FILE, or a pipe") from None
    _write(sys.stdout, text, end="" if text.endswith("\n") else "\n")


def say_table(columns: "list[Column]") -> None:
    """A table, in as many of the columns as fit."""
    from rich.console import Console

    from unpuzzle_cli.tables import lines

    # Where NO_COLOR is set rich keeps what is bold; who sets it wants text. COLUMNS=0 is no width to it, as to others.
    screen = Console(highlight=False, color_system="auto" if in_colour(sys.stdout) else None, width=width())
    for line in lines(columns, width()):  # not the screen's, which is 80 wherever TERM is `dumb`
        screen.print(line, soft_wrap=True)


def wrapped(text: str, room: int) -> list[str]:
    """A text in lines of so many cells, of which wide characters take two."""
    from rich.console import Console
    from rich.text import Text

    return [line.plain.rstrip() for line in Text(text).wrap(Console(), room)]


def width() -> int:
    """How many characters a line of the terminal has."""
    return shutil.get_terminal_size().columns


def ask(label: str, option: str) -> str:
    """Asks for a value; `option` is how to give it where nobody can be asked."""
    _need_a_person(label, option)
    given = _answer(f"{label.capitalize()}: ")
    if not given:
        raise UsageError(f"The {label} is needed.", f"Give it: {option}")
    return given


def ask_secretly(label: str, option: str) -> str:
    """Asks for a secret without showing what is typed."""
    _need_a_person(label, option)
    import getpass

    return getpass.getpass(f"{label.capitalize()}: ")


def read_line(prompt: str) -> str | None:
    """What the person types; None when they have nothing more to say."""
    _tell(prompt)
    line = sys.stdin.readline()
    if not line:
        _tell("\n")
        return None
    return line.strip()


def read_all() -> str:
    """All of stdin."""
    return sys.stdin.read()


def can_ask() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def confirms(question: str) -> bool:
    """Whether the person says yes."""
    return _answer(f"{question}? [y/N] ").lower() in ("y", "yes")


def _need_a_person(label: str, option: str) -> None:
    if not can_ask():
        raise UsageError(f"The {label} is needed, and nobody is there to ask.", f"Give it: {option}")


def _answer(prompt: str) -> str:
    return read_line(plain(prompt)) or ""


def _write(stream: Any, text: str, end: str = "\n") -> None:
    stream.write(text + end)


def _tell(text: str) -> None:
    """Writes to stderr; where that is full or nobody reads it, forgets it."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # what is left of it would fail again when Python closes the stream
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process


def _number(value: Any) -> Any:
    """Money as a number; what else JSON does not know as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
