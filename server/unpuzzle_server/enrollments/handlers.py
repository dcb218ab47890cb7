"""Operations of the tag `enrollments`."""

from typing import Any

from unpuzzle_server.enrollments import service
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.pagination import Page


async def enroll(tx: Transaction, course_id: str, body: dict[str, Any]) -> Result:
    taken = await service.enroll(tx, course_id, body)
    return service.created(taken.id, taken.course_id, taken.user_id, taken.enrolled_at, None)


async def unenroll(tx: Transaction, course_id: str, if_match: str | None) -> Result:
    found = await service.unenroll(tx, course_id, if_match)
    return Result(found.enrollment, found.version)


async def list(tx: Transaction, page: int, page_size: int, status: str | None, sort: str | None, order: str | None) -> Page:
    return await service.list_enrollments(tx, page, page_size, status, sort, order)


async def get(tx: Transaction, enrollment_id: str) -> Result:
    found = await service.get(tx, enrollment_id)
    return Result(found.enrollment, found.version)
