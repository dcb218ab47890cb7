"""Operations of the tag `enrollments`."""

from typing import Any

from unpuzzle_server.enrollments import bulk, service, teaching
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


async def list_students(
    tx: Transaction,
    course_id: str,
    page: int,
    page_size: int,
    status: str | None,
    search: str | None,
    sort: str | None,
    order: str | None,
) -> Page:
    return await teaching.list_students(tx, course_id, page, page_size, status=status, search=search, sort=sort, order=order)


async def announce(tx: Transaction, course_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return await teaching.announce(tx, course_id, body)


async def bulk_enroll(tx: Transaction, body: dict[str, Any]) -> Result:
    job = await bulk.begin(tx, body)
    return Result(job, location=f"/api/v1/enrollments/bulk/{job['job_id']}/")


async def get_bulk_job(tx: Transaction, job_id: str, outcome: str | None, with_results: bool) -> dict[str, Any]:
    return await bulk.get(tx, job_id, outcome=outcome, with_results=with_results)


async def accept_invitation(tx: Transaction, body: dict[str, Any]) -> Result:
    taken = await bulk.accept(tx, body["token"])
    return service.created(taken.id, taken.course_id, taken.user_id, taken.enrolled_at, None)
