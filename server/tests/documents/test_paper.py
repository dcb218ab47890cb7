"""Documents as PDF: type for many scripts, and the same bytes for the same words."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from pymupdf_fonts import myfont

from unpuzzle_server.documents.paper import draw, write, write_fitting

MADE_AT = datetime(2026, 1, 10, tzinfo=UTC)
DOMINO = "\U0001f031"
"""A sign that the house's type lacks."""


def drawn(text: str, **how: Any) -> bytes:
    return draw(lambda paper: write(paper, text, size=12), title="A test", made_at=MADE_AT, **how)


def words(pdf: bytes) -> str:
    return str(pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded())


@pytest.mark.parametrize("name", ["Łukasz Żółć", "Ὀδυσσεύς", "Ярослава", "ნინო", "Ngọc Ánh", "Şükrü"])
def test_names_of_many_scripts_are_set(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert name in words(drawn(name))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_same_words_make_the_same_bytes() -> None:
    assert drawn("Once") == drawn("Once") != drawn("Twice")


def test_signs_that_our_type_lacks_are_taken_from_further_fonts(tmp_path: Path) -> None:
    symbols = tmp_path / "symbols.ttf"
    symbols.write_bytes(myfont("symbol2"))
    assert DOMINO not in words(drawn(DOMINO))
    assert DOMINO in words(drawn(DOMINO, fonts=(str(symbols),)))


@pytest.mark.parametrize("name", ["Al", "W" * 40, "Maximiliane von Habsburg-Lothringen " * 4])
def test_a_line_that_must_fit_stays_within_its_width(name: str) -> None:
    pdf = draw(
        lambda paper: write_fitting(paper, name, size=40, width=paper.epw), title="Fit", made_at=MADE_AT, orientation="landscape"
    )
    page = pypdfium2.PdfDocument(pdf)[0]
    text = page.get_textpage()
    boxes = [text.get_charbox(place) for place in range(text.count_chars()) if text.get_text_range(place, 1).strip()]
    assert min(box[0] for box in boxes) > 0
    assert max(box[2] for box in boxes) < page.get_width()
