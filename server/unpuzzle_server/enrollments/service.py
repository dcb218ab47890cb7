"""The rules of taking a course, and of leaving it."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, TextClause
from sqlalchemy.exc import IntegrityError

from unpuzzle_server.courses.queries import named
from unpuzzle_server.courses.service import course_not_found
from unpuzzle_server.enrollments import queries
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction, violates
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.pagination import Page, window


async def enroll(tx: Transaction, id_or_slug: str, body: dict[str, Any]) -> Row[Any]:
    offer = await tx.row(queries.OFFER, **named(id_or_slug))
    if offer is None:
        raise course_not_found()
    if offer.status != "published":
        raise Problem("COURSE_NOT_PUBLISHED", "This course is not published.")
    if offer.instructor_id == tx.user.user_id:
        raise Problem("CONFLICT", "This is your own course.")
    if offer.price > 0 and not await tx.value(queries.TAKES, course=offer.id):
        _check_payment(offer, body)
    enrollment = await _take(tx, offer.id)
    if enrollment is None:
        raise Problem("ENROLLMENT_EXISTS", "You are already enrolled in this course.")
    return enrollment


async def _take(tx: Transaction, course_id: UUID) -> Row[Any] | None:
    try:
        return await tx.row(queries.ENROLL, user=tx.user.user_id, course=course_id)
    except IntegrityError as error:
        if violates(error, "enrollments_course_id_fkey"):  # deleted since we looked
            raise course_not_found() from None
        raise


def _check_payment(offer: Row[Any], body: dict[str, Any]) -> None:
    if "payment_method_id" not in body:
        raise Problem("PAYMENT_REQUIRED", f"This course costs {offer.price} {offer.currency}: send a payment_method_id.")
    raise Problem("NOT_CONFIGURED", "This server takes no payments.")


async def unenroll(tx: Transaction, id_or_slug: str, if_match: str | None) -> Row[Any]:
    taken = await lock_taken(tx, id_or_slug)
    check_version(if_match, taken.version)
    await tx.execute(queries.LEAVE, enrollment=taken.id)
    return await get(tx, taken.id)


async def lock_taken(tx: Transaction, id_or_slug: str) -> Row[Any]:
    """The enrolment that opens a course to whoever asks, which stays so until the end of the transaction."""
    taken = await tx.row(queries.LOCK, enrollment=(await find_taken(tx, id_or_slug)).id)
    if taken is None:  # left since we looked
        raise not_enrolled()
    return taken


async def find_taken(tx: Transaction, id_or_slug: str) -> Row[Any]:
    """The enrolment that opens a course to whoever asks."""
    taken = await tx.row(queries.TAKEN, **named(id_or_slug))
    if taken is not None:
        return taken
    raise not_enrolled() if await tx.value(queries.EXISTS, **named(id_or_slug)) else course_not_found()


def not_enrolled() -> Problem:
    return Problem("ENROLLMENT_NOT_FOUND", "You are not enrolled in this course.")


async def get(tx: Transaction, enrollment_id: Any) -> Row[Any]:
    found = await tx.row(queries.GET, enrollment=enrollment_id)
    if found is None:
        raise Problem("ENROLLMENT_NOT_FOUND", "There is no such enrolment.")
    return found


async def list_enrollments(
    tx: Transaction, page: int, page_size: int, status: str | None, sort: str | None, order: str | None
) -> Page:
    found = await _page(tx, queries.enrollments(status, sort, order), page, page_size, status)
    return Page(found.results, found.total, {"active_enrollments": found.active, "completed_courses": found.completed})


async def list_student_courses(
    tx: Transaction, page: int, page_size: int, status: str | None, sort: str | None, order: str | None
) -> Page:
    found = await _page(tx, queries.student_courses(status, sort, order), page, page_size, status)
    return Page(found.results, found.total)


async def _page(tx: Transaction, statement: TextClause, page: int, page_size: int, status: str | None) -> Row[Any]:
    values = {**window(page, page_size), **({"status": status} if status else {})}
    return cast("Row[Any]", await tx.row(statement, **values))
