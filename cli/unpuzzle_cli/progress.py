"""How far something is, how fast it goes and how long it takes yet: on stderr, for a person who looks on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from unpuzzle_cli import console

if TYPE_CHECKING:
    from rich.progress import Progress

Tell = Callable[[int, int], None]
"""Takes how much is done, and of how much."""


@contextmanager
def shown(label: str, *, in_bytes: bool = False) -> Iterator[Tell]:
    """A bar from the first time that it is told something, gone at the end, and however that comes."""
    if not (console.obeys(sys.stderr) and console.talks()):
        yield lambda _done, _total: None
        return
    with ExitStack() as stack:
        started: list[Any] = []

        def tell(done: int, total: int) -> None:
            if not started:  # what is over at once loads nothing, and shows nothing
                bar = stack.enter_context(_bar(in_bytes))
                started.extend((bar, bar.add_task(console.plain(label))))
            bar, task = started
            bar.update(task, completed=done, total=total)

        yield tell


def _bar(in_bytes: bool) -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text("" if task.speed is None else f"{task.speed:,.0f}/s")

    amounts = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(), Rate())
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), *amounts, TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
