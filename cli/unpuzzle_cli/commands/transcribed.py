"""Transcripts from files, as editors and players keep them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from unpuzzle_cli import console
from unpuzzle_cli.errors import UsageError
from unpuzzle_cli.session import Choice

FORMATS = {".vtt": "vtt", ".srt": "srt", ".json": "segments"}
"""How a file is sent, by the end of its name."""


def upload_transcript(
    context: typer.Context,
    lesson_id: Annotated[str, typer.Argument(help="The id of the lesson.", show_default=False)],
    file: Annotated[Path, typer.Argument(help="A file .vtt, .srt, or .json with segments.", show_default=False)],
    language: Annotated[str, typer.Option(help="The language that is spoken; English if absent.", show_default=False)] = "",
) -> None:
    """Write the transcript of a lesson from a file, whose name tells its format."""
    said: dict[str, Any] = {"language": language} if language else {}
    said |= _read(file)
    with Choice.of(context).client() as client:
        written = client.content.put_transcript(lesson_id, **said)
    console.say(f"{written.lesson_id}\t{written.segments_count} segments\t{written.language}")


def _read(file: Path) -> dict[str, Any]:
    form = FORMATS.get(file.suffix.lower())
    if form is None:
        raise UsageError(f"{file.name} is none of {', '.join(FORMATS)}.", "Otherwise: unpuzzle content put-transcript --help")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not a text in UTF-8.") from None
    return {"format": form, "segments": _segments(file, text)} if form == "segments" else {"format": form, "text": text}


def _segments(file: Path, text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{file} is not JSON: line {error.lineno}, column {error.colno}.") from None
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise UsageError(f'{file} holds no segments: [{{"start": 0, "end": 4.2, "text": "What is said"}}, …].')
    return found
