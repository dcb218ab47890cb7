"""What all commands have in common: the options that every one takes, and help in sections."""

import os
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from unpuzzle_cli import console
from unpuzzle_cli.session import BASE_URL, PROFILE

EVERYWHERE = "Everywhere"


def _remember_base_url(context: typer.Context, value: str) -> None:
    if value:
        context.meta[BASE_URL] = value


def _remember_profile(context: typer.Context, value: str) -> None:
    if value:
        context.meta[PROFILE] = value


def _quiet(value: bool) -> None:
    if value:
        console.silence()


BaseUrl = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="The server; else UNPUZZLE_BASE_URL, else the profile's.",
        callback=_remember_base_url,
        expose_value=False,
        show_default=False,
        rich_help_panel=EVERYWHERE,
    ),
]
Profile = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The profile; else UNPUZZLE_PROFILE, else `default`.",
        callback=_remember_profile,
        expose_value=False,
        show_default=False,
        rich_help_panel=EVERYWHERE,
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Say nothing but data and errors.",
        callback=_quiet,
        expose_value=False,
        rich_help_panel=EVERYWHERE,
    ),
]


def _options() -> list[Any]:
    def options(base_url: BaseUrl = "", profile: Profile = "", quiet: Quiet = False) -> None:
        """Only its parameters are wanted."""

    holder = typer.Typer(add_completion=False)
    holder.command()(options)
    return typer.main.get_command(holder).params


OPTIONS = _options()
"""They may stand before the command or behind it."""


class Command(TyperCommand):
    """A command. Its help has a section for each kind of option."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *OPTIONS]

    def invoke(self, ctx: Any) -> Any:
        # Not typer's, which says less of what is deprecated than the SDK's warning.
        return ctx.invoke(self.callback, **ctx.params)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _sections(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Commands": []}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            sections.setdefault(command.rich_help_panel or "Commands", []).append((name, command.get_short_help_str(80)))
        _write(sections, formatter)
        _sections(self, ctx, formatter)


class Root(Group):
    """The command `unpuzzle` itself."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *OPTIONS]


def _sections(command: Any, ctx: Any, formatter: Any) -> None:
    """The arguments and options of a command by their panels, each panel where its first one stands."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            sections.setdefault(parameter.rich_help_panel or usual, []).append(record)
    _write(sections, formatter)


def _write(sections: dict[str, list[tuple[str, str]]], formatter: Any) -> None:
    for name, rows in sections.items():
        if rows:
            with formatter.section(name if os.environ.get("NO_COLOR") else typer.style(name, bold=True)):
                formatter.write_dl(rows)
