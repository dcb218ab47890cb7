"""Completion that knows what is on the server. Where it can't ask in time, it says nothing."""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

import typer

from unpuzzle_cli import answers
from unpuzzle_cli.session import Choice

TIMEOUT = 1.0
"""Seconds. Whoever pressed Tab is waiting."""

Found = list[tuple[str, str]]


def put_words_together(environment: MutableMapping[str, str]) -> None:
    """Undoes for a completion by bash that it has broken words at `=` and `:`, as in addresses and in `--json=title`."""
    place = int(environment["COMP_CWORD"])
    words: list[str] = []
    broken = False
    for index, word in enumerate(environment["COMP_WORDS"].split("\n")):
        breaks = bool(word) and not word.strip("=:")
        if words and (breaks or broken):
            words[-1] += word
        else:
            words.append(word)
        if index == place:
            environment["COMP_CWORD"] = str(len(words) - 1)
        broken = breaks
    environment["COMP_WORDS"] = "\n".join(words)


def keep_options_with_their_values() -> None:
    """For zsh and fish, to which `--json=titl` is one word: what completes it begins with the option."""
    from typer._click.shell_completion import CompletionItem, ShellComplete  # typer has no public names for them
    from typer._completion_classes import FishComplete, ZshComplete

    def words(shell: ShellComplete, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, equals, _ = incomplete.partition("=")
        kept = f"{option}{equals}" if equals and option.startswith("-") else ""
        found = ShellComplete.get_completions(shell, args, incomplete)
        return [CompletionItem(f"{kept}{item.value}", item.type, item.help) for item in found]

    for kind in (FishComplete, ZshComplete):
        kind.get_completions = words  # type: ignore[assignment]


def course_slugs(context: typer.Context, incomplete: str) -> Found:
    def ask(client: Any) -> Iterable[tuple[str, str]]:
        words = {"search": incomplete.replace("-", " ")} if incomplete.strip("-") else {}
        return [(item.slug, item.title) for item in client.courses.list(page_size=100, **words).results]

    return _beginning(incomplete, _asked(context, ask))


def own_course_ids(context: typer.Context, incomplete: str) -> Found:
    def ask(client: Any) -> Iterable[tuple[str, str]]:
        return [(item.id, item.title) for item in client.courses.list_own(page_size=100).results]

    return _beginning(incomplete, _asked(context, ask))


def category_slugs(context: typer.Context, incomplete: str) -> Found:
    return _beginning(incomplete, _asked(context, lambda client: [(item.slug, item.name) for item in _categories(client)]))


def category_ids(context: typer.Context, incomplete: str) -> Found:
    return _beginning(incomplete, _asked(context, lambda client: [(item.id, item.name) for item in _categories(client)]))


def ids(operation: str, *owners: str) -> Callable[[typer.Context, str], Found]:
    """Completes the ids of a list. `owners` are the arguments that say whose list, and stand on the command line before."""

    def complete(context: typer.Context, incomplete: str) -> Found:
        def ask(client: Any) -> Iterable[tuple[str, str]]:
            tag, _, verb = operation.partition(".")
            listed = getattr(getattr(client, tag), verb)
            items = listed(*(context.params[owner] for owner in owners), page_size=100).results
            return [(item.id, getattr(item, "title", "") or getattr(item, "name", "")) for item in items]

        return _beginning(incomplete, _asked(context, ask))

    return complete


def words(*known: str) -> Callable[[str], list[str]]:
    """Completes the values that an open list of choices has today."""
    return lambda incomplete: [word for word in known if word.startswith(incomplete)]


def fields(context: typer.Context, incomplete: str) -> list[str]:
    """Completes the last of the fields that `--json` and `--fields` take."""
    given = incomplete.rpartition(",")[0]
    before = f"{given}," if given else ""
    return [before + name for name in answers.fields(context) if name not in given.split(",")]


def _categories(client: Any) -> Any:
    return client.courses.list_categories(page_size=100).results


def _asked(context: typer.Context, ask: Callable[[Any], Iterable[tuple[str, str]]]) -> Found:
    try:
        with Choice.of(context).client(timeout=TIMEOUT, max_retries=0) as client:
            return list(ask(client))
    except Exception:  # a shell that waits for completion has no use for any error
        return []


def _beginning(incomplete: str, found: Found) -> Found:
    from unpuzzle_cli.console import plain

    return [(plain(value), plain(about)) for value, about in found if value.startswith(incomplete)]
