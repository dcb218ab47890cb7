"""The rules of API keys: random, kept as a digest, and shown once."""

from datetime import timedelta
from hashlib import sha256
from secrets import token_urlsafe
from string import whitespace
from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.auth import queries
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.pagination import Page, window

PREFIX = "unp_"
SHOWN = 12
"""How much of a key tells it from others, and helps nobody to guess the rest."""
MOST = 50

Body = dict[str, Any]


def key_hash(key: str) -> bytes:
    """How a key is kept: it is random, so a plain digest is enough."""
    return sha256(key.encode()).digest()


async def list_keys(tx: Transaction, page: int, page_size: int) -> Page:
    found = cast("Row[Any]", await tx.row(queries.API_KEYS, user=tx.user.user_id, **window(page, page_size)))
    return Page(found.results, found.total)


async def create(tx: Transaction, body: Body) -> Body:
    user = tx.user.user_id
    await tx.execute(queries.LOCK_USER, user=user)  # so that two at once are counted
    if await tx.value(queries.COUNT_API_KEYS, user=user) >= MOST:
        raise Problem("CONFLICT", f"There are {MOST} keys already, which is the most: delete one first.")
    key = f"{PREFIX}{token_urlsafe(32)}"
    days = body.get("expires_in_days")
    found = await tx.value(
        queries.ADD_API_KEY,
        user=user,
        name=body["name"].strip(whitespace),
        prefix=key[:SHOWN],
        hash=key_hash(key),
        scopes=body["scopes"],
        expires_at=tx.clock.now() + timedelta(days=days) if days else None,
    )
    return {**found, "key": key}


async def delete(tx: Transaction, key_id: str) -> None:
    deleted = await tx.execute(queries.DELETE_API_KEY, key=key_id, user=tx.user.user_id)
    if deleted.rowcount == 0:
        raise not_found("API key")
