"""One request and what is gathered for its answer, on its way through the kernel."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from starlette.requests import cookie_parser
from starlette.types import Message, Receive, Scope

from unpuzzle_server.kernel.errors import Problem

REQUEST_ID: ContextVar[str] = ContextVar("request_id")
"""The id of the request that the running code works for; every line of the log carries it."""

ACCESS_COOKIE = "unpuzzle_access"
STATE = "unpuzzle.exchange"
"""Where the exchange stands in the ASGI scope."""

DRAINED_BYTES = 16 * 1024 * 1024
"""How much of a body that is too large is read and thrown away: many clients listen only when they have sent all."""


@dataclass(frozen=True)
class Identity:
    """Who is asking, as the database knew at the start of this request."""

    user_id: UUID
    session_id: UUID | None
    """None for an API key."""
    roles: frozenset[str]
    scopes: frozenset[str] | None = None
    """What an API key is for; None for a session, which may do all that its user may."""

    @property
    def signed_in(self) -> UUID:
        """The session, in operations that no API key may do."""
        assert self.session_id is not None, "this operation's scopes in the spec let no API key in"
        return self.session_id

    def may(self, role: str) -> bool:
        return role == "user" or role in self.roles or "admin" in self.roles


@dataclass
class Exchange:
    scope: Scope = field(repr=False)  # its headers hold tokens
    receive: Receive
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    headers_out: dict[str, str] = field(default_factory=dict)
    """Headers for the answer, be it a success or an error."""
    identity: Identity | None = None
    operation_id: str = ""
    cut_short: bool = False
    """Whether this server has ended its answer, and not whoever asked."""
    raw_body: bytes = field(default=b"", repr=False)
    """The body as it came, for whoever has signed it."""

    @cached_property
    def headers(self) -> dict[str, str]:
        """By name in small letters; of a header that is there twice, the first."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(self.scope["headers"])}

    @cached_property
    def cookies(self) -> dict[str, str]:
        return cookie_parser(self.headers.get("cookie", ""))

    @property
    def token(self) -> str:
        """The access token that came, in the header or in the cookie."""
        bearer = self.headers.get("authorization", "").partition(" ")[2].strip()
        return bearer or self.cookies.get(ACCESS_COOKIE, "")

    @property
    def path_params(self) -> dict[str, str]:
        params: dict[str, str] = self.scope["path_params"]
        return params

    @property
    def path(self) -> str:
        """The path as it should have been asked for, with its trailing slash."""
        path: str = self.scope["path"]
        return path if path.endswith("/") else f"{path}/"

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else "unknown"

    async def body(self, limit: int) -> bytes:
        """The whole body; raises PAYLOAD_TOO_LARGE for one of more than `limit` bytes."""
        too_large = Problem("PAYLOAD_TOO_LARGE", f"A body may have {limit} bytes.")
        if (self.announced or 0) > DRAINED_BYTES:
            raise too_large
        chunks: list[bytes] = []
        size = 0
        while True:
            message: Message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                chunks.append(chunk)
            elif size > DRAINED_BYTES or not message.get("more_body"):
                raise too_large
            if not message.get("more_body"):
                self.raw_body = b"".join(chunks)
                return self.raw_body

    @property
    def announced(self) -> int | None:
        """How many bytes the body has, if the client has said so."""
        length = self.headers.get("content-length", "")
        return int(length) if length.isdigit() else None


class ClientGone(Exception):
    """The client went away before its request was whole; nobody is there to answer."""


def exchange_of(scope: Scope) -> Exchange:
    found: Any = scope[STATE]
    assert isinstance(found, Exchange)
    return found
