"""The rules of reflections: on what one may see, and one's own for good."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.courses.queries import named
from unpuzzle_server.courses.service import course_not_found
from unpuzzle_server.enrollments.service import not_enrolled
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.kernel.texts import containing
from unpuzzle_server.reflections import queries

Body = dict[str, Any]


async def create(tx: Transaction, body: Body) -> Row[Any]:
    columns = _columns(body)
    statement = queries.insert(list(columns))
    reflection_id = await tx.value(statement, user=tx.user.user_id, lesson=body["lesson_id"], **columns)
    if reflection_id is None:
        raise not_found("lesson")
    return await get(tx, reflection_id)


async def list_own(tx: Transaction, *, page: int, page_size: int, sort: str | None, order: str | None, **filters: Any) -> Page:
    asked = _asked(filters)
    statement = queries.reflections(tuple(asked), sort or "created_at", order or "desc")
    found = cast("Row[Any]", await tx.row(statement, user=tx.user.user_id, **asked, **window(page, page_size)))
    return Page(found.results, found.total)


async def list_shared(tx: Transaction, id_or_slug: str, page: int, page_size: int, **filters: Any) -> Page:
    """To whoever teaches the course, and to whoever takes it."""
    course = await tx.row(queries.READER, **named(id_or_slug))
    if course is None:
        raise course_not_found()
    if not (course.teaches or course.takes):
        raise not_enrolled()
    asked = _asked(filters)
    statement = queries.shared(tuple(asked), teaches=course.teaches)
    found = cast("Row[Any]", await tx.row(statement, course=course.id, **asked, **window(page, page_size)))
    return Page(found.results, found.total)


async def respond(tx: Transaction, reflection_id: str, content: str) -> dict[str, Any]:
    """Only where the learner shares it with whoever teaches the course."""
    response_id = await tx.value(queries.RESPOND, answered=reflection_id, content=content)
    if response_id is None:
        raise not_found("reflection")
    response: dict[str, Any] = await tx.value(queries.GET_RESPONSE, response=response_id)
    return response


def _asked(filters: dict[str, Any]) -> dict[str, Any]:
    asked = {name: value for name, value in filters.items() if value is not None}
    return {**asked, **({"search": containing(asked["search"])} if "search" in asked else {})}


async def get(tx: Transaction, reflection_id: Any) -> Row[Any]:
    found = await tx.row(queries.GET, user=tx.user.user_id, reflection=reflection_id)
    if found is None:
        raise not_found("reflection")
    return found


async def update(tx: Transaction, reflection_id: str, body: Body, if_match: str | None) -> Row[Any]:
    await _lock(tx, reflection_id, if_match)
    if columns := _columns(body):
        await tx.execute(queries.update(list(columns)), reflection=reflection_id, **columns)
    return await get(tx, reflection_id)


async def delete(tx: Transaction, reflection_id: str, if_match: str | None) -> None:
    await _lock(tx, reflection_id, if_match)
    await tx.execute(queries.DELETE, reflection=reflection_id)


async def _lock(tx: Transaction, reflection_id: str, if_match: str | None) -> None:
    version = await tx.value(queries.LOCK, user=tx.user.user_id, reflection=reflection_id)
    if version is None:
        raise not_found("reflection")
    check_version(if_match, version)


def _columns(body: Body) -> dict[str, Any]:
    columns = {name: body[name] for name in queries.COLUMNS if name in body}
    if "tags" in columns:
        columns["tags"] = list(dict.fromkeys(columns["tags"]))  # each once, as they came
    return columns
