"""The rules of taking a course, and of leaving it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, TextClause
from sqlalchemy.exc import IntegrityError

from unpuzzle_server.courses.queries import TAKES, named
from unpuzzle_server.courses.service import course_not_found, find_offer
from unpuzzle_server.enrollments import queries
from unpuzzle_server.kernel.answers import Result, check_version
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction, violates
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.operations import Context, Outside
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.payments import checkout


async def enroll(tx: Transaction, id_or_slug: str, body: dict[str, Any]) -> Row[Any]:
    """Takes a course that is free, or paid for already; any other is bought first, outside of the transaction."""
    offer = await find_offer(tx, id_or_slug)
    if await tx.value(TAKES, course=offer.id):
        raise already_enrolled()
    if offer.price > 0 and not await tx.value(queries.PAID, user=tx.user.user_id, course=offer.id):
        raise Outside(partial(_buy, offer=offer, body=body))
    enrollment = await _take(tx, offer.id)
    if enrollment is None:
        raise already_enrolled()
    return enrollment


def already_enrolled() -> Problem:
    return Problem("ENROLLMENT_EXISTS", "You are already enrolled in this course.")


async def _buy(ctx: Context, offer: Row[Any], body: dict[str, Any]) -> Callable[[Transaction], Awaitable[Result]]:
    """One charge, however many ask at once: whoever finds it made by somebody else is enrolled already."""
    payment = await checkout.begin(ctx, offer.id, body.get("coupon_code"), {})
    if payment.status in checkout.OPEN:
        if "payment_method_id" not in body:
            message = f"This course costs {offer.price} {offer.currency}: send a payment_method_id."
            raise checkout.payment_required(payment.id, await checkout.at_stripe(ctx, payment), message)
        intent, ours = await checkout.confirm(ctx, payment, body["payment_method_id"], None)
        if intent.status != "succeeded":
            raise checkout.payment_required(payment.id, intent, "The holder of the card has to authenticate.")
    else:
        ours = payment.amount_minor == 0
    if not ours:
        raise already_enrolled()
    return partial(_bought, payment_id=payment.id)


async def _bought(tx: Transaction, payment_id: UUID) -> Result:
    found = await checkout.bought(tx, payment_id)
    paid = {
        "amount": found.amount,
        "currency": found.currency,
        "status": "completed",
        "payment_id": found.intent or found.payment_id,
    }
    return created(found.enrollment_id, found.course_id, found.user_id, found.enrolled_at, paid)


def created(enrollment: UUID, course: UUID, user: UUID, enrolled_at: datetime, payment: dict[str, Any] | None) -> Result:
    answer = {
        "enrollment_id": str(enrollment),
        "course_id": str(course),
        "user_id": str(user),
        "enrolled_at": rfc3339(enrolled_at),
        "payment": payment,
        "message": "Successfully enrolled in course",
    }
    return Result(answer, location=f"/api/v1/enrollments/{enrollment}/")


async def _take(tx: Transaction, course_id: UUID) -> Row[Any] | None:
    try:
        return await tx.row(queries.ENROLL, user=tx.user.user_id, course=course_id)
    except IntegrityError as error:
        if violates(error, "enrollments_course_id_fkey"):  # deleted since we looked
            raise course_not_found() from None
        raise


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
    found = await tx.row(queries.GET, enrollment=enrollment_id, public_url=tx.settings.public_url)
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
    values = {**window(page, page_size), "public_url": tx.settings.public_url, **({"status": status} if status else {})}
    return cast("Row[Any]", await tx.row(statement, **values))
