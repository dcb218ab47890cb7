"""Words of texts: what they mean the same by, and which of them say what a text is about."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

WORD = re.compile(r"[^\W_]+(?:_[^\W_]+)+|[^\W_]+(?:['’][^\W_]+)?")
# Words of grammar, and what people say to a tutor whatever they ask about.
COMMON = frozenset(Path(__file__).with_name("common_words.txt").read_text().split())


@lru_cache
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """As PostgreSQL's English dictionary has it: both are Snowball's."""
    stemmed: str = _stemmer().stemWord(word.lower().replace("’", "'").removesuffix("'s"))
    return stemmed


def words_of(text: str) -> list[str]:
    return WORD.findall(text)


def content_words(text: str) -> list[str]:
    """The words that say something, as they are written."""
    return [word for word in words_of(text) if word.lower().replace("’", "'") not in COMMON and (len(word) > 1 or word.isdigit())]


def stems_of(text: str) -> list[str]:
    return [stem(word) for word in content_words(text)]


SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+(?=[\"'“‘(]?[^\W_a-z])")


def sentences_of(text: str) -> list[str]:
    return [part.strip() for part in SENTENCE_END.split(" ".join(text.split())) if part.strip()]


def clock_time(seconds: float) -> str:
    """A moment as players show it: 4:05, 1:02:09."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def shortened(text: str, length: int) -> str:
    """At most so many characters, cut between words."""
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    return text[: length - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"
