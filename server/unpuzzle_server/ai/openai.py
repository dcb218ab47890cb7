"""The only file that knows the library `openai`. It is imported late: that takes half a second."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import orjson

from unpuzzle_server.ai import prompts, tokens
from unpuzzle_server.ai.engine import (
    Answer,
    Example,
    Hint,
    HintWish,
    Material,
    Passage,
    Path,
    PathWish,
    Prompt,
    Prompts,
    PromptWish,
    Question,
    Quiz,
    QuizQuestion,
    QuizWish,
    Step,
    Stream,
    Tokens,
    Unavailable,
)
from unpuzzle_server.ai.prompts import Messages, Schema
from unpuzzle_server.ai.ranking import about

log = logging.getLogger(__name__)

T = TypeVar("T")
ATTEMPTS = 2
"""How often an answer is asked for that should be JSON and is none."""
MATERIAL = 3
"""Which part of the window is for what lessons say: a third, beside half for the conversation."""
BUSY_SECONDS = 10
PATIENCE_SECONDS = 3600
FENCE = re.compile(r"^\s*```(?:json)?\s*|\s*```\s*$")
TRAILING_COMMA = re.compile(r",\s*([}\]])")
MODERATION = "omni-moderation-latest"
TRUTH = ["True", "False"]


@dataclass(frozen=True)
class OpenAI:
    """OpenAI, or whatever speaks as it does."""

    api_key: str = field(repr=False)
    base_url: str
    """Empty for its own."""
    model: str
    timeout_seconds: int
    retries: int
    window: int
    """Tokens that a prompt may have."""
    most_tokens: int
    """Tokens that an answer may have."""
    is_embedded: bool = False

    @cached_property
    def _api(self) -> Any:
        import openai

        return openai.AsyncOpenAI(
            api_key=self.api_key, base_url=self.base_url or None, timeout=self.timeout_seconds, max_retries=self.retries
        )

    async def close(self) -> None:
        if "_api" in vars(self):
            await self._api.close()

    async def answer(self, question: Question) -> Answer:
        passages, messages = await asyncio.to_thread(self._asked, question)
        with _told():
            async with asyncio.timeout(self._deadline):
                completion = await self._create(messages)
            text = _text_of(completion.choices[0].message, completion.choices[0].finish_reason)
            return self._answered(question, passages, messages, text, completion.usage)

    async def stream(self, question: Question) -> Stream:
        passages, messages = await asyncio.to_thread(self._asked, question)
        text, usage, finish = "", None, None
        ends_at = asyncio.get_running_loop().time() + self._deadline
        with _told():
            chunks = await self._create(messages, stream=True, stream_options={"include_usage": True})
            async with aclosing(_closed_with(chunks)) as coming:
                async for chunk in coming:
                    if asyncio.get_running_loop().time() > ends_at:
                        raise Unavailable("it takes too long")
                    usage = chunk.usage or usage
                    for choice in chunk.choices[:1]:
                        finish = choice.finish_reason or finish
                        if getattr(choice.delta, "refusal", None):
                            raise Unavailable("it refuses")
                        if piece := choice.delta.content:
                            text += piece
                            yield piece
            if finish is None:
                raise Unavailable("it broke off")
            _check(text, finish)
            yield self._answered(question, passages, messages, text, usage)

    async def given(self, question: Question) -> int:
        _, messages = await asyncio.to_thread(self._asked, question)
        return _given(messages)

    async def hint(self, wish: HintWish) -> Hint:
        passages = await self._chosen(wish.material, wish.concept)

        def read(made: Any) -> tuple[str, list[Example]]:
            examples = [Example(each["code"], each["explanation"]) for each in made["related_examples"]]
            return _filled(made["hint"]), [] if wish.level == "basic" else examples

        (text, examples), spent = await self._made("hint", prompts.HINT, prompts.hint(wish, passages), read)
        is_last = wish.level == "detailed"
        found = about(wish.concept, wish.material.here, wish.material.elsewhere, wish.material.seconds)[:3]
        return Hint(text, is_last, examples, found if is_last else [], spent)

    async def quiz(self, wish: QuizWish) -> Quiz:
        passages = await self._chosen(wish.material, " ".join(wish.topics))

        def read(made: Any) -> list[QuizQuestion]:
            good = [_question(each) for each in made["questions"] if _is_question(each, wish.types)]
            if not good:
                raise ValueError("none of the questions can be asked")
            return good[: wish.count]

        questions, spent = await self._made("quiz", prompts.QUIZ, prompts.quiz(wish, passages), read)
        return Quiz(questions, spent)

    async def prompts(self, wish: PromptWish) -> Prompts:
        passages = await self._chosen(wish.material, "")

        def read(made: Any) -> list[Prompt]:
            found = [Prompt(_filled(each["prompt"]), each["type"], wish.material.seconds) for each in made["prompts"]]
            if not found or any(each.type not in ("puzzle", "note", "question") for each in found):
                raise ValueError("these are no prompts")
            return found[: wish.count]

        made, spent = await self._made("prompts", prompts.PROMPTS, prompts.prompts(wish, passages), read)
        return Prompts(made, spent)

    async def path(self, wish: PathWish) -> Path:
        if not wish.steps:
            return Path("There is nothing open in what you take: choose a course, or another goal.", [], Tokens(0, 0))

        def read(made: Any) -> tuple[str, list[Step]]:
            reasons = {int(each["candidate"]): _filled(each["reason"]) for each in made["steps"]}
            places = [place for place in reasons if 0 <= place < len(wish.steps)]
            if not places:
                raise ValueError("these are no steps")
            return _filled(made["summary"]), [Step(**{**vars(wish.steps[place]), "reason": reasons[place]}) for place in places]

        (summary, steps), spent = await self._made("path", prompts.PATH, prompts.path(wish), read)
        return Path(summary, steps, spent)

    async def allows(self, text: str) -> bool:
        with _told():
            found = await self._api.moderations.create(model=MODERATION, input=text)
            return not found.results[0].flagged

    @property
    def _deadline(self) -> float:
        """All attempts together take no longer."""
        return float(self.timeout_seconds * (self.retries + 1))

    async def _chosen(self, material: Material, asked: str) -> Sequence[Passage]:
        """In a thread: of a long lesson it takes a while."""
        return await asyncio.to_thread(prompts.chosen, material, asked, self.window // MATERIAL)

    def _asked(self, question: Question) -> tuple[Sequence[Passage], Messages]:
        before = " ".join(turn.content for turn in question.history[-2:] if turn.role == "user")
        passages = prompts.chosen(question.material, f"{question.message} {before}", self.window // MATERIAL)
        return passages, prompts.question(question, passages)

    async def _create(self, messages: Messages, **how: Any) -> Any:
        return await self._api.chat.completions.create(
            model=self.model, messages=messages, max_completion_tokens=self.most_tokens, **how
        )

    def _answered(self, question: Question, passages: Sequence[Passage], messages: Messages, text: str, usage: Any) -> Answer:
        return Answer(text, prompts.cited(text, passages), _spent(messages, text, usage))

    async def _made(self, name: str, schema: Schema, messages: Messages, read: Callable[[Any], T]) -> tuple[T, Tokens]:
        """What a model makes by a schema, mended where it can be, asked for again where not. All attempts are paid."""
        how = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
        prompt = completion = 0
        with _told():
            async with asyncio.timeout(self._deadline):
                for _ in range(ATTEMPTS):
                    found = await self._create(messages, response_format=how)
                    text = _text_of(found.choices[0].message, found.choices[0].finish_reason)
                    spent = _spent(messages, text, found.usage)
                    prompt, completion = prompt + spent.prompt, completion + spent.completion
                    try:
                        return read(_mended(text)), Tokens(prompt, completion)
                    except (ValueError, KeyError, TypeError):
                        log.warning("the model answered something else than a %s", name)
        raise Unavailable(f"it answers no {name}")


async def _closed_with(chunks: Any) -> Any:
    """Leaving the stream ends the call."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        await chunks.close()


def _spent(messages: Messages, text: str, usage: Any) -> Tokens:
    """As the vendor reports it, or counted here where it does not."""
    if usage is not None and usage.total_tokens:
        return Tokens(usage.prompt_tokens, usage.completion_tokens)
    return Tokens(_given(messages), tokens.count(text))


def _given(messages: Messages) -> int:
    return sum(tokens.count(message["content"]) + tokens.AROUND_A_MESSAGE for message in messages)


def _text_of(message: Any, finish: str | None) -> str:
    if getattr(message, "refusal", None):
        raise Unavailable("it refuses")
    text: str = message.content or ""
    _check(text, finish)
    return text


def _check(text: str, finish: str | None) -> None:
    if finish == "content_filter":
        raise Unavailable("it refuses")
    if not text.strip():
        raise Unavailable("it says nothing")


def _mended(text: str) -> Any:
    """JSON, without what models like to put around it; raises ValueError for what is none."""
    bare = FENCE.sub("", text)
    inner = bare[bare.find("{") : bare.rfind("}") + 1]
    try:
        return orjson.loads(inner)
    except orjson.JSONDecodeError:
        return orjson.loads(TRAILING_COMMA.sub(r"\1", inner))


def _filled(text: Any) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ValueError("this says nothing")
    return text


def _is_question(made: Any, types: Sequence[str]) -> bool:
    """Whether it can be asked, and has an answer."""
    if not isinstance(made, dict) or made.get("type") not in types:
        return False
    texts = (made.get("question"), made.get("explanation"))
    options = TRUTH if made["type"] == "true_false" else made.get("options")
    if not all(isinstance(text, str) and text.strip() for text in texts) or not isinstance(options, list):
        return False
    good = 2 <= len(options) <= 10 and all(isinstance(each, str) and each.strip() for each in options)
    answer = made.get("correct_answer")
    return good and len(set(options)) == len(options) and type(answer) is int and 0 <= answer < len(options)


def _question(made: Any) -> QuizQuestion:
    options = TRUTH if made["type"] == "true_false" else made["options"]
    return QuizQuestion(made["type"], made["question"], options, made["correct_answer"], made["explanation"])


@contextmanager
def _told() -> Iterator[None]:
    """Whatever goes wrong at the vendor, in words of ours: theirs may quote a key, or a learner."""
    import httpx2
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        after = _seconds(error.response.headers.get("retry-after"))
        raise Unavailable(f"{type(error).__name__} {error.status_code}", after) from None
    except (openai.OpenAIError, httpx2.HTTPError, TimeoutError) as error:
        raise Unavailable(type(error).__name__) from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"it answers something else than completions ({type(error).__name__})") from None


def _seconds(told: str | None) -> int:
    """When to come back, if the vendor says so in a way that can be believed."""
    if told is None or not told.isascii() or not told.isdigit():
        return BUSY_SECONDS
    return min(max(int(told), 1), PATIENCE_SECONDS)
