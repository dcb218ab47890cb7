"""The rules of transcripts: one for a lesson, replaced as a whole, and read by whoever may read the lesson."""

import asyncio
from typing import Any

from sqlalchemy import Row

from unpuzzle_server.content import captions, queries
from unpuzzle_server.content.captions import Segment
from unpuzzle_server.content.service import find_lesson
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found

ENGLISH = "en"

Body = dict[str, Any]


async def get(tx: Transaction, lesson_id: str) -> Row[Any]:
    found = await tx.row(queries.GET_TRANSCRIPT, lesson=lesson_id)
    if found is None:
        raise not_found("transcript")
    return found


async def put(tx: Transaction, lesson_id: str, body: Body, if_match: str | None) -> Row[Any]:
    await find_lesson(tx, lesson_id, lock=True)
    version = await tx.value(queries.TRANSCRIPT_VERSION, lesson=lesson_id)
    if version is not None:
        check_version(if_match, version)
    elif if_match is not None:
        raise Problem("PRECONDITION_FAILED", "This lesson has no transcript yet.")
    segments = await asyncio.to_thread(captions.read, body)  # half a second for the largest
    await write(tx, lesson_id, body.get("language", ENGLISH), "upload", segments)
    return await get(tx, lesson_id)


async def write(tx: Transaction, lesson_id: str, language: str, source: str, segments: list[Segment]) -> None:
    """Replaces what was there."""
    await tx.execute(
        queries.PUT_TRANSCRIPT,
        lesson=lesson_id,
        language=language,
        source=source,
        starts=[segment.start_ms for segment in segments],
        ends=[segment.end_ms for segment in segments],
        texts=[segment.text for segment in segments],
    )


async def delete(tx: Transaction, lesson_id: str, if_match: str | None) -> None:
    await find_lesson(tx, lesson_id, lock=True)
    version = await tx.value(queries.TRANSCRIPT_VERSION, lesson=lesson_id)
    if version is None:
        raise not_found("transcript")
    check_version(if_match, version)
    await tx.execute(queries.DELETE_TRANSCRIPT, lesson=lesson_id)
