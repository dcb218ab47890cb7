"""The tree of commands."""

from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main

from unpuzzle_cli import __version__, topics
from unpuzzle_cli.commands import beside
from unpuzzle_cli.commands.tags import TAGS
from unpuzzle_cli.group import Group
from unpuzzle_cli.root import PANELS, Root

EPILOG = f"""
$ unpuzzle courses list --search python
$ unpuzzle courses get introduction-to-python-programming --json title,price

unpuzzle help TOPIC tells more: {", ".join(topics.TOPICS)}.
"""
SETTINGS = {"help_option_names": ["--help", "-h"], "max_content_width": 100}


class Tag(Group):
    """The commands of one tag. Its module is imported when one of them is wanted: there are many, and one is run."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        if not self.commands:
            from unpuzzle_cli.commands import own

            app = typer.Typer(rich_markup_mode=None)
            own.add_to(str(self.name), app)
            app.registered_commands += import_module(f"unpuzzle_cli.commands.{self.name}").app.registered_commands
            self.commands = typer.main.get_group(app).commands
        return super().make_context(info_name, args, parent, **extra)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"unpuzzle {__version__}")
        raise typer.Exit


def start(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """The Unpuzzle API on the command line.

    `unpuzzle auth login` signs in, `unpuzzle courses list` looks around.
    """


def _root() -> Any:
    root = typer.Typer(
        cls=Root,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        epilog=EPILOG,
        context_settings=SETTINGS,
    )
    root.callback()(start)
    panels = {tag: panel for panel, tags in PANELS.items() for tag in tags}
    for tag, about in TAGS.items():
        group = typer.Typer(cls=Tag, no_args_is_help=True)
        root.add_typer(group, name=tag, help=about, rich_help_panel=panels.get(tag, "Commands"))
    beside.add_to_root(root)
    return typer.main.get_command(root)


app = _root()
