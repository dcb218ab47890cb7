"""Runs an operation and shows its answer."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unpuzzle_cli import console, parts, progress, show
from unpuzzle_cli.common import OUTPUT
from unpuzzle_cli.errors import STOPS, UsageError, forget_the_pipe, stopped
from unpuzzle_cli.session import Choice

PAGES = "Pages"
DEFAULT_LIMIT, LARGEST_PAGE = 20, 100
STDOUT = "-"

Output = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write to this file; `-` for stdout.", show_default=False, rich_help_panel=OUTPUT
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")]
Limit = Annotated[int | None, typer.Option(metavar="N", help="At most so many; 20 by default.", min=1, rich_help_panel=PAGES)]
All = Annotated[bool, typer.Option("--all", help="Every result, over all pages.", rich_help_panel=PAGES)]
PageNumber = Annotated[int | None, typer.Option("--page", metavar="N", help="Only this page.", min=1, rich_help_panel=PAGES)]
PageSize = Annotated[
    int | None,
    typer.Option(metavar="N", help="How many results a page holds.", min=1, max=LARGEST_PAGE, rich_help_panel=PAGES),
]


def call(context: typer.Context, operation: str, arguments: dict[str, Any]) -> None:
    """One operation, one answer."""
    with Choice.of(context).client() as client:
        answer = _method(client, operation)(**arguments)
    if isinstance(answer, str):
        console.say(answer)
    elif answer is not None:
        show.one(answer.to_dict(), show.Shape.of(context), sent=arguments)


def download(
    context: typer.Context, operation: str, arguments: dict[str, Any], *, output: str = "", by_ranges: bool = False
) -> None:
    """An operation whose answer is a file."""
    output = "" if output == STDOUT else output
    file = Path(output)
    if output and not file.parent.is_dir():
        raise UsageError(f"{file} can't be written: there is no folder {file.parent}.", f"Make it: mkdir -p {file.parent}")
    with Choice.of(context).client() as client:
        if by_ranges and output and "range" not in arguments and (file.is_file() or not file.exists()):
            parts.fetch(parts.Source(client, _method(client.raw, operation), arguments), file)
            return
        content: bytes | str = _method(client, operation)(**arguments)
    found = content if isinstance(content, bytes) else content.encode()
    if output:
        parts.write(file, found)
    else:
        console.say_bytes(found)


def follow(context: typer.Context, operation: str, arguments: dict[str, Any], *, columns: str = "") -> None:
    """An operation that answers with events: each is shown when it comes, until the last, or Ctrl-C."""
    shape = show.Shape.of(context, columns)
    with Choice.of(context).client() as client, _method(client, operation)(**arguments) as events:
        try:
            for event in events:
                show.event(event.event, event.id, event.data.to_dict(), shape)
                console.flush()
        except BrokenPipeError:
            forget_the_pipe()


def walk(
    context: typer.Context,
    operation: str,
    arguments: dict[str, Any],
    *,
    page: int | None = None,
    page_size: int | None = None,
    limit: int | None = None,
    everything: bool = False,
    key: str = "id",
) -> None:
    """A list: one page of it, or the first results over as many pages as it takes."""
    if page and (limit or everything):
        raise UsageError("--page is one page: it does not go with --limit or --all.")
    if limit and everything:
        raise UsageError("--limit and --all do not go together.", "Choose how many: --limit N, or all of them: --all")
    one_page = page or (page_size and not limit and not everything)
    wanted = None if everything or one_page else limit or DEFAULT_LIMIT
    size = page_size or (DEFAULT_LIMIT if one_page else min(wanted or LARGEST_PAGE, LARGEST_PAGE))
    with Choice.of(context).client() as client:
        first = _method(client, operation)(page=page, page_size=size, max_items=wanted, **arguments)
        pages = [first] if one_page else _pages(first, wanted)
    results = [item for each in pages for item in each.results][:wanted]
    answer = {**first.data.to_dict(), "next": pages[-1].data.next, "results": [_plain(item) for item in results]}
    show.many(answer, show.Shape.of(context), key)


def _pages(first: Any, wanted: int | None) -> list[Any]:
    """All pages from the first; where there are more it is shown how far they are."""
    pages, done = [], 0
    total = min(wanted or first.count, first.count)
    try:
        with progress.shown("Reading") as tell:
            for page in first.pages():
                pages.append(page)
                done += len(page.results)
                if len(pages) > 1 or done < total:
                    tell(min(done, total), total)
    except STOPS as stop:
        hint = f"Page by page: --page {len(pages) + 1} --page-size {first.page_size}"
        raise stopped(stop, f"Stopped after {done:,} of {total:,}.", hint) from None
    return pages


def _plain(item: Any) -> Any:
    return item.to_dict() if hasattr(item, "to_dict") else item


def _method(client: Any, operation: str) -> Any:
    tag, _, verb = operation.partition(".")
    return getattr(getattr(client, tag), verb)
