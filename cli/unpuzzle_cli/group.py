"""What all commands have in common: the options that every one takes, and help in sections."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from unpuzzle_cli import answers, common, console
from unpuzzle_cli.errors import UsageError

NEAR = 0.7
"""How like a name must be to what was typed, so that `list` is no `alias`."""
PROMPT = "$ "
"""How an example begins in the epilog of a command."""
FLAGS = "[flags]"
OTHER_NAMES = {
    "show": ["get"], "view": ["get"], "ls": ["list"], "rm": ["delete"], "remove": ["delete", "unset"], "del": ["delete"],
    "new": ["create"], "add": ["create"], "edit": ["update"], "change": ["update"], "signin": ["login"], "signout": ["logout"],
}  # fmt: skip
"""What other command lines call our verbs."""


class Command(TyperCommand):
    """A command. Its help has a section for each kind of option, and its examples as one types them."""

    shapes: ClassVar[list[Any]] = []

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *self.shapes, *common.OPTIONS]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [each for each in self.params if each.param_type_name == "argument"]
        return [*(_object(each) for each in arguments), FLAGS]

    def invoke(self, ctx: Any) -> Any:
        # Not typer's, which says less of what is deprecated than the SDK's warning.
        return ctx.invoke(self.callback, **ctx.params)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _sections(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _examples(self.epilog or "", formatter)


class JsonCommand(Command):
    """A command with an answer: JSON on request, and what a filter or a template makes of it."""

    shapes = common.SHAPES

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, common.whole_json(args, lambda given: self.make_parser(ctx).parse_args(args=given)[1]))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        super().format_epilog(ctx, formatter)
        if known := answers.fields(ctx):
            with section("JSON fields", formatter):
                formatter.write_text(", ".join(known))


class FilteredCommand(Command):
    """A command whose answer is JSON in any case."""

    shapes = common.FILTERS


class Group(TyperGroup):
    """A group of commands."""

    panels: ClassVar[tuple[str, ...]] = ("Commands",)
    """The parts of its list that come first, in their order."""

    def get_params(self, ctx: Any) -> list[Any]:
        return [*super().get_params(ctx), *common.OPTIONS]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] in self.commands or ctx.resilient_parsing or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        meant = [f"{ctx.command_path} {name}" for name in nearest(args[0], self.commands)] or self.elsewhere(args[0])
        hint = f"Did you mean: {', or: '.join(meant)}" if meant else f"See: {ctx.command_path} --help"
        raise UsageError(f"There is no command {ctx.command_path} {args[0]}.", hint)

    def elsewhere(self, typed: str) -> list[str]:
        """What else may be meant, where no command of the group is like what was typed."""
        return []

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return ["<command>", FLAGS]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {panel: [] for panel in self.panels}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            sections.setdefault(command.rich_help_panel or "Commands", []).append((name, command.get_short_help_str(80)))
        _write(sections, formatter)
        _sections(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _examples(self.epilog or "", formatter)


@dataclass(frozen=True)
class Own:
    """A command written by hand, and what one types."""

    run: Callable[..., None]
    examples: list[str]
    made_as: type[Command] = JsonCommand

    def add_to(self, group: typer.Typer, name: str, panel: str | None = None) -> None:
        epilog = "\n".join(PROMPT + example for example in self.examples)
        group.command(name, cls=self.made_as, epilog=epilog, rich_help_panel=panel)(self.run)


def nearest(typed: str, known: Iterable[str]) -> list[str]:
    """The names that are meant by something like them, or by what other command lines call it."""
    names = list(known)
    called = [name for name in OTHER_NAMES.get(typed, ()) if name in names]
    return called or get_close_matches(typed, names, cutoff=NEAR)


def _object(argument: Any) -> str:
    """What stands for an argument in the usage."""
    name = f"<{(argument.metavar or argument.name).lower().replace('_', '-')}>"
    return name if argument.required else f"[{name}]"


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
            with section(name, formatter):
                formatter.write_dl(rows)


def _examples(epilog: str, formatter: Any) -> None:
    """The examples of an epilog, whole lines that can be copied, and whatever else it says."""
    paragraphs = [each.strip() for each in epilog.split("\n\n")]
    examples = [each for each in paragraphs if each.startswith(PROMPT)]
    if examples:
        with section("Examples", formatter):
            for line in "\n".join(examples).splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
    for paragraph in paragraphs:
        if paragraph and not paragraph.startswith(PROMPT):
            formatter.write_paragraph()
            formatter.write_text(paragraph)


def section(name: str, formatter: Any) -> Any:
    """A part of the help, whose heading is bold on a terminal."""
    return formatter.section(typer.style(name, bold=True) if console.in_colour(sys.stdout) else name)
