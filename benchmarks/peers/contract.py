"""The contract as pydantic models, as a FastAPI server would declare them: what is sent, and what is answered."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field, create_model

from unpuzzle_server.kernel import spec

BOUNDS = {
    "minLength": "min_length", "maxLength": "max_length", "pattern": "pattern",
    "minimum": "ge", "maximum": "le", "minItems": "min_length", "maxItems": "max_length",
}  # fmt: skip
PLAIN = {"string": str, "integer": int, "number": float, "boolean": bool}
FORMATS = {"date-time": datetime, "date": date, "uuid": UUID, "email": EmailStr}


class Models:
    """From schemas of the contract to types; a named schema is made once."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}

    def type_of(self, schema: dict[str, Any], name: str) -> Any:
        if "$ref" in schema:
            return self._named(schema["$ref"])
        if "allOf" in schema:
            return self._merged(schema["allOf"], name)
        found = self._bare(schema, name)
        return found | None if schema.get("nullable") else found

    def _named(self, reference: str) -> Any:
        if reference not in self.named:
            self.named[reference] = self.type_of(spec.resolve_once({"$ref": reference}), reference.rpartition("/")[2])
        return self.named[reference]

    def _merged(self, parts: list[dict[str, Any]], name: str) -> Any:
        whole = [spec.resolve_once(part) for part in parts]
        properties = {field: schema for part in whole for field, schema in part["properties"].items()}
        required = [field for part in whole for field in part.get("required", [])]
        return self._model({"properties": properties, "required": required}, name)

    def _bare(self, schema: dict[str, Any], name: str) -> Any:
        kind = schema["type"]
        if "enum" in schema:
            return Literal[tuple(value for value in schema["enum"] if value is not None)]
        if kind == "object":
            return self._object(schema, name)
        if kind == "array":
            return bounded(list[self.type_of(schema["items"], f"{name}Item")], schema)
        format_ = schema.get("format")
        return FORMATS[format_] if format_ in FORMATS else bounded(PLAIN[kind], schema)

    def _object(self, schema: dict[str, Any], name: str) -> Any:
        if "properties" in schema:
            return self._model(schema, name)
        values = schema.get("additionalProperties", True)
        return dict[str, Any] if values is True else dict[str, self.type_of(values, f"{name}Value")]

    def _model(self, schema: dict[str, Any], name: str) -> type[BaseModel]:
        closed = schema.get("additionalProperties") is False
        required = schema.get("required", [])
        fields = {
            field: self._field(value, f"{name}{field.title().replace('_', '')}", required=field in required)
            for field, value in schema["properties"].items()
        }
        config = ConfigDict(extra="forbid" if closed else "ignore", from_attributes=True)
        return create_model(name, __config__=config, **fields)

    def _field(self, schema: dict[str, Any], name: str, *, required: bool) -> tuple[Any, Any]:
        found = self.type_of(schema, name)
        return (found, ...) if required else (found | None, None)


def bounded(kind: Any, schema: dict[str, Any]) -> Any:
    limits = {BOUNDS[key]: schema[key] for key in BOUNDS if key in schema}
    return Annotated[kind, Field(**limits)] if limits else kind


def example_of(operation_id: str) -> Any:
    """What the contract shows as the answer of an operation."""
    for item in spec.document()["paths"].values():
        for method in spec.METHODS:
            if method in item and item[method]["operationId"] == operation_id:
                return _example(item[method]["responses"])
    raise KeyError(operation_id)


def _example(responses: dict[str, Any]) -> Any:
    answer = next(spec.resolve_once(answer) for status, answer in responses.items() if status < "300")
    content = answer.get("content", {}).get("application/json")
    return None if content is None else content.get("example") or spec.resolve_once(content["schema"]).get("example")


def answering(operation_id: str) -> Callable[..., Awaitable[Any]]:
    """A handler that always gives back the contract's example."""
    example = example_of(operation_id)

    async def stub(*_: Any, **__: Any) -> Any:
        return example

    return stub
