"""A proxy in front of the server that remembers what it was asked, and spoils answers."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}
"""Headers of one connection: the proxy writes its own."""


@dataclass(frozen=True)
class Answer:
    path: str
    token: str
    """Whose answer it is."""
    status: int
    headers: dict[str, str]
    content: bytes

    def with_field(self, **fields: Any) -> "Answer":
        return replace(self, content=json.dumps({**json.loads(self.content), **fields}).encode())

    def without_field(self, name: str) -> "Answer":
        return replace(self, content=json.dumps({k: v for k, v in json.loads(self.content).items() if k != name}).encode())


Spoil = Callable[[Answer], Answer]


@dataclass
class Proxy:
    target: str
    spoils: dict[str, Spoil] = field(default_factory=dict)
    """What happens to a 200 at a path."""
    open_paths: tuple[str, ...] = ()
    """Where the proxy is signed in for whoever asks."""
    token: str = ""
    methods: list[str] = field(default_factory=list)
    """Those of all requests."""
    url: str = ""

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        with httpx.Client(base_url=self.target, timeout=30) as client:
            handler = type("Handler", (Handler,), {"proxy": self, "client": client})
            self._server = Listener(("127.0.0.1", 0), handler)
            self.url = f"http://127.0.0.1:{self._server.server_port}"
            thread = Thread(target=self._server.serve_forever, args=(0.02,))
            thread.start()
            yield self
            self.leave()
            thread.join()

    def leave(self) -> None:
        """Nobody is answered any more."""
        self._server.shutdown()
        self._server.server_close()

    def forward(self, client: httpx.Client, method: str, url: str, headers: dict[str, str], content: bytes) -> Answer:
        self.methods.append(method)
        path = url.partition("?")[0]
        if path in self.open_paths:
            headers = {**headers, "authorization": f"Bearer {self.token}"}
        sent = {name: value.encode("latin-1") for name, value in headers.items()}  # any octet may stand there
        found = client.request(method, url, headers=sent, content=content)
        client.cookies.clear()
        kept = {name: value for name, value in found.headers.items() if name not in HOP}
        answer = Answer(path, headers.get("authorization", ""), found.status_code, kept, found.content)
        return self.spoils[path](answer) if path in self.spoils and answer.status == 200 and answer.content else answer


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A request that got no answer, as it was to be."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy
    client: httpx.Client

    def log_message(self, *arguments: Any) -> None:
        """Nothing."""

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in {"host", *HOP}}
        found = self.proxy.forward(self.client, self.command, self.path, headers, content)
        self.send_response(found.status)
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(found.content)))
        self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(found.content)

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = do_PATCH = do_DELETE = do_TRACE = do_QUERY = answer  # noqa: N815
