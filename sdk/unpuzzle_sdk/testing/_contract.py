"""What the mock knows of the contract: its operations, and what each takes and answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache, cached_property
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from attrs import frozen

Schema = Mapping[str, Any]


@frozen
class Operation:
    """One operation of the API, as the contract has it."""

    id: str
    raw: Mapping[str, Any]

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.raw["method"])

    @property
    def path(self) -> str:
        """The path, with names in braces."""
        return str(self.raw["path"])

    @property
    def needs_token(self) -> bool:
        """Whether somebody has to be signed in."""
        return self.raw.get("access") == "required"

    @property
    def is_open(self) -> bool:
        """Whether it takes parameters that the contract does not name."""
        return bool(self.raw.get("open"))

    @property
    def parameters(self) -> list[Mapping[str, Any]]:
        """The parameters, wherever they stand."""
        return list(self.raw.get("parameters", ()))

    @property
    def body(self) -> Mapping[str, Any]:
        """The media type and the schema of its body; empty if it takes none."""
        return dict(self.raw.get("body", {}))

    @property
    def answers(self) -> dict[int, Mapping[str, Any]]:
        """What is no error, by status, the usual answer first."""
        return {answer["status"]: answer for answer in self.raw["answers"]}

    @property
    def usual(self) -> int:
        """The status of the usual answer."""
        return int(self.raw["answers"][0]["status"])

    @property
    def refusals(self) -> list[int]:
        """The statuses of its errors."""
        return list(self.raw["refusals"])

    @property
    def items(self) -> str:
        """The field with the items of a page; empty for what is no list."""
        return str(self.raw.get("items", ""))

    @property
    def stream(self) -> Mapping[str, Any]:
        """Which events it streams; empty if it streams none."""
        return dict(self.raw.get("stream", {}))

    def check_parameters(self, names: Iterable[str]) -> None:
        """Refuse names of which no request has one in its path or its query: a test would wait for them in vain."""
        known = [parameter["name"] for parameter in self.parameters if parameter["in"] in ("path", "query")]
        for name in names:
            if name not in known and not self.is_open:
                there = f"but {', '.join(known)}" if known else "and no other"
                raise ValueError(f"{self.id} has no parameter {name!r} in its path or its query, {there}")

    def takes(self, name: str) -> bool:
        """Tell whether it has a parameter."""
        return any(parameter["name"] == name for parameter in self.parameters)


class Contract:
    """All operations, schemas, examples and errors."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """Read the generated copy."""
        self.operations = {name: Operation(name, found) for name, found in raw["operations"].items()}
        self.schemas: Mapping[str, Schema] = raw["schemas"]
        self.errors: Mapping[str, Mapping[str, Any]] = raw["errors"]
        self._examples: Mapping[str, Any] = raw["examples"]

    def operation(self, name: str) -> Operation:
        """Give an operation by its id."""
        if name not in self.operations:
            raise ValueError(unknown("operation", name, self.operations))
        return self.operations[name]

    def example(self, name: str) -> Any:
        """Give the example of a schema, which is the caller's to change."""
        return json.loads(json.dumps(self._examples[name]))

    def has_example(self, name: str) -> bool:
        """Tell whether a schema has an example."""
        return name in self._examples

    def find(self, method: str, raw_path: str) -> tuple[Operation, dict[str, str]] | None:
        """Give the operation of a request and the values in its path."""
        segments = f"{raw_path.removesuffix('/')}/".split("/")
        for template, operation in self._routes.get((method, len(segments)), ()):
            values = _matched(template, segments)
            if values is not None:
                return operation, values
        return None

    def methods(self, raw_path: str) -> list[str]:
        """Give the methods that a path takes; empty if there is no such path."""
        return [method for method in ("GET", "PUT", "POST", "PATCH", "DELETE") if self.find(method, raw_path)]

    def nearest(self, path: str) -> str | None:
        """Give the path that may have been meant."""
        return next(iter(get_close_matches(path, {item.path for item in self.operations.values()}, 1)), None)

    @cached_property
    def _routes(self) -> dict[tuple[str, int], list[tuple[list[str], Operation]]]:
        found: dict[tuple[str, int], list[tuple[list[str], Operation]]] = {}
        # A segment that is spelt out goes before one that takes any value.
        for operation in sorted(self.operations.values(), key=lambda item: item.path.count("{")):
            # Served with a slash at the end and without.
            template = f"{operation.path.removesuffix('/')}/".split("/")
            found.setdefault((operation.method, len(template)), []).append((template, operation))
        return found


def _matched(template: list[str], segments: list[str]) -> dict[str, str] | None:
    values = {}
    for name, segment in zip(template, segments, strict=True):
        if name.startswith("{") and segment:
            values[name[1:-1]] = unquote(segment)
        elif name != segment:
            return None
    return values


def unknown(what: str, name: str, known: Mapping[str, Any]) -> str:
    """Say that there is nothing of this name, and what may have been meant."""
    near = get_close_matches(name, known, 1)
    return f"there is no {what} {name!r}" + (f": did you mean {near[0]!r}?" if near else "")


@cache
def contract() -> Contract:
    """Read the contract, with the first mock: most programs have none."""
    return Contract(json.loads(files("unpuzzle_sdk.testing").joinpath("contract.json").read_bytes()))
