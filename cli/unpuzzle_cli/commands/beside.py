"""The commands that stand beside the tags, all written by hand, with examples."""

import typer

from unpuzzle_cli import config
from unpuzzle_cli.commands import aliasing, api, helping, settings, shells
from unpuzzle_cli.commands.conformance import ConformanceCommand, conformance
from unpuzzle_cli.group import Command, Own

MORE_COMMANDS = "More commands"

BESIDE = {
    "api": Own(
        api.send,
        [
            "unpuzzle api courses/ -f search=python --jq '.results[].title'",
            "unpuzzle api GET courses/ --paginate --template '{{ this | length }} courses'",
            "unpuzzle api POST instructor/courses/create/ -f title=Locks -F price=49.99",
        ],
        api.ApiCommand,
    ),
    "completion": Own(shells.completion, ["unpuzzle completion bash"], Command),
    "conformance": Own(
        conformance,
        [
            "unpuzzle conformance --base-url https://staging.example.com",
            "unpuzzle conformance --base-url http://127.0.0.1:8000 --profile full --yes --report-dir report",
        ],
        ConformanceCommand,
    ),
    "help": Own(helping.show_help, ["unpuzzle help courses list", "unpuzzle help formatting"], Command),
    "version": Own(helping.show_version, ["unpuzzle version"], Command),
}


def add_to_root(root: typer.Typer) -> None:
    """Adds the commands that stand beside the tags."""
    root.add_typer(aliasing.app, name="alias", help="Commands of your own.", rich_help_panel=MORE_COMMANDS)
    about = "Settings, by profile: " + ", ".join(config.KEYS) + "."
    root.add_typer(settings.app, name="config", help=about, rich_help_panel=MORE_COMMANDS)
    for name, command in BESIDE.items():
        command.add_to(root, name, MORE_COMMANDS)
