"""What a program written for the released SDK can't import or call any more, as griffe sees it without running either."""

from pathlib import Path

import griffe

HARMLESS = {griffe.BreakageKind.ATTRIBUTE_CHANGED_VALUE}
"""A constant may have another value, as `__version__` has in each release; what becomes of a type, the contract tells."""


def breaking_changes(old: Path, new: Path, package: str = "unpuzzle_sdk") -> list[str]:
    """Every break between the package in one folder and in another, as a sentence."""
    before, after = _loaded(old, package), _loaded(new, package)
    found = [breakage for breakage in griffe.find_breaking_changes(before, after) if breakage.kind not in HARMLESS]
    return sorted({f"{breakage.obj.canonical_path}: {_said(breakage)}" for breakage in found})


def _loaded(folder: Path, package: str) -> griffe.Object | griffe.Alias:
    # The loader follows `from x import *` and the names that a package takes from its modules.
    return griffe.load(package, search_paths=[folder], allow_inspection=False, resolve_aliases=True)


def _said(breakage: griffe.Breakage) -> str:
    parameter = breakage.old_value or breakage.new_value
    return breakage.kind.value.lower() + (f", {parameter.name}" if isinstance(parameter, griffe.Parameter) else "")
