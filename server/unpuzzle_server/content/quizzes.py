"""The rules of quizzes: a question has what its type needs and nothing else, and keeps its id while it is there."""

from typing import Any, cast
from uuid import uuid4

import orjson
from sqlalchemy import Row

from unpuzzle_server.content import quiz_queries as queries
from unpuzzle_server.content.service import find_course, find_lesson
from unpuzzle_server.kernel import statements
from unpuzzle_server.kernel.answers import check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.texts import folded

MOST_IN_LESSON = 20

FIELDS = {
    "multiple_choice": {"options"},
    "multi_select": {"options", "partial_credit"},
    "true_false": {"is_true"},
    "short_text": {"accepted_answers"},
    "numeric": {"number", "tolerance"},
}
"""What a question of each type has besides what all have."""
OF_TYPES = set[str]().union(*FIELDS.values())

Body = dict[str, Any]
Details = list[dict[str, str]]


async def get(tx: Transaction, quiz_id: Any) -> Row[Any]:
    await _find(tx, quiz_id)
    return cast("Row[Any]", await tx.row(queries.GET, quiz=quiz_id))


async def create(tx: Transaction, lesson_id: str, body: Body) -> Row[Any]:
    lesson = await find_lesson(tx, lesson_id, lock=True)
    if await tx.value(queries.IN_LESSON, lesson=lesson_id) >= MOST_IN_LESSON:
        raise Problem("CONFLICT", f"There are {MOST_IN_LESSON} quizzes in this lesson already, which is the most.")
    taken_over = checked(await _of_the_tutor(tx, body.get("source_ai_quiz_id")), [], "source_ai_quiz_id")
    questions = [*taken_over, *checked(body.get("questions", []), [])]
    if not questions:
        details = [{"field": "questions", "message": "needs one or more, or source_ai_quiz_id"}]
        raise Problem("QUESTION_INVALID", "A quiz has questions.", details=details)
    columns = {name: body[name] for name in queries.COLUMNS if name in body}
    values = {"lesson_id": lesson_id, "course_id": lesson.course_id, **columns}
    quiz_id = await tx.value(statements.insert("quizzes", list(values)), **values)
    await tx.execute(queries.ADD_QUESTIONS, quiz=quiz_id, questions=orjson.dumps(questions).decode())
    return await get(tx, quiz_id)


async def update(tx: Transaction, quiz_id: str, body: Body, if_match: str | None) -> Row[Any]:
    check_version(if_match, (await _find(tx, quiz_id, lock=True)).version)
    columns = {name: body[name] for name in queries.COLUMNS if name in body}
    if columns:
        await tx.execute(statements.update("quizzes", columns, "id = :quiz"), quiz=quiz_id, **columns)
    if "questions" in body:
        questions = checked(body["questions"], await tx.value(queries.QUESTIONS, quiz=quiz_id))
        await tx.execute(queries.PUT_QUESTIONS, quiz=quiz_id, questions=orjson.dumps(questions).decode())
    return await get(tx, quiz_id)


async def delete(tx: Transaction, quiz_id: str, if_match: str | None) -> None:
    check_version(if_match, (await _find(tx, quiz_id, lock=True)).version)
    await tx.execute(queries.DELETE, quiz=quiz_id)


async def copy(tx: Transaction, target: Any, lessons: list[Row[Any]]) -> None:
    """Copies the quizzes of lessons to their copies."""
    old, new = [pair.old for pair in lessons], [pair.new for pair in lessons]
    pairs = await tx.rows(queries.COPY, target=target, old=old, new=new)
    await tx.execute(queries.COPY_QUESTIONS, old=[pair.old for pair in pairs], new=[pair.new for pair in pairs])


async def _of_the_tutor(tx: Transaction, quiz_id: str | None) -> list[Body]:
    """The questions of a practice quiz that the tutor has made for whoever asks, as they would have been written."""
    if quiz_id is None:
        return []
    found = await tx.value(queries.PRACTICE, quiz=quiz_id, user=tx.user.user_id)
    if found is None:
        raise not_found("practice quiz")
    return [_taken_over(question) for question in found]


def _taken_over(question: Body) -> Body:
    right = question["correct_answer"]
    told = {name: question[name] for name in ("type", "question", "explanation", "points")}
    if question["type"] == "true_false":
        return {**told, "is_true": right == 0}
    options = [{"text": text, "is_correct": place == right} for place, text in enumerate(question["options"])]
    return {**told, "options": options}


async def _find(tx: Transaction, quiz_id: Any, *, lock: bool = False) -> Row[Any]:
    """A quiz of one's own course; what is in somebody else's course is not there."""
    place = await tx.row(queries.PLACE, quiz=quiz_id)
    if place is not None and lock:
        await find_course(tx, place.course_id, lock=True)
        place = await tx.row(queries.PLACE, quiz=quiz_id)  # as it is now that nobody else can change it
    if place is None:
        raise not_found("quiz")
    return place


# Questions


def checked(questions: list[Body], there: list[Body], field: str = "questions") -> list[Body]:
    """Questions as they are kept, or every problem that those of a field have; those that are there keep their ids."""
    known = {question["id"]: {option["id"] for option in question["options"]} for question in there}
    details = _id_problems(questions, set(known), field)
    for place, question in enumerate(questions):
        where = f"{field}.{place}"
        details += _problems(question, where)
        details += _id_problems(question.get("options", []), known.get(_id(question), set()), f"{where}.options")
    if details:
        raise Problem("QUESTION_INVALID", "The questions do not fit their types, or their ids this quiz.", details=details)
    return [_kept(question) for question in questions]


def _id(item: Body) -> str:
    return str(item.get("id", "")).lower()


def _id_problems(items: list[Body], known: set[str], where: str) -> Details:
    named = [_id(item) for item in items]
    return [
        {"field": f"{where}.{place}.id", "message": "is not there" if item not in known else "is named twice"}
        for place, item in enumerate(named)
        if item and (item not in known or item in named[:place])
    ]


def _problems(question: Body, where: str) -> Details:
    kind = question["type"]
    given = {name for name in OF_TYPES if not _is_empty(question.get(name))}
    foreign = [(name, f"is nothing that {kind} has") for name in sorted(given - FIELDS[kind])]
    return [{"field": f"{where}.{name}", "message": message} for name, message in [*foreign, *_missing(question)]]


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value == []


def _missing(question: Body) -> list[tuple[str, str]]:
    """What a question lacks, and where."""
    options = question.get("options", [])
    right = sum(option.get("is_correct", False) for option in options)
    needs = {
        "multiple_choice": [("options", "needs two or more", len(options) > 1), ("options", "needs one right one", right == 1)],
        "multi_select": [("options", "needs two or more", len(options) > 1), ("options", "needs a right one", right > 0)],
        "true_false": [("is_true", "is needed", question.get("is_true") is not None)],
        "short_text": [("accepted_answers", "needs one or more", bool(question.get("accepted_answers")))],
        "numeric": [("number", "is needed", question.get("number") is not None)],
    }
    return [(name, message) for name, message, is_met in needs[question["type"]] if not is_met]


def _kept(question: Body) -> Body:
    kind, accepted = question["type"], question.get("accepted_answers", [])
    options = [
        {"id": _id(option) or str(uuid4()), "text": option["text"], "is_correct": option.get("is_correct", False)}
        for option in question.get("options", [])
    ]
    return {
        "id": _id(question) or str(uuid4()),
        "type": kind,
        "question": question["question"],
        "points": int(question.get("points", 1)),
        "partial_credit": kind == "multi_select" and question.get("partial_credit", True),
        "explanation": question.get("explanation"),
        "options": options,
        "is_true": question.get("is_true"),
        "accepted_answers": accepted,
        "folded": [folded(answer) for answer in accepted],
        "number": question.get("number"),
        "tolerance": question.get("tolerance"),
    }
