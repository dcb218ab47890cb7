"""Operations of the tag `content`."""

from typing import Any

from unpuzzle_server.content import service, transcripts
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.pagination import Page

Body = dict[str, Any]


async def list_sections(tx: Transaction, course_id: str, page: int, page_size: int) -> Page:
    return await service.list_sections(tx, course_id, page, page_size)


async def create_section(tx: Transaction, course_id: str, body: Body) -> Result:
    found = await service.create_section(tx, course_id, body)
    location = f"/api/v1/content/courses/{found.section['course_id']}/sections/{found.section['id']}/"
    return Result(found.section, found.version, location=location)


async def get_section(tx: Transaction, course_id: str, section_id: str) -> Result:
    found = await service.get_section(tx, course_id, section_id)
    return Result(found.section, found.version)


async def update_section(tx: Transaction, course_id: str, section_id: str, body: Body, if_match: str | None) -> Result:
    found = await service.update_section(tx, course_id, section_id, body, if_match)
    return Result(found.section, found.version)


async def delete_section(tx: Transaction, course_id: str, section_id: str, if_match: str | None) -> None:
    await service.delete_section(tx, course_id, section_id, if_match)


async def reorder_sections(tx: Transaction, course_id: str, body: Body) -> Body:
    results = await service.reorder_sections(tx, course_id, body["section_ids"])
    return {"message": "Sections reordered", "count": len(results), "results": results}


async def list_lessons(tx: Transaction, section_id: str, page: int, page_size: int) -> Page:
    return await service.list_lessons(tx, section_id, page, page_size)


async def create_lesson(tx: Transaction, section_id: str, body: Body) -> Result:
    found = await service.create_lesson(tx, section_id, body)
    return Result(found.lesson, found.version, location=f"/api/v1/content/lessons/{found.lesson['id']}/")


async def get_lesson(tx: Transaction, lesson_id: str) -> Result:
    found = await service.get_lesson(tx, lesson_id)
    return Result(found.lesson, found.version)


async def update_lesson(tx: Transaction, lesson_id: str, body: Body, if_match: str | None) -> Result:
    found = await service.update_lesson(tx, lesson_id, body, if_match)
    return Result(found.lesson, found.version)


async def delete_lesson(tx: Transaction, lesson_id: str, if_match: str | None) -> None:
    await service.delete_lesson(tx, lesson_id, if_match)


async def reorder_lessons(tx: Transaction, section_id: str, body: Body) -> Body:
    results = await service.reorder_lessons(tx, section_id, body["lesson_ids"])
    return {"message": "Lessons reordered", "count": len(results), "results": results}


async def get_transcript(tx: Transaction, lesson_id: str) -> Result:
    found = await transcripts.get(tx, lesson_id)
    return Result(found.transcript, found.version)


async def put_transcript(tx: Transaction, lesson_id: str, body: Body, if_match: str | None) -> Result:
    found = await transcripts.put(tx, lesson_id, body, if_match)
    return Result(found.transcript, found.version)


async def delete_transcript(tx: Transaction, lesson_id: str, if_match: str | None) -> None:
    await transcripts.delete(tx, lesson_id, if_match)
