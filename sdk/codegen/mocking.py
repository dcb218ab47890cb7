"""What `unpuzzle_sdk.testing` knows of the contract: a compact copy, without prose.

Each schema keeps the keywords by which values are checked. The checks are written by hand in `testing/_rules.py`: a
keyword that they do not know is refused here, so that none is passed over in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

METHODS = ("get", "put", "post", "patch", "delete")
EVENTS = "text/event-stream"
SCHEMAS = "#/components/schemas/"
PLAIN = {
    *("type", "nullable", "enum", "format", "pattern", "required", "uniqueItems", "minimum", "maximum", "default"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
}
PROSE = {"description", "example", "title"}


class MockingError(Exception):
    """The contract holds something that the mock can't check or answer."""


def contract_of(document: dict[str, Any]) -> dict[str, Any]:
    """Give the copy."""
    schemas = document["components"]["schemas"]
    reader = _Reader(document)
    return {
        "operations": dict(reader.operations()),
        "schemas": {name: compact(reader.merged(schema)) for name, schema in schemas.items()},
        "examples": {name: schema["example"] for name, schema in schemas.items() if "example" in schema},
        "errors": reader.errors(),
    }


def as_text(contract: dict[str, Any]) -> str:
    """Write it with an entry a line, which makes small files and small diffs."""
    parts = []
    for name, entries in contract.items():
        lines = (f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in entries.items())
        parts.append(f'"{name}":{{\n' + ",\n".join(lines) + "\n}")
    return "{" + ",\n".join(parts) + "}\n"


def compact(schema: dict[str, Any]) -> dict[str, Any]:
    """Give what a schema asks of a value."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref":
            found[key] = value.removeprefix(SCHEMAS)
        elif key in PLAIN:
            found[key] = value
        elif key == "properties":
            found[key] = {name: compact(inner) for name, inner in value.items()}
        elif key in ("items", "additionalProperties"):
            found[key] = compact(value) if isinstance(value, dict) else value
        elif key not in PROSE and not key.startswith("x-"):
            # `allOf` too, where it does not stand outermost.
            raise MockingError(f"the mock does not check {key!r}: teach it in testing/_rules.py")
    return found


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def operations(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give each operation by its id."""
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    raw = item[method]
                    shared = item.get("parameters", [])
                    yield raw["operationId"], {"method": method.upper(), "path": path, **self._operation(raw, shared)}

    def _operation(self, raw: dict[str, Any], shared: list[dict[str, Any]]) -> dict[str, Any]:
        parameters = [self._parameter(node) for node in [*shared, *raw.get("parameters", [])]]
        answers = {status: self._resolve(answer) for status, answer in raw["responses"].items()}
        found = {
            "access": _access(raw["security"]),
            "parameters": parameters,
            "body": self._body(raw.get("requestBody")),
            "answers": [self._answer(status, answer) for status, answer in answers.items() if status < "400"],
            "refusals": [int(status) for status in answers if status >= "400"],
            "open": raw.get("x-unpuzzle-open", False),
            "items": raw.get("x-unpuzzle-pagination", {}).get("items", ""),
            "stream": self._stream(raw.get("x-unpuzzle-stream")),
        }
        return {key: value for key, value in found.items() if value}

    def _parameter(self, node: dict[str, Any]) -> dict[str, Any]:
        raw = self._resolve(node)
        required = {"required": True} if raw.get("required") else {}
        return {"name": raw["name"], "in": raw["in"], **required, "schema": compact(raw["schema"])}

    def _body(self, node: dict[str, Any] | None) -> dict[str, Any]:
        if node is None:
            return {}
        raw = self._resolve(node)
        ((media_type, content),) = raw["content"].items()
        required = {"required": True} if raw.get("required") else {}
        return {"type": media_type, **required, "schema": compact(content["schema"])}

    def _answer(self, status: str, raw: dict[str, Any]) -> dict[str, Any]:
        content = {kind: inner for kind, inner in raw.get("content", {}).items() if kind != EVENTS}
        kind, inner = next(iter(content.items()), ("", {}))
        headers = {name: self._resolve(header) for name, header in raw.get("headers", {}).items()}
        found = {
            "status": int(status),
            "type": kind,
            "schema": compact(inner["schema"]) if inner else {},
            "headers": {name: str(header["example"]) for name, header in headers.items() if header.get("required")},
        }
        return {key: value for key, value in found.items() if value}

    def _stream(self, raw: dict[str, Any] | None) -> dict[str, Any]:
        if raw is None:
            return {}
        events = {name: schema["$ref"].removeprefix(SCHEMAS) for name, schema in raw["events"].items()}
        return {"flag": raw.get("flag", ""), "resumes": raw.get("resumes", False), "events": events}

    def errors(self) -> dict[str, dict[str, Any]]:
        """Give each error code with its status and its example."""
        examples: dict[str, dict[str, Any]] = {}
        for answer in self.document["components"]["responses"].values():
            named = answer.get("content", {}).get("application/json", {}).get("examples", {})
            examples |= {code: example["value"]["error"] for code, example in named.items()}
        statuses = self.document["components"]["schemas"]["ErrorCode"]["x-unpuzzle-statuses"]
        return {
            code: {"status": status, "error": examples.get(code, {"code": code, "message": "The API refused this."})}
            for code, status in statuses.items()
        }

    def merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Give a schema with the members of its `allOf`, which are objects, in one."""
        parts = [self.merged(self._resolve(part)) for part in schema.get("allOf", ())]
        if not parts:
            return schema
        return {
            "type": "object",
            "required": [name for part in parts for name in part.get("required", ())],
            "properties": {name: field for part in parts for name, field in part.get("properties", {}).items()},
        }

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        found: Any = self.document
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return dict(found)


def _access(security: list[dict[str, Any]]) -> str:
    if not security:
        return ""
    return "optional" if {} in security else "required"
