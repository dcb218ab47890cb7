"""Enrolling many by their addresses: a job of rows, each of which is judged and done by a task; and invitations."""

import hmac
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row

from unpuzzle_server.auth.recovery import token_hash
from unpuzzle_server.auth.tokens import derived_key
from unpuzzle_server.content.service import find_course
from unpuzzle_server.courses.service import find_offer
from unpuzzle_server.enrollments import queries
from unpuzzle_server.enrollments.service import already_enrolled
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found

ADDRESS = {"$ref": "#/components/schemas/SignUp/properties/email"}
"""Whoever is invited has to be able to sign up."""


async def begin(tx: Transaction, body: dict[str, Any]) -> dict[str, Any]:
    """The rows are kept, and nothing is done yet but asked for."""
    course = await find_course(tx, body["course_id"])
    if course.status != "published":
        raise Problem("COURSE_NOT_PUBLISHED", "This course is not published.")
    job_id = uuid4()
    await tx.execute(queries.ADD_JOB, new_job=job_id, course=course.id, dry_run=body.get("dry_run", False))
    emails = [row["email"] for row in body["rows"]]
    is_address = spec.compiled(ADDRESS).is_valid
    # As they are looked for, without the spaces around them.
    are_addresses = [is_address(email.strip(" ")) for email in emails]
    await tx.execute(queries.ADD_ROWS, job=job_id, emails=emails, are_addresses=are_addresses)
    await tx.enqueue("enrollments.enroll_in_bulk", job_id=str(job_id))
    return await get(tx, job_id, outcome=None, with_results=False)


async def get(tx: Transaction, job_id: Any, *, outcome: str | None, with_results: bool) -> dict[str, Any]:
    job: dict[str, Any] | None = await tx.value(queries.JOB, job=job_id)
    if job is None:
        raise not_found("job")
    results = await tx.value(queries.job_rows(filtered=outcome is not None), **_asked(job_id, outcome)) if with_results else []
    return {**job, "results": results}


def _asked(job_id: Any, outcome: str | None) -> dict[str, Any]:
    return {"job": job_id, **({"outcome": outcome} if outcome else {})}


async def accept(tx: Transaction, token: str) -> Row[Any]:
    course_id = await tx.value(queries.ACCEPT, hash=token_hash(token))
    if course_id is None:
        raise Problem("TOKEN_INVALID", "This invitation is no longer good: ask for another one.")
    await find_offer(tx, str(course_id))  # refused, the invitation is as good as before
    taken = await tx.row(queries.ENROLL, user=tx.user.user_id, course=course_id)
    if taken is None:
        raise already_enrolled()
    return taken


def invitation_token(secret_key: str, invitation: UUID) -> str:
    """The same at every attempt to mail it: the link of an earlier one, which may have arrived, stays good."""
    key = derived_key(secret_key, "invitation")
    return hmac.new(key, invitation.bytes, "sha256").hexdigest()
