"""What the laws look at: one request, its answer, and a way to ask again."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

from unpuzzle_cli.conformance.contract import FILE, Contract, Node, Operation, load

CONTRACT = Contract(load(FILE.read_text()))
OPERATIONS = {(operation.method.upper(), operation.path): operation for operation in CONTRACT.operations}
CONDITIONS = {"if-match", "if-none-match"}
FEW = 1


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def fields(self) -> dict[str, Any]:
        """The body, where it is a JSON object; else nothing."""
        return json_object(self.content)

    def header(self, name: str) -> str:
        """The value of a header, empty where there is none."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")

    def without(self, *names: str) -> "Request":
        """The same request without some headers, by their names in lower case."""
        return replace(self, headers={name: value for name, value in self.headers.items() if name.lower() not in names})

    def to(self, url: str) -> "Request":
        """The same caller reads another address."""
        return Request("GET", urljoin(self.url, url), self.without("content-type", "content-length", *CONDITIONS).headers)

    def by(self, authorization: str) -> "Request":
        """The same request from somebody else."""
        return self.without("authorization", "cookie").having("Authorization", authorization)

    def having(self, name: str, value: str) -> "Request":
        """The same request with a header."""
        return replace(self, headers={**self.headers, name: value})


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names in lower case."""
    content: bytes = b""

    @property
    def fields(self) -> dict[str, Any]:
        """The body, where it is a JSON object; else nothing."""
        return json_object(self.content)

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300


def json_object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


SESSION = requests.Session()
SECONDS = 30


def send(request: Request) -> Reply:
    """Over the wire. The client keeps no cookies: everybody is who the request says."""
    headers, content = dict(request.headers), request.content or None
    answer = SESSION.request(request.method, request.url, headers=headers, data=content, timeout=SECONDS, allow_redirects=False)
    SESSION.cookies.clear()
    return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.content)


def address(base_url: str, path: str) -> str:
    """Where a path of the contract is on a server, which may be below a path of its own."""
    return f"{base_url.rstrip('/')}/{path.lstrip('/')}"


def nobody() -> str:
    raise LookupError("nobody but the caller is known")


@dataclass(frozen=True)
class Exchange:
    operation: Operation
    request: Request
    reply: Reply
    send: Callable[[Request], Reply] = send
    stranger: Callable[[], str] = nobody
    """The credentials of somebody who has the caller's roles and owns nothing."""
    learner: Callable[[], str] | None = None
    """The credentials of somebody who is neither instructor nor admin, where such a one is known."""
    roles: frozenset[str] | None = None
    """The caller's, where they are known."""
    between: frozenset[str] = frozenset()
    """Headers, in lower case, that a proxy between may have added."""
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each law that costs requests was held against each operation in this run."""

    def is_rare(self, law: str) -> bool:
        """Whether a law that costs requests is to be held here: it is so for the first answer of each operation."""
        self.asked[law, self.operation.id] += 1
        return self.asked[law, self.operation.id] <= FEW

    @property
    def declared(self) -> Node | None:
        """The answer that the contract declares for this status."""
        found = [answer.node for answer in self.operation.answers if answer.status == str(self.reply.status)]
        return found[0] if found else None

    @property
    def fields(self) -> dict[str, Node]:
        """The declared fields of the answer's body."""
        content = (self.declared or {}).get("content", {})
        return CONTRACT.fields(content.get("application/json", {}).get("schema", {}))

    @property
    def is_stream(self) -> bool:
        """Whether it was answered with events."""
        return self.reply.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def is_replayed(self) -> bool:
        """Whether this was answered before: what it is about may have changed since."""
        return "idempotency-replayed" in self.reply.headers

    def read(self, url: str) -> Reply:
        """What the same caller reads at another address."""
        return self.send(self.request.to(url))
