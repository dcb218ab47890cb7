"""Work for later: what a task is, and which there are.

`@task("auth.send_mail")` in `unpuzzle_server/auth/tasks.py` makes one, `await tx.enqueue("auth.send_mail", mail_id=…)` asks for
it. As with handlers, the first argument says how it runs: `tx`: the task and the note that it is done are one transaction, so
its effect in the database comes about exactly once; `ctx`: it opens its own, because it does something slow or something
outside, which may happen twice: a worker can die between the deed and the note.

Arguments are JSON and no secrets, since they stay in the database until the task is done, and in the dead letters if it never
is: give ids, and let the task look up what it needs.
"""

import inspect
import json
import random
import re
import traceback
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from unpuzzle_server.kernel.settings import Settings

PACKAGE = Path(__file__).parents[1]
NAME = re.compile(r"[a-z_]+(\.[a-z_0-9]+)+")
SECRETS = re.compile("password|secret|token")
CREDENTIALS = re.compile(r"//[^/\s@]+@")
"""The user and password of a URL."""

Function = Callable[..., Awaitable[None]]


class GiveUp(Exception):
    """To try again is no use: the task goes to the dead letters at once. The message says why, without secrets."""


@dataclass(frozen=True)
class Task:
    """A function that a worker calls, and how patiently."""

    name: str
    run: Function
    attempts: int
    """How often it is tried before it goes to the dead letters."""
    first_pause: float
    longest_pause: float
    seconds: float
    """How long one attempt may take."""
    every: timedelta | None
    """How often it is done unasked; once, however many workers run."""

    @property
    def runs_in(self) -> str:
        return next(iter(inspect.signature(self.run).parameters))

    def pause(self, attempt: int) -> float:
        """Seconds before the next attempt: exponential backoff with full jitter."""
        return random.uniform(0, min(self.longest_pause, self.first_pause * 2 ** (attempt - 1)))  # noqa: S311 - no secret


TASKS: dict[str, Task] = {}


def task(
    name: str,
    *,
    attempts: int = 10,
    first_pause: float = 2,
    longest_pause: float = 900,
    seconds: float = 600,
    every: timedelta | None = None,
) -> Callable[[Function], Function]:
    """Makes a function the task of this name."""

    def register(function: Function) -> Function:
        _check(name, function)
        TASKS[name] = Task(name, function, attempts, first_pause, longest_pause, seconds, every)
        return function

    return register


def _check(name: str, function: Function) -> None:
    first, *others = inspect.signature(function).parameters
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a task: take <tag>.<verb>")
    if name in TASKS:
        raise ValueError(f"there are two tasks {name}")
    if first not in ("tx", "ctx"):
        raise TypeError(f"{name}: the first argument must be tx or ctx")
    if secret := next(filter(SECRETS.search, others), None):
        raise TypeError(f"{name}: {secret} would be kept in the database; let the task look it up")


def load(modules: Iterable[str] = ()) -> None:
    """Imports the tasks of every domain, and those of further modules."""
    for path in PACKAGE.glob("*/tasks.py"):
        import_module(f"unpuzzle_server.{path.parent.name}.tasks")
    for module in modules:
        import_module(module)


def arguments(name: str, args: dict[str, Any]) -> str:
    """The arguments of a task as JSON; raises TypeError here, where it is asked for, when it could not be called with them."""
    if name not in TASKS:
        raise LookupError(f"there is no task {name}")
    inspect.signature(TASKS[name].run).bind(None, **args)
    document = json.dumps(args, allow_nan=False)
    if json.loads(document) != args:
        raise TypeError(f"{name}: tasks take what JSON can tell from everything else: no tuples, no keys that are numbers")
    return document


def told(error: BaseException, settings: Settings) -> str:
    """What may be kept and shown of an error. Of one of the database no more than its kind: the rest quotes values."""
    if isinstance(error, DBAPIError):
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        return f"{type(error.orig).__name__}{f' on {constraint}' if constraint else ''}"
    message = CREDENTIALS.sub("//…@", str(error).partition("\n")[0])
    for secret in _secrets(settings):
        message = message.replace(secret, "…")
    return f"{type(error).__name__}: {message[:500]}".removesuffix(": ")


def where(error: BaseException) -> str:
    """The lines of code that an error passed, without its message."""
    return "".join(traceback.format_tb(error.__traceback__))


def _secrets(settings: Settings) -> list[str]:
    """The values of secret settings, and the passwords in those that are URLs."""
    values = [str(getattr(settings, item.name)) for item in fields(settings) if not item.repr]
    return [secret for value in values for secret in (value, urlsplit(value).password) if secret]
