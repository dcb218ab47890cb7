"""Values that the contract's schemas allow, drawn by Hypothesis."""

import re
from collections.abc import Callable
from datetime import UTC, timedelta, timezone
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.provisional import urls

from unpuzzle_server.kernel import spec

Values = st.SearchStrategy[Any]

OPEN = "ater versions may add"
"""How the contract says that a list of values is not closed."""
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
"""No schema of OpenAPI 3.0 can say that names of fields hold no NUL; the server refuses it in any string."""
MOST_MONEY = 1_000_000_000
MOST_ITEMS = 3
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=st.just(UTC) | OFFSETS)
FORMATS: dict[str, Values] = {
    "uuid": st.uuids().map(str),
    "date": st.dates().map(str),
    "date-time": MOMENTS.map(lambda moment: moment.isoformat().replace("+00:00", "Z")),
    "email": st.emails(),
    "uri": urls(),
    "uri-reference": urls().map(lambda url: url.split("/", 3)[3]),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)


def values(schema: spec.Schema, *, later: bool = False) -> Values:
    """What a schema allows; `later`: what a later version of it may allow too."""
    return _shared(schema["$ref"], later) if "$ref" in schema else _values(schema, later)


@cache
def _shared(reference: str, later: bool) -> Values:
    return _values(spec.resolve_once({"$ref": reference}), later)


def _values(schema: spec.Schema, later: bool) -> Values:
    found = _not_null(schema, later)
    return st.none() | found if schema.get("nullable") else found


def _not_null(schema: spec.Schema, later: bool) -> Values:
    if "oneOf" in schema:
        return st.one_of([values(member, later=later) for member in schema["oneOf"]])
    if "allOf" in schema:
        members = st.tuples(*(values(member, later=later) for member in schema["allOf"]))
        return members.map(lambda parts: {key: value for part in reversed(parts) for key, value in part.items()})
    if "enum" in schema:
        known = st.sampled_from(schema["enum"])
        return known | st.text() if later and OPEN in schema.get("description", "") else known
    return KINDS[schema["type"]](schema, later)


def _string(schema: spec.Schema, later: bool) -> Values:
    if "format" in schema:
        found = FORMATS[schema["format"]]
    elif "pattern" in schema:
        found = st.from_regex(re.compile(schema["pattern"].replace("$", r"\Z")))
    else:
        found = st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength"))
    return found.filter(spec.compiled(schema).is_valid) if schema.keys() & {"pattern", "maxLength"} else found


def _integer(schema: spec.Schema, later: bool) -> Values:
    return st.integers(schema.get("minimum"), schema.get("maximum"))


def _number(schema: spec.Schema, later: bool) -> Values:
    most = MOST_MONEY if "x-unpuzzle-money" in schema else None
    return st.floats(schema.get("minimum"), schema.get("maximum", most), allow_nan=False, allow_infinity=False)


def _boolean(schema: spec.Schema, later: bool) -> Values:
    return st.booleans()


def _array(schema: spec.Schema, later: bool) -> Values:
    least = schema.get("minItems", 0)
    most = max(least, min(schema.get("maxItems", MOST_ITEMS), MOST_ITEMS))
    return st.lists(values(schema["items"], later=later), min_size=least, max_size=most, unique=schema.get("uniqueItems", False))


def _object(schema: spec.Schema, later: bool) -> Values:
    fields = {name: values(field, later=later) for name, field in schema.get("properties", {}).items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    declared = st.fixed_dictionaries(required, optional=fields)
    more = schema.get("additionalProperties", later)
    if more is False:
        return declared
    names = NAMES.filter(lambda name: name not in schema.get("properties", {}))
    others = st.dictionaries(names, values(more, later=later) if isinstance(more, dict) else JSON, max_size=2)
    return st.builds(lambda other, own: {**other, **own}, others, declared)


KINDS: dict[str, Callable[[spec.Schema, bool], Values]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _array,
    "object": _object,
}
