"""The wire: every request of the suite passes here, in read-only mode nothing else than safe ones.

Schemathesis opens sessions of its own, for checks too. All of them send by the adapter of `requests`, and so do the laws.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import current_thread, main_thread
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from unpuzzle_cli.conformance.allowances import Allowances
from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws.exchange import json_object
from unpuzzle_cli.conformance.reading import received
from unpuzzle_cli.conformance.routes import ROUTES
from unpuzzle_cli.conformance.settings import SECONDS

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
TOO_MANY = 429
PATIENCE, REPEATS = 60, 5
"""Seconds that one request waits for its limits, and how often it is sent again. What takes longer is taken at its word."""
HOPELESS = 5
"""After so many answers in a row that did not come in time there is none to wait for."""
DIGITS = 9
"""A limit of more seconds is over in no time that anybody waits."""
JSON, SHALLOW = "application/json", 200
Tell = Callable[[str], None]
Text = str | bytes


class UnsafeRequestError(Exception):
    """A request that could change something, where nothing may be changed. It was not sent."""


class OutsideError(requests.RequestException):
    """An address outside the base URL, which may belong to somebody else. Nothing was sent there."""


class TooDeepError(requests.RequestException):
    """JSON that is nested deeper than anything reads, and would end the thread that tries."""


class EndedError(requests.RequestException):
    """The run was interrupted, and a thread of it has not heard that yet. The request was not sent."""


class LimitReachedError(Exception):
    """What a limit still allows is kept for the end. The request was not sent."""


def nothing(_: str) -> None:
    """Tells nobody."""


@dataclass
class Left:
    """What a run leaves on the server, the oldest first, each with the address of whose it is."""

    things: list[tuple[str, str]] = field(default_factory=list)
    """Where they are."""
    accounts: dict[str, str] = field(default_factory=dict)
    """Those that testing sign-up made, with their passwords."""
    published: list[tuple[str, str]] = field(default_factory=list)
    """The ids of courses."""
    intents: list[tuple[str, str]] = field(default_factory=list)
    subscribers: list[str] = field(default_factory=list)


@dataclass
class Wire:
    base_url: str
    may_write: bool
    headers: dict[str, str] = field(default_factory=dict)
    """What every request carries."""
    tell: Tell = nothing
    """Tells whoever waits what for."""
    sent: int = 0
    limited: int = 0
    """How many requests were refused by limits."""
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often each operation gave each status."""
    owners: dict[str, str] = field(default_factory=dict)
    """Who sends with which Authorization, as sign-ins have shown."""
    left: Left = field(default_factory=Left)
    allowances: Allowances = field(default_factory=Allowances)
    cleaning: bool = False
    """Whether what was kept for the end may be used."""
    credentials: set[str] = field(default_factory=set)
    """What must not be told."""
    _overdue: int = 0
    """How many answers in a row did not come in time."""
    _in_vain: bool = False
    """Whether the last wait for a limit was: no other is waited for until one has let something pass."""

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Until it ends, whatever `requests` sends goes this way."""
        usual: Callable[..., requests.Response] = HTTPAdapter.send

        def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            sending = partial(usual, adapter, request, **{**kwargs, "stream": True})
            return self._pass(request, partial(received, sending, streams=bool(kwargs.get("stream"))))

        HTTPAdapter.send = send  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            HTTPAdapter.send = usual  # type: ignore[method-assign]

    def owner(self, authorization: str) -> str:
        """Whose an Authorization is; nobody's if it was made up."""
        return self.owners.get(authorization, "")

    def _pass(self, request: requests.PreparedRequest, send: Callable[[], requests.Response]) -> requests.Response:
        if self.cleaning and current_thread() is not main_thread():
            raise EndedError
        if self._overdue >= HOPELESS:
            raise requests.ConnectionError(f"{HOPELESS} answers in a row did not come to their end in {SECONDS} s")
        method, url = str(request.method), self._here(str(request.url))
        if method not in SAFE and not self.may_write:
            raise UnsafeRequestError(f"{method} {url}")
        request.url = url
        operation = ROUTES.find(method, url.removeprefix(self.base_url))
        owner = self.owner(as_text(request.headers.get("Authorization", "")))
        if operation and owner:
            self._spare(owner, operation)
        request.headers.update(self.headers)
        self._remember(request)
        response = self._answer(send, operation)
        refuse_too_deep(response)
        if operation:
            self.seen[operation.id, response.status_code] += 1
            self.allowances.saw(owner, operation, response.headers)
            self._keep(owner, operation, request, response)
        return response

    def _here(self, url: str) -> str:
        """On this server, whatever a next page or a Location calls it: no token goes to another, nor outside the base URL."""
        asked, own = urlsplit(url), urlsplit(self.base_url)
        here = url if asked[:2] == own[:2] else asked._replace(scheme=own.scheme, netloc=own.netloc).geturl()
        if here != self.base_url and not here.startswith((f"{self.base_url}/", f"{self.base_url}?")):
            raise OutsideError(f"{here} is outside {self.base_url}")
        return here

    def _spare(self, owner: str, operation: Operation) -> None:
        """Waits until a limit lets the owner send, or refuses to use what it allows for the end."""
        kept = sum(1 for name, _ in self.left.things if name == owner)
        seconds = 0 if self.cleaning else self.allowances.wait(owner, operation, kept if self.may_write else None)
        if seconds > PATIENCE:
            raise LimitReachedError(f"The limit of {owner} is used up, for {seconds} s.")
        if seconds:
            self._wait(seconds)

    def _answer(self, send: Callable[[], requests.Response], operation: Operation | None) -> requests.Response:
        """Sent again when a limit is over, if the server says that it soon will be."""
        patience = 0 if self._in_vain else PATIENCE
        for _ in range(REPEATS):
            response = self._sent(send)
            if response.status_code != TOO_MANY:
                self._in_vain &= operation is None or not operation.is_limited
                return response
            after = response.headers.get("Retry-After", "")
            seconds = max(int(after), 1) if after.isdecimal() and len(after) <= DIGITS else PATIENCE + 1
            if seconds > patience:
                return response
            response.close()
            self._wait(seconds)
            patience -= seconds
        self._in_vain = True
        return self._sent(send)

    def _sent(self, send: Callable[[], requests.Response]) -> requests.Response:
        self.sent += 1
        began = time.monotonic()
        try:
            response = send()
        except requests.Timeout:
            self._overdue += time.monotonic() - began >= SECONDS
            raise
        self._overdue = 0
        self.limited += response.status_code == TOO_MANY
        return response

    def _wait(self, seconds: int) -> None:
        self.tell(f"Waiting for a limit, {seconds} s.")
        time.sleep(seconds)

    def _keep(self, owner: str, operation: Operation, request: requests.PreparedRequest, response: requests.Response) -> None:
        """Who signed in, and what is to be taken away at the end."""
        status = response.status_code
        if status == 201 and (location := response.headers.get("Location")):
            self.left.things.append((owner, location))
        if operation.id not in KEPT or not 200 <= status < 300 or status == 202:
            return  # 202: a mail is on its way, perhaps to somebody who has an account
        sent, answered = json_object(as_bytes(request.body)), json_object(response.content)
        KEPT[operation.id](self, owner, sent, answered)

    def _signed_in(self, _: str, sent: dict[str, Any], answered: dict[str, Any]) -> None:
        self.owners[f"Bearer {answered.get('access_token')}"] = str(sent.get("email"))

    def _signed_up(self, owner: str, sent: dict[str, Any], answered: dict[str, Any]) -> None:
        self._signed_in(owner, sent, answered)
        self.left.accounts[str(sent.get("email"))] = str(sent.get("password"))

    def _published(self, owner: str, _: dict[str, Any], answered: dict[str, Any]) -> None:
        self.left.published.append((owner, str(answered.get("id"))))

    def _intended(self, owner: str, _: dict[str, Any], answered: dict[str, Any]) -> None:
        self.left.intents.append((owner, str(answered.get("payment_id", answered.get("id")))))

    def _subscribed(self, owner: str, *_: dict[str, Any]) -> None:
        self.left.subscribers.append(owner)

    def _remember(self, request: requests.PreparedRequest) -> None:
        for name in ("Authorization", "Cookie"):
            self.credentials.update(as_text(request.headers.get(name, b"")).split())


KEPT: dict[str, Callable[[Wire, str, dict[str, Any], dict[str, Any]], None]] = {
    "auth.sign_in": Wire._signed_in,
    "auth.sign_up": Wire._signed_up,
    "courses.publish": Wire._published,
    "payments.create_intent": Wire._intended,
    "subscriptions.create": Wire._subscribed,
}
"""What is remembered of an operation that succeeded."""


def refuse_too_deep(response: requests.Response) -> None:
    """Looked at only where there are brackets enough, so that other answers are read once."""
    if response.headers.get("Content-Type", "").startswith(JSON):
        opened = response.content.count(b"[") + response.content.count(b"{")
        if opened > SHALLOW and is_too_deep(response.content):
            raise TooDeepError("the answer is nested too deep to be read")


def is_too_deep(content: bytes) -> bool:
    try:
        json.loads(content)
    except RecursionError:
        return True
    except ValueError:
        return False
    return False


def as_text(value: Text) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def as_bytes(value: Any) -> bytes:
    """A body that was sent at once; those of files say nothing here."""
    return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else b""
