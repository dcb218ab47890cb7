"""What Supabase Auth tells of users and sessions: whether it is its own word, and what follows from it."""

import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

from unpuzzle_server.auth.supabase import queries
from unpuzzle_server.auth.supabase.tokens import name_of
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem

TOLERANCE = timedelta(minutes=5)
STANDARD = "whsec_"
"""How secrets of Standard Webhooks begin, after the version that Supabase writes in front."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Signed:
    """A message with its signatures, in one form or the other."""

    body: bytes = field(repr=False)
    hexadecimal: str | None
    message_id: str | None
    timestamp: str | None
    signatures: str | None


def check(signed: Signed, event: Event, secrets: tuple[str, ...], now: datetime) -> None:
    """Raises INVALID_SIGNATURE unless one of the secrets has signed it within the last five minutes."""
    if not secrets:
        raise Problem("NOT_CONFIGURED", "This server takes no auth webhooks: AUTH_WEBHOOK_SECRETS is not set.")
    happened = _moment(event["created_at"])
    signs = (_is_hexadecimal(signed, happened, secret, now) or _is_standard(signed, secret, now) for secret in secrets)
    if happened is None or not any(signs):
        raise Problem("INVALID_SIGNATURE", "The signature is missing, wrong, or too old.")


def _moment(text: str) -> datetime | None:
    """RFC 3339 knows moments that Python does not, such as leap seconds."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_hexadecimal(signed: Signed, happened: datetime | None, secret: str, now: datetime) -> bool:
    """The documented form; its time is that of the event, which is signed with the rest."""
    given = (signed.hexadecimal or "").removeprefix("sha256=").lower()
    expected = hmac.digest(secret.encode(), signed.body, "sha256").hex()
    return hmac.compare_digest(given.encode(), expected.encode()) and happened is not None and _is_fresh(happened, now)


def _is_standard(signed: Signed, secret: str, now: datetime) -> bool:
    """Standard Webhooks. Supabase writes its secrets as `v1,whsec_…`, of which the library wants the second half."""
    key = secret.removeprefix("v1,")
    if not key.startswith(STANDARD) or not (signed.message_id and signed.timestamp and signed.signatures):
        return False
    try:
        sent_at = datetime.fromtimestamp(int(signed.timestamp), UTC)
        expected = Webhook(key).sign(signed.message_id, sent_at, signed.body.decode())
    except (ValueError, OverflowError, OSError):  # a secret that is no base64, a time that no clock shows
        return False
    given = signed.signatures.split()
    return any(hmac.compare_digest(each.encode(), expected.encode()) for each in given) and _is_fresh(sent_at, now)


def _is_fresh(moment: datetime, now: datetime) -> bool:
    return abs(now - moment) <= TOLERANCE


async def take(tx: Transaction, event: Event) -> None:
    """Follows an event, once; kept and followed together, it is lost by no crash."""
    if not await tx.value(queries.TAKE_EVENT, event=event["id"]):
        return
    data = event["data"]
    match event["type"]:
        case "user.created" | "user.updated":
            await _mirror(tx, event["created_at"], data)
        case "user.deleted":
            await tx.execute(queries.LOSE_USER, user=data["id"])
        case "session.created" if data.get("user_id"):
            values = {"session": data["id"], "user": data["user_id"]}
            await tx.execute(queries.MIRROR_SESSION, **values, user_agent=None, address=None)
        case "session.ended":
            await tx.execute(queries.END_SESSION, session=data["id"])


async def _mirror(tx: Transaction, told_at: str, user: Event) -> None:
    """Users without an address (by telephone, anonymous) have no account here."""
    if not user.get("email"):
        return
    name = name_of(user.get("user_metadata") or {}, user["email"])
    confirmed = bool(user.get("email_confirmed_at"))
    values = {"user": user["id"], "email": user["email"], "name": name, "verified": confirmed, "told_at": told_at}
    await tx.execute(queries.MIRROR_USER, **values, renames=True)
