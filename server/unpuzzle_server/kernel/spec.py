"""The contract, read once: operations, their parameters, and validators compiled from its schemas."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

METHODS = ("get", "put", "post", "patch", "delete")
Schema = dict[str, Any]


def source() -> bytes:
    """The contract as it was written: inside the installed package, or in the checkout."""
    packaged = files("unpuzzle_server") / "unpuzzle.yaml"
    return packaged.read_bytes() if packaged.is_file() else _in_checkout().read_bytes()


def _in_checkout() -> Path:
    return Path(__file__).parents[3] / "openapi" / "unpuzzle.yaml"


@cache
def document() -> dict[str, Any]:
    """The same as data, from the JSON that is generated beside it."""
    parsed: dict[str, Any] = orjson.loads((files("unpuzzle_server") / "contract.json").read_bytes())
    return parsed


def resolve(schema: Any) -> Any:
    """`schema` with every reference replaced by what it names."""
    if isinstance(schema, list):
        return [resolve(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolve(_lookup(schema["$ref"]))
    return {key: resolve(value) for key, value in schema.items()}


def _lookup(reference: str) -> Any:
    node: Any = document()
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def json_schema(schema: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema: `nullable` becomes a type, prose is left out."""
    if isinstance(schema, list):
        return [json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: value if key in ("enum", "required") else json_schema(value)
        for key, value in schema.items()
        if key not in ("description", "example", "nullable") and not key.startswith("x-")
    }
    if "properties" in kept:
        kept["properties"] = {name: json_schema(value) for name, value in schema["properties"].items()}
    if schema.get("nullable"):
        kept["type"] = [kept["type"], "null"]
        if "enum" in kept:
            kept["enum"] = [*kept["enum"], None]
    return kept


def compiled(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    """A validator of one schema of the spec. Those that say the same are one: most operations take the same parameters."""
    return _compiled(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))


@cache
def _compiled(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json_schema(resolve(orjson.loads(schema))), validate_formats=True)


@dataclass(frozen=True)
class Parameter:
    name: str
    location: str
    required: bool
    schema: Schema

    @property
    def argument(self) -> str:
        """The name of the handler's argument."""
        return self.name.lower().replace("-", "_")


@dataclass(frozen=True)
class StreamOf:
    """What an operation may stream, as `x-unpuzzle-stream` says."""

    events: dict[str, Schema]
    """The schema of what each event tells, by its name."""
    flag: str
    """The field of the body that asks for the stream in the place of JSON; empty where there is nothing else."""
    final: str
    """The event that tells what the JSON answer would be, the last of them."""


@dataclass(frozen=True)
class Operation:
    """One operation of the contract, with everything the server needs to know of it."""

    id: str
    method: str
    path: str
    role: str
    parameters: tuple[Parameter, ...]
    body: Schema | None
    body_type: str
    """The media type of the body, JSON or a form."""
    body_required: bool
    responses: dict[int, Schema | None]
    errors: frozenset[str]
    limit: dict[str, str]
    scopes: frozenset[str]
    """What an API key needs; where there is none, no API key is let in."""
    is_open: bool
    """Whether others send what they like besides: parameters that are not known are no problem then."""
    stream: StreamOf | None = None
    """The events that it answers with."""
    deprecation: Mapping[str, str] = field(default_factory=dict)
    """`x-unpuzzle-deprecation`, of what is going away."""

    @property
    def success(self) -> int:
        return next(status for status in self.responses if status < 304)

    def has(self, parameter: str) -> bool:
        return any(item.name == parameter for item in self.parameters)


def operations() -> Iterator[Operation]:
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                yield _operation(path, method, item[method], item.get("parameters", []))


def _operation(path: str, method: str, raw: dict[str, Any], shared: list[Any]) -> Operation:
    request = raw.get("requestBody", {})
    content: dict[str, Any] = request.get("content", {})
    body_type = next(iter(content), "")
    return Operation(
        id=raw["operationId"],
        method=method.upper(),
        path=path,
        role=raw["x-unpuzzle-role"],
        parameters=tuple(_parameter(resolve(item)) for item in [*shared, *raw.get("parameters", [])]),
        body=content[body_type]["schema"] if content else None,
        body_type=body_type,
        body_required=request.get("required", False),
        responses={int(status): _answer_schema(resolve_once(answer)) for status, answer in raw["responses"].items()},
        errors=frozenset(raw.get("x-unpuzzle-errors", ())),
        limit=raw.get("x-unpuzzle-limit", {}),
        scopes=frozenset(raw.get("x-unpuzzle-scopes", ())),
        is_open=raw.get("x-unpuzzle-open", False),
        stream=_stream(raw["x-unpuzzle-stream"]) if "x-unpuzzle-stream" in raw else None,
        deprecation=raw.get("x-unpuzzle-deprecation", {}),
    )


def _stream(raw: dict[str, Any]) -> StreamOf:
    return StreamOf(raw["events"], raw.get("flag", ""), raw.get("final", ""))


def resolve_once(node: dict[str, Any]) -> dict[str, Any]:
    return _lookup(node["$ref"]) if "$ref" in node else node


def _parameter(raw: dict[str, Any]) -> Parameter:
    return Parameter(raw["name"], raw["in"], raw.get("required", False), raw["schema"])


def _answer_schema(answer: dict[str, Any]) -> Schema | None:
    schema: Schema | None = answer.get("content", {}).get("application/json", {}).get("schema")
    return schema


@cache
def statuses() -> dict[str, int]:
    """The status of each error code."""
    found: dict[str, int] = document()["components"]["schemas"]["ErrorCode"]["x-unpuzzle-statuses"]
    return found
