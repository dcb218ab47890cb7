"""What instructors see of those who take their courses, and what they tell them."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.content.service import find_course
from unpuzzle_server.enrollments import queries
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.kernel.texts import containing


async def list_students(
    tx: Transaction, course_id: str, page: int, page_size: int, *, sort: str | None, order: str | None, **filters: str | None
) -> Page:
    await find_course(tx, course_id)
    asked = {name: value for name, value in filters.items() if value is not None}
    statement = queries.students(tuple(asked), sort or "enrolled_at", order)
    if "search" in asked:
        asked["search"] = containing(asked["search"])
    found = cast("Row[Any]", await tx.row(statement, course=course_id, **asked, **window(page, page_size)))
    return Page(found.results, found.total)


async def announce(tx: Transaction, course_id: str, body: dict[str, Any]) -> dict[str, Any]:
    await find_course(tx, course_id)
    told = await tx.value(queries.ANNOUNCE, course=course_id, title=body["title"], message=body["message"])
    return {"course_id": course_id.lower(), **body, "recipients_count": told, "sent_at": rfc3339(tx.clock.now())}
