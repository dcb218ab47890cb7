"""The right to leave: an export of everything that holds somebody, and the erasure of it after a grace period."""

import hmac
import io
import zipfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

import orjson
from sqlalchemy import Row, text

from unpuzzle_server.auth import personal, queries
from unpuzzle_server.auth.tokens import derived_key
from unpuzzle_server.kernel.clock import an_hour_at_least, rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.settings import Settings

FRESH = timedelta(minutes=15)
KEPT = timedelta(days=7)
AGAIN = timedelta(days=1)

Body = dict[str, Any]


@dataclass(frozen=True)
class Links:
    """Signs the links to archives: whoever has one may fetch it, until it ends."""

    key: bytes = field(repr=False)
    public_url: str

    @classmethod
    def of(cls, settings: Settings) -> "Links":
        return cls(derived_key(settings.secret_key, "export"), settings.public_url)

    def to(self, export_id: UUID, now: datetime) -> str:
        expires = int(an_hour_at_least(now).timestamp())
        query = urlencode({"expires": expires, "signature": self._signature(export_id, expires)})
        return f"{self.public_url}/api/v1/auth/account/export/{export_id}/archive.zip?{query}"

    def check(self, export_id: UUID, expires: int, signature: str, now: datetime) -> bool:
        signed = hmac.compare_digest(signature.encode(), self._signature(export_id, expires).encode())
        return signed and expires > now.timestamp()

    def _signature(self, export_id: UUID, expires: int) -> str:
        return hmac.digest(self.key, f"{export_id}:{expires}".encode(), "sha256").hex()


async def request_export(tx: Transaction) -> Row[Any]:
    """One at a time, and one a day: the archive of a long account takes a while."""
    await tx.execute(queries.LOCK_USER, user=tx.user.user_id)
    values = {"user": tx.user.user_id, "since": tx.clock.now() - AGAIN}
    found = await tx.row(queries.LATEST_EXPORT, **values)
    if found is not None:
        return found
    export_id = await tx.value(queries.ADD_EXPORT, user=tx.user.user_id)
    await tx.enqueue("auth.make_export", user_id=str(tx.user.user_id), export_id=str(export_id))
    return await get_export(tx, export_id)


async def get_export(tx: Transaction, export_id: Any) -> Row[Any]:
    found = await tx.row(queries.EXPORT, export=export_id, user=tx.user.user_id)
    if found is None:
        raise not_found("export")
    return found


async def fetch(tx: Transaction, export_id: UUID, expires: int, signature: str) -> bytes:
    """An archive, for whoever has its link; one that has ended or is not ours leads nowhere."""
    now = tx.clock.now()
    if Links.of(tx.settings).check(export_id, expires, signature, now):
        content: bytes | None = await tx.value(queries.FIND_ARCHIVE, export=export_id, now=now)
        if content is not None:
            return content
    raise not_found("archive behind this link")


def present(export: Row[Any], links: Links, now: datetime) -> Body:
    status = _status(export, now)
    return {
        "export_id": str(export.id),
        "status": status,
        "requested_at": rfc3339(export.created_at),
        "ready_at": rfc3339(export.ready_at) if export.ready_at else None,
        "expires_at": rfc3339(export.expires_at) if export.expires_at else None,
        "size_bytes": export.size_bytes,
        "download_url": links.to(export.id, now) if status == "ready" else None,
    }


def _status(export: Row[Any], now: datetime) -> str:
    if export.failed_at:
        return "failed"
    if not export.ready_at:
        return "pending"
    return "ready" if export.expires_at > now else "expired"


async def archive(tx: Transaction) -> bytes:
    """A ZIP with one JSON file for each kind of thing that is kept of whoever the transaction acts as."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, statement in personal.EXPORTED.items():
            rows = await tx.value(text(f"SELECT coalesce(json_agg(kept), '[]') FROM ({statement}) kept"), user=tx.user.user_id)  # noqa: S608
            file.writestr(f"{name}.json", orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    return packed.getvalue()


async def keep_archive(tx: Transaction, export_id: str, content: bytes) -> None:
    await tx.execute(queries.KEEP_ARCHIVE, export=export_id, archive=content, expires_at=tx.clock.now() + KEPT)


async def delete_account(tx: Transaction) -> None:
    started = await tx.value(queries.SESSION_STARTED, session=tx.user.signed_in)
    if tx.clock.now() - started > FRESH:
        raise Problem("REAUTHENTICATION_REQUIRED", "Sign in again first: this needs a session of the last 15 minutes.")
    deletes_at = tx.clock.now() + timedelta(days=tx.settings.deletion_grace_days)
    await tx.execute(queries.PLAN_DELETION, moment=deletes_at)
    await tx.execute(queries.END_ALL_SESSIONS, user=tx.user.user_id)
    await tx.execute(queries.DELETE_ALL_KEYS, user=tx.user.user_id)
    await tx.enqueue("auth.mail_deletion", user_id=str(tx.user.user_id))


async def cancel_deletion(tx: Transaction) -> Row[Any]:
    await tx.execute(queries.PLAN_DELETION, moment=None)
    return cast("Row[Any]", await tx.row(queries.USER, user=tx.user.user_id))
