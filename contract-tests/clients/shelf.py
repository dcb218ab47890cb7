"""An API whose every list has a few items, and the arguments that the contract's examples make."""

import json
from typing import Any

import httpx

from harness import CONTRACT
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation

COUNT, SIZE = 5, 2
"""Of three pages the last has one item."""


class Shelf:
    """Its items are the one of the contract's example, five times."""

    def __init__(self, operation: Operation) -> None:
        self.example = spec.resolve(operation.responses[operation.success])["example"]
        self.queries: list[dict[str, str]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.queries.append(dict(request.url.params))
        page, size = int(request.url.params.get("page", 1)), int(request.url.params["page_size"])
        left = max(0, min(size, COUNT - (page - 1) * size))
        pages = -(-COUNT // size)
        numbers = {"count": COUNT, "page": page, "page_size": size, "total_pages": pages}
        links = {"next": "http://api/next" if page < pages else None, "previous": None}
        body = {**self.example, **numbers, **links, "results": self.example["results"][:1] * left}
        return httpx.Response(200, content=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


def parameters(operation: Operation) -> dict[str, Any]:
    """Everything but the body, by its name."""
    raw = [*spec.document()["paths"][operation.path].get("parameters", []), *CONTRACT.raw[operation.id].get("parameters", [])]
    return {item["name"]: item for item in spec.resolve(raw)}


def examples(operation: Operation) -> dict[str, Any]:
    """Path, query and body in the contract's own examples, as keyword arguments."""
    declared = {name: item["example"] for name, item in parameters(operation).items() if item["in"] in ("path", "query")}
    flag = operation.stream.flag if operation.stream else ""
    fields = spec.resolve(operation.body).get("example", {}) if operation.body else {}
    return {**declared, **{name: value for name, value in fields.items() if name != flag}}
