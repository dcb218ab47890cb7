"""Commands that are not operations of the contract, and the operations written by hand; all stand here, with examples."""

from collections.abc import Callable
from dataclasses import dataclass

import typer

from unpuzzle_cli import chat, config
from unpuzzle_cli.commands import aliasing, api, bulk, helping, learnt, settings, shells, signing, watching
from unpuzzle_cli.commands.transcribed import upload_transcript
from unpuzzle_cli.commands.uploading import upload
from unpuzzle_cli.group import PROMPT, Command, FilteredCommand, JsonCommand

MORE_COMMANDS = "More commands"


@dataclass(frozen=True)
class Own:
    """A command written by hand, and what one types."""

    run: Callable[..., None]
    examples: list[str]
    made_as: type[Command] = JsonCommand

    def add_to(self, group: typer.Typer, name: str, panel: str | None = None) -> None:
        epilog = "\n".join(PROMPT + example for example in self.examples)
        group.command(name, cls=self.made_as, epilog=epilog, rich_help_panel=panel)(self.run)


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
BESIDE = {
    "api": Own(
        api.send,
        [
            "unpuzzle api GET courses/ -f search=python --jq '.results[].title'",
            "unpuzzle api GET courses/ --paginate --template '{{ this | length }} courses'",
            "unpuzzle api POST instructor/courses/create/ -f title=Locks -F price=49.99",
        ],
        FilteredCommand,
    ),
    "completion": Own(shells.completion, ["unpuzzle completion bash"], Command),
    "help": Own(helping.show_help, ["unpuzzle help courses list", "unpuzzle help formatting"], Command),
    "version": Own(helping.show_version, ["unpuzzle version"], Command),
}
"""Commands that stand beside the tags."""


def add_to(tag: str, group: typer.Typer) -> None:
    """Adds what is written here to the commands of a tag."""
    for name, command in (CONTRACT | EXTRAS).items():
        owner, _, verb = name.partition(".")
        if owner == tag:
            command.add_to(group, verb.replace("_", "-"))


def add_to_root(root: typer.Typer) -> None:
    """Adds the commands that stand beside the tags."""
    root.add_typer(aliasing.app, name="alias", help="Commands of your own.", rich_help_panel=MORE_COMMANDS)
    about = "Settings, by profile: " + ", ".join(config.KEYS) + "."
    root.add_typer(settings.app, name="config", help=about, rich_help_panel=MORE_COMMANDS)
    for name, command in BESIDE.items():
        command.add_to(root, name, MORE_COMMANDS)
