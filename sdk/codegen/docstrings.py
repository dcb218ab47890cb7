"""What the docstring of a method says, of what the contract says of its operation: limits, answers, errors, rights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openapi_python_client.parser.properties import Property
    from resources import Operation

Schema = dict[str, Any]

CALLERS = {
    "public": "Open to everybody",
    "user": "For whoever is signed in",
    "instructor": "For instructors",
    "admin": "For admins",
    "service": "For the service that signs it",
}
UNITS = {"seconds", "minutes", "days"}
UNLIMITED = {2**31 - 1, 2**63 - 1}
"""What a number may be because of how it is kept, which tells nobody anything."""
MOST_VALUES = 8
"""How many values a docstring lists; more stand with their type."""
MOST_FIELDS = 12


@dataclass(frozen=True)
class Contract:
    """The document, for what is told of it."""

    document: dict[str, Any]

    def resolve(self, node: Schema) -> Schema:
        """Follow references."""
        while "$ref" in node:
            found: Any = self.document
            for key in node["$ref"].removeprefix("#/").split("/"):
                found = found[key]
            node = found
        return node

    def fields(self, schema: Schema) -> dict[str, Schema]:
        """Give the properties of an object, those of its `allOf` parts first."""
        schema = self.resolve(schema)
        parts = (self.fields(part) for part in schema.get("allOf", ()))
        return {name: field for part in parts for name, field in part.items()} | schema.get("properties", {})

    def required(self, schema: Schema) -> list[str]:
        """Give the names of the properties that are always there."""
        schema = self.resolve(schema)
        return [
            *(name for part in schema.get("allOf", ()) for name in self.required(part)),
            *schema.get("required", ()),
        ]

    def body(self, operation: Operation) -> Schema:
        """Give the schema of the body of a request; empty where there is none."""
        content = self.resolve(operation.raw.get("requestBody", {})).get("content", {})
        return self.resolve(next(iter(content.values()))["schema"]) if content else {}

    def answer(self, operation: Operation) -> tuple[str, str, Schema]:
        """Give the description of what a success answers, its media type and its schema."""
        status = min(operation.raw["responses"])
        answer = self.resolve(operation.raw["responses"][status])
        for kind, content in answer.get("content", {}).items():
            return answer["description"], kind, content["schema"]
        return answer["description"], "", {}

    def argument(self, operation: Operation, name: str) -> Schema:
        """Give the schema of a parameter, or of a field of the body."""
        if name in operation.raw["arguments"]:
            return self.resolve(operation.raw["arguments"][name]["schema"])
        return self.resolve(self.fields(self.body(operation)).get(name, {}))

    def meaning(self, code: str) -> str:
        """Say when an error code comes."""
        return str(self.document["components"]["schemas"]["ErrorCode"]["x-unpuzzle-meanings"][code])


def limits(name: str, schema: Schema) -> str:
    """Say what a value may be: `1 to 100 characters`, `0 to 86400 seconds; 60 by default`."""
    unit = name.rpartition("_")[2]
    length = (None, None) if "format" in schema else (schema.get("minLength"), schema.get("maxLength"))
    ranges = (
        _range(schema.get("minimum"), schema.get("maximum"), unit if unit in UNITS else ""),
        _range(*length, "characters"),
        _range(schema.get("minItems"), schema.get("maxItems"), "items"),
    )
    values = schema.get("enum", ())
    listed = f"One of {', '.join(f'`{value}`' for value in values)}" if 1 < len(values) <= MOST_VALUES else ""
    default = f"{schema['default']} by default" if "default" in schema else ""
    found = "; ".join(filter(None, (*ranges, listed, default)))
    return f"{found[0].upper()}{found[1:]}." if found else ""


def _range(least: float | None, most: float | None, unit: str) -> str:
    if most in UNLIMITED:
        most = None
    if least is None and most is None:
        return ""
    if most is None:
        # That there is something, and nothing less than nothing, goes without saying.
        return "" if least in (0, 1) else f"at least {least} {unit}".strip()
    if least == most:
        return f"{most} {unit}".strip()
    return (f"at most {most} {unit}" if least in (None, 0) and unit else f"{least or 0} to {most} {unit}").strip()


@dataclass(frozen=True)
class Docstring:
    """The parts of the docstring of a method."""

    operation: Operation
    contract: Contract
    error_classes: dict[str, str]

    @property
    def description(self) -> list[str]:
        """Give the paragraphs of the description."""
        return [" ".join(paragraph.split()) for paragraph in self.operation.raw["description"].split("\n\n")]

    @property
    def access(self) -> str:
        """Say what is sent, and who may."""
        raw = self.operation.raw
        scopes = raw.get("x-unpuzzle-scopes")
        with_key = "no API key will do" if scopes == [] else ""
        if scopes:
            with_key = f"an API key needs {' and '.join(f'`{scope}`' for scope in scopes)}"
        rights = "; ".join(filter(None, (CALLERS[raw["x-unpuzzle-role"]], with_key)))
        return f"`{self.operation.call}`. {rights}."

    def argument(self, prop: Property) -> str:
        """Say what an argument is, and what it may be."""
        described = self.operation.describe(prop)
        name = self.operation.wire_name(prop)
        return f"{described} {limits(name, self.contract.argument(self.operation, name))}".strip()

    @property
    def returns(self) -> str:
        """Say what a call gives; empty where that is nothing."""
        description, kind, schema = self.contract.answer(self.operation)
        description = description.rstrip(".")
        if self.operation.items:
            item = self.contract.fields(schema)[self.operation.items]
            fields = self._fields(self.contract.resolve(item)["items"])
            return f"{description}; iterating over it gives the items of all pages.{fields}"
        if kind in ("application/json", ""):
            return f"{description}.{self._fields(schema)}" if kind or self.operation.leads_on else ""
        return f"{description}, as text." if kind.startswith("text/") else f"{description}, as bytes."

    @property
    def events(self) -> str:
        """Say which events a stream has."""
        told = ", ".join(f"`{name}` (`models.{model}`)" for name, model in self.operation.events.items())
        return f"Events as they come: {told}."

    def _fields(self, schema: Schema) -> str:
        names = [f"`{name}`" for name in self.contract.fields(schema)]
        if not names:
            return ""
        shown, more = names[:MOST_FIELDS], " and more" if len(names) > MOST_FIELDS else ""
        return f" Fields: {', '.join(shown)}{more}."

    @property
    def raises(self) -> Iterator[tuple[str, str]]:
        """Give each error of the operation with when it comes, and what any call may meet."""
        for code in self.operation.raw.get("x-unpuzzle-errors", ()):
            yield self.error_classes[code], f"`{code}`. {self.contract.meaning(code)}"
        if self.operation.not_modified:
            yield "NotModified", "The resource still has the ETag in `if_none_match`."
        if self.operation.defers:
            yield "ConfirmationRequired", self.contract.resolve(self.operation.raw["responses"]["202"])["description"]
        yield "APIStatusError", f"As any call, by status: {', '.join(self._by_status())}."

    def _by_status(self) -> list[str]:
        from unpuzzle_sdk._core.errors import class_of_status

        statuses = [int(status) for status in self.operation.raw["responses"] if status >= "400"]
        return [f"{status} `{class_of_status(status).__name__}`" for status in statuses]
