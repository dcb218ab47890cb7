"""From the text of an option to a value of the contract. None is an option that was not given."""

import json
import math
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from unpuzzle_cli import console
from unpuzzle_cli.errors import CommandError, UsageError

NULL = object()
"""The word `null` where the contract takes null."""


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: None if value is NULL else value for name, value in options.items() if value is not None}


def changes(**options: Any) -> dict[str, Any]:
    """The changes that were given; at least one must be."""
    found = given(**options)
    if not found:
        raise UsageError("Nothing to change.", "Say what: see --help")
    return found


def nullable(value: str | None) -> Any:
    """A text, or `null` for no value."""
    return NULL if value == "null" else value


def text(value: str | None, *, nullable: bool = False) -> Any:
    """A long text: as it stands, or `@file`, or `-` for stdin."""
    if nullable and value == "null":
        return NULL
    return value if value is None else _decoded(value, "A text that begins with @ comes from stdin: -")


def content(value: str, hint: str = "") -> bytes:
    """The text itself, or what is in `@file`, or stdin for `-`. The hint is for a file that can't be read."""
    try:
        if value == "-":
            return sys.stdin.buffer.read()
        return Path(value[1:]).read_bytes() if value.startswith("@") else value.encode()
    except OSError as error:
        raise UsageError(f"{value[1:] or value} can't be read: {error.strerror}", hint) from None


def _decoded(value: str, hint: str = "") -> str:
    try:
        return content(value, hint).decode()
    except UnicodeDecodeError as error:
        name = "stdin" if value == "-" else value[1:]
        raise UsageError(f"{name} is not a text in UTF-8: {error.reason} at byte {error.start:,}.") from None


def scalar(value: str | None) -> Any:
    """A number, true, false or null. Decimals stay exact, as money needs."""
    return value if value is None else _literal(value, f"{value} is not a number, true, false or null.")


def finite(value: float | None) -> float | None:
    """A number that can be sent."""
    if value is not None and not math.isfinite(value):
        raise UsageError(f"{value} is not a number that can be sent.")
    return value


def document(value: str | None) -> Any:
    """Any JSON, or `@file`, or `-` for stdin."""
    return value if value is None else _literal(_decoded(value), "This is not JSON.")


def strings(values: list[str] | None, *, nullable: bool = False) -> Any:
    """A repeated option; one empty value is an empty list."""
    if not values:
        return None
    if nullable and values == ["null"]:
        return NULL
    return [] if values == [""] else values


def objects(values: list[str] | None, *, fields: tuple[str, ...] = (), strings: tuple[str, ...] = ()) -> list[Any] | None:
    """A repeated option of objects, each `field=value,field=value` or JSON; an array of them, `@file` and `-` are taken too."""
    if not values:
        return None
    found: list[Any] = []
    for value in values:
        as_json = value == "-" or value.lstrip().startswith(("{", "[", "@"))
        one = document(value) if as_json else mapping(_pairs(value, fields), strings=strings)
        found += one if isinstance(one, list) else [one] if one else []
    return found


def _pairs(value: str, fields: tuple[str, ...]) -> list[str]:
    """`field=value` of one object; a comma belongs to a value unless a field comes behind it."""
    return re.split(rf",\s*(?=(?:{'|'.join(map(re.escape, fields))})=)", value) if value else []


def mapping(pairs: list[str] | None, *, strings: tuple[str, ...] | None = ()) -> Any:
    """`key=value` pairs, or one JSON object. Values are JSON where they can be; those of `strings` (None: all) are text."""
    if not pairs:
        return None
    if len(pairs) == 1 and (pairs[0] == "-" or pairs[0].lstrip().startswith(("{", "@"))):
        return document(pairs[0])
    found = {}
    for key, value in map(pair, pairs):
        found[key] = value if strings is None or key in strings else typed(value)
    return found


def pair(text: str) -> tuple[str, str]:
    """`key=value`, split."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise UsageError(f"{text} is not of the form key=value.")
    return key, value


def typed(value: str) -> Any:
    """JSON where it is JSON, what is in `@file`, else text."""
    if value.startswith("@"):
        return _decoded(value)
    try:
        return parsed(value)
    except ValueError:
        if value.startswith(("{", "[", '"')):
            raise UsageError(f"{value} is not JSON.") from None
        return value


def secret(name: str, *, from_stdin: bool, required: bool) -> str | None:
    """A secret: a line of stdin, or asked for on a terminal; never from the command line, which others can read."""
    label = name.replace("_", " ")
    if from_stdin:
        if found := sys.stdin.readline().rstrip("\r\n"):
            return found
        raise UsageError(f"There is no {label} on stdin.", "It is a line of its own, as in: … < FILE")
    return console.ask_secretly(label, f"--{name.replace('_', '-')}-stdin") if required else None


def confirmed(what: str, *names: str, yes: bool) -> None:
    """Asks before something is deleted."""
    question = " ".join((what, *names))
    if yes:
        return
    if not console.can_ask():
        raise UsageError(f"{question}: nobody is there to confirm it.", "Say that you mean it: --yes")
    if not console.confirms(question):
        raise CommandError("Nothing was deleted.")


def parsed(value: str | bytes, **how: Any) -> Any:
    """JSON. NaN and Infinity, which Python would take too, can't be sent."""

    def refuse(word: str) -> None:
        raise ValueError(f"there is no {word} in JSON")

    return json.loads(value, parse_constant=refuse, **how)


def _literal(value: str, otherwise: str) -> Any:
    try:
        found = parsed(value, parse_float=Decimal)
    except ValueError:
        raise UsageError(otherwise) from None
    return NULL if found is None else found
