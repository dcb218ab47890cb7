"""Schemathesis as one caller against a server of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server_fixtures import open_database

from classroom import without_limit
from harness import PASSWORD, Api, Server, running_server
from unpuzzle_cli import conformance
from unpuzzle_cli.conformance.contract import FILE as CONTRACT
from unpuzzle_server.notifications import live
from unpuzzle_server.seed import loader

SETTINGS = Path(conformance.__file__).with_name("schemathesis.toml")
CALLERS = ("admin", "instructor", "user")
SIGN_UPS = {"admin": Api.sign_up_admin, "instructor": Api.sign_up_instructor, "user": Api.sign_up}


SAME_EACH_TIME = ["--seed", "7", "--generation-deterministic"]
SECONDS = 600
Outcome = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Run:
    command: list[str]
    environment: dict[str, str]


@contextmanager
def fresh_server() -> Iterator[Server]:
    """A server with the demo catalogue and a database of its own: what it answers does not depend on what went before."""
    with open_database() as url, running_server(url) as server, short_streams():
        loader.load(url)
        yield server


@contextmanager
def short_streams() -> Iterator[None]:
    """Nobody here waits a quarter of an hour to see how a stream ends."""
    usual, live.LIFE_SECONDS = live.LIFE_SECONDS, 0.1
    yield
    live.LIFE_SECONDS = usual


def run_of(server: Server, caller: str, *arguments: str) -> Run:
    """What to start for a caller; the stranger of the law of ownership is an instructor who owns nothing."""
    with Api(server) as api:
        person = SIGN_UPS[caller](api)
        without_limit(person)
        stranger = api.sign_up_instructor().email
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "run", str(CONTRACT)]
    gate = {"GATE_URL": server.base_url, "GATE_PASSWORD": PASSWORD, "GATE_STRANGER_EMAIL": stranger}
    suite = {"SUITE_HOOKS": "gate.hooks", "SUITE_EMAIL": person.email, "SUITE_PASSWORD": PASSWORD}
    environment = {**os.environ, **gate, **suite, "PYTHONPATH": os.pathsep.join(sys.path)}
    return Run([*command, "--url", server.base_url, *arguments], environment)


def finish(run: Run) -> Outcome:
    return subprocess.run(run.command, env=run.environment, capture_output=True, text=True, timeout=SECONDS, check=False)
