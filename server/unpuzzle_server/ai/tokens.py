"""How many tokens a text has: as OpenAI's models count where the extra `tokenizer` is installed, else by an estimate."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from unpuzzle_server.ai.engine import Turn

BYTES_A_TOKEN = 4
"""The estimate: English has about four bytes a token, and other languages more bytes for as many."""
ENCODING = "o200k_base"
AROUND_A_MESSAGE = 4
"""What a message costs besides its text."""


def estimate(text: str) -> int:
    return -(-len(text.encode()) // BYTES_A_TOKEN)


@lru_cache
def _counter() -> Callable[[str], int]:
    """The tokenizer ships its vocabulary, in 40 MB: it is an extra."""
    try:
        import bpe_openai
    except ImportError:
        return estimate
    encoding = bpe_openai.get_encoding(ENCODING)
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def count(text: str) -> int:
    return _counter()(text)


def recent(history: Sequence[Turn], room: int) -> list[Turn]:
    """The last turns that fit into so many tokens, beginning with a question."""
    kept: list[Turn] = []
    for turn in reversed(history):
        room -= count(turn.content) + AROUND_A_MESSAGE
        if room < 0:
            break
        kept.insert(0, turn)
    while kept and kept[0].role != "user":
        kept.pop(0)
    return kept
