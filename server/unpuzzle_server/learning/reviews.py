"""The rules of reviews: one for each enrolment. The course's rating follows by triggers, in the same transaction."""

from typing import Any

from sqlalchemy import Row

from unpuzzle_server.courses.queries import named
from unpuzzle_server.courses.service import get_review
from unpuzzle_server.enrollments.service import lock_taken
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.learning import queries

Body = dict[str, Any]


async def create(tx: Transaction, id_or_slug: str, body: Body) -> Row[Any]:
    taken = await lock_taken(tx, id_or_slug)
    values = {"enrollment": taken.id, "course": taken.course_id, "user": tx.user.user_id}
    review_id = await tx.value(queries.ADD_REVIEW, **values, rating=body["rating"], comment=body.get("comment"))
    if review_id is None:
        raise Problem("CONFLICT", "You have reviewed this course: change your review instead.")
    return await get_review(tx, review_id)


async def update(tx: Transaction, id_or_slug: str, body: Body, if_match: str | None) -> Row[Any]:
    await lock_taken(tx, id_or_slug)
    review_id = await _lock(tx, id_or_slug, if_match)
    columns = {name: body[name] for name in ("rating", "comment") if name in body}
    if columns:
        await tx.execute(queries.update_review(list(columns)), review=review_id, **columns)
    return await get_review(tx, review_id)


async def delete(tx: Transaction, id_or_slug: str, if_match: str | None) -> None:
    """Also after leaving the course: what one has said is one's own."""
    await tx.execute(queries.DELETE_REVIEW, review=await _lock(tx, id_or_slug, if_match))


async def _lock(tx: Transaction, id_or_slug: str, if_match: str | None) -> Any:
    review = await tx.row(queries.LOCK_REVIEW, **named(id_or_slug))
    if review is None:
        raise not_found("review of yours")
    check_version(if_match, review.version)
    return review.id
