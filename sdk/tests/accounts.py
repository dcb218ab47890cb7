"""A server that rotates tokens, and a session whose access token has ended."""

from __future__ import annotations

import threading
import time
from typing import Any

from loopback import Received, Reply, error

from unpuzzle_sdk import MemoryTokenStore, Tokens

REFRESH = "/api/v1/auth/refresh/"


class Accounts:
    """A server that rotates tokens: access tokens `a1`, `a2`, …, each good until the next."""

    def __init__(self, examples: dict[str, Any]) -> None:
        self._examples = examples
        self._lock = threading.Lock()
        self.generation = 1
        self.refreshes = 0
        self.lifetime = 3600
        self.drop_answers = 0

    def tokens(self) -> dict[str, Any]:
        names = {"access_token": f"a{self.generation}", "refresh_token": f"r{self.generation}"}
        return {**self._examples["Tokens"], **names, "expires_in": self.lifetime}

    def __call__(self, request: Received) -> Reply:
        if request.path == REFRESH:
            return self._refresh(request.json.get("refresh_token"))
        if request.path.endswith(("signin/", "signup/")):
            return Reply(200, {**self._examples["AuthSession"], **self.tokens()})
        if request.headers.get("authorization") != f"Bearer a{self.generation}":
            return error(401, "AUTH_INVALID_TOKEN")
        return Reply(json=self._examples["Message" if request.path.endswith("signout/") else "User"])

    def _refresh(self, token: str | None) -> Reply:
        time.sleep(0.05)
        with self._lock:
            self.refreshes += 1
            if token == f"r{self.generation}":
                self.generation += 1
            elif not (self.refreshes > 1 and token == f"r{self.generation - 1}"):
                return error(401, "AUTH_INVALID_TOKEN")
            if self.drop_answers:
                self.drop_answers -= 1
                return Reply(drop=True)
            return Reply(json=self.tokens())


def stale(refresh_token: str | None = "r1") -> MemoryTokenStore:
    return MemoryTokenStore(Tokens("a0", refresh_token))
