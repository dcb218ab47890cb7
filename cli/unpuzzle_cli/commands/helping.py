"""`unpuzzle help`, of a command or a topic, and `unpuzzle version`."""

from typing import Annotated, Any

import typer

from unpuzzle_cli import __version__, config, console, topics
from unpuzzle_cli.errors import UsageError
from unpuzzle_cli.group import nearest

Words = list[tuple[str, str]]


def show_version() -> None:
    """Show the version."""
    console.say(f"unpuzzle {__version__}")


def _completed(context: typer.Context, incomplete: str) -> Words:
    """Topics and commands, or what stands below the commands so far."""
    given = context.params.get("words") or []
    known = [] if given else [(name, about) for name, (about, _) in topics.TOPICS.items()]
    found = _found(context, given)
    below = [(name, command.get_short_help_str()) for name, command in getattr(found[0], "commands", {}).items()] if found else []
    return [word for word in [*below, *known] if word[0].startswith(incomplete)]


def show_help(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND|TOPIC", help="What to tell about.", autocompletion=_completed)
    ] = None,
) -> None:
    """Tell about a command or a topic."""
    given = words or []
    if len(given) == 1 and given[0] in topics.TOPICS:
        console.say(topics.TOPICS[given[0]][1]().rstrip())
        return
    found = _found(context, given)
    if found is None and (text := config.aliases().get(given[0])):
        console.say(f"Your alias of: {text}")
        return
    if found is None:
        meant = [f"unpuzzle help {name}" for name in _meant(context, given)]
        hint = f"Did you mean: {', or: '.join(meant)}" if meant else f"Topics: {', '.join(topics.TOPICS)}"
        raise UsageError(f"There is no command or topic {' '.join(given)}.", hint)
    console.show_help(found[1].get_help())


def _meant(context: Any, words: list[str]) -> list[str]:
    """What may be meant by the first word that is not known, behind those that are."""
    known = next(place for place in range(len(words)) if _found(context, words[: place + 1]) is None)
    group, _ = _found(context, words[:known]) or (None, None)
    names = [*getattr(group, "commands", {}), *(() if known else topics.TOPICS)]
    return [" ".join([*words[:known], name]) for name in nearest(words[known], names)]


def _found(context: Any, words: list[str]) -> tuple[Any, Any] | None:
    """The command of these words, and its context."""
    inside = context.find_root()
    command = inside.command
    for word in words:
        if word not in getattr(command, "commands", {}):
            return None
        command = command.commands[word]
        inside = command.make_context(word, [], parent=inside, resilient_parsing=True)
    return command, inside
