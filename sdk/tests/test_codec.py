"""JSON to values and back."""

from __future__ import annotations

import datetime
import pickle
from copy import deepcopy
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from unpuzzle_sdk import UNSET, models
from unpuzzle_sdk._core import codec


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("49.90"), 49.9),
        (Decimal("1E+2"), 100),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "2026-01-02T00:00:00Z"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, ZoneInfo("Asia/Kolkata")), "2026-01-02T03:04:05.678000+05:30"),
        # Before 1911 the clocks of Paris were 9 minutes and 21 seconds ahead, which RFC 3339 can't say.
        (datetime.datetime(1900, 1, 1, tzinfo=ZoneInfo("Europe/Paris")), "1899-12-31T23:50:39Z"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": UNSET, "b": None, "c": (True, {"d": UNSET})}, {"b": None, "c": [True, {}]}),
        (models.PreferencesUpdate(timezone="UTC"), {"timezone": "UTC"}),
    ],
)
def test_to_json(value: Any, expected: Any) -> None:
    assert codec.to_json(value) == expected


@pytest.mark.parametrize("text", ["49.99", "0.1", "999999.99", "5"])
def test_money_is_what_was_written(text: str) -> None:
    assert codec.parse_decimal(float(text)) == Decimal(text)
    assert codec.to_json(Decimal(text)) == float(text)


def test_unknown_members_of_a_union_are_kept() -> None:
    parse = codec.tagged("kind", {"a": lambda value: value["x"]})
    assert parse({"kind": "a", "x": 1}) == 1
    assert parse({"kind": "new"}) == {"kind": "new"}
    assert parse(3) == 3
    first = codec.first_of(lambda value: value["x"], lambda value: value["y"])
    assert [first({"y": 2}), first({"z": 3})] == [2, {"z": 3}]


def test_unset_is_one_object() -> None:
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET
    assert deepcopy(UNSET) is UNSET
    assert not UNSET
    assert repr(UNSET) == "UNSET"


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "sNaN"])
def test_a_decimal_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=f"{value} is no JSON number"):
        codec.to_json(Decimal(value))


@pytest.mark.parametrize("value", [b"x", bytearray(b"x"), memoryview(b"x"), {"a": [b"x"]}])
def test_bytes_are_refused_in_json(value: Any) -> None:
    with pytest.raises(TypeError, match=r"bytes|bytearray|memoryview"):
        codec.to_json(value)


def test_an_amount_that_fits_no_member_of_a_union_stays_as_it_is() -> None:
    assert codec.first_of(codec.parse_decimal)("free") == "free"
