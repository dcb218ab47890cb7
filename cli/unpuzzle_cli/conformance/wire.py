"""The wire: every request of the suite passes here, in read-only mode nothing else than safe ones.

Schemathesis opens sessions of its own, for checks too. All of them send by the adapter of `requests`, and so do the laws.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from unpuzzle_cli.conformance.routes import ROUTES

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
TOO_MANY = 429
PATIENCE = 60
"""A server that asks to wait longer is taken at its word: the refusal is the answer."""


class UnsafeRequestError(Exception):
    """A request that could change something, where nothing may be changed. It was not sent."""


@dataclass
class Wire:
    base_url: str
    may_write: bool
    headers: dict[str, str] = field(default_factory=dict)
    """What every request carries."""
    sent: int = 0
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often each operation gave each status."""
    caller: str = ""
    """Who is sending."""
    created: list[tuple[str, str]] = field(default_factory=list)
    """Who made something, and where it is, the oldest first."""
    credentials: set[str] = field(default_factory=set)
    """What must not be told."""

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Until it ends, whatever `requests` sends goes this way."""
        usual: Callable[..., requests.Response] = HTTPAdapter.send

        def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            return self._pass(request, partial(usual, adapter, request, **kwargs))

        HTTPAdapter.send = send  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            HTTPAdapter.send = usual  # type: ignore[method-assign]

    def _pass(self, request: requests.PreparedRequest, send: Callable[[], requests.Response]) -> requests.Response:
        method, url = str(request.method), self._here(str(request.url))
        if method not in SAFE and not self.may_write:
            raise UnsafeRequestError(f"{method} {url}")
        request.url = url
        request.headers.update(self.headers)
        self._remember(request)
        response = self._answer(send)
        operation = ROUTES.find(method, url.removeprefix(self.base_url))
        if operation is not None:
            self.seen[operation.id, response.status_code] += 1
        if response.status_code == 201 and (location := response.headers.get("Location")):
            self.created.append((self.caller, location))
        return response

    def _here(self, url: str) -> str:
        """On this server, whatever a next page or a Location calls it: no token goes to another."""
        asked, own = urlsplit(url), urlsplit(self.base_url)
        return url if asked[:2] == own[:2] else asked._replace(scheme=own.scheme, netloc=own.netloc).geturl()

    def _answer(self, send: Callable[[], requests.Response]) -> requests.Response:
        """Sent again when a limit is over, if the server says that it soon will be."""
        while True:
            self.sent += 1
            response = send()
            after = response.headers.get("Retry-After", "")
            if response.status_code != TOO_MANY or not after.isdecimal() or int(after) > PATIENCE:
                return response
            response.close()
            time.sleep(int(after))

    def _remember(self, request: requests.PreparedRequest) -> None:
        for name in ("Authorization", "Cookie"):
            value = request.headers.get(name, b"")
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            self.credentials.update(text.split())
