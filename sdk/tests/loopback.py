"""A loopback server that answers what a test tells it to, and records what it was sent."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from unpuzzle_sdk import FileTokenStore, Unpuzzle

CONTRACT = Path(__file__).parents[2] / "openapi" / "unpuzzle.yaml"


@dataclass
class Received:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    port: int = 0
    """Of the client, so that it tells connections apart."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


HANG, CUT = b"wait until the client is gone", b"break off before the end"
"""What a stream may do in the place of a piece."""


@dataclass
class Reply:
    status: int = 200
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    drop: bool = False
    pieces: list[bytes | threading.Event] | None = None
    """Of a stream; an event among them is waited for."""
    claim_length: int | None = None

    @property
    def body(self) -> bytes:
        if self.content is not None:
            return self.content
        return b"" if self.json is None else json.dumps(self.json).encode()


def error(status: int, code: str, **fields: Any) -> Reply:
    headers = fields.pop("headers", {})
    body = {"status": "error", "error": {"code": code, "message": "It went wrong.", **fields}, "request_id": "req_1"}
    return Reply(status, body, {"X-Request-ID": "req_1", **headers})


class HTTPServer(ThreadingHTTPServer):
    # Many clients connect at once; with the default of 5 the kernel lets some wait for a second.
    request_queue_size = 128


class Server:
    """`server.script` holds the replies in order; without it `server.respond` is asked."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: list[Reply] = []
        self.respond: Callable[[Received], Reply] = lambda _: Reply(500)
        self.open_connections = self.open_streams = 0
        self._lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                with owner.counted("open_connections"):
                    super().handle()

            def handle_any(self) -> None:
                owner.handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        received = Received(
            handler.command, parts.path, parse_qs(parts.query), headers, body, handler.client_address[1]
        )
        with self._lock:
            self.received.append(received)
            reply = self.script.pop(0) if self.script else None
        reply = reply or self.respond(received)
        if reply.drop:
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.pieces is not None:
            self.stream(handler, reply.pieces)
            return
        length = len(reply.body) if reply.claim_length is None else reply.claim_length
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(reply.body)
        if length != len(reply.body):
            handler.close_connection = True

    def stream(self, handler: BaseHTTPRequestHandler, pieces: list[bytes | threading.Event]) -> None:
        """Sends piece after piece, and the end."""
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.close_connection = True
        for piece in pieces:
            if piece == HANG:
                self.wait_until_gone(handler)
                return
            if piece == CUT:
                return
            if isinstance(piece, threading.Event):
                piece.wait()
                continue
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    def wait_until_gone(self, handler: BaseHTTPRequestHandler) -> None:
        with self.counted("open_streams"), contextlib.suppress(ConnectionResetError):
            handler.connection.recv(1)

    def runs_out_of(self, name: str) -> bool:
        """Whether none of what is counted is left, soon."""
        deadline = time.monotonic() + 5
        while getattr(self, name) and time.monotonic() < deadline:
            time.sleep(0.01)
        return getattr(self, name) == 0

    @contextlib.contextmanager
    def counted(self, name: str) -> Iterator[None]:
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)
        try:
            yield
        finally:
            with self._lock:
                setattr(self, name, getattr(self, name) - 1)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def load_contract() -> dict[str, Any]:
    """Read the contract as JSON has it, with the C parser where there is one."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return json.loads(json.dumps(yaml.load(CONTRACT.read_bytes(), Loader=loader)))


@cache
def client_of(url: str, tokens: Path) -> Unpuzzle:
    """Give the client of this process, which has its session in a file, and goes on with the tokens that it knows."""
    return Unpuzzle(base_url=url, token_store=FileTokenStore(tokens))


def get_email(url: str, tokens: Path) -> str:
    """Call a server, in whichever process this is."""
    return client_of(url, tokens).auth.get_profile().email
