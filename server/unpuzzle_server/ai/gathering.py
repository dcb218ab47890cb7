"""What may be known for an answer, read as whoever asks: what they may not see is not there for the tutor either."""

import re
from html import unescape
from typing import Any

import nh3
from sqlalchemy import Row

from unpuzzle_server.ai import queries
from unpuzzle_server.ai.engine import Example, Material, Passage
from unpuzzle_server.ai.words import sentences_of
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found

SEGMENTS_ELSEWHERE, TEXTS_ELSEWHERE, VOCABULARY = 40, 4, 300
BEHIND_SEGMENTS = 1_000_000
"""Where the sentences of a text are counted from, so that none stands beside a segment."""
CODE = re.compile(r"(?is)<pre[^>]*>\s*(?:<code[^>]*>)?(.*?)(?:</code>)?\s*</pre>")
BLOCK = re.compile(r"(?i)</?(?:p|h[1-6]|li|ul|ol|blockquote|tr|td|th|table|br|hr|figure|figcaption)\b[^>]*>")


async def lesson(
    tx: Transaction, lesson_id: str, *, seconds: float | None = None, asked: str = "", transcript: bool = True
) -> Material:
    """A lesson, with what other lessons of its course say about what is asked."""
    found = await tx.row(queries.LESSON, lesson=lesson_id)
    if found is None:
        raise not_found("lesson")
    said = await tx.rows(queries.SEGMENTS, lesson=lesson_id) if transcript else []
    written = _sentences(found.body or "")
    return Material(
        course_id=found.course_id,
        course_title=found.course_title,
        lesson_id=found.id,
        lesson_title=found.title,
        seconds=seconds,
        here=[
            *(Passage(found.id, found.title, row.position, row.text, row.start_ms, row.end_ms) for row in said),
            *(Passage(found.id, found.title, BEHIND_SEGMENTS + place, each) for place, each in enumerate(written)),
        ],
        elsewhere=await _elsewhere(tx, asked, found.course_id, found.id, transcript=transcript),
        code=_examples(found.body or ""),
    )


async def course(tx: Transaction, course_id: str, *, asked: str, transcript: bool = True) -> Material:
    found = await tx.row(queries.COURSE, course=course_id)
    if found is None:
        raise not_found("course")
    return Material(**found._mapping, elsewhere=await _elsewhere(tx, asked, course_id, None, transcript=transcript))


async def everything(tx: Transaction, *, asked: str, transcript: bool = True) -> Material:
    """What any lesson says about it that whoever asks may see."""
    return Material(elsewhere=await _elsewhere(tx, asked, None, None, transcript=transcript))


async def with_vocabulary(tx: Transaction, lesson_id: str) -> Material:
    """A lesson beside what else its course says, whatever it is about."""
    material = await lesson(tx, lesson_id)
    rows = await tx.rows(queries.VOCABULARY, course=material.course_id, lesson=lesson_id, most=VOCABULARY)
    return Material(**{**vars(material), "elsewhere": [_segment(row) for row in rows]})


async def _elsewhere(tx: Transaction, asked: str, course_id: Any, lesson_id: Any, *, transcript: bool) -> list[Passage]:
    if not asked:
        return []
    values = {"asked": asked, "course": course_id, "lesson": lesson_id}
    said = await tx.rows(queries.ELSEWHERE, **values, most=SEGMENTS_ELSEWHERE) if transcript else []
    written = await tx.rows(queries.TEXTS_ELSEWHERE, **values, most=TEXTS_ELSEWHERE)
    return [
        *map(_segment, said),
        *(
            Passage(row.lesson_id, row.lesson_title, BEHIND_SEGMENTS + place, sentence)
            for row in written
            for place, sentence in enumerate(_sentences(row.body))
        ),
    ]


def _segment(row: Row[Any]) -> Passage:
    return Passage(row.lesson_id, row.lesson_title, row.position, row.text, row.start_ms, row.end_ms)


def _sentences(html: str) -> list[str]:
    """The sentences of a text, without its code."""
    return [sentence for line in _plain(CODE.sub("\n", html)).splitlines() for sentence in sentences_of(line)]


def _examples(html: str) -> list[Example]:
    """The code of a text, each with the sentence before it."""
    found, end = [], 0
    for match in CODE.finditer(html):
        before = sentences_of(_plain(html[end : match.start()]))
        code = unescape(nh3.clean(match[1], tags=set())).strip()
        if code:
            found.append(Example(code, before[-1] if before else code.splitlines()[0]))
        end = match.end()
    return found


def _plain(html: str) -> str:
    return unescape(nh3.clean(BLOCK.sub("\n", html), tags=set()))
