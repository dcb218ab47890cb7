"""Tasks of the tag `media`."""

from datetime import timedelta
from typing import Any

from sqlalchemy import TextClause

from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import task
from unpuzzle_server.media import queries
from unpuzzle_server.media.gateway import Media
from unpuzzle_server.media.processing import Found, Unreadable, inspect
from unpuzzle_server.media.storage import StorageError

LEFT_BEHIND = timedelta(hours=2)
"""Nothing that still comes is as old."""


@task("media.process", seconds=3600)
async def process(ctx: TaskContext, media_id: str) -> None:
    """Looks into a file: then it is ready, or failed for good with a reason. Done twice it finds the same."""
    async with ctx.transaction() as tx:
        file = await tx.row(queries.BEGIN_PROCESSING, media=media_id)
    if file is None:
        return  # deleted meanwhile, or done by somebody else
    try:
        async with _media(ctx).storage.local(file.storage_key) as path:
            found = await inspect(path, file.kind, file.content_type)
    except Unreadable as unreadable:
        await _note(ctx, queries.FAILED, media=media_id, reason=str(unreadable))
    except StorageError:
        await _note(ctx, queries.FAILED, media=media_id, reason="It is no longer in storage.")
    else:
        await _keep(ctx, media_id, found)


async def _keep(ctx: TaskContext, media_id: str, found: Found) -> None:
    values = {**vars(found), "thumbnail_key": None}
    thumbnail = values.pop("thumbnail")
    if thumbnail is not None:
        values["thumbnail_key"] = f"thumbnails/{media_id}.jpg"
        await _media(ctx).storage.put(values["thumbnail_key"], thumbnail, "image/jpeg")
    await _note(ctx, queries.READY, media=media_id, **values)
    async with ctx.transaction() as tx:
        is_there = await tx.value(queries.IS_THERE, media=media_id)
    if values["thumbnail_key"] and not is_there:  # deleted meanwhile, and nobody else knows of its thumbnail
        await _media(ctx).storage.discard(values["thumbnail_key"])


async def _note(ctx: TaskContext, statement: TextClause, **values: Any) -> None:
    async with ctx.transaction() as tx:
        await tx.execute(statement, **values)


@task("media.discard")
async def discard(ctx: TaskContext, keys: list[str]) -> None:
    """Deletes files whose rows are gone, and what has come of uploads that are over."""
    for key in keys:
        await _media(ctx).storage.discard(key)


@task("media.expire_uploads", every=timedelta(minutes=10))
async def expire_uploads(ctx: TaskContext) -> None:
    async with ctx.transaction() as tx:
        await tx.execute(queries.EXPIRE_UPLOADS)
    await _media(ctx).storage.sweep(LEFT_BEHIND)


def _media(ctx: TaskContext) -> Media:
    media: Media = ctx.kernel.gateways["media"]
    return media
