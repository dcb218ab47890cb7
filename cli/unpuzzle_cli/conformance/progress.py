"""How far a run is: a bar with its rate and the time left on a terminal, a line now and then in a pipe."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TextIO

from unpuzzle_cli import console
from unpuzzle_cli.conformance.suite import Show

EVERY_SECONDS = 5
What = ParamSpec("What")


def heard(tell: Callable[What, None]) -> Callable[What, None]:
    """Tells as long as somebody listens: a pipe that was closed ends no run, and changes no verdict."""

    @wraps(tell)
    def told(*arguments: What.args, **named: What.kwargs) -> None:
        try:
            tell(*arguments, **named)
            sys.stdout.flush()
            sys.stderr.flush()
        except BrokenPipeError:
            for stream in (sys.stdout, sys.stderr):
                forget_if_broken(stream)

    return told


def forget_if_broken(stream: TextIO) -> None:
    """What nobody reads goes nowhere, else Python would complain when it closes the stream."""
    try:
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def shown() -> Iterator[Show]:
    """What shows each step."""
    if not console.talks():
        yield nothing
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        with _bar() as show:
            yield show


def nothing(*_: object) -> None:
    """What shows none."""


class Lines:
    """A line at first, and then one when the last is some seconds old."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()

    def __call__(self, phase: str, operation: str, done: int, total: int, sent: int) -> None:
        now = time.monotonic()
        if now - self._told < EVERY_SECONDS and done < total:
            return
        self._told = now
        taken = max(now - self._began, 0.1)
        left = taken * (total - done) / max(done, 1)
        heard(console.talk)(f"{done}/{total}  {phase} {operation}  {sent} requests, {sent / taken:.0f}/s, {left:.0f} s left")


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    what = TextColumn("{task.description}", markup=False)
    rate = TextColumn("{task.fields[sent]} requests, {task.fields[rate]}/s", markup=False)
    columns = (MofNCompleteColumn(), BarColumn(20), TimeRemainingColumn(), rate, what)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, sent=0, rate=0)

        def show(phase: str, operation: str, done: int, total: int, sent: int) -> None:
            rate = round(sent / max(progress.tasks[0].elapsed or 0, 0.1))
            text = console.plain(f"{phase} {operation}")
            progress.update(task, description=text, completed=done, total=total, sent=sent, rate=rate)

        yield show
