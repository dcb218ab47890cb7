"""The rules of transcripts: one for a lesson, replaced as a whole, and read by whoever may read the lesson."""

import asyncio
from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.content import captions, queries
from unpuzzle_server.content.captions import Segment
from unpuzzle_server.content.service import find_lesson
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.media.transcription import Transcriber

ENGLISH = "en"

Body = dict[str, Any]


async def get(tx: Transaction, lesson_id: str) -> Row[Any]:
    found = await tx.row(queries.GET_TRANSCRIPT, lesson=lesson_id)
    if found is None:
        raise not_found("transcript")
    return found


async def put(tx: Transaction, lesson_id: str, body: Body, if_match: str | None) -> Row[Any]:
    await find_lesson(tx, lesson_id)
    segments = await asyncio.to_thread(captions.read, body)  # half a second for the largest
    await find_lesson(tx, lesson_id, lock=True)
    version = await tx.value(queries.TRANSCRIPT_VERSION, lesson=lesson_id)
    if version is not None:
        check_version(if_match, version)
    elif if_match is not None:
        raise Problem("PRECONDITION_FAILED", "This lesson has no transcript yet.")
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


async def request(tx: Transaction, lesson_id: str) -> Body:
    """Asks for a transcript by whoever can hear; once, while it is being made."""
    await find_lesson(tx, lesson_id, lock=True)
    if Transcriber.of(tx.settings) is None:
        raise Problem("NOT_CONFIGURED", "This server has nobody who transcribes: upload a transcript.")
    file = cast("Row[Any]", await tx.row(queries.LESSON_MEDIA, lesson=lesson_id))
    if file.kind not in ("video", "audio") or file.processing_status != "ready":
        raise Problem("CONFLICT", "This lesson shows nothing that can be heard, or not yet.")
    requested_at = await tx.value(queries.REQUEST_TRANSCRIPTION, lesson=lesson_id, media=file.media_id)
    if requested_at is not None:
        await tx.enqueue("content.transcribe", lesson_id=lesson_id, user_id=str(file.instructor_id))
    else:
        requested_at = await tx.value(queries.REQUESTED_TRANSCRIPTION, lesson=lesson_id)
    said = {"message": "The lesson will be transcribed", "lesson_id": lesson_id, "media_id": str(file.media_id)}
    return {**said, "requested_at": requested_at}
