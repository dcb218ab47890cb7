"""How long `unpuzzle-server serve` takes to be ready, and how much memory it holds after some work."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import traffic

from unpuzzle_server.seed.loader import ACCOUNTS

REQUESTS = 2000
PATHS = ["/api/v1/courses/", "/api/v1/courses/?search=music", "/api/v1/categories/", "/api/v1/", "/health/"]
GETS_PER_SIGN_IN = 49
COMMAND = Path(sys.executable).with_name("unpuzzle-server")


@dataclass
class Starts:
    """One figure a round."""

    first_seconds: list[float] = field(default_factory=list)
    second_seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    """Resident memory of the server's one process, without PostgreSQL's."""


def measure(rounds: int, settings: dict[str, str], say: Callable[[str], None]) -> Starts:
    found = Starts()
    for number in range(1, rounds + 1):
        with data_dir() as home:
            with served(home, settings) as (_, seconds):
                found.first_seconds.append(seconds)
            with served(home, settings) as (ready, seconds):
                found.second_seconds.append(seconds)
                work(ready)
                found.megabytes.append(psutil.Process(ready["pid"]).memory_info().rss / 1e6)
        shown = (found.first_seconds[-1], found.second_seconds[-1], found.megabytes[-1])
        say("serve, round {}: first start {:.1f} s, second {:.1f} s, {:.0f} MB".format(number, *shown))
    return found


@contextmanager
def data_dir() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="unpuzzle-bench-"))
    home.chmod(0o755)  # PostgreSQL runs as another user where this runs as root
    try:
        yield home
    finally:
        shutil.rmtree(home)


@contextmanager
def served(home: Path, settings: dict[str, str]) -> Iterator[tuple[dict[str, Any], float]]:
    """What `serve` says when it is ready, and after how many seconds."""
    began = time.perf_counter()
    command = [COMMAND, "serve", "--port", "0", "--data-dir", home, "--json"]
    process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        yield ready, time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def work(ready: dict[str, Any]) -> None:
    """Reads of every kind, and now and then somebody who signs in."""
    student = next(account for account in ACCOUNTS if account.role == "student")
    body = {"email": student.email, "password": student.password}
    sign_in = {"method": "POST", "path": "/api/v1/auth/signin/", "body": body}
    gets = [traffic.get(PATHS[number % len(PATHS)]) for number in range(GETS_PER_SIGN_IN)]
    port = int(ready["base_url"].rpartition(":")[2])
    seen = traffic.load(port, [*gets, sign_in], seconds=120, most=REQUESTS)
    assert seen["statuses"] == {"200": REQUESTS}, seen
