"""What is made for a learner: hints, practice quizzes, prompts to reflect on, and a path."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Row

from unpuzzle_server.ai import chat, gathering, practice, queries
from unpuzzle_server.ai.engine import (
    Hint,
    HintWish,
    Material,
    Path,
    PathWish,
    Prompts,
    PromptWish,
    Quiz,
    QuizWish,
    Step,
)
from unpuzzle_server.ai.tutor import given_back, request_of, tutor_of, unless_gone
from unpuzzle_server.ai.words import clock_time
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.plans import allowance
from unpuzzle_server.plans.allowance import Spent

Body = dict[str, Any]
Last = Callable[[Transaction], Awaitable[Body | Result]]
LEVELS = ("basic", "intermediate", "detailed")
POINTS = {"beginner": 5, "intermediate": 10, "advanced": 15}
KINDS = ("multiple_choice", "true_false")
STEPS = 12
EMPTY = "This lesson has no transcript and no text to ask about."


async def hint(ctx: Context, body: Body) -> Last:
    tutor, request = tutor_of(ctx), request_of(ctx)
    concept, previous = body["concept"], body.get("previous_hints", [])
    async with ctx.transaction() as tx:
        material = _filled(await gathering.lesson(tx, body["lesson_id"], seconds=body.get("timestamp_seconds"), asked=concept))
        await allowance.reserve(tx, request, "hint", tutor.lease)
    level = LEVELS[min(len(previous), len(LEVELS) - 1)]
    wish = HintWish(concept, body.get("difficulty_level", "comfortable"), level, previous, material)
    async with given_back(ctx, request):
        await tutor.check(concept)
        made = await unless_gone(ctx, tutor.engine.hint(wish))
    return partial(_hinted, request=request, level=level, hint=made, spent=tutor.spent(made.tokens))


async def _hinted(tx: Transaction, request: UUID, level: str, hint: Hint, spent: Spent) -> Body:
    await allowance.settle(tx, request, spent)
    return {
        "hint_id": str(uuid4()),
        "hint": hint.text,
        "level": level,
        "next_hint_available": not hint.is_last,
        "related_examples": [{"code": each.code, "explanation": each.explanation} for each in hint.examples],
        "references": chat.shown(hint.references),
        "model": spent.model,
        "usage": spent.shown(),
    }


async def quiz(ctx: Context, body: Body) -> Last:
    tutor, request = tutor_of(ctx), request_of(ctx)
    topics, difficulty = body.get("topics", []), body.get("difficulty", "intermediate")
    async with ctx.transaction() as tx:
        material = _filled(await gathering.with_vocabulary(tx, body["lesson_id"]))
        await allowance.reserve(tx, request, "quiz", tutor.lease)
    types = list(dict.fromkeys(body.get("question_types", KINDS)))
    wish = QuizWish(topics, body.get("question_count", 5), difficulty, types, material)
    async with given_back(ctx, request):
        await tutor.check(" ".join(topics))
        made = await unless_gone(ctx, tutor.engine.quiz(wish))
        if not made.questions:
            raise Problem("LESSON_EMPTY", "This lesson says too little to ask about.")
    return partial(_quizzed, request=request, wish=wish, quiz=made, spent=tutor.spent(made.tokens))


async def _quizzed(tx: Transaction, request: UUID, wish: QuizWish, quiz: Quiz, spent: Spent) -> Result:
    rated = {"difficulty": wish.difficulty, "points": POINTS[wish.difficulty]}
    questions = [{"id": str(uuid4()), **vars(question), **rated} for question in quiz.questions]
    quiz_id, document = uuid4(), orjson.dumps(questions).decode()
    kept = {"practice": quiz_id, "user": tx.user.user_id, "lesson": wish.material.lesson_id, "questions": document, **vars(spent)}
    await tx.execute(queries.KEEP_QUIZ, **kept)
    await allowance.settle(tx, request, spent)
    return Result(await practice.get(tx, quiz_id), location=f"/api/v1/ai-assistant/quizzes/{quiz_id}/")


async def reflection(ctx: Context, body: Body) -> Last:
    tutor, request = tutor_of(ctx), request_of(ctx)
    async with ctx.transaction() as tx:
        found = await gathering.lesson(tx, body["lesson_id"], seconds=body.get("timestamp_seconds"))
        material = _spoken(_filled(found))
        await allowance.reserve(tx, request, "reflection", tutor.lease)
    async with given_back(ctx, request):
        made = await unless_gone(ctx, tutor.engine.prompts(PromptWish(body.get("count", 3), material)))
    return partial(_prompted, request=request, material=material, made=made, spent=tutor.spent(made.tokens))


async def _prompted(tx: Transaction, request: UUID, material: Material, made: Prompts, spent: Spent) -> Body:
    await allowance.settle(tx, request, spent)
    return {
        "lesson_id": str(material.lesson_id),
        "prompts": [{"prompt": each.text, "type": each.type, "timestamp": each.seconds} for each in made.prompts],
        "model": spent.model,
        "usage": spent.shown(),
    }


async def path(ctx: Context, body: Body) -> Last:
    tutor, request = tutor_of(ctx), request_of(ctx)
    goal, course = (body.get("goal") or "").strip(), body.get("course_id")
    async with ctx.transaction() as tx:
        if course and await tx.row(queries.COURSE, course=course) is None:
            raise Problem("COURSE_NOT_FOUND", "There is no such course.")
        about = {"user": tx.user.user_id, "course": course, "most": STEPS}
        towards = await tx.rows(queries.TOWARDS, course=course, goal=goal, most=STEPS // 2) if goal else []
        steps = [_step(row, goal) for row in [*towards, *await tx.rows(queries.STEPS, **about)]]
        await allowance.reserve(tx, request, "path", tutor.lease)
    async with given_back(ctx, request):
        await tutor.check(goal)
        made = await unless_gone(ctx, tutor.engine.path(PathWish(goal, _each_once(steps))))
    return partial(_led, request=request, made=made, spent=tutor.spent(made.tokens))


async def _led(tx: Transaction, request: UUID, made: Path, spent: Spent) -> Body:
    await allowance.settle(tx, request, spent)
    steps = [step.shown(order) for order, step in enumerate(made.steps, 1)]
    return {"summary": made.summary, "steps": steps, "model": spent.model, "usage": spent.shown()}


def _step(row: Row[Any], goal: str) -> Step:
    moment = None if row.moment is None else float(row.moment)
    at = "" if moment is None else f" at {clock_time(moment)}"
    reasons = {
        "towards_goal": f"It speaks of your goal{at}: {goal}",
        "practise": f"Your last practice quiz on it reached {row.about} %.",
        "revisit": f"You wrote down a {row.about}{at}.",
        "continue": f"You stopped here{at}." if at else "It is still open.",
    }
    return Step(row.kind, row.course_id, row.course_title, row.lesson_id, row.lesson_title, moment, reasons[row.kind])


def _each_once(steps: Sequence[Step]) -> list[Step]:
    """A lesson stands in a path once, for its most urgent reason."""
    first: dict[str, Step] = {}
    for step in steps:
        first.setdefault(step.lesson_id, step)
    return list(first.values())[:STEPS]


def _filled(material: Material) -> Material:
    if not material.here:
        raise Problem("LESSON_EMPTY", EMPTY)
    return material


def _spoken(material: Material) -> Material:
    """What is said, where anything is: the text of such a lesson says the same again."""
    said = [passage for passage in material.here if passage.type == "transcript"]
    return Material(**{**vars(material), "here": said or material.here})
