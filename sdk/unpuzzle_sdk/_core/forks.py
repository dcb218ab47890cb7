"""What a process that was forked must not take over from its parent: connections, and locks that nobody will open."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Something that a child process begins anew."""

    def renew(self) -> None:
        """Forget what belongs to the parent process."""
        ...


_renewables: WeakSet[Renewable] = WeakSet()


def renewed_in_children(thing: Renewable) -> None:
    """Have a thing begin anew in every process that is forked."""
    _renewables.add(thing)


def _renew() -> None:
    for thing in list(_renewables):
        thing.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
