"""What a handler gives back, and the bytes that become of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from secrets import token_hex
from typing import Any

import orjson
from starlette.types import Send

from unpuzzle_server.kernel.clock import Clock, rfc3339
from unpuzzle_server.kernel.errors import Problem

Body = dict[str, Any] | bytes | None


@dataclass(frozen=True)
class Result:
    """A body with what else an answer carries; a handler with nothing to add returns the body alone."""

    body: Body
    version: int | None = None
    """The version of the resource, which stands in its ETag and is what `If-Match` is held against."""
    location: str | None = None
    cookies: Sequence[str] = ()
    media_type: str = "application/json"
    status: int | None = None
    """Another success than the operation's usual one."""


@dataclass
class Answer:
    """An answer on its way out: complete, checked, and small enough to be stored for a replay."""

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    cookies: Sequence[str] = ()


def refusal(problem: Problem, request_id: str, clock: Clock) -> Answer:
    """A problem in the error envelope."""
    envelope = {
        "status": "error",
        "error": problem.body(),
        "timestamp": rfc3339(clock.now()),
        "request_id": request_id,
    }
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store", **problem.headers}
    return Answer(problem.status, orjson.dumps(envelope), headers)


def new_request_id() -> str:
    return f"req_{token_hex(10)}"


def etag(version: int | None, content: bytes) -> str:
    """`"<version>-<digest of the body>"`: the digest for If-None-Match, the version for If-Match."""
    digest = blake2b(content, digest_size=8).hexdigest()
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def check_version(if_match: str | None, version: int) -> None:
    """Raises PRECONDITION_FAILED unless `If-Match` allows to change a resource of this version."""
    if not _allows(if_match, version):
        raise Problem("PRECONDITION_FAILED", "This has changed meanwhile: read it again.")


def _allows(if_match: str | None, version: int) -> bool:
    if if_match is None or if_match.strip() == "*":
        return True
    tags = [tag.strip().strip('"') for tag in if_match.split(",")]
    return str(version) in [tag.partition("-")[0] for tag in tags]


def not_modified(if_none_match: str | None, tag: str) -> bool:
    """Whether an `If-None-Match` header names this ETag (weakly, as RFC 9110 says)."""
    if if_none_match is None:
        return False
    tags = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return "*" in tags or tag in tags


def enveloped(content: bytes, now: Callable[[], Any]) -> bytes:
    """The standard success envelope of the API document around a body."""
    data = orjson.loads(content)
    message = data.get("message") if isinstance(data, dict) else None
    envelope = {"status": "success", "data": data, "message": message or "OK", "timestamp": rfc3339(now())}
    return orjson.dumps(envelope)


async def send_answer(send: Send, answer: Answer) -> None:
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers += [(b"set-cookie", cookie.encode("latin-1")) for cookie in answer.cookies]
    if answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.content)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
