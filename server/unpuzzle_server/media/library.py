"""The rules of the media library: one's own files, and who else may fetch them."""

from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import Row

from unpuzzle_server.kernel.answers import Result, check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.media import present, queries
from unpuzzle_server.media.gateway import Addresses, thumbnail_name

Body = dict[str, Any]
KEPT_FOR_GOOD = "public, max-age=31536000, immutable"
NEVER_RUN = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Found:
    media: Body
    version: int

    @property
    def result(self) -> Result:
        return Result(self.media, self.version)


async def list_own(tx: Transaction, *, page: int, page_size: int, sort: str | None, order: str | None, **filters: Any) -> Page:
    asked = {name: value for name, value in filters.items() if value is not None}
    statement = queries.library(tuple(asked), sort or "created_at", order or ("asc" if sort == "title" else "desc"))
    found = cast("Row[Any]", await tx.row(statement, user=tx.user.user_id, **asked, **window(page, page_size)))
    return Page([present.media(tx, each) for each in found.results], found.total)


async def get(tx: Transaction, media_id: str) -> Found:
    found = await tx.row(queries.GET, media=media_id, user=tx.user.user_id)
    if found is None:
        raise not_found("file")
    return Found(present.media(tx, found.media), found.version)


async def update(tx: Transaction, media_id: str, body: Body, if_match: str | None) -> Found:
    await _lock(tx, media_id, if_match)
    if columns := {name: body[name] for name in queries.COLUMNS if name in body}:
        await tx.execute(queries.update(tuple(columns)), media=media_id, user=tx.user.user_id, **columns)
    return await get(tx, media_id)


async def delete(tx: Transaction, media_id: str, if_match: str | None, *, force: bool) -> None:
    """The row goes here; a trigger asks for the file to be deleted."""
    found = await _lock(tx, media_id, if_match)
    if found.is_assigned and not force:
        raise Problem("CONFLICT", "A lesson shows this file: unassign it first, or send force=true.")
    await tx.execute(queries.DELETE, media=media_id, user=tx.user.user_id)


async def _lock(tx: Transaction, media_id: str, if_match: str | None) -> Row[Any]:
    found = await tx.row(queries.LOCK, media=media_id, user=tx.user.user_id)
    if found is None:
        raise not_found("file")
    check_version(if_match, found.version)
    return found


@dataclass(frozen=True)
class Readable:
    """A file that somebody may fetch."""

    key: str
    media_type: str
    etag: str
    headers: dict[str, str]
    seconds: int
    """How long this is so."""


async def find_readable(
    tx: Transaction, media_id: str, filename: str, user: str | None, expires: int | None, signature: str | None
) -> Readable:
    """What is behind an address; one that has ended, or was not made here, leads nowhere."""
    found = await tx.row(queries.FIND_FILE, media=media_id)
    names = {found.filename, thumbnail_name(found.id)} if found else set()
    if found is None or filename not in names:
        raise not_found("file behind this address")
    seconds = 365 * 86400
    if found.kind not in present.PLAIN:
        seconds = int(expires - tx.clock.timestamp()) if expires else 0
        if seconds <= 0 or not Addresses.of(tx.settings).may_read(media_id, filename, user, expires, signature):
            raise not_found("file behind this address")
    is_file = filename == found.filename
    key = found.storage_key if is_file else found.thumbnail_key
    if key is None:
        raise not_found("file behind this address")
    disposition = "attachment" if found.kind == "document" and is_file else "inline"
    headers = {
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(filename, safe='')}",
        "Content-Security-Policy": NEVER_RUN,
        "Cache-Control": KEPT_FOR_GOOD if found.kind in present.PLAIN else f"private, max-age={seconds}",
    }
    tag = f'"{found.id}"' if is_file else f'"{found.id}-thumbnail"'
    return Readable(key, found.content_type if is_file else "image/jpeg", tag, headers, seconds)
