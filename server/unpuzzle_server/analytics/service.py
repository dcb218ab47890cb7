"""What learners and instructors are told of learning, each in one statement."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.analytics import queries
from unpuzzle_server.content.service import find_course
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found
from unpuzzle_server.kernel.pages import rendered
from unpuzzle_server.kernel.pagination import Page, window

USUAL = "month"
DAYS = {"week": 7, "month": 30, "year": 365, "all_time": None}
"""How many days a period has, today included."""
COLORS = {
    "lesson": "#2f6fb0",
    "streak": "#c2541b",
    "course": "#4a3fb9",
    "quiz": "#1e7d4f",
    "time": "#7a5c00",
    "habit": "#33415c",
    "community": "#a1316f",
}
SIGNS = {"seconds": 3600}
"""What a threshold is divided by, to stand in an icon."""

Body = dict[str, Any]


async def of_learner(tx: Transaction, period: str, course_id: str | None) -> Body:
    values = {"user": tx.user.user_id, "course": course_id, "public_url": tx.settings.public_url}
    return cast("Body", await tx.value(queries.LEARNING, period=period, days=DAYS[period], **values))


async def list_achievements(tx: Transaction, page: int, page_size: int) -> Page:
    values = {"user": tx.user.user_id, "public_url": tx.settings.public_url, **window(page, page_size)}
    found = cast("Row[Any]", await tx.row(queries.ACHIEVEMENTS, **values))
    more = {"earned_count": found.earned, "current_streak": found.streak, "longest_streak": found.longest}
    return Page(found.results, found.total, more)


async def icon(tx: Transaction, name: str) -> bytes:
    rule = await tx.row(queries.RULE, rule=name)
    if rule is None:
        raise not_found("achievement")
    sign = rule.threshold // SIGNS.get(rule.measure, 1)
    return rendered("unpuzzle_server.analytics", "icon.svg", title=rule.title, color=COLORS[rule.type], sign=sign)


async def of_course(tx: Transaction, course_id: str, period: str) -> Body:
    await find_course(tx, course_id)
    return cast("Body", await tx.value(queries.COURSE, course=course_id, period=period, days=DAYS[period]))


async def earnings(tx: Transaction, start_month: str | None, end_month: str | None, course_id: str | None) -> Body:
    values = {
        "user": tx.user.user_id,
        "sold": course_id,
        "first_month": _first_day(start_month),
        "last_month": _first_day(end_month),
    }
    return cast("Body", await tx.value(queries.EARNINGS, **values))


def _first_day(month: str | None) -> str | None:
    return month and f"{month}-01"
