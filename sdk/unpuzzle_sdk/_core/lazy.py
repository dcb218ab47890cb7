"""Load the names of a package when they are first used (PEP 562)."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def load(package: str, modules: Mapping[str, str], name: str) -> Any:
    """Import `name` from the module that `modules` gives for it, and keep it in the package.

    An empty module stands for the submodule called `name`.
    """
    from importlib import import_module

    if name not in modules:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    if not modules[name]:
        return import_module(f".{name}", package)
    value = getattr(import_module(modules[name], package), name)
    setattr(sys.modules[package], name, value)
    return value
