"""Whether a value is what a schema asks for, in the words of the API."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

Problem = tuple[str, str]
"""The field, and what is wrong with it."""


class Rules:
    """Checks values against the schemas of the contract."""

    def __init__(self, schemas: Mapping[str, Mapping[str, Any]], *, closed: bool = False) -> None:
        """Know the schemas that are referred to; `closed`: fields that they do not name are wrong everywhere."""
        self._schemas = schemas
        self._closed = closed

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give a schema itself, where there is a reference to it."""
        return self.resolve(self._schemas[schema["$ref"]]) if "$ref" in schema else schema

    def problems(self, schema: Mapping[str, Any], value: Any, where: str = "") -> Iterator[Problem]:
        """Give everything that is wrong with a value."""
        schema = self.resolve(schema)
        if value is None and schema.get("nullable"):
            return
        for message in _faults(schema, value):
            yield where or "body", message
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.problems(schema.get("items", {}), item, _inside(where, str(index)))
        if isinstance(value, dict):
            yield from self._fields(schema, value, where)

    def _fields(self, schema: Mapping[str, Any], value: Mapping[str, Any], where: str) -> Iterator[Problem]:
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", not (self._closed and known))
        for name in schema.get("required", ()):
            if name not in value:
                yield _inside(where, name), "is required"
        for name, item in value.items():
            if name in known:
                yield from self.problems(known[name], item, _inside(where, name))
            elif others is False:
                near = get_close_matches(name, known, 1) if self._closed else ()
                yield _inside(where, name[:100]), "is not a known field" + "".join(f": {found}?" for found in near)
            elif isinstance(others, Mapping):
                yield from self.problems(others, item, _inside(where, name))


def _faults(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    """Give what is wrong with a value itself, whatever it holds."""
    nullable, kind = schema.get("nullable", False), schema.get("type")
    if kind is not None and not _is_a(kind, value):
        kinds = (words for name, words in _KINDS.items() if name == kind or (nullable and name == "null"))
        yield f"must be {' or '.join(kinds)}"
    if "enum" in schema and value not in schema["enum"]:
        allowed = [*schema["enum"], None] if nullable else schema["enum"]
        yield f"must be one of {', '.join(map(str, allowed))}"
    for keyword, (applies, breaks, sentence) in _LIMITS.items():
        if keyword in schema and applies(value) and breaks(value, schema[keyword]):
            yield sentence.format(schema[keyword])
    if isinstance(value, str) and _not_formatted(value, schema.get("format", "")):
        yield f"is not {_FORMATS[schema['format']][1]}"


def coerced(text: str, kind: str | None) -> Any:
    """Give the value of a parameter; text that is not of its kind stays text, which its schema then refuses."""
    if kind == "integer" and re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text, re.ASCII):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", text, re.ASCII):
        return float(text)
    return {"true": True, "false": False}.get(text, text) if kind == "boolean" else text


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _is_a(kind: str, value: Any) -> bool:
    if kind == "integer":
        return _is_a("number", value) and value % 1 == 0
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


_TYPES: dict[str, Any] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}
_KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
    "integer": "a whole number",
}
"""In the order in which the API names them."""


def _is_time(value: str) -> bool:
    # Python reads more than RFC 3339 allows, such as a date alone.
    return bool(re.fullmatch(r".{10}[Tt ].{8}(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value, re.ASCII)) and _reads(
        lambda: datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
    )


def _is_date(value: str) -> bool:
    return len(value) == 10 and _reads(lambda: datetime.date.fromisoformat(value))


def _is_uuid(value: str) -> bool:
    return len(value) == 36 and _reads(lambda: UUID(value))


def _is_uri(value: str) -> bool:
    return " " not in value and bool(urlsplit(value).scheme)


def _is_email(value: str) -> bool:
    return bool(re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*", value))


def _reads(read: Any) -> bool:
    try:
        read()
    except ValueError:
        return False
    return True


_FORMATS = {
    "email": (_is_email, "an e-mail address"),
    "uuid": (_is_uuid, "a UUID"),
    "uri": (_is_uri, "a URL"),
    "date-time": (_is_time, "a time such as 2026-01-20T00:00:00Z"),
    "date": (_is_date, "a date such as 2026-01-20"),
}


def _not_formatted(value: str, name: str) -> bool:
    return name in _FORMATS and not _FORMATS[name][0](value)


def _doubled(value: list[Any]) -> bool:
    return len({json.dumps(item, sort_keys=True) for item in value}) != len(value)


_is_text = partial(_is_a, "string")
_is_number = partial(_is_a, "number")
_is_list = partial(_is_a, "array")
_is_object = partial(_is_a, "object")

_LIMITS: dict[str, tuple[Any, Any, str]] = {
    "minLength": (_is_text, lambda value, least: len(value) < least, "must have at least {} characters"),
    "maxLength": (_is_text, lambda value, most: len(value) > most, "must have at most {} characters"),
    "pattern": (
        _is_text,
        lambda value, pattern: re.search(pattern.replace("$", r"\Z"), value) is None,
        "has characters or a form that is not allowed here",
    ),
    "minimum": (_is_number, lambda value, least: value < least, "must be at least {}"),
    "maximum": (_is_number, lambda value, most: value > most, "must be at most {}"),
    "minItems": (_is_list, lambda value, least: len(value) < least, "must have at least {} items"),
    "maxItems": (_is_list, lambda value, most: len(value) > most, "must have at most {} items"),
    "uniqueItems": (_is_list, lambda value, wanted: wanted and _doubled(value), "must not hold the same item twice"),
    "minProperties": (_is_object, lambda value, least: len(value) < least, "must have at least {} keys"),
    "maxProperties": (_is_object, lambda value, most: len(value) > most, "must have at most {} keys"),
}
"""Of each keyword: the values it is about, when it is broken, and how that is said; in the order of the API."""
