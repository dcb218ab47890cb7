"""The rules of taking a course."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from unpuzzle_server.courses.queries import as_uuid
from unpuzzle_server.courses.service import course_not_found
from unpuzzle_server.kernel.database import Transaction, violates
from unpuzzle_server.kernel.errors import Problem

OFFER = text("SELECT * FROM app.find_offer(:course, :slug)")
TAKES = text("SELECT app.takes_course(:course)")
# The unique key decides between two enrolments at once; whoever left may come back.
ENROLL = text("""
    INSERT INTO enrollments AS e (user_id, course_id) VALUES (:user, :course)
    ON CONFLICT ON CONSTRAINT enrollments_once DO UPDATE SET status = 'active', enrolled_at = app.now()
     WHERE e.status = 'cancelled'
    RETURNING id, user_id, course_id, enrolled_at
""")


async def enroll(tx: Transaction, id_or_slug: str, body: dict[str, Any]) -> Row[Any]:
    course_id = as_uuid(id_or_slug)
    offer = await tx.row(OFFER, course=course_id, slug=None if course_id else id_or_slug)
    if offer is None:
        raise course_not_found()
    if offer.status != "published":
        raise Problem("COURSE_NOT_PUBLISHED", "This course is not published.")
    if offer.instructor_id == tx.user.user_id:
        raise Problem("CONFLICT", "This is your own course.")
    if offer.price > 0 and not await tx.value(TAKES, course=offer.id):
        _check_payment(offer, body)
    enrollment = await _take(tx, offer.id)
    if enrollment is None:
        raise Problem("ENROLLMENT_EXISTS", "You are already enrolled in this course.")
    return enrollment


async def _take(tx: Transaction, course_id: UUID) -> Row[Any] | None:
    try:
        return await tx.row(ENROLL, user=tx.user.user_id, course=course_id)
    except IntegrityError as error:
        if violates(error, "enrollments_course_id_fkey"):  # deleted since we looked
            raise course_not_found() from None
        raise


def _check_payment(offer: Row[Any], body: dict[str, Any]) -> None:
    if "payment_method_id" not in body:
        raise Problem("PAYMENT_REQUIRED", f"This course costs {offer.price} {offer.currency}: send a payment_method_id.")
    raise Problem("NOT_CONFIGURED", "This server takes no payments.")
