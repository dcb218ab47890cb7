"""The contract as tests read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loopback import load_contract

CONTRACT = load_contract()
METHODS = ("get", "put", "post", "patch", "delete")
OPERATIONS: dict[str, tuple[str, str, Any]] = {
    item[method]["operationId"]: (method.upper(), path, item[method])
    for path, item in CONTRACT["paths"].items()
    for method in METHODS
    if method in item
}
"""The method, the path and the rest of each operation."""
SECRET = "x-unpuzzle-secret"
TEXTS = {"date-time": "2026-01-01T00:00:00Z", "date": "2026-01-01"}
VALUES: dict[str, Any] = {"boolean": True, "integer": 1, "number": 1.5}


def resolve(node: Any) -> Any:
    """What a node is once its references are followed."""
    while "$ref" in node:
        found: Any = CONTRACT
        for key in node["$ref"][2:].split("/"):
            found = found[key]
        node = found
    return node


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Every object below a node but its examples."""
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            if key not in ("example", "examples"):
                yield from walk(value)
    elif isinstance(node, list):
        for item in node:
            yield from walk(item)


def sample(schema: Any, secret: str = "secret") -> Any:
    """A value of a schema with every field that it has, and a text of one's own in the place of secrets."""
    schema = resolve(schema)
    if SECRET in schema:
        return secret
    if "allOf" in schema:
        return {name: value for part in schema["allOf"] for name, value in sample(part, secret).items()}
    if "oneOf" in schema:
        return sample(schema["oneOf"][0], secret)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [sample(schema["items"], secret)]
    if schema.get("type") == "string":
        return TEXTS.get(schema.get("format", ""), "text")
    own = schema.get("properties", {})
    return VALUES.get(schema.get("type")) or {name: sample(field, secret) for name, field in own.items()}
