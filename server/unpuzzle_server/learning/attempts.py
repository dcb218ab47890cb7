"""The rules of attempts: one at a time, each with the quiz as it was, graded once."""

from typing import Any, cast

import orjson
from sqlalchemy import Row

from unpuzzle_server.enrollments.service import not_enrolled
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.kernel.texts import folded
from unpuzzle_server.learning import attempt_queries as queries
from unpuzzle_server.learning import progress

Body = dict[str, Any]

FIELDS = {
    "multiple_choice": "option_ids",
    "multi_select": "option_ids",
    "true_false": "is_true",
    "short_text": "text",
    "numeric": "number",
}
"""What answers a question of each type."""
NOTHING: Body = {"option_ids": [], "is_true": None, "text": None, "number": None}


async def list_own(tx: Transaction, quiz_id: str, page: int, page_size: int) -> Page:
    if not await tx.value(queries.TAKEN, quiz=quiz_id):
        raise await _not_taken(tx, quiz_id)
    found = await tx.row(queries.PAGE, quiz=quiz_id, user=tx.user.user_id, **window(page, page_size))
    return Page(cast("Row[Any]", found).results, cast("Row[Any]", found).total)


async def get(tx: Transaction, quiz_id: Any, attempt_id: Any) -> Row[Any]:
    found = await tx.row(queries.GET, quiz=quiz_id, attempt=attempt_id, user=tx.user.user_id)
    if found is None:
        raise not_found("attempt")
    return found


async def start(tx: Transaction, quiz_id: str) -> tuple[Row[Any], bool]:
    """The attempt that is open, and whether it was begun just now."""
    quiz = await _lock(tx, quiz_id)
    is_new = await tx.value(queries.START, quiz=quiz_id)
    if is_new is None and quiz.max_attempts is None:  # deleted since we looked
        raise not_found("quiz")
    if is_new is None:
        raise Problem("ATTEMPT_LIMIT_REACHED", f"This quiz can be tried {_times(quiz.max_attempts)}, which you have done.")
    return cast("Row[Any]", await tx.row(queries.NEWEST, quiz=quiz_id, user=tx.user.user_id)), is_new


async def submit(tx: Transaction, quiz_id: str, attempt_id: str, answers: list[Body]) -> Body:
    """Grades the answers the first time; later it answers the same, whatever is sent."""
    quiz = await _lock(tx, quiz_id)
    mine = await tx.row(queries.MINE, quiz=quiz_id, attempt=attempt_id, user=tx.user.user_id)
    if mine is None:
        raise not_found("attempt")
    given = _checked(answers, mine.questions) if mine.is_open else {}
    if await tx.value(queries.SUBMIT, attempt=attempt_id, given=orjson.dumps(given).decode()) == "late":
        raise Problem("ATTEMPT_CLOSED", "The time for this attempt is over.")
    graded = cast("Body", (await get(tx, quiz_id, attempt_id)).attempt)
    if graded["is_passed"] and mine.submitted_at is None:
        await _pass(tx, quiz)
    return graded


async def _pass(tx: Transaction, quiz: Row[Any]) -> None:
    """Where a lesson is nothing but its quizzes, passing them completes it."""
    is_done = quiz.type == "quiz" and await tx.value(queries.LESSON_IS_PASSED, enrollment=quiz.id, lesson=quiz.lesson_id)
    await progress.advance(tx, quiz.id, quiz.lesson_id if is_done else None)


async def _lock(tx: Transaction, quiz_id: str) -> Row[Any]:
    quiz = await tx.row(queries.LOCK, quiz=quiz_id, user=tx.user.user_id)
    if quiz is None:
        raise await _not_taken(tx, quiz_id)
    return quiz


async def _not_taken(tx: Transaction, quiz_id: str) -> Problem:
    """Only who teaches a course knows of its quizzes without taking it."""
    return not_enrolled() if await tx.value(queries.EXISTS, quiz=quiz_id) else not_found("quiz")


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _checked(answers: list[Body], questions: list[Body]) -> dict[str, Body]:
    """The answers by question, each whole, or every problem that they have."""
    asked = {question["id"]: question for question in questions}
    details: list[dict[str, str]] = []
    given: dict[str, Body] = {}
    for place, answer in enumerate(answers):
        question_id = answer["question_id"].lower()
        problem = ("question_id", "is answered twice") if question_id in given else _problem(answer, asked.get(question_id))
        if problem:
            details.append({"field": f"answers.{place}.{problem[0]}", "message": problem[1]})
        given[question_id] = _whole(answer)
    if details:
        raise Problem("ANSWER_INVALID", "These answers do not fit the questions.", details=details)
    return given


def _problem(answer: Body, question: Body | None) -> tuple[str, str] | None:
    if question is None:
        return "question_id", "is no question of this attempt"
    kind = question["type"]
    foreign = [name for name in NOTHING if name != FIELDS[kind] and answer.get(name) not in (None, [])]
    if foreign:
        return foreign[0], f"is no answer to a question of type {kind}"
    chosen = [option.lower() for option in answer.get("option_ids", [])]
    if not set(chosen) <= {option["id"] for option in question["options"]}:
        return "option_ids", "names no option of this question"
    if len(set(chosen)) != len(chosen) or (kind == "multiple_choice" and len(chosen) > 1):
        return "option_ids", "takes one option" if kind == "multiple_choice" else "names an option twice"
    return None


def _whole(answer: Body) -> Body:
    """An answer with every field, and its words as they are compared."""
    given: Body = {name: answer.get(name, nothing) for name, nothing in NOTHING.items()}
    chosen = [option.lower() for option in given["option_ids"]]
    return {**given, "option_ids": chosen, "folded": folded(given["text"] or "")}
