"""Files are known by their first bytes."""

import pytest
from files import STARTS

from unpuzzle_server.media.kinds import KINDS, fits

RELATED = {frozenset({"video/mp4", "audio/mp4"})}
"""Types of one container, which nothing but the whole file tells apart."""


@pytest.mark.parametrize("content_type", KINDS)
def test_a_file_passes_for_its_type_alone(content_type: str) -> None:
    start = STARTS[content_type]
    taken = {other for other in KINDS if fits(other, start + bytes(100))}
    assert taken == next((set(types) for types in RELATED if content_type in types), {content_type})


@pytest.mark.parametrize("start", [b"", b"\xff", b"<!doctype html><script>", b"MZ", b"\x7fELF", b"PK\x03\x04", b"\0" * 100])
def test_nothing_else_passes(start: bytes) -> None:
    assert [content_type for content_type in KINDS if fits(content_type, start)] == []
