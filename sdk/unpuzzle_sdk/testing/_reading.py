"""Bodies and queries, read as strictly as the API does, and refused in its words."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl

_NOT_KEPT = re.compile("[\0\ud800-\udfff]")


class Malformed(ValueError):
    """What the API can't read."""


def read_json(body: bytes) -> Any:
    """Read a JSON text."""
    try:
        found = json.loads(body.decode())
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"The body is not valid JSON: line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    except ValueError:  # Python reads no whole number of more than 4300 digits.
        raise Malformed("The body holds a number of too many digits.") from None
    check_text(found, "The body is not valid JSON: a string holds NUL or half a surrogate pair.")
    return found


def read_form(body: bytes) -> dict[str, str]:
    """Read a form."""
    try:
        found = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise Malformed("The form is not UTF-8, or has more than 100 parameters.") from None
    check_text(found, "The form holds a NUL character.")
    return found


def check_text(value: Any, message: str) -> None:
    """Refuse text that no database keeps, at any depth."""
    if isinstance(value, str) and _NOT_KEPT.search(value):
        raise Malformed(message)
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for item in value:
            check_text(item, message)
