"""Who sends requests: accounts by their addresses and passwords, signed in when they are needed."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Reply, Request, address, send

HALF_AN_HOUR = 1800
"""A token lives one, and so is asked for again."""
WRONG_TOKEN = "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmVkLWJ5LW5vYm9keQ"  # noqa: S105 - nobody's
OPERATIONS = {operation.id: operation for operation in CONTRACT.operations}


@dataclass
class Person:
    """Somebody with an account."""

    base_url: str
    email: str
    password: str = field(repr=False)
    _authorization: str = field(default="", repr=False)
    _until: float = 0

    @property
    def authorization(self) -> str:
        if time.monotonic() > self._until:
            session = self._begun()
            self._authorization, self._until = f"Bearer {session['access_token']}", time.monotonic() + HALF_AN_HOUR
        return self._authorization

    @property
    def roles(self) -> set[str]:
        """As they are now, whatever they were before."""
        user = self._begun()["user"]
        return {*map(str, user.get("roles") or ())} if isinstance(user, dict) else set()

    def ask(self, operation_id: str, body: object = None, **ids: str) -> Reply:
        """Sends an operation's request."""
        return ask(self.base_url, operation_id, body, {"Authorization": self.authorization}, **ids)

    def _begun(self) -> dict[str, Any]:
        reply = ask(self.base_url, "auth.sign_in", {"email": self.email, "password": self.password})
        if not reply.succeeded:
            raise NoAccountError(f"{self.email} can't sign in: {reply.status}")
        if not reply.fields.keys() >= {"access_token", "user"}:
            raise NoAccountError(f"{self.email} can't sign in: the answer has no access_token and user")
        return reply.fields


class NoAccountError(Exception):
    """Somebody is needed and there is no account for them."""


def ask(base_url: str, operation_id: str, body: object = None, headers: dict[str, str] | None = None, **ids: str) -> Reply:
    """The answer to an operation's request."""
    operation: Operation = OPERATIONS[operation_id]
    content = b"" if body is None else json.dumps(body).encode()
    typed = {"Content-Type": "application/json"} if content else {}
    url = address(base_url, operation.path.format(**ids))
    return send(Request(operation.method.upper(), url, {**typed, **(headers or {})}, content))
