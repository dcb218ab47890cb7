"""The rules of sections and lessons: their order without gaps, and published courses that stay ready."""

from typing import Any, cast

from sqlalchemy import Row, TextClause

from unpuzzle_server.content import queries
from unpuzzle_server.kernel import statements
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.kernel.texts import reading_seconds, safe_html

MOST_IN_ONE = 500
"""Sections in a course, lessons in a section."""

Body = dict[str, Any]


async def find_course(tx: Transaction, course_id: Any, *, lock: bool = False) -> Row[Any]:
    """One's own course; every change to its content locks it, so that publishing sees all of a change or nothing."""
    course = await tx.row(queries.LOCK_COURSE if lock else queries.COURSE, course=course_id)
    if course is None:
        raise Problem("COURSE_NOT_FOUND", "There is no such course.")
    return course


async def _find(tx: Transaction, what: str, statement: TextClause, *, lock: bool = False, **values: Any) -> Row[Any]:
    """A section or a lesson of one's own course; what is in somebody else's course is not there."""
    place = await tx.row(statement, **values)
    if place is None or await tx.row(queries.LOCK_COURSE if lock else queries.COURSE, course=place.course_id) is None:
        raise not_found(what)
    if lock:
        place = await tx.row(statement, **values)  # as it is now that nobody else can change it
        if place is None:
            raise not_found(what)
    return place


async def find_section(tx: Transaction, section_id: str, *, lock: bool = False) -> Row[Any]:
    return await _find(tx, "section", queries.SECTION_PLACE, lock=lock, section=section_id)


async def find_lesson(tx: Transaction, lesson_id: str, *, lock: bool = False) -> Row[Any]:
    return await _find(tx, "lesson", queries.LESSON_PLACE, lock=lock, lesson=lesson_id)


async def _check_still_ready(tx: Transaction, course: Row[Any]) -> None:
    """Called after a change that takes something away."""
    if course.status == "published" and not await tx.value(queries.LESSONS_LEFT, course=course.id):
        details = [{"field": "sections", "message": "a published course needs a published section with a lesson"}]
        raise Problem("COURSE_NOT_READY", "This would leave a published course empty: unpublish it first.", details=details)


# Sections


async def list_sections(tx: Transaction, course_id: str, page: int, page_size: int) -> Page:
    await find_course(tx, course_id)
    found = cast("Row[Any]", await tx.row(queries.SECTION_PAGE, course=course_id, **window(page, page_size)))
    return Page(found.results, found.total)


async def get_section(tx: Transaction, course_id: Any, section_id: Any) -> Row[Any]:
    await find_course(tx, course_id)
    found = await tx.row(queries.GET_SECTION, course=course_id, section=section_id)
    if found is None:
        raise not_found("section")
    return found


async def create_section(tx: Transaction, course_id: str, body: Body) -> Row[Any]:
    await find_course(tx, course_id, lock=True)
    columns = {name: body[name] for name in queries.SECTION_COLUMNS if name in body}
    section_id = await _insert(tx, "sections", course_id, body.get("order"), {"course_id": course_id, **columns})
    return await get_section(tx, course_id, section_id)


async def update_section(tx: Transaction, course_id: str, section_id: str, body: Body, if_match: str | None) -> Row[Any]:
    course = await find_course(tx, course_id, lock=True)
    place = await _section_of(tx, course_id, section_id)
    check_version(if_match, place.version)
    if "order" in body:
        await _move(tx, "sections", course_id, section_id, place.position, int(body["order"]))
    await _update(tx, "sections", section_id, {name: body[name] for name in queries.SECTION_COLUMNS if name in body})
    await _check_still_ready(tx, course)
    return await get_section(tx, course_id, section_id)


async def delete_section(tx: Transaction, course_id: str, section_id: str, if_match: str | None) -> None:
    course = await find_course(tx, course_id, lock=True)
    place = await _section_of(tx, course_id, section_id)
    check_version(if_match, place.version)
    await _delete(tx, "sections", course_id, section_id, place.position)
    await _check_still_ready(tx, course)


async def reorder_sections(tx: Transaction, course_id: str, ids: list[str]) -> list[Body]:
    await find_course(tx, course_id, lock=True)
    await _arrange(tx, "sections", course_id, ids)
    return cast("list[Body]", await tx.value(queries.ALL_SECTIONS, course=course_id))


async def _section_of(tx: Transaction, course_id: str, section_id: str) -> Row[Any]:
    place = await tx.row(queries.SECTION_PLACE, section=section_id)
    if place is None or str(place.course_id) != course_id.lower():
        raise not_found("section")
    return place


# Lessons


async def list_lessons(tx: Transaction, section_id: str, page: int, page_size: int) -> Page:
    await find_section(tx, section_id)
    found = cast("Row[Any]", await tx.row(queries.LESSON_PAGE, section=section_id, **window(page, page_size)))
    return Page(found.results, found.total)


async def get_lesson(tx: Transaction, lesson_id: Any) -> Row[Any]:
    await find_lesson(tx, lesson_id)
    return cast("Row[Any]", await tx.row(queries.GET_LESSON, lesson=lesson_id))


async def create_lesson(tx: Transaction, section_id: str, body: Body) -> Row[Any]:
    section = await find_section(tx, section_id, lock=True)
    text = None if body.get("body") is None else safe_html(body["body"])
    columns = {name: body[name] for name in queries.LESSON_COLUMNS if name in body}
    if text and body.get("type", "article") == "article":
        columns.setdefault("duration_seconds", reading_seconds(text))
    values = {"section_id": section_id, "course_id": section.course_id, **columns}
    lesson_id = await _insert(tx, "lessons", section_id, body.get("order"), values)
    if text is not None:
        await tx.execute(queries.PUT_TEXT, lesson=lesson_id, body=text)
    return await get_lesson(tx, lesson_id)


async def update_lesson(tx: Transaction, lesson_id: str, body: Body, if_match: str | None) -> Row[Any]:
    place = await find_lesson(tx, lesson_id, lock=True)
    check_version(if_match, place.version)
    if "order" in body:
        await _move(tx, "lessons", place.section_id, lesson_id, place.position, int(body["order"]))
    if "body" in body:
        await _put_text(tx, lesson_id, body["body"])
    await _update(tx, "lessons", lesson_id, {name: body[name] for name in queries.LESSON_COLUMNS if name in body})
    return await get_lesson(tx, lesson_id)


async def delete_lesson(tx: Transaction, lesson_id: str, if_match: str | None) -> None:
    place = await find_lesson(tx, lesson_id, lock=True)
    check_version(if_match, place.version)
    await _delete(tx, "lessons", place.section_id, lesson_id, place.position)
    await _check_still_ready(tx, await find_course(tx, place.course_id))


async def reorder_lessons(tx: Transaction, section_id: str, ids: list[str]) -> list[Body]:
    await find_section(tx, section_id, lock=True)
    await _arrange(tx, "lessons", section_id, ids)
    return cast("list[Body]", await tx.value(queries.ALL_LESSONS, section=section_id))


async def _put_text(tx: Transaction, lesson_id: str, html: str | None) -> None:
    if html is None:
        await tx.execute(queries.DELETE_TEXT, lesson=lesson_id)
    else:
        await tx.execute(queries.PUT_TEXT, lesson=lesson_id, body=safe_html(html))
    await tx.execute(queries.TOUCH_LESSON, lesson=lesson_id)  # the text is part of the lesson: its version changes with it


# Rows in an order: places are 1, 2, 3 … without gaps


async def _insert(tx: Transaction, table: str, parent: Any, order: float | None, values: dict[str, Any]) -> Any:
    count = await tx.value(queries.count_in(table), parent=parent)
    if count >= MOST_IN_ONE:
        raise Problem("CONFLICT", f"There are {MOST_IN_ONE} already, which is the most.")
    position = min(int(order), count + 1) if order else count + 1
    await tx.execute(queries.shift(table), parent=parent, first=position, last=count, step=1)
    values = {**values, "position": position}
    return await tx.value(statements.insert(table, list(values)), **values)


async def _move(tx: Transaction, table: str, parent: Any, row_id: str, place: int, order: int) -> None:
    target = min(order, await tx.value(queries.count_in(table), parent=parent))
    if target > place:
        await tx.execute(queries.shift(table), parent=parent, first=place + 1, last=target, step=-1)
    elif target < place:
        await tx.execute(queries.shift(table), parent=parent, first=target, last=place - 1, step=1)
    await _update(tx, table, row_id, {"position": target})


async def _delete(tx: Transaction, table: str, parent: Any, row_id: str, place: int) -> None:
    await tx.execute(queries.delete(table), id=row_id)
    await tx.execute(queries.shift(table), parent=parent, first=place + 1, last=2**31 - 1, step=-1)


async def _arrange(tx: Transaction, table: str, parent: Any, ids: list[str]) -> None:
    present = {str(row.id) for row in await tx.rows(queries.ids_in(table), parent=parent)}
    if len(ids) != len(present) or {item.lower() for item in ids} != present:
        raise Problem("CONFLICT", f"Name each of the {len(present)} {table} once: they may have changed meanwhile.")
    await tx.execute(queries.arrange(table), ids=ids)


async def _update(tx: Transaction, table: str, row_id: str, columns: dict[str, Any]) -> None:
    if columns:
        await tx.execute(statements.update(table, columns, "id = :id"), id=row_id, **columns)
