"""Commands that are not operations of the contract, and the operations written by hand; all stand here, with examples."""

import typer

from unpuzzle_cli import chat
from unpuzzle_cli.commands import bulk, learnt, signing, watching
from unpuzzle_cli.commands.transcribed import upload_transcript
from unpuzzle_cli.commands.uploading import upload
from unpuzzle_cli.group import Command, Own

def _signing_in(verb: str) -> Own:
    command = f"unpuzzle auth {verb}"
    ways = [command, f"{command} --provider github", f"{command} --with-key < key.txt"]
    return Own(signing.sign_in, [*ways, f"{command} --email jane@example.com --password-stdin < password.txt"])


CONTRACT = {
    "auth.sign_in": _signing_in("sign-in"),
    "auth.sign_out": Own(signing.sign_out, ["unpuzzle auth sign-out"], Command),
    "enrollments.bulk_enroll": Own(
        bulk.bulk_enroll,
        [
            "unpuzzle enrollments bulk-enroll --course-id b6b28414-328b-5b14-930c-0a8320288e81 --file students.csv --dry-run",
            "unpuzzle enrollments bulk-enroll --course-id b6b28414-328b-5b14-930c-0a8320288e81 --rows email=ada@example.com",
        ],
    ),
}
"""Operations whose commands are written by hand, since they keep or forget the session, or read a file and wait."""
EXTRAS = {
    "auth.login": _signing_in("login"),
    "auth.logout": Own(signing.sign_out, ["unpuzzle auth logout"], Command),
    "auth.status": Own(signing.status, ["unpuzzle auth status", "unpuzzle auth status --json email --jq .email"]),
    "auth.token": Own(signing.token, ["unpuzzle auth token"], Command),
    "notifications.watch": Own(
        watching.watch_notifications, ["unpuzzle notifications watch", "unpuzzle notifications watch --jq .data.title"]
    ),
    "content.upload_transcript": Own(
        upload_transcript, ["unpuzzle content upload-transcript 7c9e6679-7425-40de-944b-e07fc1f90ae7 lecture.vtt"], Command
    ),
    "payments.watch": Own(watching.watch, ["unpuzzle payments watch pay_123 --timeout 60"], Command),
    "media.upload": Own(
        upload,
        [
            "unpuzzle media upload lecture.mp4 --title 'Lesson 1'",
            "unpuzzle media upload lecture.mp4 --json media_id --jq .media_id",
        ],
    ),
    "analytics.learning": Own(learnt.learning, ["unpuzzle analytics learning --period week"]),
    "ai.chat": Own(
        chat.chat, ["unpuzzle ai chat 'What is a closure?'", "unpuzzle ai chat 'What is a closure?' --jq .response"]
    ),
}
"""Other names, and commands that are not operations."""


def add_to(tag: str, group: typer.Typer) -> None:
    """Adds what is written here to the commands of a tag."""
    for name, command in (CONTRACT | EXTRAS).items():
        owner, _, verb = name.partition(".")
        if owner == tag:
            command.add_to(group, verb.replace("_", "-"))
