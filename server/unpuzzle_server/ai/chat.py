"""Conversations: a question with what may be known for it, the answer, and both kept."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid4

import orjson
from sqlalchemy import Row

from unpuzzle_server.ai import gathering, queries, tokens
from unpuzzle_server.ai.engine import Answer, Material, Passage, Question, Tokens, Turn
from unpuzzle_server.ai.tutor import Tutor, given_back, request_of, tutor_of, unless_gone
from unpuzzle_server.ai.words import clock_time, shortened
from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.streams import Event, Events, Stream
from unpuzzle_server.plans import allowance
from unpuzzle_server.plans.allowance import Spent

Body = dict[str, Any]
MOST_MESSAGES = 500
LATEST = 60
"""How many messages of a conversation are looked at for the next answer, before they are cut to the model's window."""
TITLE_LENGTH = 80


@dataclass(frozen=True)
class Asked:
    """A message on its way to an answer."""

    request: UUID
    message_id: UUID
    session_id: UUID
    question: Question

    @property
    def address(self) -> str:
        return f"/api/v1/ai-assistant/chat/history/{self.session_id}/"


async def send(ctx: Context, body: Body) -> Callable[[Transaction], Awaitable[Result]]:
    tutor, asked = tutor_of(ctx), await begin(ctx, body)
    async with given_back(ctx, asked.request):
        await tutor.check(asked.question.message)
        answer = await unless_gone(ctx, tutor.engine.answer(asked.question))
    return partial(keep, asked=asked, answer=answer, spent=tutor.spent(answer.tokens))


async def begin(ctx: Context, body: Body) -> Asked:
    """Reads what may be known, and reserves the request."""
    tutor, request = tutor_of(ctx), request_of(ctx)
    async with ctx.transaction() as tx:
        session = await _session(tx, body.get("session_id"))
        history = await _history(tx, session, tutor)
        material = await _material(tx, body, session, history)
        await allowance.reserve(tx, request, "chat", tutor.lease)
    return Asked(request, uuid4(), session.id if session else uuid4(), Question(body["message"], material, history))


async def _session(tx: Transaction, session_id: str | None) -> Row[Any] | None:
    if session_id is None:
        return None
    found = await tx.row(queries.SESSION, session=session_id, user=tx.user.user_id)
    if found is None:
        raise not_found("conversation")
    if found.messages >= MOST_MESSAGES:
        raise Problem("CONFLICT", f"This conversation has {MOST_MESSAGES} messages, which is the most: begin another one.")
    return found


async def _history(tx: Transaction, session: Row[Any] | None, tutor: Tutor) -> Sequence[Turn]:
    if session is None:
        return []
    rows = await tx.rows(queries.HISTORY, session=session.id, user=tx.user.user_id, most=LATEST)
    return tokens.recent([Turn(row.role, row.content) for row in rows], tutor.context_tokens // 2)


async def _material(tx: Transaction, body: Body, session: Row[Any] | None, history: Sequence[Turn]) -> Material:
    """What the message is about: what its context names, or else what the conversation was about."""
    context = body.get("context") or {}
    lesson, course = context.get("lesson_id"), context.get("course_id")
    seconds = context.get("timestamp_seconds")
    if not lesson and not course and session is not None:
        lesson, course = session.lesson_id, session.course_id
    before = next((turn.content for turn in reversed(history) if turn.role == "user"), "")
    how: Any = {"asked": f"{body['message']} {before}", "transcript": body.get("include_transcript", True)}
    if lesson:
        return await gathering.lesson(tx, lesson, seconds=seconds, **how)
    return await gathering.course(tx, course, **how) if course else await gathering.everything(tx, **how)


async def stream(ctx: Context, body: Body) -> Stream:
    """The same as events. What is refused before the first piece comes is refused like anything else."""
    asked = await begin(ctx, body)
    return Stream(_events(ctx, asked), {"Location": asked.address})


async def _events(ctx: Context, asked: Asked) -> Events:
    tutor, said = tutor_of(ctx), ""
    async with given_back(ctx, asked.request):
        try:
            await tutor.check(asked.question.message)
            async with aclosing(tutor.engine.stream(asked.question)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                        break
                    if not said:
                        yield Event("message.start", _start(asked, tutor))
                    said += piece
                    yield Event("message.delta", {"text": piece})
            async with ctx.transaction() as tx:
                kept = await keep(tx, asked, answer, tutor.spent(answer.tokens))
        except (GeneratorExit, asyncio.CancelledError):
            if said and not ctx.exchange.cut_short:
                await asyncio.shield(_count(ctx, asked, said))
            raise
    done = cast("Body", kept.body)
    yield Event("message.references", {name: done[name] for name in ("references", "suggested_actions")})
    yield Event("message.done", done)


def _start(asked: Asked, tutor: Tutor) -> Body:
    return {"message_id": str(asked.message_id), "session_id": str(asked.session_id), "model": tutor.engine.model}


async def _count(ctx: Context, asked: Asked, said: str) -> None:
    """Whoever leaves has read what came until then; what is counted is not given back."""
    tutor = tutor_of(ctx)
    given = await tutor.engine.given(asked.question)
    async with ctx.transaction() as tx:
        await allowance.settle(tx, asked.request, tutor.spent(Tokens(given, tokens.count(said))), kept_as=uuid4())


async def keep(tx: Transaction, asked: Asked, answer: Answer, spent: Spent) -> Result:
    """The question and its answer, and what they took."""
    material = asked.question.material
    references, actions = [_reference(each) for each in answer.references], suggested(answer.references)
    session = {"session": asked.session_id, "user": tx.user.user_id}
    about = {"course": material.course_id, "lesson": material.lesson_id}
    await tx.execute(queries.KEEP_SESSION, **session, **about, title=shortened(asked.question.message, TITLE_LENGTH))
    await tx.execute(queries.KEEP_QUESTION, **session, content=asked.question.message)
    created_at = await tx.value(
        queries.KEEP_ANSWER,
        **session,
        **vars(spent),
        answer=asked.message_id,
        content=answer.text,
        references=orjson.dumps(references).decode(),
        actions=orjson.dumps(actions).decode(),
    )
    await allowance.settle(tx, asked.request, spent)
    body = {
        "message_id": str(asked.message_id),
        "response": answer.text,
        "session_id": str(asked.session_id),
        "usage": spent.shown(),
        "references": references,
        "suggested_actions": actions,
        "model": spent.model,
        "created_at": created_at,
    }
    return Result(body, location=asked.address)


def shown(passages: Sequence[Passage]) -> list[Body]:
    return [_reference(passage) for passage in passages]


def _reference(passage: Passage) -> Body:
    return {
        "type": passage.type,
        "lesson_id": str(passage.lesson_id),
        "lesson_title": passage.lesson_title,
        "timestamp": passage.seconds,
        "content": passage.text,
    }


def suggested(passages: Sequence[Passage]) -> list[Body]:
    """Where to go on: to the moments, or the lessons, that the answer rests on, each once."""
    found = {(passage.lesson_id, passage.seconds): _action(passage) for passage in passages}
    return list(found.values())


def _action(passage: Passage) -> Body:
    is_video = passage.seconds is not None
    when = f" from {clock_time(passage.seconds)}" if passage.seconds is not None else ""
    return {
        "type": "watch_video" if is_video else "read_lesson",
        "lesson_id": str(passage.lesson_id),
        "timestamp": passage.seconds,
        "label": f"{'Watch' if is_video else 'Read'} “{passage.lesson_title}”{when}",
    }
