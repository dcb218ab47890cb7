"""Operations of the tag `analytics`."""

from typing import Any

from unpuzzle_server.analytics import service
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.pagination import Page

Body = dict[str, Any]


async def get_learning(tx: Transaction, period: str | None, course_id: str | None) -> Body:
    return await service.of_learner(tx, period or service.USUAL, course_id)


async def list_achievements(tx: Transaction, page: int, page_size: int) -> Page:
    return await service.list_achievements(tx, page, page_size)


async def get_icon(tx: Transaction, achievement: str) -> Result:
    return Result(await service.icon(tx, achievement), media_type="image/svg+xml")


async def get_course(tx: Transaction, course_id: str, period: str | None) -> Body:
    return await service.of_course(tx, course_id, period or service.USUAL)


async def get_earnings(tx: Transaction, start_month: str | None, end_month: str | None, course_id: str | None) -> Body:
    return await service.earnings(tx, start_month, end_month, course_id)
