"""Operations of the tag `ai`."""

from datetime import date, timedelta
from functools import partial
from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.ai import agents, chat, practice, queries
from unpuzzle_server.ai.tutor import tutor_of
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.operations import Context, Outside
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.plans import allowance

Body = dict[str, Any]
USUAL_DAYS, MOST_DAYS = 30, 366


async def send_message(tx: Transaction, body: Body) -> Result:
    raise Outside(partial(chat.stream if body.get("stream") else chat.send, body=body))


async def list_sessions(tx: Transaction, page: int, page_size: int, course_id: str | None, lesson_id: str | None) -> Page:
    filters = {"course_id": course_id, "lesson_id": lesson_id}
    asked = {name: value for name, value in filters.items() if value is not None}
    statement = queries.sessions(tuple(asked))
    found = cast("Row[Any]", await tx.row(statement, user=tx.user.user_id, **asked, **window(page, page_size)))
    return Page(found.results, found.total)


async def get_session(tx: Transaction, session_id: str) -> Body:
    found = await tx.value(queries.GET_SESSION, session=session_id, user=tx.user.user_id)
    return cast("Body", _there(found, "conversation"))


async def delete_session(tx: Transaction, session_id: str) -> None:
    _there(await tx.value(queries.DELETE_SESSION, session=session_id, user=tx.user.user_id), "conversation")


async def rate_message(tx: Transaction, message_id: str, body: Body) -> Body:
    rated = {"answer": message_id, "user": tx.user.user_id, "verdict": body["rating"], "comment": body.get("comment")}
    return cast("Body", _there(await tx.value(queries.RATE, **rated), "answer"))


async def generate_hint(tx: Transaction, body: Body) -> Body:
    raise Outside(partial(agents.hint, body=body))


async def generate_quiz(tx: Transaction, body: Body) -> Result:
    raise Outside(partial(agents.quiz, body=body))


async def prompt_reflection(tx: Transaction, body: Body) -> Body:
    raise Outside(partial(agents.reflection, body=body))


async def suggest_path(tx: Transaction, body: Body) -> Body:
    raise Outside(partial(agents.path, body=body))


async def get_quiz(tx: Transaction, quiz_id: str) -> Body:
    return await practice.get(tx, quiz_id)


async def grade_quiz(tx: Transaction, quiz_id: str, body: Body) -> Body:
    return await practice.grade(tx, quiz_id, body["answers"])


async def search_transcripts(
    tx: Transaction, q: str, course_id: str | None, lesson_id: str | None, page: int, page_size: int
) -> Page:
    where = {"q": q, "course": course_id, "lesson": lesson_id}
    found = cast("Row[Any]", await tx.row(queries.SEARCH, **where, **window(page, page_size)))
    return Page(found.results, found.total)


async def get_limits(ctx: Context) -> Body:
    async with ctx.transaction() as tx:
        mine = await allowance.find(tx)
    return {
        "subscription_plan": mine.plan,
        "limits": {"daily_limit": mine.daily_limit, "monthly_limit": mine.monthly_limit},
        "usage": {
            "daily_used": mine.daily_used,
            "monthly_used": mine.monthly_used,
            "daily_remaining": _remaining(mine.daily_limit, mine.daily_used),
            "monthly_remaining": _remaining(mine.monthly_limit, mine.monthly_used),
        },
        "reset_times": {"daily_reset": rfc3339(mine.daily_reset), "monthly_reset": rfc3339(mine.monthly_reset)},
        "features": {
            "gpt4_access": not tutor_of(ctx).engine.is_embedded,
            "code_execution": False,
            "image_generation": False,
            "priority_queue": False,
        },
    }


def _remaining(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)


async def get_usage(tx: Transaction, start_date: str | None, end_date: str | None) -> Body:
    last = date.fromisoformat(end_date) if end_date else tx.clock.now().date()
    first = date.fromisoformat(start_date) if start_date else _days_before(last, USUAL_DAYS - 1)
    if first > last:
        raise _wrong_range("The range ends before it starts.", "end_date", "is before the start")
    if (last - first).days >= MOST_DAYS:
        raise _wrong_range(f"A range may have {MOST_DAYS} days.", "start_date", "is too early")
    return cast("Body", await tx.value(queries.SPENT, user=tx.user.user_id, start_date=first, end_date=last))


def _days_before(day: date, days: int) -> date:
    return max(date.min + timedelta(days=days), day) - timedelta(days=days)


def _wrong_range(message: str, field: str, problem: str) -> Problem:
    return Problem("RANGE_INVALID", message, details=[{"field": field, "message": problem}])


def _there(found: Any, what: str) -> Any:
    if found is None:
        raise not_found(what)
    return found
