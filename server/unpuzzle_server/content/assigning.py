"""The rules of lessons that show a file: one lesson for each, in one section, of whoever teaches the course."""

from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from unpuzzle_server.content import queries
from unpuzzle_server.content.service import MOST_IN_ONE, delete_lesson, find_section
from unpuzzle_server.kernel.database import Transaction, violates
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.media import present

Body = dict[str, Any]


async def assign(tx: Transaction, section_id: str, body: Body) -> Body:
    """Makes lessons of files, of all or of none; those that the section shows already stay as they are."""
    section = await find_section(tx, section_id, lock=True)
    ids = list(dict.fromkeys(item.lower() for item in body["media_ids"]))
    places = _places(body.get("order_mapping", {}), ids)
    await tx.execute(queries.LOCK_MEDIA, ids=ids, user=tx.user.user_id)
    files = await tx.rows(queries.FIND_MEDIA, ids=ids, user=tx.user.user_id, course=section.course_id)
    if len(files) != len(ids):
        raise not_found("file")
    _check(files, section_id)
    new = {str(file.id) for file in files if file.section_id is None}
    if new:
        await _add(tx, section_id, section.course_id, [item for item in ids if item in new], places)
    return {
        "message": "Media assigned successfully",
        "assigned_count": len(ids),
        "section_id": section_id.lower(),
        "lessons": await tx.value(queries.LESSONS_OF_MEDIA, ids=ids),
    }


def _places(mapping: dict[str, float], ids: list[str]) -> dict[str, int]:
    strange = [key for key in mapping if key.lower() not in ids]
    if strange:
        details = [{"field": f"order_mapping.{key[:100]}", "message": "is not among the media_ids"} for key in strange]
        raise Problem("ORDER_INVALID", "There is a place for a file that is not assigned.", details=details)
    return {key.lower(): int(place) for key, place in mapping.items()}


def _check(files: Iterable[Row[Any]], section_id: str) -> None:
    for file in files:
        if file.section_id is not None and str(file.section_id) != section_id.lower():
            raise Problem("CONFLICT", f"'{file.title}' is shown in another section: unassign it first.")
        if not file.is_teachers:
            raise Problem("CONFLICT", "A course shows the files of whoever teaches it.")
        if file.kind == "image":
            raise Problem("CONFLICT", f"'{file.title}' is a picture, which is no lesson.")
        if file.processing_status == "failed":
            raise Problem("CONFLICT", f"'{file.title}' can't be used: {file.processing_error}")


async def _add(tx: Transaction, section_id: str, course_id: Any, new: list[str], places: dict[str, int]) -> None:
    order = [row.id for row in await tx.rows(queries.LESSONS_IN_ORDER, section=section_id)]
    if len(order) + len(new) > MOST_IN_ONE:
        raise Problem("CONFLICT", f"A section has {MOST_IN_ONE} lessons at most.")
    try:
        made = await tx.rows(queries.ADD_LESSONS, section=section_id, course=course_id, ids=new, count=len(order))
    except IntegrityError as error:
        if not violates(error, "lessons_media_id_key"):
            raise
        raise Problem("CONFLICT", "Somebody else has just assigned one of these.") from None
    lessons = {str(row.media_id): row.id for row in made}
    order += [lessons[item] for item in new if item not in places]
    for item in sorted((item for item in new if item in places), key=places.__getitem__):
        order.insert(places[item] - 1, lessons[item])
    if places:
        await tx.execute(queries.arrange("lessons"), ids=order)


async def list_of_section(tx: Transaction, section_id: str, page: int, page_size: int) -> Page:
    await find_section(tx, section_id)
    found = cast("Row[Any]", await tx.row(queries.SECTION_MEDIA, section=section_id, **window(page, page_size)))
    return Page([present.media(tx, each) for each in found.results], found.total)


async def unassign(tx: Transaction, media_id: str) -> Body:
    found = await tx.row(queries.FIND_ASSIGNMENT, media=media_id, user=tx.user.user_id)
    if found is None:
        raise not_found("file")
    if found.lesson_id is not None:
        await delete_lesson(tx, str(found.lesson_id), None)
    section_id = cast("str | None", found.section_id and str(found.section_id))
    return {"message": "Media unassigned", "media_id": str(found.id), "section_id": section_id}
