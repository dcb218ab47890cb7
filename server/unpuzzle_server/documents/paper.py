"""A sheet of paper as a PDF, in the house's type: what every document is drawn on.

The type is FiraGO, which has Latin, Greek, Cyrillic, Arabic, Hebrew, Thai, Georgian and Devanagari; what it lacks is taken
from the fonts that `DOCUMENT_FONTS` names. Text is shaped and set in its own direction. The same words make the same bytes.
"""

import atexit
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, Literal

INK, GREY, PALE, ACCENT = (31, 36, 48), (110, 118, 135), (226, 230, 238), (74, 63, 185)
"""The colours of the house, as red, green and blue."""
MARGIN = 20
"""Millimetres, as all lengths here."""
Orientation = Literal["portrait", "landscape"]
Font = Literal["regular", "bold"]
LAYOUT = {"GDEF", "GPOS", "GSUB"}
"""The tables of a font by which text is shaped."""
UNPACKING = Lock()
FONTS: dict[Font, str] = {"regular": "figo", "bold": "figbo"}


def draw(
    onto: Callable[[Any], None],
    *,
    title: str,
    made_at: datetime,
    orientation: Orientation = "portrait",
    fonts: tuple[str, ...] = (),
) -> bytes:
    """An A4 sheet with whatever `onto` draws, as a PDF. It takes a twentieth of a second: call it in a thread."""
    paper = _paper(orientation, fonts)
    paper.set_title(title)
    paper.set_author("Unpuzzle")
    paper.set_creator("Unpuzzle")
    paper.set_lang("en")
    paper.set_creation_date(made_at)
    paper.add_page()
    onto(paper)
    _forget_layout(paper)
    return bytes(paper.output())


def _forget_layout(paper: Any) -> None:
    """Once text is shaped: fpdf2 keeps these tables out of its documents, but reads them first, for most of the time."""
    for font in paper.fonts.values():
        for table in LAYOUT & {*font.ttfont.keys()}:
            del font.ttfont[table]


def write(
    paper: Any,
    text: str,
    *,
    size: float,
    font: Font = "regular",
    color: tuple[int, int, int] = INK,
    align: Literal["L", "C", "R"] = "L",
    width: float = 0,
) -> None:
    """Lines of text from where the paper is, to the width (0: the margin); goes on below them."""
    paper.set_font("house", "B" if font == "bold" else "", size)
    paper.set_text_color(*color)
    paper.multi_cell(width, size * 0.48, text, align=align, new_x="LEFT", new_y="NEXT")


def write_fitting(paper: Any, text: str, *, size: float, width: float, font: Font = "bold") -> None:
    """One line in the middle, in smaller type where it would be wider; lines where even half the size is too wide."""
    paper.set_font("house", "B" if font == "bold" else "", size)
    needed = paper.get_string_width(text)
    write(
        paper, text, size=max(size / 2, min(size, size * width / needed)) if needed else size, font=font, align="C", width=width
    )


def rule(paper: Any, *, color: tuple[int, int, int] = PALE) -> None:
    """A line from margin to margin."""
    paper.set_draw_color(*color)
    paper.set_line_width(0.3)
    paper.line(paper.l_margin, paper.y, paper.w - paper.r_margin, paper.y)


def _paper(orientation: Orientation, fonts: tuple[str, ...]) -> Any:
    from fpdf import FPDF  # takes a third of a second to import

    paper = FPDF(orientation=orientation, unit="mm", format="A4")
    paper.set_margin(MARGIN)
    paper.c_margin = 0  # text and rules begin in one line
    paper.set_auto_page_break(False)
    for font, name in FONTS.items():
        with UNPACKING:
            file = _font_file(name)
        paper.add_font("house", "B" if font == "bold" else "", file)
    for number, path in enumerate(fonts):
        paper.add_font(f"further-{number}", "", path)
    paper.set_fallback_fonts([f"further-{number}" for number in range(len(fonts))], exact_match=False)
    paper.set_text_shaping(True)
    return paper


@cache
def _font_file(name: str) -> Path:
    from pymupdf_fonts import myfont  # unpacks its fonts, which fpdf2 wants as files

    path = _folder() / f"{name}.ttf"
    path.write_bytes(myfont(name))
    return path


@cache
def _folder() -> Path:
    made = TemporaryDirectory(prefix="unpuzzle-fonts-")
    atexit.register(made.cleanup)
    return Path(made.name)
