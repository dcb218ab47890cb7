"""What a process that was forked must not take over from its parent: connections, and locks that nobody will open."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Something that a child process has to begin anew."""

    def _after_fork(self) -> None: ...


_forked: WeakSet[Forked] = WeakSet()


def forgets_after_fork(thing: Forked) -> None:
    """Have a thing begin anew in every process that is forked."""
    _forked.add(thing)


def _forget() -> None:
    for thing in list(_forked):
        thing._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
