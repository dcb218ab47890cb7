"""`unpuzzle config`: settings, by profile."""

import typer

from unpuzzle_cli import config, console, show
from unpuzzle_cli.errors import CommandError
from unpuzzle_cli.group import Command, Group, JsonCommand
from unpuzzle_cli.session import Choice

app = typer.Typer(cls=Group, no_args_is_help=True)


@app.command("list", cls=JsonCommand, epilog="$ unpuzzle config list")
def list_settings(context: typer.Context) -> None:
    """Show the settings of every profile."""
    found = [
        {"profile": name, "key": key, "value": value} for name, kept in config.load().items() for key, value in kept.items()
    ]
    show.many({"count": len(found), "results": found}, show.Shape.of(context, "profile,key,value"))


@app.command("get", cls=Command, epilog="$ unpuzzle config get timeout")
def get_setting(context: typer.Context, key: str) -> None:
    """Show a setting of the profile."""
    choice = Choice.of(context)
    found = choice.setting(config.known(key))
    if not found:
        raise CommandError(f"{key} is not set in the profile {choice.profile}.", f"Set it: unpuzzle config set {key} VALUE")
    console.say(found)


@app.command("set", cls=Command, epilog="$ unpuzzle config set timeout 60")
def set_setting(context: typer.Context, key: str, value: str) -> None:
    """Keep a setting in the profile."""
    config.change(Choice.of(context, may_be_new=True).profile, key, value)


@app.command("unset", cls=Command, epilog="$ unpuzzle config unset timeout")
def unset_setting(context: typer.Context, key: str) -> None:
    """Forget a setting of the profile."""
    config.change(Choice.of(context).profile, key, None)
