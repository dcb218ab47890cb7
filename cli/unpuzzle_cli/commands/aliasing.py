"""`unpuzzle alias`: commands of one's own."""

import tomllib
from typing import Annotated, Any

import typer

from unpuzzle_cli import aliases, config, console, show, values
from unpuzzle_cli.errors import UsageError
from unpuzzle_cli.group import Command, Group, JsonCommand

app = typer.Typer(cls=Group, no_args_is_help=True)

Clobber = Annotated[bool, typer.Option("--clobber", help="Write over an alias of that name.")]


def _known(incomplete: str) -> list[tuple[str, str]]:
    return [(name, text) for name, text in config.aliases().items() if name.startswith(incomplete)]


@app.command("list", cls=JsonCommand, epilog="$ unpuzzle alias list")
def list_aliases(context: typer.Context) -> None:
    """Show your aliases."""
    found = [{"name": name, "expansion": text} for name, text in config.aliases().items()]
    show.many({"count": len(found), "results": found}, show.Shape.of(context, "name,expansion"))


@app.command(
    "set",
    cls=Command,
    epilog="$ unpuzzle alias set cheap 'courses list --category $1 --sort price'\n"
    "$ unpuzzle alias set --shell titles 'unpuzzle courses list --all --fields title | sort'",
)
def set_alias(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What you will type.")],
    expansion: Annotated[str, typer.Argument(help="What is meant; `-` for stdin.")],
    shell: Annotated[bool, typer.Option("--shell", "-s", help="A line for sh, as if it began with `!`.")] = False,
    clobber: Clobber = False,
) -> None:
    """Make a command of your own.

    `$1`, `$2` … in it are what is typed behind its name; whatever else is typed there is added at the end. A line that begins
    with `!` is run by sh, with `"$@"` for what is typed.
    """
    text = str(values.text(expansion)).strip() if expansion == "-" else expansion
    marked = aliases.SHELL + text if shell and not text.startswith(aliases.SHELL) else text
    _keep(context, {name: marked}, clobber=clobber)


@app.command("delete", cls=Command, epilog="$ unpuzzle alias delete dear")
def delete_alias(name: Annotated[str, typer.Argument(help="Its name.", autocompletion=_known)]) -> None:
    """Forget a command of your own."""
    if name not in config.aliases():
        raise UsageError(f"There is no alias {name}.", "See: unpuzzle alias list")
    config.forget_alias(name)


@app.command("import", cls=Command, epilog="$ unpuzzle alias import aliases.toml")
def import_aliases(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A file of `name = \"expansion\"`, or `-` for stdin.")],
    clobber: Clobber = False,
) -> None:
    """Take aliases from a TOML file, such as somebody's config.toml."""
    try:
        table = tomllib.loads(values.content("-" if file == "-" else f"@{file}").decode())
    except ValueError as error:
        raise UsageError(f"{file} is not TOML: {error}") from None
    found = table.get(config.ALIASES)
    given = {name: text for name, text in (found if isinstance(found, dict) else table).items() if isinstance(text, str)}
    if not given:
        raise UsageError(f"There are no aliases in {file}.", "They are lines such as: cheap = \"courses list --sort price\"")
    _keep(context, given, clobber=clobber)


def _keep(context: Any, given: dict[str, str], *, clobber: bool) -> None:
    """Keeps all of them, or none if one can't be."""
    root = context.find_root().command
    for name, text in given.items():
        aliases.check(root, name, text)
        if name in config.aliases() and not clobber:
            raise UsageError(f"There is an alias {name}.", "Write over it: --clobber")
    config.keep_aliases(given)
    for name, text in given.items():
        console.talk(f"{name}: {text}")
