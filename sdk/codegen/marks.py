"""What the contract marks as secret (`x-unpuzzle-secret`), operation by operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MARK = "x-unpuzzle-secret"


def of_requests(document: dict[str, Any], operation: dict[str, Any], parameters: list[dict[str, Any]]) -> set[str]:
    """The names of secret parameters, and of secret fields of the body."""
    marked = {parameter["name"] for parameter in parameters if MARK in parameter}
    return marked | set(_marked(document, operation.get("requestBody", {}), []))


def of_answers(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    """The names of secret fields of what is no error."""
    answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    events = operation.get("x-unpuzzle-stream", {}).get("events", {})
    return set(_marked(document, [answers, events], []))


def _marked(document: dict[str, Any], node: Any, seen: list[str]) -> Iterator[str]:
    """The names of marked properties anywhere below a node, through references."""
    if isinstance(node, list):
        for item in node:
            yield from _marked(document, item, seen)
    if not isinstance(node, dict):
        return
    reference = node.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        seen.append(reference)
        yield from _marked(document, resolve(document, node), seen)
    for name, schema in node.get("properties", {}).items():
        if isinstance(schema, dict) and MARK in schema:
            yield name
    for value in node.values():
        yield from _marked(document, value, seen)


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a node is once its references are followed."""
    while "$ref" in node:
        found: Any = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        node = found
    return node
