"""A course's content, copied."""

from typing import Any

from unpuzzle_server.content import queries, quizzes
from unpuzzle_server.kernel.database import Transaction


async def copy_content(tx: Transaction, source: Any, target: Any) -> None:
    """Copies the sections, lessons and quizzes of one course into another, which is empty."""
    sections = await tx.rows(queries.COPY_SECTIONS, source=source, target=target)
    old, new = [pair.old for pair in sections], [pair.new for pair in sections]
    lessons = await tx.rows(queries.COPY_LESSONS, source=source, target=target, old=old, new=new)
    pairs = {"old": [pair.old for pair in lessons], "new": [pair.new for pair in lessons]}
    await tx.execute(queries.COPY_TEXTS, **pairs)
    await tx.execute(queries.COPY_TRANSCRIPTS, **pairs)
    await quizzes.copy(tx, target, lessons)
