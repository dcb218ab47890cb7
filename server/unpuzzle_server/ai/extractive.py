"""The embedded tutor: it finds what lessons say and quotes it. It understands nothing, makes nothing up, and says so."""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from math import log

from unpuzzle_server.ai import questions, tokens
from unpuzzle_server.ai.engine import (
    Answer,
    Example,
    Hint,
    HintWish,
    Passage,
    Path,
    PathWish,
    Prompt,
    Prompts,
    PromptWish,
    Question,
    Quiz,
    QuizWish,
    Stream,
    Tokens,
    near,
)
from unpuzzle_server.ai.ranking import about
from unpuzzle_server.ai.words import clock_time, content_words, shortened, stem, stems_of, words_of

MODEL = "unpuzzle-extractive-1"
QUOTES = 3
PIECES = re.compile(r"\S+\s*")
BLANK = "_____"
STEPS = 7


class Extractive:
    """Equal questions have equal answers."""

    model = MODEL
    is_embedded = True

    async def answer(self, question: Question) -> Answer:
        return await asyncio.to_thread(_answer, question)

    async def stream(self, question: Question) -> Stream:
        answer = await self.answer(question)
        for piece in PIECES.findall(answer.text):
            yield piece
        yield answer

    async def given(self, question: Question) -> int:
        return (await self.answer(question)).tokens.prompt

    async def hint(self, wish: HintWish) -> Hint:
        return await asyncio.to_thread(_hint, wish)

    async def quiz(self, wish: QuizWish) -> Quiz:
        made = await asyncio.to_thread(questions.make, wish)
        asked = "".join(wish.topics)
        written = "".join(question.question + "".join(question.options) + question.explanation for question in made)
        return Quiz(made, _tokens(asked, [], written))

    async def prompts(self, wish: PromptWish) -> Prompts:
        return await asyncio.to_thread(_prompts, wish)

    async def path(self, wish: PathWish) -> Path:
        steps = wish.steps[:STEPS]
        summary = _summary(steps)
        return Path(summary, steps, _tokens(wish.goal, [], summary))

    async def allows(self, text: str) -> bool:
        return True

    async def close(self) -> None:
        """Nothing is open."""


def _tokens(asked: str, passages: Sequence[Passage], written: str) -> Tokens:
    """It was given the question and what it quotes from."""
    given = tokens.count(asked) + sum(tokens.count(passage.text) for passage in passages)
    return Tokens(given, tokens.count(written))


def _answer(question: Question) -> Answer:
    material = question.material
    asked = _asked(question)
    found = about(asked, material.here, material.elsewhere, material.seconds)[:QUOTES]
    around = near(material.here, material.seconds, QUOTES)
    if found:
        text = " ".join(_quoted(passage, question) for passage in found)
    elif asked and around:
        found = around
        text = f"{_nothing(asked, question)} Around that moment it is about this. {_said(found, question)}"
    elif asked:
        text = _nothing(asked, question)
    else:
        found = around or central(material.here, QUOTES)
        text = _said(found, question) if found else _empty(question)
    return Answer(text, found, _tokens(question.message, found, text))


def _asked(question: Question) -> str:
    """What is asked about; of a message without words of its own ("and why?"), what was asked before."""
    said = [question.message, *(turn.content for turn in reversed(question.history) if turn.role == "user")]
    if question.material.seconds is not None:
        said = said[:1]  # it is about the moment
    return next((message for message in said if content_words(message)), "")


def _said(passages: Sequence[Passage], question: Question) -> str:
    return " ".join(_quoted(passage, question) for passage in sorted(passages, key=lambda passage: passage.position))


def _quoted(passage: Passage, question: Question) -> str:
    where = "the lesson" if passage.lesson_id == question.material.lesson_id else f"the lesson “{passage.lesson_title}”"
    if passage.seconds is None:
        return f"{where[0].upper()}{where[1:]} says: “{passage.text}”"
    return f"At {clock_time(passage.seconds)} {where} says: “{passage.text}”"


def _nothing(asked: str, question: Question) -> str:
    words = ", ".join(dict.fromkeys(content_words(asked)))
    if question.material.lesson_id is not None:
        return f"I find nothing about this in the lesson, nor elsewhere in the course: {shortened(words, 200)}."
    return f"I find nothing about this in your lessons: {shortened(words, 200)}."


def _empty(question: Question) -> str:
    if question.material.lesson_id is not None:
        return "This lesson has no transcript and no text that I could quote."
    return "Ask me about something that your lessons say, and I look for it."


def central(passages: Sequence[Passage], count: int) -> list[Passage]:
    """The passages that say most of what the lesson is about, in their order."""
    said = [stems_of(passage.text) for passage in passages]
    frequency = Counter(word for words in said for word in set(words))

    def weight(place: int) -> float:
        words = set(said[place])
        return sum(log(1 + frequency[word]) for word in words if frequency[word] > 1) / (len(words) + 4)

    places = sorted(range(len(passages)), key=lambda place: (-weight(place), place))[:count]
    return [passages[place] for place in sorted(places)]


def _hint(wish: HintWish) -> Hint:
    material = wish.material
    found = about(wish.concept, material.here, material.elsewhere, material.seconds)
    if not found:
        text = f"The lesson does not speak of “{wish.concept}” in these words. Try the words that it uses itself."
        return Hint(text, is_last=True, examples=(), references=(), tokens=_tokens(wish.concept, [], text))
    best = found[0]
    text = {"basic": _vague, "intermediate": _nearer, "detailed": _near}[wish.level](wish, best)
    examples = [] if wish.level == "basic" else _examples(wish, best)
    is_last = wish.level == "detailed"
    shown = found[:QUOTES] if is_last else []  # to show where it is said would be to tell
    return Hint(text, is_last, examples, shown, _tokens(wish.concept, [best], text))


def _where(passage: Passage) -> str:
    lesson = f"“{passage.lesson_title}”"
    return lesson if passage.seconds is None else f"{lesson} at {clock_time(passage.seconds)}"


def _vague(wish: HintWish, best: Passage) -> str:
    """Where to look, and for someone who is stuck what it has to do with."""
    own = set(stems_of(wish.concept))
    around = [word for word in dict.fromkeys(content_words(best.text)) if stem(word) not in own and len(word) > 3][:3]
    if wish.difficulty == "struggling" and around:
        return f"Think of “{wish.concept}” together with {_listed(around)}, and look again at {_where(best)}."
    if wish.difficulty == "advanced":
        return f"What does {_where(best)} say about “{wish.concept}”, and what follows from it?"
    return f"Look again at {_where(best)}: that is about “{wish.concept}”."


def _nearer(wish: HintWish, best: Passage) -> str:
    own = set(stems_of(wish.concept))
    masked = re.sub(r"[^\W_]+", lambda word: BLANK if stem(word[0]) in own else word[0], best.text)
    return f"Fill the gap, as {_where(best)} does: “{masked}”"


def _near(wish: HintWish, best: Passage) -> str:
    return f"{_where(best)} says it: “{best.text}”"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _examples(wish: HintWish, best: Passage) -> list[Example]:
    """Code of the lesson that has to do with the concept."""
    wanted = set(stems_of(wish.concept)) | set(stems_of(best.text))
    fitting = [(len(wanted & set(map(stem, words_of(f"{each.code} {each.explanation}")))), each) for each in wish.material.code]
    ordered = sorted(fitting, key=lambda pair: -pair[0])
    return [each for hits, each in ordered if hits][:2]


PROMPTS = (
    ("note", "The lesson says: “{}” How would you say that in your own words?"),
    ("puzzle", "What surprised you here, and what had you expected: “{}”"),
    ("question", "When would this not be so: “{}”"),
    ("note", "Which example of your own shows this: “{}”"),
    ("question", "What would you ask your instructor about this: “{}”"),
)


def _prompts(wish: PromptWish) -> Prompts:
    material = wish.material
    passages = near(material.here, material.seconds, wish.count) or central(material.here, wish.count)
    shown = passages and [passages[place % len(passages)] for place in range(wish.count)]
    made = [
        Prompt(template.format(shortened(passage.text, 300)), kind, passage.seconds)
        for (kind, template), passage in zip(PROMPTS, shown, strict=False)
    ]
    return Prompts(made, _tokens("", passages, "".join(prompt.text for prompt in made)))


def _summary(steps: Sequence[object]) -> str:
    if not steps:
        return "There is nothing open in what you take: choose a course, or another goal."
    return f"{len(steps)} step{'s' if len(steps) > 1 else ''}, the most urgent first."
