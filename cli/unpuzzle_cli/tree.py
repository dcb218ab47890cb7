"""The tree of commands, and the options that every one of them takes."""

from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from unpuzzle_cli import __version__, console
from unpuzzle_cli.commands import own
from unpuzzle_cli.commands.tags import TAGS
from unpuzzle_cli.session import BASE_URL, PROFILE

EVERYWHERE = "Everywhere"
EPILOG = (
    "Environment: UNPUZZLE_TOKEN, UNPUZZLE_BASE_URL, UNPUZZLE_PROFILE, UNPUZZLE_CONFIG_DIR, UNPUZZLE_NO_KEYRING, NO_COLOR.\n\n"
    "Exit codes: 0 ok, 1 failed, 2 usage, 4 sign-in or another role needed, 5 not found, 6 limit, 130 interrupted."
)


class Tag(TyperGroup):
    """The commands of one tag. Its module is imported when one of them is wanted: there are many, and one is run."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        if not self.commands:
            module = import_module(f"unpuzzle_cli.commands.{self.name}")
            own.add_to(str(self.name), module.app)
            for name, command in typer.main.get_group(module.app).commands.items():
                _inherit(command)
                self.commands[name] = command
        return super().make_context(info_name, args, parent, **extra)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"unpuzzle {__version__}")
        raise typer.Exit


def _remember_base_url(context: typer.Context, value: str) -> None:
    if value:
        context.meta[BASE_URL] = value


def _remember_profile(context: typer.Context, value: str) -> None:
    if value:
        context.meta[PROFILE] = value


def _quiet(value: bool) -> None:
    if value:
        console.silence()


def options(
    base_url: Annotated[
        str,
        typer.Option(
            help="The server; else UNPUZZLE_BASE_URL, else the profile's.",
            callback=_remember_base_url,
            expose_value=False,
            show_default=False,
            rich_help_panel=EVERYWHERE,
        ),
    ] = "",
    profile: Annotated[
        str,
        typer.Option(
            help="The profile; else UNPUZZLE_PROFILE, else `default`.",
            callback=_remember_profile,
            expose_value=False,
            show_default=False,
            rich_help_panel=EVERYWHERE,
        ),
    ] = "",
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Say nothing but data and errors.",
            callback=_quiet,
            expose_value=False,
            rich_help_panel=EVERYWHERE,
        ),
    ] = False,
) -> None:
    """The options that may stand before the command or behind it."""


def start(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """The Unpuzzle API on the command line."""


def _inherited() -> list[Any]:
    holder = typer.Typer(add_completion=False)
    holder.command()(options)
    return typer.main.get_command(holder).params


INHERITED = _inherited()


def _inherit(command: Any) -> None:
    """Gives a command, or all those of a group, the options of all commands, and help that wraps where the terminal ends."""
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n"))
    for inner in getattr(command, "commands", {}).values():
        _inherit(inner)
    if not isinstance(command, TyperGroup):
        command.params.extend(INHERITED)


def _root() -> Any:
    root = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        epilog=EPILOG,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    root.callback()(start)
    for tag, about in TAGS.items():
        root.add_typer(typer.Typer(cls=Tag, no_args_is_help=True), name=tag, help=about)
    own.add_to_root(root)
    command = typer.main.get_command(root)
    _inherit(command)
    command.params.extend(INHERITED)
    return command


app = _root()
