"""The server in a thread of this process, for tests of what calls it; `unpuzzle_sdk.testing.local_server` is its front."""

import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from starlette.types import ASGIApp

from unpuzzle_server import serving
from unpuzzle_server.app import create_app
from unpuzzle_server.embedded_stripe.app import PREFIX as EMBEDDED_STRIPE
from unpuzzle_server.kernel import schema
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from unpuzzle_server.kernel.protocol import EnvelopedHTTP
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.seed import loader

START_SECONDS = 60
STOP_SECONDS = 10
PLENTY = 1_000_000
"""Tests come from one address, and more often than people."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    accounts: tuple[loader.Account, ...]
    """Those of the demo, if it was loaded."""


@contextmanager
def running(*, demo: bool = True) -> Iterator[Running]:
    """A server on a free port, with a database and files of its own, which go with it. No worker does its tasks."""
    with TemporaryDirectory(prefix="unpuzzle-local-") as home:
        Path(home).chmod(0o755)  # PostgreSQL may have to run as another user
        with EmbeddedPostgres(Path(home)) as embedded:
            key = secrets.token_hex(32)
            roles = schema.prepare(embedded.url, key)
            if demo:
                loader.load(embedded.url)
            listener = serving.listen("127.0.0.1", 0)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with _logging_kept():
                app = create_app(_settings(key, roles, url, home))
            with served(app, listener):
                yield Running(url, tuple(loader.ACCOUNTS) if demo else ())


def _settings(key: str, roles: schema.Roles, url: str, home: str) -> Settings:
    return Settings(
        database_app_url=roles.app_url,
        database_worker_url=roles.worker_url,
        database_prepared_statements=True,
        secret_key=key,
        public_url=url,
        stripe_api_base=url + EMBEDDED_STRIPE,
        media_dir=str(Path(home) / serving.MEDIA),
        rate_limit_anonymous=PLENTY,
        rate_limit_authenticated=PLENTY,
        rate_limit_sign_in=PLENTY,
        rate_limit_sign_up=PLENTY,
        rate_limit_reset=PLENTY,
        password_memory_kib=8,
        password_passes=1,
        log_level="error",
        log_format="text",
    )


@contextmanager
def served(app: ASGIApp, listener: socket.socket) -> Iterator[uvicorn.Server]:
    """Answers in a thread as long as the block runs."""
    config = uvicorn.Config(
        app, http=EnvelopedHTTP, lifespan="on", log_config=None, access_log=False, proxy_headers=False, server_header=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield server
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    for _ in range(START_SECONDS * 100):
        if server.started:
            return
        thread.join(0.01)
        if not thread.is_alive():
            break
    raise serving.ServeError("The server could not start: see the log.")


@contextmanager
def _logging_kept() -> Iterator[None]:
    """The process is somebody else's, and so is where it logs."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []  # else they would be closed
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
