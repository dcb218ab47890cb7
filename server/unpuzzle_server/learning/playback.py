"""The rules of playing a lesson: its file, at an address that is for one person and a while."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from unpuzzle_server.enrollments.service import not_enrolled
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.learning import queries
from unpuzzle_server.media.gateway import Addresses

NOBODY = UUID(int=0)
"""Whom an address is for where nobody is signed in, as previews allow."""

Body = dict[str, Any]


async def find(tx: Transaction, lesson_id: str) -> Body:
    found = await tx.row(queries.FIND_PLAYBACK, lesson=lesson_id)
    if found is None:
        raise not_enrolled() if await tx.value(queries.LESSON_EXISTS, lesson=lesson_id) else not_found("lesson")
    if found.media_id is None:
        raise Problem("NOT_FOUND", "This lesson shows no file.")
    if found.processing_status != "ready":
        raise Problem("CONFLICT", "The file of this lesson can't be played yet, or at all.")
    expires_at = (tx.clock.now() + timedelta(minutes=tx.settings.playback_url_minutes)).replace(microsecond=0)
    user_id = tx.identity.user_id if tx.identity else NOBODY
    return {
        "lesson_id": str(found.lesson_id),
        "media_id": str(found.media_id),
        "kind": found.kind,
        "content_type": found.content_type,
        "duration_seconds": found.duration_seconds if found.duration_seconds is None else float(found.duration_seconds),
        "playback_url": Addresses.of(tx.settings).signed_url(found.media_id, user_id, found.filename, expires_at),
        "expires_at": rfc3339(expires_at),
        "has_transcript": found.has_transcript,
    }
