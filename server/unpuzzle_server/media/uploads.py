"""The rules of uploads: what may come, in which parts, and what has to be true of it before it is in the library."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Row

from unpuzzle_server.kernel.answers import Result, check_version
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem, not_found
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.streams_in import Incoming
from unpuzzle_server.media import library, present, queries
from unpuzzle_server.media.chunks import Place
from unpuzzle_server.media.gateway import Addresses, Media
from unpuzzle_server.media.kinds import KINDS, SNIFFED_BYTES, Kind, fits
from unpuzzle_server.media.storage import Part, StorageAway, StorageError, Stored, Upload

log = logging.getLogger(__name__)
Body = dict[str, Any]
LANES = 4
"""How many parts a client may send to storage at a time."""
NAMED_MISSING = 10
VERSION = 1
"""Of an upload, which has one for as long as it is there."""
STORAGE_AWAY_SECONDS = 30


async def begin(ctx: Context, body: Body) -> Body:
    """A row before storage hears of it: what is cut short is found by its key, and discarded when it expires.

    What storage does not begin takes no room."""
    upload_id = uuid4()
    async with ctx.transaction() as tx:
        kind = await _check_allowed(tx, body)
        await tx.execute(queries.INSERT_UPLOAD, **_values(tx, body, kind), id=upload_id)
        row = cast("Row[Any]", await tx.row(queries.FIND_OWN_UPLOAD, upload=upload_id, user=tx.user.user_id))
    try:
        return await _begun(ctx, row)
    except Problem:
        await _give_up(ctx, upload_id)
        raise


async def _begun(ctx: Context, row: Row[Any]) -> Body:
    with storage_speaks():
        storage_id = await media_of(ctx).storage.begin(present.of_row(row))
    async with ctx.transaction() as tx:
        begun = await tx.row(queries.BEGUN, upload=row.id, user=tx.user.user_id, storage_id=storage_id)
    return await _target(ctx, cast("Row[Any]", begun))


async def _give_up(ctx: Context, upload_id: Any) -> None:
    async with ctx.transaction() as tx:
        await tx.execute(queries.DELETE_UPLOAD, upload=upload_id, user=tx.user.user_id)


def _values(tx: Transaction, body: Body, kind: Kind) -> dict[str, Any]:
    told = body.get("metadata", {})
    return {
        "user": tx.user.user_id,
        "course_id": told.get("course_id"),
        "filename": body["filename"],
        "title": told.get("title", body["filename"]),
        "description": told.get("description"),
        "content_type": body["content_type"],
        "kind": kind.name,
        "file_size": body["file_size"],
        "duration_seconds": told.get("duration_seconds"),
        "chunk_size": tx.settings.media_chunk_bytes,
        "storage_key": f"{kind.name}s/{uuid4()}.{kind.extension}",
        "expires_at": _expiry(tx),
    }


def _expiry(tx: Transaction) -> datetime:
    return tx.clock.now() + timedelta(hours=tx.settings.media_upload_hours)


async def _check_allowed(tx: Transaction, body: Body) -> Kind:
    kind, teaches = KINDS[body["content_type"]], tx.user.may("instructor")
    if not teaches and kind.name != "image":
        raise Problem("PERMISSION_DENIED", "Who does not teach may upload images only.")
    if body["file_size"] > tx.settings.media_max_bytes:
        raise Problem("MEDIA_SIZE_EXCEEDED", f"A file may have {tx.settings.media_max_bytes} bytes.")
    course_id = body.get("metadata", {}).get("course_id")
    if course_id and not await tx.value(queries.TEACHES, course=course_id):
        raise Problem("COURSE_NOT_FOUND", "There is no such course.")
    await tx.execute(queries.LOCK_QUOTA, user=tx.user.user_id)
    used = await tx.value(queries.USED, user=tx.user.user_id)
    quota = tx.settings.media_quota_bytes if teaches else tx.settings.media_student_quota_bytes
    if used + body["file_size"] > quota:
        raise Problem("QUOTA_EXCEEDED", f"Your files may come to {quota} bytes, and come to {used}: delete some first.")
    return kind


async def _target(ctx: Context, row: Row[Any]) -> Body:
    with storage_speaks():
        targets = await media_of(ctx).storage.targets(present.of_row(row), LANES)
    return present.target(media_of(ctx).addresses, row, targets)


async def renew(ctx: Context, upload_id: str) -> Body:
    async with ctx.transaction() as tx:
        await _lock_open(tx, upload_id)
        renewed = await tx.row(queries.RENEW_UPLOAD, upload=upload_id, user=tx.user.user_id, expires_at=_expiry(tx))
    return await _target(ctx, cast("Row[Any]", renewed))


async def abort(tx: Transaction, upload_id: str, if_match: str | None) -> None:
    await _lock_open(tx, upload_id)
    check_version(if_match, VERSION)
    await tx.execute(queries.DELETE_UPLOAD, upload=upload_id, user=tx.user.user_id)


async def _lock_open(tx: Transaction, upload_id: str) -> None:
    row = await tx.row(queries.LOCK_UPLOAD, upload=upload_id, user=tx.user.user_id)
    if row is None:
        raise not_found("upload")
    if row.completed_at is not None:
        raise Problem("CONFLICT", "This upload is completed: its file is in the library.")


async def find(ctx: Context, upload_id: str) -> tuple[Row[Any], list[Part] | None]:
    """How an upload stands; none are the parts that have become the file, be it in the library or not."""
    async with ctx.transaction() as tx:
        row = await tx.row(queries.FIND_OWN_UPLOAD, upload=upload_id, user=tx.user.user_id)
    if row is None:
        raise not_found("upload")
    storage, upload = media_of(ctx).storage, present.of_row(row)
    try:
        with storage_away():
            is_whole = row.completed_at is not None or await storage.finished(upload)
            return row, None if is_whole else await storage.parts(upload)
    except StorageError:
        raise not_found("upload") from None


async def receive(
    ctx: Context, upload_id: str, expires: int, signature: str, body: Incoming, place: Place, sha1: str | None
) -> Part:
    """Keeps a chunk. Whoever has the address may send: it is nobody who asks."""
    async with ctx.transaction() as tx:
        row = await tx.row(queries.FIND_UPLOAD, upload=upload_id)
    is_signed = media_of(ctx).addresses.may_upload(upload_id, expires, signature)
    if row is None or not is_signed or min(expires, row.expires_at.timestamp()) <= ctx.kernel.clock.timestamp():
        raise not_found("upload at this address, or not any more: renew it")
    _check_open(row)
    upload = present.of_row(row)
    number = place.number(upload)
    if body.announced not in (None, upload.size_of(number)):
        raise Problem("MEDIA_MISMATCH", f"Chunk {number} has {upload.size_of(number)} bytes, not {body.announced}.")
    with storage_speaks():
        return await media_of(ctx).storage.put_part(upload, number, _while_open(ctx, upload_id, body), sha1)


def _check_open(row: Row[Any] | None) -> None:
    if row is None:
        raise not_found("upload")
    if row.completed_at is not None:
        raise Problem("MEDIA_UPLOAD_FAILED", "This upload is completed: nothing more can come.")


async def _while_open(ctx: Context, upload_id: str, body: Incoming) -> AsyncIterator[bytes]:
    """The body; one that ends after its upload comes too late."""
    async for chunk in body:
        yield chunk
    async with ctx.transaction() as tx:
        _check_open(await tx.row(queries.FIND_UPLOAD, upload=upload_id))


async def complete(ctx: Context, body: Body) -> Callable[[Transaction], Awaitable[Result]]:
    """Makes the file of its parts; what is left is a transaction that puts it into the library."""
    upload_id = body["upload_id"]
    async with ctx.transaction() as tx:
        row = await tx.row(queries.FIND_OWN_UPLOAD, upload=upload_id, user=tx.user.user_id)
        if row is None and await tx.row(queries.GET, media=upload_id, user=tx.user.user_id):
            return partial(_answer, media_id=upload_id)
    if row is None:
        raise not_found("upload")
    _check_claims(media_of(ctx).addresses, row, body)
    if row.completed_at is not None:
        return partial(_answer, media_id=upload_id)
    with storage_speaks():
        stored = await _stored(ctx, present.of_row(row))
        trouble = await _trouble(ctx, row, stored, body.get("sha1"))
    if trouble is not None:
        await _give_up(ctx, upload_id)
        raise trouble
    return partial(_into_library, upload_id=upload_id, stored=stored)


def _check_claims(addresses: Addresses, row: Row[Any], body: Body) -> None:
    """The server knows better; a client that knows otherwise has mixed something up."""
    if body.get("file_id", row.storage_id) != row.storage_id:
        raise Problem("MEDIA_MISMATCH", "Storage has this file under another file_id.")
    expected = addresses.plain_url(row.id, row.filename)
    if urlsplit(body.get("cdn_url", expected))._replace(query="", fragment="").geturl() != expected:
        raise Problem("MEDIA_MISMATCH", f"This file will be at {expected}.")


async def _stored(ctx: Context, upload: Upload) -> Stored:
    """The whole file. Another call may make it at the same time: then this one finds it made."""
    storage = media_of(ctx).storage
    if found := await storage.finished(upload):
        return found
    try:
        parts = await storage.parts(upload)
        _check_parts(upload, parts)
        return await storage.finish(upload, parts)
    except (Problem, StorageError):
        if found := await storage.finished(upload):
            return found
        raise


def _check_parts(upload: Upload, parts: list[Part]) -> None:
    expected = {number: upload.size_of(number) for number in range(1, upload.total_chunks + 1)}
    missing = sorted(expected.keys() - {part.number for part in parts})
    if missing:
        shown = ", ".join(map(str, missing[:NAMED_MISSING])) + (" …" if len(missing) > NAMED_MISSING else "")
        message = f"Not all chunks have come: {len(missing)} of {upload.total_chunks} are missing: {shown}"
        raise Problem("MEDIA_UPLOAD_FAILED", message)
    wrong = [part.number for part in parts if expected.get(part.number) != part.size]
    if wrong:
        raise Problem("MEDIA_UPLOAD_FAILED", f"Chunk {wrong[0]} has not the size that it should have: send it again.")


async def _trouble(ctx: Context, row: Row[Any], stored: Stored, sha1: str | None) -> Problem | None:
    """Why the file is not what was said; it is deleted then."""
    storage = media_of(ctx).storage
    if stored.size != row.file_size:
        return Problem("MEDIA_UPLOAD_FAILED", f"{stored.size} bytes have come, and not {row.file_size}.")
    start = await storage.read(row.storage_key, min(SNIFFED_BYTES, stored.size))
    if not fits(row.content_type, start):
        return Problem("MEDIA_MISMATCH", f"The file is no {row.content_type}.")
    if sha1 is not None and sha1 != (stored.sha1 or await storage.sha1(row.storage_key)):
        return Problem("MEDIA_UPLOAD_FAILED", "The SHA-1 of the file is another one: it has not come as it was sent.")
    return None


async def _into_library(tx: Transaction, upload_id: str, stored: Stored) -> Result:
    """Once, whoever comes first."""
    values = {"upload": upload_id, "user": tx.user.user_id}
    if await tx.row(queries.LOCK_UPLOAD, **values) is None:
        raise not_found("upload")
    added = await tx.value(queries.INSERT_MEDIA, **values, sha1=stored.sha1, storage_id=stored.storage_id)
    await tx.execute(queries.FINISH_UPLOAD, **values)
    if added is not None:
        await tx.enqueue("media.process", media_id=upload_id)
    return await _answer(tx, upload_id)


async def _answer(tx: Transaction, media_id: str) -> Result:
    found = await library.get(tx, media_id)
    return Result(present.completed(found.media), location=f"/api/v1/media/library/{media_id}/")


def media_of(ctx: Context) -> Media:
    media: Media = ctx.kernel.gateways["media"]
    return media


@contextmanager
def storage_speaks() -> Iterator[None]:
    """Around what storage is asked for: its refusals and absences, as the API tells them."""
    try:
        with storage_away():
            yield
    except StorageError as error:
        raise Problem("MEDIA_UPLOAD_FAILED", str(error)) from None


@contextmanager
def storage_away() -> Iterator[None]:
    try:
        yield
    except (StorageAway, OSError) as error:
        log.warning("storage is not available", extra={"error": type(error.__cause__ or error).__name__})
        message = "Storage is not available. What has come is kept."
        raise Problem("SERVICE_UNAVAILABLE", message, retry_after=STORAGE_AWAY_SECONDS) from None
