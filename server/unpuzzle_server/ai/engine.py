"""What the tutor is asked and what it answers, whoever does it: the two engines have one shape."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

NEAR_MS = 30_000
"""What is said so near a moment belongs to it."""


@dataclass(frozen=True)
class Passage:
    """Something that a lesson says: a segment of its transcript, or a sentence of its text."""

    lesson_id: UUID
    lesson_title: str
    position: int
    text: str
    start_ms: int | None = None
    """None in a text."""
    end_ms: int | None = None

    @property
    def type(self) -> str:
        return "text" if self.start_ms is None else "transcript"

    @property
    def seconds(self) -> float | None:
        return None if self.start_ms is None else self.start_ms / 1000


@dataclass(frozen=True)
class Example:
    code: str
    explanation: str


@dataclass(frozen=True)
class Material:
    """What is asked about, and what may be known of it."""

    course_id: UUID | None = None
    course_title: str | None = None
    lesson_id: UUID | None = None
    lesson_title: str | None = None
    seconds: float | None = None
    """The moment in the lesson."""
    here: Sequence[Passage] = ()
    """All that the lesson says, in order."""
    elsewhere: Sequence[Passage] = ()
    """What other lessons say about it."""
    code: Sequence[Example] = ()
    """The examples of code in the lesson's text."""


@dataclass(frozen=True)
class Turn:
    role: str
    content: str


@dataclass(frozen=True)
class Question:
    message: str
    material: Material
    history: Sequence[Turn] = ()


@dataclass(frozen=True)
class Tokens:
    prompt: int
    completion: int


@dataclass(frozen=True)
class Answer:
    text: str
    references: Sequence[Passage]
    tokens: Tokens


@dataclass(frozen=True)
class HintWish:
    concept: str
    difficulty: str
    level: str
    previous: Sequence[str]
    material: Material


@dataclass(frozen=True)
class Hint:
    text: str
    is_last: bool
    examples: Sequence[Example]
    references: Sequence[Passage]
    tokens: Tokens


@dataclass(frozen=True)
class QuizWish:
    topics: Sequence[str]
    count: int
    difficulty: str
    types: Sequence[str]
    material: Material


@dataclass(frozen=True)
class QuizQuestion:
    type: str
    question: str
    options: Sequence[str]
    correct_answer: int
    explanation: str


@dataclass(frozen=True)
class Quiz:
    """Its questions may be fewer than were wished for, or none."""

    questions: Sequence[QuizQuestion]
    tokens: Tokens


@dataclass(frozen=True)
class PromptWish:
    count: int
    material: Material


@dataclass(frozen=True)
class Prompt:
    text: str
    type: str
    seconds: float | None


@dataclass(frozen=True)
class Prompts:
    prompts: Sequence[Prompt]
    tokens: Tokens


@dataclass(frozen=True)
class Step:
    """Something that a learner could do next."""

    type: str
    course_id: str
    course_title: str
    lesson_id: str
    lesson_title: str
    timestamp: float | None
    reason: str

    def shown(self, order: int) -> dict[str, Any]:
        return {"order": order, **vars(self)}


@dataclass(frozen=True)
class PathWish:
    goal: str
    steps: Sequence[Step]
    """What may be in the path, the most urgent first."""


@dataclass(frozen=True)
class Path:
    summary: str
    steps: Sequence[Step]
    tokens: Tokens


Stream = AsyncGenerator["str | Answer", None]
"""Pieces of the text as they come, and at its end the answer."""


class Unavailable(Exception):
    """The engine can't answer now."""

    def __init__(self, reason: str, retry_after: int = 10) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Engine(Protocol):
    """Each call raises Unavailable where there is no answer."""

    @property
    def model(self) -> str: ...

    @property
    def is_embedded(self) -> bool: ...

    async def answer(self, question: Question) -> Answer: ...

    def stream(self, question: Question) -> Stream: ...

    async def given(self, question: Question) -> int:
        """How many tokens a question takes, with what is sent along with it."""
        ...

    async def hint(self, wish: HintWish) -> Hint: ...

    async def quiz(self, wish: QuizWish) -> Quiz: ...

    async def prompts(self, wish: PromptWish) -> Prompts: ...

    async def path(self, wish: PathWish) -> Path: ...

    async def allows(self, text: str) -> bool:
        """Whether a text may be asked."""
        ...

    async def close(self) -> None: ...


def near(here: Sequence[Passage], seconds: float | None, most: int | None = None) -> list[Passage]:
    """What is said around a moment, in order; the nearest where nobody speaks just then."""
    timed = [passage for passage in here if passage.start_ms is not None]
    if seconds is None or not timed:
        return []
    moment = seconds * 1000
    nearest = sorted(timed, key=lambda passage: _distance(passage, moment))
    close = [passage for passage in nearest if _distance(passage, moment) <= NEAR_MS]
    return sorted((close or nearest[:1])[:most], key=lambda passage: passage.position)


def _distance(passage: Passage, moment: float) -> float:
    start, end = passage.start_ms or 0, passage.end_ms or 0
    return max(start - moment, moment - end, 0)
