"""Which fields the answer of a command has: its help lists them, completion offers them, and no other is asked for."""

from typing import TYPE_CHECKING

from unpuzzle_cli.errors import UsageError

if TYPE_CHECKING:
    import typer

SAME = {
    "ai.chat": "ai.send_message",
    "analytics.learning": "analytics.get_learning",
    "auth.login": "auth.sign_in",
    "media.upload": "media.complete_upload",
}
"""Commands that answer as an operation of another name does."""
OWN = {
    "alias.list": "name,expansion",
    "auth.status": "server,profile,email,name,roles,token",
    "config.list": "profile,key,value",
}
"""What commands answer that are no operations."""


def fields(context: "typer.Context") -> list[str]:
    """The fields of a command's answer, or of what its list holds; none where they are not known, as of a file."""
    from unpuzzle_cli.commands.fields import FIELDS

    name = ".".join(context.command_path.split()[1:]).replace("-", "_")
    known = OWN.get(name) or FIELDS.get(SAME.get(name, name), "")
    return known.split(",") if known else []


def check(context: "typer.Context", names: list[str]) -> None:
    """Raises UsageError for a field that the answer will not have, while nothing has been sent.

    What is inside of a field is only known when the answer is there.
    """
    known = fields(context)
    for name in names:
        if known and name.partition(".")[0] not in known:
            raise UsageError(*absent(name, known))


def absent(name: str, known: list[str]) -> tuple[str, str]:
    """What is said of a field that is not there, and which are."""
    return f"There is no field {name}.", f"There are: {', '.join(known)}"
