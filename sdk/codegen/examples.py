"""The example of a method: a program of a line or two that runs, made of the examples of the contract."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docstrings import Contract, Schema

if TYPE_CHECKING:
    from openapi_python_client.parser.properties import Property
    from resources import Operation

PAGING = ("page", "page_size")
MOST_CHARACTERS = 100
"""How much the optional fields of an example may come to, the shortest first: it shows how to call, not all."""
SHOWN = ("title", "name", "full_name", "message", "status", "email", "count", "id")
"""What an example prints of an answer: the first of these that it has."""
UNTOLD = ("Own", "Result", "Summary", "Detail")
"""What names of models say beyond what the thing is."""


@dataclass(frozen=True)
class Example:
    """A call of an operation's method, and what is done with what it gives."""

    operation: Operation
    contract: Contract

    @property
    def positional(self) -> list[str]:
        """Give the values of the path parameters."""
        return [self._literal(prop) for prop in self.operation.endpoint.path_parameters]

    @property
    def named(self) -> list[tuple[Property, str]]:
        """Give the other arguments with their values: the required ones, and some that show what else there is."""
        return [(prop, self._literal(prop)) for prop in [*self._required(), *self._optional()]]

    @property
    def needs_datetime(self) -> bool:
        """Whether a value is a time."""
        return any("datetime." in value for _, value in self.named)

    def _required(self) -> Iterator[Property]:
        fields, queries = self.operation.body_fields, self.operation.endpoint.query_parameters
        signed = self.operation.raw["x-unpuzzle-role"] == "service"
        yield from (prop for prop in [*fields, *queries] if prop.required)
        yield from (prop for prop in self.operation.headers if prop.required or signed)

    def _optional(self) -> Iterator[Property]:
        left = MOST_CHARACTERS
        for prop in sorted(self._given(), key=self._size):
            left -= self._size(prop)
            if left >= 0:
                yield prop
        if self.operation.items:
            filters = (prop for prop in self.operation.endpoint.query_parameters if not prop.required)
            yield from [prop for prop in filters if self.operation.wire_name(prop) not in PAGING][:1]

    def _given(self) -> Iterator[Property]:
        fields = (prop for prop in self.operation.body_fields if not prop.required)
        yield from (prop for prop in fields if self.operation.wire_name(prop) in self._body)

    def _size(self, prop: Property) -> int:
        return len(f"{prop.python_name}={self._literal(prop)}, ")

    @property
    def _body(self) -> dict[str, Any]:
        return dict(self.contract.body(self.operation).get("example", {}))

    def _literal(self, prop: Property) -> str:
        name = self.operation.wire_name(prop)
        arguments = self.operation.raw["arguments"]
        value = arguments[name]["example"] if name in arguments else self._body[name]
        kind = self.contract.argument(self.operation, name).get("format", "")
        if isinstance(value, str) and kind == "date-time":
            return f"datetime.datetime.fromisoformat({value!r})"
        return f"datetime.date.fromisoformat({value!r})" if isinstance(value, str) and kind == "date" else repr(value)

    @property
    def answers(self) -> str:
        """Say what the call gives: "nothing", "bytes", "text" or "model"."""
        _, kind, _ = self.contract.answer(self.operation)
        if self.operation.leads_on or kind.startswith("text/"):
            return "text"
        return {"application/json": "model", "": "nothing"}.get(kind, "bytes")

    @property
    def variable(self) -> str:
        """Name what the call gives, or an item of it."""
        words = [word for word in re.findall(r"[A-Z]+[a-z]*", self._model_name) if word not in UNTOLD]
        return "_".join(words).lower() or "answer"

    @property
    def shown(self) -> str:
        """Give the field of an answer that is printed; empty if it has none that are known."""
        fields, required = self.contract.fields(self._model), self.contract.required(self._model)
        return next((name for name in [*SHOWN, *required, *fields] if name in fields), "")

    @property
    def _model(self) -> Schema:
        _, _, schema = self.contract.answer(self.operation)
        if not self.operation.items:
            return schema
        item: Schema = self.contract.resolve(self.contract.fields(schema)[self.operation.items])["items"]
        return item

    @property
    def _model_name(self) -> str:
        return str(self._model.get("$ref", "")).rpartition("/")[2]
