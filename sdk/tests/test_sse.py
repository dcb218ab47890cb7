"""Events as they come over the wire, whoever sends them."""

from __future__ import annotations

import pytest

from unpuzzle_sdk._core.sse import Parser


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_pause_of_any_length_is_read_though_it_is_no_number_that_python_makes(digits: int) -> None:
    parser = Parser()
    assert [event.data for event in parser.feed(b"retry: " + b"9" * digits + b"\ndata: x\n\n")] == ["x"]
    assert parser.retry == float("inf")
