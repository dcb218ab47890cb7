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


def section_path() -> str:
    operation = next(found for found in spec.operations() if found.id == "content.get_section")
    return operation.path.format(course_id=SECTION["course_id"], section_id=SECTION["id"])


ANSWERS: dict[str, Any] = {"/health/": {}, section_path(): SECTION, f"/files/{FILE['id']}": FILE}


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
