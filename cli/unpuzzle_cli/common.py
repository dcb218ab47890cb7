"""The options that commands have in common: those of every command, and those of every command that has an answer.

They may stand before the command or behind it; what was given is kept in the context's `meta`.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer
import typer.main

from unpuzzle_cli import answers, complete, console
from unpuzzle_cli.errors import UsageError
from unpuzzle_cli.session import BASE_URL, PROFILE

EVERYWHERE, OUTPUT = "Everywhere", "Output"
JSON, FIELDS, PRINTER = "unpuzzle.json", "unpuzzle.fields", "unpuzzle.printer"
WHOLE = "--json="
"""How `--json` without fields is handed to the parser, which knows no options whose value may be absent."""

Printer = Callable[[Any], None]


def _kept(key: str) -> Callable[[typer.Context, str | None], None]:
    def keep(context: typer.Context, value: str | None) -> None:
        if value is not None:
            context.meta[key] = value

    return keep


def _names(key: str) -> Callable[[typer.Context, str | None], None]:
    keep = _kept(key)
    other = ({JSON, FIELDS} - {key}).pop()

    def check(context: typer.Context, value: str | None) -> None:
        if value and not context.resilient_parsing:
            answers.check(context, field_names(value))
            if context.meta.get(other):
                raise UsageError(
                    "--json and --fields name fields twice.", "Name them once: --json NAMES, or --fields NAMES for text"
                )
        keep(context, value)

    return check


def _quiet(value: bool) -> None:
    if value:
        console.silence()


def _jq(context: typer.Context, value: str | None) -> None:
    if value is not None and not context.resilient_parsing:
        from unpuzzle_cli import filters  # loads jq

        _take_printer(context, filters.printer(value or "."))


def _template(context: typer.Context, value: str | None) -> None:
    if value is not None and not context.resilient_parsing:
        from unpuzzle_cli import templates  # loads Jinja2

        _take_printer(context, templates.printer(value))


def _take_printer(context: typer.Context, printer: Printer) -> None:
    if context.meta.setdefault(PRINTER, printer) is not printer:
        raise UsageError("--jq and --template do not go together.", "Choose in --jq, or in the template")


def _option(panel: str, callback: Callable[..., None], *names: str, **about: Any) -> Any:
    return typer.Option(*names, callback=callback, expose_value=False, rich_help_panel=panel, **about)


def _everywhere(
    base_url: Annotated[
        str | None,
        _option(EVERYWHERE, _kept(BASE_URL), metavar="URL", help="The server; else UNPUZZLE_BASE_URL, else the profile's."),
    ] = None,
    profile: Annotated[
        str | None,
        _option(EVERYWHERE, _kept(PROFILE), metavar="NAME", help="The profile; else UNPUZZLE_PROFILE, else `default`."),
    ] = None,
    quiet: Annotated[bool, _option(EVERYWHERE, _quiet, "--quiet", "-q", help="Say nothing but data and errors.")] = False,
) -> None:
    """Only its parameters are wanted."""


SOME, FILTERED = "Only these columns, such as id,title,category.name.", "What a jq expression makes of the JSON."
RENDERED = "What a Jinja template makes of the JSON; `@file` too. See: unpuzzle help formatting"


def _shapes(
    fields: Annotated[
        str | None, _option(OUTPUT, _names(FIELDS), metavar="NAMES", help=SOME, autocompletion=complete.fields)
    ] = None,
    as_json: Annotated[
        str | None,
        _option(
            OUTPUT,
            _names(JSON),
            "--json",
            metavar="[FIELDS]",
            help="JSON: of these fields, or the whole answer.",
            autocompletion=complete.fields,
        ),
    ] = None,
    jq: Annotated[str | None, _option(OUTPUT, _jq, "--jq", metavar="EXPRESSION", help=FILTERED)] = None,
    template: Annotated[str | None, _option(OUTPUT, _template, "--template", metavar="TEMPLATE", help=RENDERED)] = None,
) -> None:
    """As above."""


def _parameters(holder: Callable[..., None]) -> list[Any]:
    app = typer.Typer(add_completion=False)
    app.command()(holder)
    return typer.main.get_command(app).params


OPTIONS = _parameters(_everywhere)
SHAPES = _parameters(_shapes)
FILTERS = SHAPES[2:]
"""Of an answer that is JSON in any case."""


def whole_json(args: list[str], left_over: Callable[[list[str]], list[str]]) -> list[str]:
    """The arguments with `--json` as the parser takes it.

    The word behind it is its fields if the command would else have a word too many: `left_over` tells what no argument takes.
    """
    if "--json" not in args:
        return args
    place = args.index("--json")
    before, after = args[:place], args[place + 1 :]
    if after and not after[0].startswith("-") and left_over([*before, WHOLE, *after]):
        return [*before, f"{WHOLE}{after[0]}", *after[1:]]
    return [*before, WHOLE, *after]


def field_names(text: str) -> list[str]:
    """The fields of a list with commas."""
    return [name for name in re.split(r"[,\s]+", text) if name]
