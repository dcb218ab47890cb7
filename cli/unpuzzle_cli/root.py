"""The command `unpuzzle` itself: aliases are commands too, and what is typed without its group is found."""

from contextlib import suppress
from typing import Any

import typer

from unpuzzle_cli import aliases, config, session
from unpuzzle_cli.errors import CommandError
from unpuzzle_cli.group import Group, section

MOST_MEANT = 3
PANELS = {
    "Learning": ("courses", "enrollments", "learning", "reflections", "ai"),
    "Teaching": ("content", "media", "analytics"),
    "Your account": ("auth", "payments", "subscriptions", "notifications"),
    "The server": ("system",),
}
"""How the groups are listed; whatever the contract adds besides is listed by itself."""


class Root(Group):
    panels = (*PANELS, "Commands")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, *given = args
        kept = {} if name in self.commands else _kept() if ctx.resilient_parsing else config.aliases()
        text = kept.get(name, "")
        if not text:
            return super().resolve_command(ctx, args)
        if not text.startswith(aliases.SHELL):
            return super().resolve_command(ctx, aliases.expanded(name, text, given, lenient=ctx.resilient_parsing))
        if ctx.resilient_parsing:  # what sh will make of it is not known
            return None, None, []
        raise typer.Exit(aliases.run_in_shell(text, given, session.in_environment(ctx)))

    def elsewhere(self, typed: str) -> list[str]:
        """The commands of all groups that are called so."""
        from unpuzzle_cli.commands import own
        from unpuzzle_cli.commands.fields import FIELDS

        verb = typed.replace("-", "_")
        found = [name for name in dict.fromkeys([*own.EXTRAS, *own.CONTRACT, *FIELDS]) if name.partition(".")[2] == verb]
        return [f"unpuzzle {name.replace('.', ' ').replace('_', '-')}" for name in found[:MOST_MEANT]]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        super().format_options(ctx, formatter)
        if kept := _kept():
            with section("Your aliases", formatter):
                formatter.write_dl(list(kept.items()))

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from typer._click.shell_completion import CompletionItem  # typer has no public name for it

        own = [CompletionItem(name, help=text) for name, text in _kept().items() if name.startswith(incomplete)]
        return [*super().shell_complete(ctx, incomplete), *own]


def _kept() -> dict[str, str]:
    """The aliases; none where the configuration is broken, which stops neither help nor completion."""
    with suppress(CommandError):
        return config.aliases()
    return {}
