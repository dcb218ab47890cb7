"""What one types, with the examples of the contract. A test runs them all."""

import json
import shlex

from contract import Operation
from options import INPUT, Option, flag

NAMING, TELLING = ("slug", "id"), ("title", "name", "full_name", "message", "status", "email", "type")
"""Fields that most answers have: what names a thing, and what says most of it."""


def examples(operation: Operation, options: list[Option]) -> list[str]:
    """The command with all that is needed and one option of what is optional; of what reads, some of the answer too.

    The option is the first of the contract's example, which begins with what is needed in fact where the schema can't say so.
    """
    needed = [option for option in options if option.required]
    shorter = _typed(operation, needed)
    return [_typed(operation, [*needed, *_optional(operation, options)]), *_some(operation, shorter)]


def _optional(operation: Operation, options: list[Option]) -> list[Option]:
    telling = _known(operation) if operation.is_list else _fields(operation)
    optional = {option.name: option for option in options if not option.required}
    return [
        optional[name] for name, value in telling.items() if name in optional and (operation.edits or not isinstance(value, dict))
    ][:1]


def _some(operation: Operation, command: str) -> list[str]:
    """Fields of the answer as JSON, and of a list one of them alone."""
    if operation.method != "get" or operation.only_streams:
        return []
    if not operation.answer:
        return []
    known = [next((name for name in kind if name in operation.answer), "") for kind in (NAMING, TELLING)]
    names = list(filter(None, known)) or list(operation.answer)[:2]
    filtered = f" --jq {shlex.quote(f'.[].{names[0]}')}" if operation.is_list else ""
    return [f"{command} --json {','.join(names)}{filtered}"]


def _typed(operation: Operation, options: list[Option]) -> str:
    known = _known(operation)
    words = ["unpuzzle", operation.tag, operation.verb.replace("_", "-")]
    for option in options:
        if option.spelled == INPUT:
            words += [INPUT, "@part.bin" if option.name == "content" else "@body.json"]
        elif option.name in known and not option.spelled.endswith("-stdin"):
            words += _given(option, known[option.name])
    return " ".join([*words, *(["--yes"] if operation.deletes else [])])


def _given(option: Option, value: object) -> list[str]:
    if option.kind == "bool":
        return [flag(option.name) if value else f"--no-{flag(option.name)[2:]}"]
    return [*([flag(option.name)] if option.spelled else []), shlex.quote(_spelled(value))]


def _known(operation: Operation) -> dict[str, object]:
    return {each["name"]: each["example"] for each in operation.parameters if "example" in each} | _fields(operation)


def _fields(operation: Operation) -> dict[str, object]:
    found: dict[str, object] = operation.body.get("example", {}) if operation.fields else {}
    return found


def _spelled(value: object) -> str:
    """A value of an example as one types it."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, str) and "\n" in first:
        return "@text.txt"
    return first if isinstance(first, str) else json.dumps(first)
