"""Tasks of the tag `media`."""

from datetime import timedelta

from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import task
from unpuzzle_server.media import queries
from unpuzzle_server.media.gateway import Media

LEFT_BEHIND = timedelta(hours=2)
"""Nothing that still comes is as old."""


@task("media.process", seconds=3600)
async def process(ctx: TaskContext, media_id: str) -> None:
    """A file that can be read is ready."""
    async with ctx.transaction() as tx:
        key = await tx.value(queries.BEGIN_PROCESSING, media=media_id)
    if key is not None:
        await _media(ctx).storage.read(key, 1)
        async with ctx.transaction() as tx:
            await tx.execute(queries.READY, media=media_id)


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
