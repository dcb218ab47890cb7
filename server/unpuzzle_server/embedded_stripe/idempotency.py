"""Idempotency keys, as at Stripe: the answer of an earlier call, for a day."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import text

from unpuzzle_server.embedded_stripe.errors import StripeError
from unpuzzle_server.kernel.database import Transaction

LIFE = timedelta(hours=24)
LONGEST_KEY = 255

ALONE = text("SELECT pg_try_advisory_xact_lock(hashtextextended('embedded_stripe ' || :key, 0))")
DROP = text("DELETE FROM embedded_stripe.idempotency_keys WHERE created_at <= :before")
FIND = text("SELECT digest, status, body FROM embedded_stripe.idempotency_keys WHERE key = :key AND created_at > :since")
KEEP = text("""
    INSERT INTO embedded_stripe.idempotency_keys (key, digest, status, body, created_at)
    VALUES (:key, :digest, :status, CAST(:body AS jsonb), :now)
""")


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    replayed: bool = False


def digest(path: str, fields: Any) -> bytes:
    return sha256(orjson.dumps([path, fields], option=orjson.OPT_SORT_KEYS)).digest()


async def replayed(tx: Transaction, key: str, asked: bytes) -> Answer | None:
    """The answer that the key stands for; from here to the end of the transaction the key is nobody else's."""
    if len(key) > LONGEST_KEY:
        raise StripeError(f"Idempotency keys can be at most {LONGEST_KEY} characters.")
    if not await tx.value(ALONE, key=key):
        message = f"There is currently another in-progress request using this Idempotent Key: {key}. Try again later."
        raise StripeError(message, "idempotency_key_in_use", status=409)
    found = await tx.row(FIND, key=key, since=tx.clock.now() - LIFE)
    if found is None:
        return None
    if bytes(found.digest) != asked:
        raise StripeError(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key"
            f" other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    return Answer(found.status, found.body, replayed=True)


async def keep(tx: Transaction, key: str, asked: bytes, answer: Answer) -> None:
    now = tx.clock.now()
    await tx.execute(DROP, before=now - LIFE)
    await tx.execute(KEEP, key=key, digest=asked, status=answer.status, body=orjson.dumps(answer.body).decode(), now=now)
