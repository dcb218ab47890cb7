"""The certificate of a completed course: something to frame."""

import math
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from unpuzzle_server.documents.paper import ACCENT, GREY, INK, draw, write, write_fitting

CREAM, GOLD, DEEP = (252, 250, 245), (176, 141, 66), (40, 34, 110)
FRAME, INNER = 9, 12
"""How far the two lines of the frame are from the edge, in millimetres."""
SIDE, FOOT = 30, 152
"""Where the columns at the foot begin."""
QR = 24


def certificate(found: dict[str, Any], fonts: tuple[str, ...] = ()) -> bytes:
    """A PDF of a certificate as `learning.verify_certificate` answers it."""
    issued_at = datetime.fromisoformat(found["issued_at"])
    title = f"Certificate {found['code']}"
    day = f"{issued_at:%-d %B %Y}"

    def onto(paper: Any) -> None:
        _frame(paper)
        _words(paper, found)
        _signed(paper, SIDE, found["instructor_name"], "Instructor")
        _signed(paper, SIDE + 68, day, "Completed on")
        _seal(paper, paper.w / 2 + 40, FOOT + 14)
        _verification(paper, found)

    return draw(onto, title=title, made_at=issued_at, orientation="landscape", fonts=fonts)


def _frame(paper: Any) -> None:
    paper.set_fill_color(*CREAM)
    paper.rect(0, 0, paper.w, paper.h, style="F")
    for inset, width, color in ((FRAME, 1.2, DEEP), (INNER, 0.3, GOLD)):
        paper.set_draw_color(*color)
        paper.set_line_width(width)
        paper.rect(inset, inset, paper.w - 2 * inset, paper.h - 2 * inset)
    for x, turn in ((INNER, 1), (paper.w - INNER, -1)):
        for y, fall in ((INNER, 1), (paper.h - INNER, -1)):
            _corner(paper, x, y, turn, fall)


def _corner(paper: Any, x: float, y: float, turn: int, fall: int) -> None:
    """Arcs that grow out of a corner, as on banknotes."""
    paper.set_draw_color(*GOLD)
    paper.set_line_width(0.2)
    for step in range(2, 15, 2):
        paper.bezier([(x + turn * step, y), (x + turn * step, y + fall * step), (x, y + fall * step)])


def _words(paper: Any, found: dict[str, Any]) -> None:
    wide = paper.w - 2 * SIDE
    _middle(paper, 26, "UNPUZZLE", size=15, font="bold", color=ACCENT)
    _middle(paper, 38, "Certificate of Completion", size=30, font="bold", color=DEEP)
    _middle(paper, 60, "This is to certify that", size=12, color=GREY)
    paper.set_xy(SIDE, 70)
    write_fitting(paper, found["learner_name"], size=38, width=wide)
    line = max(92, paper.y + 2)  # further down for a name of several lines
    paper.set_draw_color(*GOLD)
    paper.set_line_width(0.4)
    paper.line(paper.w / 2 - 55, line, paper.w / 2 + 55, line)
    _middle(paper, line + 4, "has completed the course", size=12, color=GREY)
    paper.set_xy(SIDE, line + 14)
    write_fitting(paper, found["course"]["title"], size=24, width=wide)


def _middle(paper: Any, y: float, text: str, **how: Any) -> None:
    paper.set_xy(SIDE, y)
    write(paper, text, align="C", width=paper.w - 2 * SIDE, **how)


def _signed(paper: Any, x: float, text: str, label: str) -> None:
    """A line with a text on it and what it is below."""
    paper.set_draw_color(*GREY)
    paper.set_line_width(0.3)
    paper.line(x, FOOT + 14, x + 58, FOOT + 14)
    paper.set_xy(x, FOOT + 7)
    write_fitting(paper, text, size=13, width=58)
    paper.set_xy(x, FOOT + 16)
    write(paper, label, size=9, color=GREY, align="C", width=58)


def _seal(paper: Any, x: float, y: float) -> None:
    """A rosette with a piece of a puzzle in it."""
    points = 36
    star = [
        (x + radius * math.cos(turn), y + radius * math.sin(turn))
        for number in range(2 * points)
        for radius, turn in [(15.5 if number % 2 else 14, math.pi * number / points)]
    ]
    paper.set_fill_color(*GOLD)
    paper.polygon(star, style="F")
    paper.set_draw_color(*CREAM)
    paper.set_line_width(0.5)
    paper.circle(x, y, 11.5, style="D")
    _piece(paper, x - 5, y - 3.5, 8)


def _piece(paper: Any, x: float, y: float, size: float) -> None:
    knob = size / 5
    paper.set_fill_color(*CREAM)
    paper.rect(x, y, size, size, style="F")
    paper.circle(x + size / 2, y - knob / 2, knob, style="F")
    paper.circle(x + size + knob / 2, y + size / 2, knob, style="F")
    paper.set_fill_color(*GOLD)
    paper.circle(x + knob / 2, y + size / 2, knob, style="F")
    paper.circle(x + size / 2, y + size - knob / 2, knob, style="F")


def _verification(paper: Any, found: dict[str, Any]) -> None:
    """The QR code of the page, with the code and the address for those who type."""
    left = paper.w - SIDE - QR
    _qr(paper, found["url"], left, FOOT - 4)
    place = f"{urlsplit(found['url']).netloc}/certificates"
    paper.set_xy(left - 18, FOOT + 22)
    write(paper, found["code"], size=9, font="bold", align="C", width=QR + 36)
    write(paper, place, size=7, color=GREY, align="C", width=QR + 36)


def _qr(paper: Any, text: str, left: float, top: float) -> None:
    import segno

    rows = tuple(segno.make(text, error="m", micro=False).matrix)
    module = QR / len(rows)
    paper.set_fill_color(*INK)
    for y, row in enumerate(rows):
        for x, is_dark in enumerate(row):
            if is_dark:
                paper.rect(left + x * module, top + y * module, module, module, style="F")
