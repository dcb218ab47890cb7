"""Operations of the tag `reflections`."""

from typing import Any

from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.pagination import Page
from unpuzzle_server.reflections import service

Body = dict[str, Any]


async def create(tx: Transaction, body: Body) -> Result:
    found = await service.create(tx, body)
    return Result(found.reflection, found.version, location=f"/api/v1/reflections/{found.reflection['id']}/")


async def list(
    tx: Transaction,
    page: int,
    page_size: int,
    course_id: str | None,
    lesson_id: str | None,
    type: str | None,
    visibility: str | None,
    tag: str | None,
    search: str | None,
    sort: str | None,
    order: str | None,
) -> Page:
    filters = {
        "course_id": course_id,
        "lesson_id": lesson_id,
        "type": type,
        "visibility": visibility,
        "tag": tag,
        "search": search,
    }
    return await service.list_own(tx, page=page, page_size=page_size, sort=sort, order=order, **filters)


async def get(tx: Transaction, reflection_id: str) -> Result:
    found = await service.get(tx, reflection_id)
    return Result(found.reflection, found.version)


async def update(tx: Transaction, reflection_id: str, body: Body, if_match: str | None) -> Result:
    found = await service.update(tx, reflection_id, body, if_match)
    return Result(found.reflection, found.version)


async def delete(tx: Transaction, reflection_id: str, if_match: str | None) -> None:
    await service.delete(tx, reflection_id, if_match)


async def list_shared(
    tx: Transaction,
    course_id: str,
    page: int,
    page_size: int,
    lesson_id: str | None,
    type: str | None,
    tag: str | None,
    search: str | None,
) -> Page:
    return await service.list_shared(tx, course_id, page, page_size, lesson_id=lesson_id, type=type, tag=tag, search=search)


async def respond(tx: Transaction, reflection_id: str, body: Body) -> dict[str, Any]:
    return await service.respond(tx, reflection_id, body["content"])
