"""What `serve` does: a database, its schema, the demo catalogue, then web processes until it is told to stop."""

import json
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import ChangeReload, Multiprocess

from unpuzzle_server.app import create_app
from unpuzzle_server.auth.oauth.providers import registrations
from unpuzzle_server.companion import Companion
from unpuzzle_server.embedded_stripe.app import PREFIX as EMBEDDED_STRIPE
from unpuzzle_server.kernel import schema
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres, end_with, running_url
from unpuzzle_server.kernel.protocol import EnvelopedHTTP
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.seed import loader

log = logging.getLogger(__name__)

APP = "unpuzzle_server.serving:worker_app"
SUPERVISOR = "UNPUZZLE_SUPERVISOR_PID"
READY_SECONDS = 60
LISTEN_SECONDS = 3
"""How long a port may stay taken by the dying processes of a server that was killed."""
MEDIA = "media"
"""Where files are kept, in the data directory."""
GRACE_SECONDS = 10
"""How long running requests may take to end when the server is told to stop."""


class ServeError(Exception):
    """The server can't start; the message says why and what to do."""


@dataclass(frozen=True)
class Options:
    """The command line of `serve`."""

    host: str
    port: int
    data_dir: Path
    workers: int
    reload: bool
    seed: str
    as_json: bool
    worker: bool = True


def serve(options: Options, settings: Settings) -> None:
    """Runs until SIGINT or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the database is stopped too
    registrations(settings.oauth_providers)  # what is missing is said before anything starts
    listener = listen(options.host, options.port)
    with database(options, settings) as ready:
        public_url = ready.public_url if "PUBLIC_URL" in os.environ else _url(options.host, listener)
        _hand_to_web_processes(replace(ready, public_url=public_url), _url(options.host, listener))
        companion = Companion(ready)
        threading.Thread(target=_attend, args=(options, companion, _url(options.host, listener)), daemon=True).start()
        try:
            _run(options, companion, ready, listener)
        finally:
            companion.stop()


def worker_app() -> ASGIApp:
    """What each web process serves; one that is left behind by its supervisor ends too, and frees the port."""
    supervisor = int(os.environ[SUPERVISOR])
    if supervisor != os.getpid():
        end_with(supervisor, signal.SIGTERM)
    return create_app()


def listen(host: str, port: int) -> socket.socket:
    """The socket that all web processes share; taken first, so that a taken port costs nothing."""
    deadline = time.monotonic() + LISTEN_SECONDS
    while True:
        try:
            return _listen(host, port)
        except ServeError:
            if port == 0 or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ServeError(f"Can't listen on {host} port {port}: {reason}. Choose another with --port, or --port 0.") from None
    listener.set_inheritable(True)
    return listener


@contextmanager
def database(options: Options, settings: Settings) -> Iterator[Settings]:
    """The settings of a database that is ready to serve, embedded unless there is a DATABASE_URL."""
    data_dir = options.data_dir
    if settings.database_url:
        yield _prepared(options, settings, settings.database_url)
        return
    _say(options, f"Starting PostgreSQL in {data_dir} …")
    embedded = EmbeddedPostgres(data_dir)
    owner_url = embedded.start()
    threading.Thread(target=_end_without, args=(embedded,), daemon=True).start()
    try:
        # The embedded one has no PgBouncer in front, so statements can stay prepared.
        yield _prepared(options, replace(settings, database_prepared_statements=True), owner_url)
    finally:
        crashed = embedded.crashed
        embedded.stop()
        if crashed:
            raise ServeError("PostgreSQL has ended by itself. Nothing that was answered is lost: start the server again.")


@contextmanager
def owners_database(data_dir: Path, settings: Settings) -> Iterator[str]:
    """The owner's URL, for a command beside the server: of the database that it uses, running or started for the command."""
    if running := settings.database_url or running_url(data_dir):
        yield running
        return
    options = Options("127.0.0.1", 0, data_dir, 1, False, "none", True)
    with database(options, settings) as ready:
        yield ready.database_url


def _end_without(embedded: EmbeddedPostgres) -> None:
    """Ends the server when its PostgreSQL ends before it: a supervisor then starts both anew."""
    embedded.wait()
    if embedded.crashed:
        log.error("PostgreSQL has ended: stopping")
        os.kill(os.getpid(), signal.SIGTERM)


def _prepared(options: Options, settings: Settings, owner_url: str) -> Settings:
    secret_key = settings.secret_key or kept_secret(options.data_dir)
    roles = schema.prepare(owner_url, secret_key, settings.database_app_url, settings.database_worker_url)
    if options.seed == "demo" and loader.load(owner_url):
        _say(options, "Loaded the demo catalogue.")
    return replace(
        settings,
        database_url=owner_url,
        database_app_url=roles.app_url,
        database_worker_url=roles.worker_url,
        secret_key=secret_key,
        media_dir=settings.media_dir or str(options.data_dir / MEDIA),
    )


def kept_secret(data_dir: Path) -> str:
    """The signing key of this data directory, made at the first start; tokens survive restarts with it."""
    path = data_dir / "secret.key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(32))
            os.replace(fresh, path)
        return path.read_text()
    except OSError as error:
        raise ServeError(f"Can't keep the signing key in {path}: {error.strerror}. Choose another --data-dir.") from None


def _hand_to_web_processes(settings: Settings, listens_at: str) -> None:
    """Each web process reads its settings from the environment, as it would on a machine of its own."""
    os.environ |= {
        "DATABASE_APP_URL": settings.database_app_url,
        "DATABASE_PREPARED_STATEMENTS": str(settings.database_prepared_statements).lower(),
        "SECRET_KEY": settings.secret_key,
        "MEDIA_DIR": settings.media_dir,
        "PUBLIC_URL": settings.public_url,
        "OAUTH_SANDBOX": str(settings.oauth_sandbox).lower(),
        SUPERVISOR: str(os.getpid()),
    }
    if not settings.stripe_api_key and not settings.stripe_api_base:  # this machine may not reach itself by its public name
        os.environ["STRIPE_API_BASE"] = listens_at + EMBEDDED_STRIPE
    for name in ("DATABASE_URL", "DATABASE_WORKER_URL"):
        os.environ.pop(name, None)  # the owner's role and the workers' are not theirs


def _run(options: Options, companion: Companion, settings: Settings, listener: socket.socket) -> None:
    config = uvicorn.Config(
        APP,
        factory=True,
        workers=options.workers,
        reload=options.reload,
        log_config=None,
        access_log=False,
        server_header=False,
        http=EnvelopedHTTP,
        ws="none",
        lifespan="on",  # by default a failing start is taken for an app without one, and served
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    if options.reload:
        Reload(config, companion, server.run, listener).run()
    elif options.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        server.run(sockets=[listener])
        if not server.started:
            raise ServeError("The server could not start: see the log above.")


class Reload(ChangeReload):  # type: ignore[misc, valid-type]  # uvicorn's best of two
    """Starts the worker anew with the web process."""

    def __init__(self, config: uvicorn.Config, companion: Companion, target: Any, listener: socket.socket) -> None:
        super().__init__(config, target=target, sockets=[listener])
        self.companion = companion

    def restart(self) -> None:
        super().restart()
        self.companion.restart()


def _url(host: str, listener: socket.socket) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{listener.getsockname()[1]}"


def _say(options: Options, line: str) -> None:
    if not options.as_json:
        print(line, file=sys.stderr, flush=True)


def _attend(options: Options, companion: Companion, base_url: str) -> None:
    """The worker comes second: it should not keep the first visitors waiting."""
    _announce(options, base_url)
    if options.worker:
        companion.run()


def _announce(options: Options, base_url: str) -> None:
    """Says that the server is ready, when it answers."""
    if _healthy(base_url):
        accounts = loader.ACCOUNTS if options.seed == "demo" else []
        print(_as_json(base_url, accounts) if options.as_json else _as_text(base_url, accounts), flush=True)


def _healthy(base_url: str) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{base_url}/health/", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def _as_json(base_url: str, accounts: list[loader.Account]) -> str:
    ready: dict[str, Any] = {"base_url": base_url, "docs_url": f"{base_url}/docs/", "pid": os.getpid()}
    return json.dumps({**ready, "accounts": [vars(account) for account in accounts]})


def _as_text(base_url: str, accounts: list[loader.Account]) -> str:
    lines = [f"Unpuzzle is ready at {base_url}", f"  API reference  {base_url}/docs/"]
    lines += [f"  demo {account.role:<10} {account.email}  {account.password}" for account in accounts]
    return "\n".join([*lines, "Press Ctrl+C to stop."])
