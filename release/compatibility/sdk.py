"""What a program written for the released SDK can't import, call or take any more, as griffe sees it without running either.

griffe does not compare types, so that is done here: a parameter may take more, an answer may be less.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe

HARMLESS = {griffe.BreakageKind.ATTRIBUTE_CHANGED_VALUE}
"""A constant may have another value, as `__version__` has in each release; what becomes of a type, the contract tells."""
LAZY = "_MODULES"
"""Where a package says which of its modules has a name: what is not there can't be imported, whatever `__all__` says."""

Thing = griffe.Object | griffe.Alias


def breaking_changes(old: Path, new: Path, package: str = "unpuzzle_sdk") -> list[str]:
    """Every break between the package in one folder and in another, as a sentence."""
    before, after = _loaded(old, package), _loaded(new, package)
    found = [breakage for breakage in griffe.find_breaking_changes(before, after) if breakage.kind not in HARMLESS]
    said = {f"{breakage.obj.canonical_path}: {_said(breakage)}" for breakage in found}
    return sorted(said | {*_members(before, after, set())})


def _loaded(folder: Path, package: str) -> Thing:
    # The loader follows `from x import *` and the names that a package takes from its modules.
    return griffe.load(package, search_paths=[folder], allow_inspection=False, resolve_aliases=True)


def _said(breakage: griffe.Breakage) -> str:
    parameter = breakage.old_value or breakage.new_value
    return breakage.kind.value.lower() + (f", {parameter.name}" if isinstance(parameter, griffe.Parameter) else "")


def _members(old: Thing, new: Thing, seen: set[str]) -> Iterator[str]:
    """What has become of everything public that is still there, and whether it is still public."""
    yield from (f"{old.path}: {name} can't be imported any more" for name in sorted(_lazy(old) - _lazy(new)))
    for name, before in old.all_members.items():
        after = new.all_members.get(name)
        if after is None or not before.is_public or before.canonical_path in seen:
            continue
        seen.add(before.canonical_path)
        if not after.is_public:
            yield f"{before.canonical_path}: it is not public any more"
        elif before.is_function and after.is_function:
            yield from (f"{before.canonical_path}: {what}" for what in _function(before, after))
        elif before.is_attribute and after.is_attribute:
            yield from (f"{before.canonical_path}: {what}" for what in _attribute(before, after))
        elif before.is_module or before.is_class:
            yield from _members(before, after, seen)


def _lazy(thing: Any) -> set[str]:
    return {*ast.literal_eval(str(thing.members[LAZY].value))} if LAZY in thing.members else set()


def _function(old: Any, new: Any) -> Iterator[str]:
    if ("async" in old.labels) != ("async" in new.labels):
        yield "it must be awaited" if "async" in new.labels else "it can't be awaited any more"
    if str(old.returns) != "None" and not _covers(old.returns, new.returns):
        yield f"it gives {new.returns}, gave {old.returns}"
    for before in old.parameters:
        after = next((each for each in new.parameters if each.name == before.name), before)
        if not _covers(after.annotation, before.annotation):
            yield f"{before.name} takes {after.annotation}, took {before.annotation}"


def _attribute(old: Any, new: Any) -> Iterator[str]:
    """A field of a model is sent or answered, so that it may be more or less; which of them breaks, the contract knows."""
    before, after = old.annotation, new.annotation
    if not _covers(before, after) and not _covers(after, before):
        yield f"it is {after}, was {before}"


def _covers(wide: object, narrow: object) -> bool:
    """Whether whatever is of one type is of another, as far as their words tell."""
    if wide is None or narrow is None:
        return True
    branches = [_branches(ast.parse(str(each), mode="eval").body) for each in (wide, narrow)]
    return all(any(_is_part(one, other) for one in branches[0]) for other in branches[1])


def _branches(node: ast.expr) -> list[ast.expr]:
    """The types of a union, the values of a literal."""
    if isinstance(node, ast.BinOp):
        return [*_branches(node.left), *_branches(node.right)]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) and ast.unparse(node.value) == "Literal":
        return [ast.Subscript(node.value, value, node.ctx) for value in node.slice.elts]
    return [node]


def _is_part(wide: ast.expr, narrow: ast.expr) -> bool:
    if isinstance(wide, ast.Subscript) and isinstance(narrow, ast.Subscript) and ast.dump(wide.value) == ast.dump(narrow.value):
        return _covers(ast.unparse(wide.slice), ast.unparse(narrow.slice))
    return ast.dump(wide) == ast.dump(narrow)
