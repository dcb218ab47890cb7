"""Servers as processes of their own, each ended by its id; and what they cost in CPU."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).parent
READY_SECONDS = 60
APPS = {
    "ours": "unpuzzle_server.app:create_app",
    "FastAPI": "peers.fastapi_server:create_app",
    "Connexion": "peers.connexion_server:create_app",
}


@dataclass(frozen=True)
class Server:
    name: str
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        used = self.process.cpu_times()
        return used.user + used.system


@contextmanager
def running(settings: dict[str, str], urls: dict[str, str], logs: Path) -> Iterator[list[Server]]:
    """Ours and its peers side by side: one process each, on the same loop and the same HTTP parser."""
    with ExitStack() as stack:
        yield [stack.enter_context(serving(name, app, {**settings, **urls_of(name, urls)}, logs)) for name, app in APPS.items()]


def urls_of(name: str, urls: dict[str, str]) -> dict[str, str]:
    """Ours serves as the role under row level security, its peers as the owner."""
    return {"DATABASE_APP_URL": urls["app"]} if name == "ours" else {"DATABASE_URL": urls["owner"]}


@contextmanager
def serving(name: str, app: str, settings: dict[str, str], logs: Path) -> Iterator[Server]:
    """An app in a process of its own; `app` is a factory."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "uvicorn", "--factory", app, "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    log_path = logs / f"{name}.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, cwd=HERE, env={**os.environ, **settings}, stdout=log, stderr=log)
    try:
        wait_until_healthy(process, port, log_path)
        yield Server(name, port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def wait_until_healthy(process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} has ended:\n{log_path.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"{process.args} does not answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def postgres_cpu_seconds(postmaster: int) -> float:
    """All of PostgreSQL's processes that live; the backends of the pools live through a round."""
    used = 0.0
    for process in psutil.Process(postmaster).children():
        with suppress(psutil.NoSuchProcess):  # a vacuum that has just ended
            times = process.cpu_times()
            used += times.user + times.system
    return used
