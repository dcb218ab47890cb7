"""From the text of an option to a value of the contract. None is an option that was not given."""

import json
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from unpuzzle_cli.errors import USAGE, CommandError


def given(**options: Any) -> dict[str, Any]:
    """The options that were given; the word `null` stands for no value."""
    return {name: None if value == "null" else value for name, value in options.items() if value is not None}


def text(value: str | None) -> str | None:
    """A text, or `@file`, or `-` for stdin."""
    if value == "-":
        return sys.stdin.read()
    if value is None or not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{value[1:]} can't be read: {error}", code=USAGE) from None


def number(value: str | None) -> Any:
    """A decimal number, or `null`."""
    if value in (None, "null"):
        return value
    try:
        return Decimal(value)
    except InvalidOperation:
        raise CommandError(f"{value} is not a number.", code=USAGE) from None


def strings(values: list[str] | None) -> list[str] | None:
    """A repeated option; one empty value is an empty list."""
    if not values:
        return None
    return [] if values == [""] else values


def mapping(pairs: list[str] | None) -> dict[str, Any] | None:
    """`key=value` pairs, whose values are JSON where they look like it, or one JSON object."""
    if not pairs:
        return None
    if len(pairs) == 1 and pairs[0].lstrip().startswith("{"):
        return _object(pairs[0])
    found = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise CommandError(f"{pair} is not of the form key=value.", code=USAGE)
        found[key] = typed(value)
    return found


def typed(value: str) -> Any:
    """true, false, null, a number or JSON; anything else is text."""
    if value[:1] in '{["' or value in ("true", "false", "null"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _object(value: str) -> dict[str, Any]:
    try:
        found = json.loads(value)
    except ValueError as error:
        raise CommandError(f"This is not JSON: {error}", code=USAGE) from None
    assert isinstance(found, dict)
    return found


def secret(name: str, *, from_stdin: bool, required: bool) -> str | None:
    """A secret: from stdin, or asked for on a terminal; never from the command line, which others can read."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not required:
        return None
    if not sys.stdin.isatty():
        raise CommandError(f"A {name} is needed.", f"Give it on stdin: --{name.replace('_', '-')}-stdin", USAGE)
    import getpass

    return getpass.getpass(f"{name.replace('_', ' ').capitalize()}: ")


def confirmed(what: str, *, yes: bool) -> None:
    """Asks before something is deleted."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"Nobody is there to ask: {what.lower()}?", "Say that you mean it: --yes", USAGE)
    print(f"{what}? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing was deleted.")
