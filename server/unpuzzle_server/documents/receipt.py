"""The receipt of a payment."""

from datetime import datetime
from typing import Any

from unpuzzle_server.documents.paper import ACCENT, GREY, draw, rule, write

LABEL, VALUE = 45, 125
"""The widths of the two columns, in millimetres."""


def printed(found: dict[str, Any], decimals: int, fonts: tuple[str, ...] = ()) -> bytes:
    """A PDF of a receipt as `payments.get_receipt` answers it."""
    paid_at = datetime.fromisoformat(found["paid_at"])
    title = f"Receipt {found['payment_id']}"

    def onto(paper: Any) -> None:
        write(paper, "Unpuzzle", size=22, font="bold", color=ACCENT)
        write(paper, "Receipt", size=14, color=GREY)
        paper.ln(8)
        for label, value in _about(found, paid_at):
            _row(paper, label, value)
        paper.ln(4)
        rule(paper)
        paper.ln(4)
        for label, value in _sums(found, decimals):
            _row(paper, label, value, figures=True)
        paper.ln(10)
        write(paper, "Thank you for learning with Unpuzzle.", size=9, color=GREY)

    return draw(onto, title=title, made_at=paid_at, fonts=fonts)


def _about(found: dict[str, Any], paid_at: datetime) -> list[tuple[str, str]]:
    return [
        ("Receipt", found["payment_id"]),
        ("Paid on", f"{paid_at:%-d %B %Y, %H:%M} UTC"),
        ("Paid by", found["buyer"]),
        ("Course", found["course"]["title"]),
        ("Taught by", found["course"]["instructor"]),
        *([("Stripe", found["payment_intent_id"])] if found["payment_intent_id"] else []),
    ]


def _sums(found: dict[str, Any], decimals: int) -> list[tuple[str, str]]:
    def money(amount: float) -> str:
        return f"{amount:,.{decimals}f} {found['currency']}"

    def off(amount: float) -> str:
        return f"\N{MINUS SIGN}{money(amount)}"

    discount = found["discount"]
    return [
        ("Price", money(found["list_price"])),
        *([(f"Coupon {discount['coupon_code']}", off(discount["discount_amount"]))] if discount else []),
        ("Paid", money(found["amount"])),
        *([("Refunded", off(found["refunded_amount"]))] if found["refunded_amount"] else []),
    ]


def _row(paper: Any, label: str, value: str, *, figures: bool = False) -> None:
    top, left = paper.y, paper.l_margin
    write(paper, label, size=10, color=GREY, width=LABEL)
    below = paper.y
    paper.set_xy(left + LABEL, top)
    write(paper, value, size=10, font="bold" if label == "Paid" else "regular", width=VALUE, align="R" if figures else "L")
    paper.set_xy(left, max(below, paper.y) + 1.5)
