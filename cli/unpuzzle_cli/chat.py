"""`unpuzzle ai chat`: talk with the tutor, whose answers appear as they are made."""

import re
from typing import Annotated, Any

import typer

from unpuzzle_cli import complete, console, show
from unpuzzle_cli.errors import UsageError
from unpuzzle_cli.session import Choice

PROMPT = "> "
GOODBYES = ("exit", "quit", "bye")


def chat(
    context: typer.Context,
    message: Annotated[
        str, typer.Argument(help="What to ask; else a conversation begins, or stdin is asked.", show_default=False)
    ] = "",
    lesson: Annotated[str, typer.Option(metavar="ID", help="The lesson to ask about.", show_default=False)] = "",
    course: Annotated[
        str,
        typer.Option(metavar="ID", help="The course to ask about.", show_default=False, autocompletion=complete.own_course_ids),
    ] = "",
    at: Annotated[
        str, typer.Option(metavar="TIME", help="The moment in the lesson, such as 4:05 or 245.", show_default=False)
    ] = "",
    session: Annotated[str, typer.Option(metavar="ID", help="The conversation to go on with.", show_default=False)] = "",
    transcript: Annotated[bool, typer.Option(help="Whether answers may rest on transcripts.")] = True,
) -> None:
    """Talk with the tutor about a lesson.

    On a terminal it is a conversation until Ctrl-D or `exit`. With a message, or in a pipe, it is one answer.
    """
    place = {"lesson_id": lesson, "course_id": course, "timestamp_seconds": _seconds(at)}
    asked: dict[str, Any] = {
        "include_transcript": transcript,
        "context": {key: value for key, value in place.items() if value != ""},
    }
    if session:
        asked["session_id"] = session
    shape = show.Shape.of(context)
    with Choice.of(context).client() as client:
        if message or not console.can_ask():
            _once(client, message or console.read_all(), asked, shape)
        elif shape.asked:
            raise UsageError("A conversation is not JSON.", "Give a message: unpuzzle ai chat --json 'What is a closure?'")
        else:
            _talk(client, asked)


def _once(client: Any, message: str, asked: dict[str, Any], shape: show.Shape) -> None:
    if not message.strip():
        raise UsageError("There is no question.", "Ask one: unpuzzle ai chat 'What is a closure?'")
    if shape.asked:
        show.one(client.ai.send_message(message=message, **asked).to_dict(), shape)
    else:
        _answer(client, message, asked)


def _talk(client: Any, asked: dict[str, Any]) -> None:
    """One question after another; what the tutor can't answer now can be asked again."""
    from unpuzzle_sdk import errors

    while (message := console.read_line(PROMPT)) is not None and message.lower() not in GOODBYES:
        if not message:
            continue
        try:
            asked["session_id"] = _answer(client, message, asked)
            asked["context"] = {}  # the conversation knows what it is about
        except errors.AiServiceError as error:
            console.complain(error.message, [], "Ask again in a moment.")


def _answer(client: Any, message: str, asked: dict[str, Any]) -> str:
    """Shows an answer as it comes, and where it is said; answers the conversation."""
    with client.ai.stream_message(message=message, **asked) as stream:
        for piece in stream.text_deltas():
            console.say_piece(piece)
        answer = stream.final()
    console.say("")
    for action in answer.suggested_actions:
        console.talk(f"  {action.label}")
    return str(answer.session_id)


def _seconds(at: str) -> float | str:
    """A moment as players show it, or in seconds; empty for none."""
    if not at:
        return ""
    if not re.fullmatch(r"(?:\d{1,2}:)?\d{1,3}:\d{2}|\d{1,5}(?:\.\d{1,3})?", at, re.ASCII):
        raise UsageError(f"There is no moment {at}.", "Give it as 4:05, 1:02:09 or 245")
    seconds = 0.0
    for part in at.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds
