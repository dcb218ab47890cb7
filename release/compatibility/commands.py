"""What a script written for the released command line can't do any more.

Both trees have a list of their commands, and of what each takes, as the commands themselves have it: those that are written by
hand besides those that are made of the contract.
"""

from collections.abc import Iterator
from typing import Any

Taken = dict[str, dict[str, Any]]
"""What a command takes, by how it is spelled, and how that is read."""
WIDER = {"str": {"int", "int range", "float", "choice"}, "float": {"int", "int range"}, "int": {"int range"}}
"""What takes all that others take."""


def breaking_changes(old: dict[str, Taken], new: dict[str, Taken]) -> list[str]:
    """Every break, as a sentence that names the command."""
    found = []
    for name, before in old.items():
        called = f"unpuzzle {name}" if name else "any command"
        found += [f"{called}: {what}" for what in _command(before, new[name])] if name in new else [f"{called} is gone"]
    return sorted(found)


def _command(old: Taken, new: Taken) -> Iterator[str]:
    yield from (f"it does not take {name}" for name in old if name not in new)
    yield from (f"it requires {name}" for name in new if _required(name, new) and not _required(name, old))
    for name in (name for name in old if name in new):
        yield from (f"{name} {what}" for what in _option(old[name], new[name]))


def _required(name: str, taken: Taken) -> bool:
    return bool(taken.get(name, {}).get("required"))


def _option(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    if new["type"] != old["type"] and old["type"] not in WIDER.get(new["type"], ()):
        yield f"is {new['type']}, was {old['type']}"
    if old.get("many") and not new.get("many"):
        yield "can't be repeated any more"
    if old.get("file") != new.get("file"):
        yield f"{'reads' if new.get('file') else 'does not read'} a file where it is given `@` or `-`"
    gone = [value for value in old.get("values", ()) if "values" in new and value not in new["values"]]
    yield from (f"does not take {value} any more" for value in gone)
