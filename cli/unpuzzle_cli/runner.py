"""Runs an operation and shows its answer."""

from itertools import islice
from typing import Annotated, Any

import typer

from unpuzzle_cli import console
from unpuzzle_cli.session import Choice

AsJson = Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")]
Fields = Annotated[str, typer.Option(help="Only these fields, with commas.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")]
Limit = Annotated[int, typer.Option(help="At most so many results.", min=1)]
All = Annotated[bool, typer.Option("--all", help="Every result, over all pages.")]


def call(context: typer.Context, operation: str, arguments: dict[str, Any], as_json: bool, fields: str) -> None:
    """One operation, one answer."""
    choice: Choice = context.obj
    tag, _, verb = operation.partition(".")
    with choice.client() as client:
        answer = getattr(getattr(client, tag), verb)(**arguments)
    if isinstance(answer, bytes):
        console.raw(answer)
    elif answer is not None:
        console.one(answer.to_dict(), as_json=as_json, fields=fields, quiet=choice.quiet)


def walk(
    context: typer.Context, operation: str, arguments: dict[str, Any], limit: int, everything: bool, as_json: bool, fields: str
) -> None:
    """A list, over as many pages as it takes."""
    choice: Choice = context.obj
    tag, _, verb = operation.partition(".")
    wanted = None if everything else limit
    size = 100 if wanted is None else min(wanted, 100)
    with choice.client() as client:
        page = getattr(getattr(client, tag), verb)(**{"page_size": size, **arguments})
        items = [item.to_dict() for item in islice(page, wanted)]
        console.many(items, total=page.count, as_json=as_json, fields=fields, quiet=choice.quiet)
