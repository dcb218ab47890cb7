"""What lessons say about a question: rare words weigh more, and what is said around the moment comes first."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log

from unpuzzle_server.ai.engine import Passage, near
from unpuzzle_server.ai.words import stems_of

AROUND = 0.25
"""How much what its neighbours say counts for a passage."""
AT_THE_MOMENT = 1.5
SATURATION = 1.2
HALF = 0.5
"""More than so much of a question, by the weight of its words, is said where it is answered, and beside that."""
A_DEFINITION = 1.3
DEFINES = re.compile(r"(?:(?:an?|the)\s)?(\w+(?:\s\w+)?)\s(?:is|are|means)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Ranked:
    passage: Passage
    score: float
    coverage: float
    """How much of the question is said here."""


def rank(query: str, here: Sequence[Passage], elsewhere: Sequence[Passage] = (), seconds: float | None = None) -> list[Ranked]:
    """The passages that say something of a query, the best first."""
    passages = [*here, *elsewhere]
    said = [Counter(stems_of(passage.text)) for passage in passages]
    weights = _weights(set(stems_of(query)), said)
    total = sum(weights.values())
    own = [_score(words, weights) for words in said]
    close = {passage.position for passage in near(here, seconds)}
    places = {(passage.lesson_id, passage.position): place for place, passage in enumerate(passages)}
    ranked = []
    for place, passage in enumerate(passages):
        if not own[place]:
            continue
        sides = (places.get((passage.lesson_id, passage.position + step)) for step in (-1, 1))
        beside = [side for side in sides if side is not None]
        score = own[place] + AROUND * sum(own[side] for side in beside)
        if _defines(passage.text, weights):
            score *= A_DEFINITION
        if place < len(here) and passage.position in close:
            score *= AT_THE_MOMENT
        heard = set(said[place]).union(*(said[side] for side in beside))
        ranked.append(Ranked(passage, score, sum(weight for word, weight in weights.items() if word in heard) / total))
    return sorted(ranked, key=lambda found: (-found.score, str(found.passage.lesson_id), found.passage.position))


def _defines(text: str, wanted: Collection[str]) -> bool:
    """Whether a passage begins with something that is asked about, and says what it is."""
    found = DEFINES.match(text)
    return found is not None and any(word in wanted for word in stems_of(found[1]))


def _weights(wanted: set[str], said: Sequence[Counter[str]]) -> dict[str, float]:
    """The rarer a word is, the more it says; a word that is never said, as much as the average of those that are."""
    holding = {word: sum(word in words for words in said) for word in wanted}
    found = {word: log(1 + (len(said) - count + 0.5) / (count + 0.5)) for word, count in holding.items() if count}
    average = sum(found.values()) / len(found) if found else 1.0
    return {word: found.get(word, average) for word in sorted(wanted)}


def _score(words: Counter[str], weights: dict[str, float]) -> float:
    """Okapi's BM25 without the length of passages, which are all short."""
    return sum(
        weight * words[word] * (SATURATION + 1) / (words[word] + SATURATION) for word, weight in weights.items() if word in words
    )


def about(query: str, here: Sequence[Passage], elsewhere: Sequence[Passage] = (), seconds: float | None = None) -> list[Passage]:
    """Those that speak about a query, the best first; none where its words are said in passing only, or not at all."""
    return [found.passage for found in rank(query, here, elsewhere, seconds) if found.coverage > HALF]
