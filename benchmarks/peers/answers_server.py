"""A server that costs next to nothing, for what clients are measured against. For `uvicorn --factory`."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from peers.contract import example_of
from unpuzzle_server.kernel import spec

SECTION = example_of("content.get_section")
FILE = {
    "id": "file-abc123", "object": "file", "bytes": 120000, "created_at": 1677610602, "expires_at": 1677614202,
    "filename": "my_file.jsonl", "purpose": "fine-tune", "status": "processed",
}  # fmt: skip
"""What OpenAI's reference shows for this resource, and the status that its client requires."""
MODEL = {
    "id": "claude-opus-4-6", "created_at": "2026-02-04T00:00:00Z", "display_name": "Claude Opus 4.6", "type": "model",
    "max_input_tokens": 200000, "max_tokens": 128000,
}  # fmt: skip
CUSTOMER = {
    "id": "cus_NffrFeUfNV2Hib", "object": "customer", "balance": 0, "created": 1680893993, "currency": "usd",
    "email": "jenny@example.com", "livemode": False, "name": "Jenny", "phone": None, "metadata": {},
}  # fmt: skip
LICENSE = {
    "key": "mit", "name": "MIT License", "spdx_id": "MIT", "url": "https://api.github.com/licenses/mit", "node_id": "MDc6",
    "html_url": "https://choosealicense.com/licenses/mit/", "description": "A short one", "implementation": "Create it",
    "permissions": ["commercial-use"], "conditions": ["include-copyright"], "limitations": ["liability"], "body": "…",
    "featured": True,
}  # fmt: skip
"""As their references show them, where a resource has many fields the most common."""
PATHS = {
    "openai-python": f"/files/{FILE['id']}",
    "anthropic": f"/v1/models/{MODEL['id']}",
    "stripe-python": f"/v1/customers/{CUSTOMER['id']}",
    "githubkit": f"/licenses/{LICENSE['key']}",
}


def section_path() -> str:
    operation = next(found for found in spec.operations() if found.id == "content.get_section")
    return operation.path.format(course_id=SECTION["course_id"], section_id=SECTION["id"])


ANSWERS: dict[str, Any] = {
    "/health/": {},
    section_path(): SECTION,
    **dict(zip(PATHS.values(), (FILE, MODEL, CUSTOMER, LICENSE), strict=True)),
}


def create_app() -> Callable[..., Awaitable[None]]:
    bodies = {path: json.dumps(answer, separators=(",", ":")).encode() for path, answer in ANSWERS.items()}

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = bodies[scope["path"]]
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
