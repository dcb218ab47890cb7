"""Tasks of the tag `content`: transcripts by who can hear."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from unpuzzle_server.content import queries, transcripts
from unpuzzle_server.content.captions import Segment
from unpuzzle_server.kernel.exchange import Identity
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import task
from unpuzzle_server.media.processing import Unreadable, cut_sound
from unpuzzle_server.media.storage import StorageError
from unpuzzle_server.media.transcription import UNDETERMINED, Transcriber, Unheard


@task("content.transcribe", seconds=4 * 3600, first_pause=30)
async def transcribe(ctx: TaskContext, lesson_id: str, user_id: str) -> None:
    """Has a lesson heard, for whoever teaches it. Done twice it is heard twice, and the later transcript stays."""
    async with ctx.transaction() as tx:
        file = await tx.row(queries.FIND_TRANSCRIPTION, lesson=lesson_id)
    if file is None:
        return  # the lesson or its file is gone, or it is done
    reason = None
    try:
        segments, language = await _heard(ctx, file)
        async with ctx.transaction(Identity(UUID(user_id), None, frozenset({"instructor"}))) as tx:
            await transcripts.write(tx, lesson_id, language, "generated", segments)
    except (Unreadable, Unheard) as refused:
        reason = str(refused)
    except StorageError:
        reason = "Its file is no longer in storage."
    async with ctx.transaction() as tx:
        await tx.execute(queries.END_TRANSCRIPTION, lesson=lesson_id, reason=reason)


async def _heard(ctx: TaskContext, file: Row[Any]) -> tuple[list[Segment], str]:
    transcriber: Transcriber | None = ctx.kernel.gateways["transcriber"]
    if transcriber is None:
        raise Unheard("This server has nobody any more who transcribes.")
    segments, languages = [], []
    with TemporaryDirectory(prefix="unpuzzle-sound-") as folder:
        async with ctx.kernel.gateways["media"].storage.local(file.storage_key) as path:
            pieces = await cut_sound(path, file.content_type, Path(folder))
        for piece in pieces:
            said, language = await transcriber.hear(piece.path)
            segments += [Segment(piece.start_ms + each.start_ms, piece.start_ms + each.end_ms, each.text) for each in said]
            languages.append(language)
    segments = [segment for segment in segments if segment.text and segment.end_ms > segment.start_ms]
    if not segments:
        raise Unheard("Nothing is said in it.")
    return segments, next((language for language in languages if language != UNDETERMINED), UNDETERMINED)
