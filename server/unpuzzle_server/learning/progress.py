"""The rules of progress: what was watched counts once, and the last lesson completes the course."""

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.enrollments.service import find_taken, not_enrolled
from unpuzzle_server.kernel.clock import parse_moment
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.learning import queries

ACTIVE_AT_FIRST = 60
"""Seconds that count of what a first record says, before which no time can be measured."""
ACTIVE_AT_MOST = 600
"""Seconds that count of one record: whoever tells nothing for longer is not reading."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

Body = dict[str, Any]


async def of_course(tx: Transaction, id_or_slug: str) -> Body:
    taken = await find_taken(tx, id_or_slug)
    found = await tx.value(queries.PROGRESS, enrollment=taken.id, course=taken.course_id, user=tx.user.user_id)
    return cast("Body", found)


async def tree(tx: Transaction, id_or_slug: str, *, texts: bool) -> Body:
    taken = await find_taken(tx, id_or_slug)
    return cast("Body", await tx.value(queries.tree(texts=texts), enrollment=taken.id))


async def record(tx: Transaction, lesson_id: str, body: Body) -> Body:
    watched = _ranges(body.get("watched", []))
    lesson = await _lock(tx, lesson_id)
    now = await tx.row(
        queries.RECORD,
        user=tx.user.user_id,
        lesson=lesson_id,
        position=body.get("position_seconds"),
        recorded_at=_moment(tx, body.get("recorded_at")),
        watched=watched,
        length=lesson.duration_seconds or None,
        active=body.get("active_seconds", 0),
        at_first=ACTIVE_AT_FIRST,
        at_most=ACTIVE_AT_MOST,
    )
    if _is_watched(tx, lesson, cast("Row[Any]", now)):
        await _complete(tx, lesson, lesson_id)
    return await _progress(tx, lesson, lesson_id)


async def complete(tx: Transaction, lesson_id: str) -> Body:
    lesson = await _lock(tx, lesson_id)
    await _complete(tx, lesson, lesson_id)
    return await _progress(tx, lesson, lesson_id)


async def reopen(tx: Transaction, lesson_id: str) -> None:
    await _lock(tx, lesson_id)
    await tx.execute(queries.REOPEN, user=tx.user.user_id, lesson=lesson_id)


async def _lock(tx: Transaction, lesson_id: str) -> Row[Any]:
    lesson = await tx.row(queries.LOCK, lesson=lesson_id, user=tx.user.user_id)
    if lesson is not None:
        return lesson
    raise not_enrolled() if await tx.value(queries.LESSON_EXISTS, lesson=lesson_id) else not_found("lesson")


async def _complete(tx: Transaction, lesson: Row[Any], lesson_id: str) -> None:
    await advance(tx, lesson.id, lesson_id)


async def advance(tx: Transaction, enrollment_id: Any, lesson_id: Any | None) -> None:
    """Completes a lesson, where there is one, and with the last of lessons and required quizzes the course."""
    if lesson_id is not None:
        await tx.execute(queries.COMPLETE, user=tx.user.user_id, lesson=lesson_id)
    await tx.execute(queries.COMPLETE_COURSE, enrollment=enrollment_id)


def _is_watched(tx: Transaction, lesson: Row[Any], now: Row[Any]) -> bool:
    """Whether enough of a video was watched, and its learner has not said that it is not done."""
    if lesson.type != "video" or not lesson.duration_seconds or now.completed_at or now.is_reopened:
        return False
    return bool(now.watched_seconds * 100 >= lesson.duration_seconds * tx.settings.video_completion_percent)


async def _progress(tx: Transaction, lesson: Row[Any], lesson_id: str) -> Body:
    return cast("Body", await tx.value(queries.LESSON_PROGRESS, enrollment=lesson.id, lesson=lesson_id))


def _ranges(watched: list[dict[str, float]]) -> str:
    """A multirange of PostgreSQL, to the millisecond."""
    backwards = [number for number, part in enumerate(watched) if part["end"] < part["start"]]
    if backwards:
        details = [{"field": f"watched.{number}.end", "message": "is before the start"} for number in backwards]
        raise Problem("RANGE_INVALID", "A range ends before it starts.", details=details)
    return "{" + ",".join(f"[{part['start']:.3f},{part['end']:.3f})" for part in watched) + "}"


def _moment(tx: Transaction, recorded_at: str | None) -> datetime:
    """When something was so: no clock of a device is ahead of ours."""
    now: datetime = tx.clock.now()
    told = parse_moment(recorded_at) if recorded_at else now
    return max(min(told, now), LONG_AGO)
