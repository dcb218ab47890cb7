"""The tree of commands, and the options that stand before all of them."""

from importlib import import_module
from typing import Annotated

import typer

from unpuzzle_cli import __version__
from unpuzzle_cli.commands import api, own
from unpuzzle_cli.commands.tags import TAGS
from unpuzzle_cli.session import Choice

app = typer.Typer(
    name="unpuzzle", help="The Unpuzzle API on the command line.", no_args_is_help=True, pretty_exceptions_enable=False
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"unpuzzle {__version__}")
        raise typer.Exit


@app.callback()
def choose(
    context: typer.Context,
    base_url: Annotated[str, typer.Option(help="The server; else UNPUZZLE_BASE_URL, else the profile's.")] = "",
    profile: Annotated[str, typer.Option(envvar="UNPUZZLE_PROFILE", help="Which profile to use.")] = "default",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but data and errors.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    context.obj = Choice(base_url, profile, quiet)


for _tag, _help in TAGS.items():
    _group: typer.Typer = import_module(f"unpuzzle_cli.commands.{_tag}").app
    own.add_to(_tag, _group)
    app.add_typer(_group, name=_tag, help=_help)
app.add_typer(own.config_app, name="config")
app.command("api")(api.send)
