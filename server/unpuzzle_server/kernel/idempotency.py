"""Safe repetition: the answer to an `Idempotency-Key` is stored in the transaction that it answers for.

A crash therefore leaves both or neither, and a refusal, which rolls back, can be tried again with the same key.
"""

from collections.abc import Mapping
from datetime import timedelta
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import text

from unpuzzle_server.kernel.answers import Answer
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem

KEPT = timedelta(hours=24)

# The lock goes with the transaction: whoever does not get it is the second of two calls at once.
LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:scope, 0))")
WAIT = text("SELECT pg_advisory_xact_lock(hashtextextended(:scope, 0))")
FIND = text("""
    SELECT fingerprint, status, headers, cookies, content FROM idempotency_keys
     WHERE user_id = :user AND operation = :operation AND key = :key AND created_at > :since
""")
STORE = text("""
    INSERT INTO idempotency_keys (user_id, operation, key, fingerprint, status, headers, cookies, content, created_at)
    VALUES (:user, :operation, :key, :fingerprint, :status, CAST(:headers AS jsonb), :cookies, :content, :now)
    ON CONFLICT (user_id, operation, key) DO UPDATE
       SET fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
           cookies = excluded.cookies, content = excluded.content, created_at = excluded.created_at
""")
FORGET = text("DELETE FROM idempotency_keys WHERE user_id = :user AND created_at <= :since")


def fingerprint(arguments: Mapping[str, Any]) -> bytes:
    """What makes two requests the same one."""
    return blake2b(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


async def recall(tx: Transaction, operation: str, key: str, mark: bytes, *, waits: bool = False) -> Answer | None:
    """The stored answer of an earlier call; raises when that call is under way or was another one.

    `waits`: for whoever has done something already, which can't be undone because somebody else has the key for a moment.
    """
    user, scope = tx.user.user_id, f"{tx.user.user_id}:{operation}:{key}"
    if waits:
        await tx.execute(WAIT, scope=scope)
    elif not await tx.value(LOCK, scope=scope):
        raise Problem("IDEMPOTENCY_IN_PROGRESS", "The first call with this key is still under way.")
    since = tx.clock.now() - KEPT
    row = await tx.row(FIND, user=user, operation=operation, key=key, since=since)
    if row is None:
        return None
    if row.fingerprint != mark:
        raise Problem("IDEMPOTENCY_MISMATCH", "This key was used with another request.")
    return Answer(row.status, row.content, {**row.headers, "Idempotency-Replayed": "true"}, row.cookies)


async def remember(tx: Transaction, operation: str, key: str, mark: bytes, answer: Answer) -> None:
    """Stores the answer for 24 hours, and forgets this user's older ones."""
    user, now = tx.user.user_id, tx.clock.now()
    await tx.execute(FORGET, user=user, since=now - KEPT)
    await tx.execute(
        STORE,
        user=user,
        operation=operation,
        key=key,
        fingerprint=mark,
        status=answer.status,
        headers=orjson.dumps(answer.headers).decode(),
        cookies=list(answer.cookies),
        content=answer.content,
        now=now,
    )
