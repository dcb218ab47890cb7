"""The command that uploads a file, and goes on where it broke off."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unpuzzle_cli import progress, show, values
from unpuzzle_cli.errors import FAILED, STOPS, CommandError, stopped
from unpuzzle_cli.session import Choice

if TYPE_CHECKING:
    from unpuzzle_sdk.uploads import Progress


def upload(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file.", show_default=False)],
    course: Annotated[str, typer.Option(metavar="ID", help="The course that it is for.", show_default=False)] = "",
    section: Annotated[
        str, typer.Option(metavar="ID", help="Make a lesson of it, at the end of this section.", show_default=False)
    ] = "",
    title: Annotated[str, typer.Option(help="Its title; the name of the file if absent.", show_default=False)] = "",
    description: Annotated[str, typer.Option(help="What it is about.", show_default=False)] = "",
    content_type: Annotated[
        str, typer.Option(metavar="TYPE", help="What it is, such as video/mp4; told by its name if absent.", show_default=False)
    ] = "",
    resume: Annotated[str, typer.Option(metavar="ID", help="Go on with this upload, which broke off.", show_default=False)] = "",
    parallel: Annotated[int, typer.Option(metavar="N", help="How many parts go at a time.", min=1, max=16)] = 4,
) -> None:
    """Upload a video, a picture or another file.

    It goes up in parts, which are tried again while the network is away. Ctrl-C stops it; what has come is kept for a day,
    and `--resume` sends the rest.
    """
    if not Path(file).is_file():
        raise CommandError(f"{file} is not a file that can be sent." if Path(file).exists() else f"There is no file {file}.")
    given = values.given(
        title=title or None,
        description=description or None,
        content_type=content_type or None,
        course_id=course or None,
        resume=resume or None,
    )
    with Choice.of(context).client() as client:
        done = _uploaded(client, file, given, parallel, section)
        if section:
            client.content.assign_media(section, media_ids=[done.media_id])
    show.one(done.to_dict(), show.Shape.of(context))


def _uploaded(client: Any, file: str, given: dict[str, Any], parallel: int, section: str) -> Any:
    from unpuzzle_sdk import errors

    known: list[str] = []
    try:
        with progress.shown(Path(file).name, in_bytes=True) as tell:

            def told(step: "Progress") -> None:
                known[:] = [step.upload_id]
                tell(step.sent, step.total)

            return client.media.upload(file, parallel=parallel, on_progress=told, **given)
    except STOPS as stop:
        if not known:
            raise
        raise stopped(stop, "Stopped. What has come is kept for a day.", _again(file, known[0], section)) from None
    except errors.UploadInterrupted as error:
        raise CommandError(str(error), _again(file, error.upload_id, section), FAILED) from None


def _again(file: str, upload_id: str, section: str) -> str:
    words = ["unpuzzle", "media", "upload", file, "--resume", upload_id, *(["--section", section] if section else [])]
    return f"Go on: {shlex.join(words)}"
