"""Operations of the tag `media`."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found
from unpuzzle_server.kernel.operations import Context, Outside
from unpuzzle_server.kernel.pagination import Page
from unpuzzle_server.kernel.streams_in import Incoming
from unpuzzle_server.kernel.streams_out import FileAnswer
from unpuzzle_server.media import library, present, uploads
from unpuzzle_server.media.chunks import Place
from unpuzzle_server.media.storage import StorageError

Body = dict[str, Any]


async def initiate_upload(ctx: Context, body: Body) -> Result:
    return _sent_to(await uploads.begin(ctx, body))


def _sent_to(target: Body) -> Result:
    return Result(target, location=f"/api/v1/media/uploads/{target['upload_id']}/")


async def upload_content(
    ctx: Context,
    upload_id: str,
    body: Incoming,
    expires: int,
    signature: str,
    content_range: str | None,
    x_part_number: str | None,
    x_bz_content_sha1: str | None,
) -> Body:
    place = Place(content_range, x_part_number)
    return present.part(await uploads.receive(ctx, upload_id, expires, signature, body, place, x_bz_content_sha1))


async def get_upload(ctx: Context, upload_id: str) -> Result:
    return Result(present.upload(*await uploads.find(ctx, upload_id)), uploads.VERSION)


async def abort_upload(tx: Transaction, upload_id: str, if_match: str | None) -> None:
    await uploads.abort(tx, upload_id, if_match)


async def renew_upload(ctx: Context, upload_id: str) -> Result:
    return _sent_to(await uploads.renew(ctx, upload_id))


async def complete_upload(tx: Transaction, body: Body) -> Result:
    raise Outside(partial(uploads.complete, body=body))


async def list_videos(
    tx: Transaction,
    page: int,
    page_size: int,
    course_id: str | None,
    assigned: bool | None,
    search: str | None,
    sort: str | None,
    order: str | None,
) -> Page:
    filters = {"course_id": course_id, "assigned": assigned, "search": search, "kind": "video"}
    return await library.list_own(tx, page=page, page_size=page_size, sort=sort, order=order, **filters)


async def list(
    tx: Transaction,
    page: int,
    page_size: int,
    course_id: str | None,
    assigned: bool | None,
    search: str | None,
    kind: str | None,
    processing_status: str | None,
    sort: str | None,
    order: str | None,
) -> Page:
    filters = {"course_id": course_id, "assigned": assigned, "search": search, "kind": kind, "status": processing_status}
    return await library.list_own(tx, page=page, page_size=page_size, sort=sort, order=order, **filters)


async def get(tx: Transaction, media_id: str) -> Result:
    return (await library.get(tx, media_id)).result


async def update(tx: Transaction, media_id: str, body: Body, if_match: str | None) -> Result:
    return (await library.update(tx, media_id, body, if_match)).result


async def delete(tx: Transaction, media_id: str, force: bool, if_match: str | None) -> None:
    await library.delete(tx, media_id, if_match, force=force)


async def download(
    ctx: Context, media_id: str, filename: str, user: str | None, expires: int | None, signature: str | None
) -> FileAnswer | Result:
    async with ctx.transaction() as tx:
        found = await library.find_readable(tx, media_id, filename, user, expires, signature)
    try:
        with uploads.storage_away():
            place = await uploads.media_of(ctx).storage.locate(found.key, timedelta(seconds=found.seconds))
    except StorageError:
        raise not_found("file behind this address") from None
    if isinstance(place, Path):
        return FileAnswer(place, found.media_type, found.etag, found.headers)
    return Result(None, location=place, status=302)
