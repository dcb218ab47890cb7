"""Between JSON and Python values: what the generated models are made of."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from .unset import UNSET

T = TypeVar("T")

_NO_OFFSET = datetime.timedelta(0)
_MINUTE = datetime.timedelta(minutes=1)


def to_json(value: Any) -> Any:
    """Turn models, decimals, times and sequences into what `json.dumps` takes."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, Mapping):
        return to_object(value)
    if isinstance(value, Decimal):
        return _json_number(value)
    if isinstance(value, datetime.datetime):
        return _json_time(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)) or not isinstance(value, Iterable):
        raise TypeError(f"a value of the type {type(value).__name__} has no place in JSON")
    return [to_json(item) for item in value]


def to_object(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a mapping into a JSON object without the fields that are `UNSET`."""
    return {key: to_json(value) for key, value in fields.items() if value is not UNSET}


def _json_number(value: Decimal) -> int | float:
    if not value.is_finite():
        raise ValueError(f"{value} is no JSON number")
    number = int(value) if value == value.to_integral_value() else float(value)
    if Decimal(repr(number)) != value:
        raise ValueError(f"{value} has more digits than a JSON number carries")
    return number


def _json_time(value: datetime.datetime) -> str:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    offset = value.utcoffset() or _NO_OFFSET
    if offset % _MINUTE:
        # RFC 3339 has no seconds there, as the local times of long ago do.
        value, offset = value.astimezone(datetime.UTC), _NO_OFFSET
    # As the server writes it. An offset other than that of UTC stays, for it says where.
    return value.isoformat() if offset else value.isoformat().removesuffix("+00:00") + "Z"


def maybe(parse: Callable[[Any], T], value: Any) -> Any:
    """Parse a value that may be null or absent."""
    return value if value is None or value is UNSET else parse(value)


def parse_datetime(value: str) -> datetime.datetime:
    """Read an RFC 3339 time; one without an offset is UTC."""
    parsed = datetime.datetime.fromisoformat(value)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.UTC)


def parse_date(value: str) -> datetime.date:
    """Read an ISO 8601 date."""
    return datetime.date.fromisoformat(value)


def parse_decimal(value: float | str) -> Decimal:
    """Read an amount of money: the decimal that was written, not the binary fraction next to it."""
    return Decimal(str(value))


def list_of(parse: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    """Make a parser of lists."""
    return lambda items: [parse(item) for item in items]


def tagged(tag: str, parsers: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Make a parser of a union whose members are told apart by a field; a member not known here stays as it is."""

    def parse(value: Any) -> Any:
        parser = parsers.get(str(value.get(tag))) if isinstance(value, Mapping) else None
        return value if parser is None else parser(value)

    return parse


def first_of(*parsers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a parser of a union that takes the first member that fits; what fits none stays as it is."""

    def parse(value: Any) -> Any:
        for parser in parsers:
            try:
                return parser(value)
            except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
                continue
        return value

    return parse
