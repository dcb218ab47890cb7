"""Questions made of what a lesson says: a gap in a sentence, or one that may have been changed. The sentence is the key."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from unpuzzle_server.ai.engine import Passage, QuizQuestion, QuizWish
from unpuzzle_server.ai.words import clock_time, content_words, stem, stems_of, words_of

GAP = "_____"
WRONG_OPTIONS = 3
SHORTEST, LONGEST = 6, 45
"""Words of a sentence that is worth asking about."""
# What is said to the audience and not about the subject.
SPOKEN = re.compile(
    r"(?i)^(?:and |so )?(?:welcome|now|look|let us|let's|in this lesson|this lesson|as an exercise|exercise|remember)\b"
)
ENDINGS = ("ing", "ed", "ly", "tion", "ness", "ity", "er", "s")


@dataclass(frozen=True)
class Candidate:
    """A sentence with the word of it that is asked for, and words that could be mistaken for it."""

    passage: Passage
    term: str
    others: tuple[str, ...]


def make(wish: QuizWish) -> list[QuizQuestion]:
    """At most as many as are wished for, in the order in which the lesson speaks of them."""
    chosen = _candidates(wish)[: wish.count]
    chosen.sort(key=lambda candidate: candidate.passage.position)
    kinds = [wish.types[number % len(wish.types)] for number in range(len(chosen))]
    changed = _changed([candidate for candidate, kind in zip(chosen, kinds, strict=True) if kind == "true_false"])
    return [
        _true_or_false(candidate, candidate not in changed) if kind == "true_false" else _gap(candidate)
        for candidate, kind in zip(chosen, kinds, strict=True)
    ]


def _changed(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Half of the sentences, more or less: those that are not said so."""
    by_chance = sorted(candidates, key=_chance)
    one_more = sum(map(_chance, candidates)) % 2
    return by_chance[: (len(by_chance) + one_more) // 2]


def _candidates(wish: QuizWish) -> list[Candidate]:
    """Each sentence once; those about a topic first, then those that say most of what the lesson is about."""
    material = wish.material
    sentences = [passage for passage in material.here if _is_worth_asking(passage.text)]
    frequency = Counter(word for passage in material.here for word in set(stems_of(passage.text)))
    vocabulary = _vocabulary([*material.here, *material.elsewhere])
    topics = set(stems_of(" ".join(wish.topics)))
    found = [_candidate(passage, wish.difficulty, frequency, vocabulary, topics) for passage in sentences]
    usable = [candidate for candidate in found if candidate]

    def order(candidate: Candidate) -> tuple[int, bool, float, int]:
        words = set(stems_of(candidate.passage.text))
        weight = sum(frequency[word] for word in words) / (len(words) + 4)
        # The text of a lesson says again what is said in it: it only fills up.
        return -len(words & topics), candidate.passage.type == "text", -weight, candidate.passage.position

    return sorted(usable, key=order)


def _is_worth_asking(text: str) -> bool:
    return SHORTEST <= len(words_of(text)) <= LONGEST and not SPOKEN.match(text) and not text.endswith("?")


def _vocabulary(passages: Sequence[Passage]) -> list[str]:
    """The words of the course that could stand in a gap, the most frequent first."""
    counted = Counter(word for passage in passages for word in _terms(passage.text))
    return sorted(counted, key=lambda word: (-counted[word], word))


def _terms(text: str) -> list[str]:
    """Words that are worth asking for; the first of a sentence has a capital that says nothing."""
    first = next(iter(words_of(text)), "")
    words = [word for word in content_words(text) if len(word) > 3 and word.isalpha()]
    return [word for word in words if word != first]


def _candidate(
    passage: Passage, difficulty: str, frequency: Counter[str], vocabulary: Sequence[str], topics: set[str]
) -> Candidate | None:
    in_sentence = Counter(map(stem, words_of(passage.text)))
    terms = [word for word in dict.fromkeys(_terms(passage.text)) if in_sentence[stem(word)] == 1]
    # A beginner is asked for what the lesson repeats, an advanced learner for what it says once.
    terms.sort(key=lambda word: (stem(word) not in topics, -frequency[stem(word)], word))
    for term in _by_difficulty(terms, difficulty):
        others = tuple(_lookalikes(term, vocabulary, set(in_sentence)))[:WRONG_OPTIONS]
        if others:
            return Candidate(passage, term, others)
    return None


def _by_difficulty(terms: list[str], difficulty: str) -> list[str]:
    if difficulty == "advanced":
        return terms[::-1]
    if difficulty == "intermediate" and len(terms) > 2:
        return [terms[1], terms[0], *terms[2:]]
    return terms


def _lookalikes(term: str, vocabulary: Sequence[str], taken: set[str]) -> Iterator[str]:
    """Words of the same form, which the sentence does not have."""
    seen = set(taken)
    for word in vocabulary:
        if _form(word) == _form(term) and stem(word) not in seen:
            seen.add(stem(word))
            yield word


def _form(word: str) -> tuple[bool, str]:
    ending = next((ending for ending in ENDINGS if word.lower().endswith(ending)), "")
    return word[0].isupper(), ending


def _gap(candidate: Candidate) -> QuizQuestion:
    options = [*candidate.others]
    place = _chance(candidate) % (len(options) + 1)
    options.insert(place, candidate.term)
    return QuizQuestion(
        type="multiple_choice",
        question=f"Which word is missing? “{_with(candidate, GAP)}”",
        options=options,
        correct_answer=place,
        explanation=_explained(candidate.passage),
    )


def _true_or_false(candidate: Candidate, is_true: bool) -> QuizQuestion:
    shown = candidate.passage.text if is_true else _with(candidate, candidate.others[0])
    return QuizQuestion(
        type="true_false",
        question=f"Is this what the lesson says? “{shown}”",
        options=["True", "False"],
        correct_answer=0 if is_true else 1,
        explanation=_explained(candidate.passage),
    )


def _with(candidate: Candidate, word: str) -> str:
    """The sentence with another word where the term stands."""
    return re.sub(rf"\b{re.escape(candidate.term)}\b", lambda _: word, candidate.passage.text, count=1)


def _explained(passage: Passage) -> str:
    when = "" if passage.seconds is None else f" at {clock_time(passage.seconds)}"
    return f"The lesson says{when}: “{passage.text}”"


def _chance(candidate: Candidate) -> int:
    """As good as any, and the same each time."""
    return int.from_bytes(blake2b(candidate.passage.text.encode(), digest_size=4).digest())
