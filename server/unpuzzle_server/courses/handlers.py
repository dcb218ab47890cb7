"""Operations of the tag `courses`."""

from typing import Any

from sqlalchemy import Row

from unpuzzle_server.courses import service
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.pagination import Page

Body = dict[str, Any]


async def list(
    tx: Transaction,
    page: int,
    page_size: int,
    category: str | None,
    search: str | None,
    difficulty: str | None,
    tag: str | None,
    sort: str | None,
    order: str | None,
) -> Page:
    filters = {"category": category, "search": search, "difficulty": difficulty, "tag": tag}
    return await service.list_published(tx, page=page, page_size=page_size, sort=sort, order=order, **filters)


async def get(tx: Transaction, course_id: str) -> Result:
    found = await service.get(tx, course_id)
    return Result(found.course, found.version)


async def get_curriculum(tx: Transaction, course_id: str) -> Body:
    return await service.get_curriculum(tx, course_id)


async def list_reviews(
    tx: Transaction, course_id: str, page: int, page_size: int, rating: int | None, sort: str | None, order: str | None
) -> Page:
    return await service.list_reviews(tx, course_id, page, page_size, rating, sort, order)


async def list_categories(tx: Transaction, page: int, page_size: int) -> Page:
    return await service.list_categories(tx, page, page_size)


async def create(tx: Transaction, body: Body) -> Result:
    return _created(await service.create(tx, body), "Course created successfully")


async def list_own(
    tx: Transaction, page: int, page_size: int, status: str | None, search: str | None, sort: str | None, order: str | None
) -> Page:
    return await service.list_own(tx, page=page, page_size=page_size, sort=sort, order=order, status=status, search=search)


async def get_own(tx: Transaction, course_id: str) -> Result:
    found = await service.get_own(tx, course_id)
    return Result(found.course, found.version)


async def update(tx: Transaction, course_id: str, body: Body, if_match: str | None) -> Result:
    return _done(await service.update(tx, course_id, body, if_match), "Course updated successfully")


async def delete(tx: Transaction, course_id: str, if_match: str | None) -> None:
    await service.delete(tx, course_id, if_match)


async def publish(tx: Transaction, course_id: str, if_match: str | None) -> Result:
    return _done(await service.publish(tx, course_id, if_match), "Course is published")


async def unpublish(tx: Transaction, course_id: str, if_match: str | None) -> Result:
    return _done(await service.unpublish(tx, course_id, if_match), "Course is a draft")


async def archive(tx: Transaction, course_id: str, if_match: str | None) -> Result:
    return _done(await service.archive(tx, course_id, if_match), "Course is archived")


async def check_readiness(tx: Transaction, course_id: str) -> Body:
    problems = await service.missing(tx, course_id)
    return {"course_id": course_id.lower(), "ready": not problems, "problems": problems}


async def duplicate(tx: Transaction, course_id: str) -> Result:
    return _created(await service.duplicate(tx, course_id), "Course duplicated successfully")


async def create_category(tx: Transaction, body: Body) -> Result:
    found = await service.create_category(tx, body)
    return Result(found.category, found.version, location=f"/api/v1/admin/categories/{found.category['id']}/")


async def get_category(tx: Transaction, category_id: str) -> Result:
    found = await service.get_category(tx, category_id)
    return Result(found.category, found.version)


async def update_category(tx: Transaction, category_id: str, body: Body, if_match: str | None) -> Result:
    found = await service.update_category(tx, category_id, body, if_match)
    return Result(found.category, found.version)


async def delete_category(tx: Transaction, category_id: str, if_match: str | None) -> None:
    await service.delete_category(tx, category_id, if_match)


def _done(found: Row[Any], message: str) -> Result:
    return Result({**found.course, "message": message}, found.version)


def _created(found: Row[Any], message: str) -> Result:
    location = f"/api/v1/instructor/courses/{found.course['id']}/"
    return Result({**found.course, "message": message}, found.version, location=location)
