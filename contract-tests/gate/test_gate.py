"""Schemathesis against the real server with the demo catalogue: every phase, every check, no failure, nothing left out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import PASSWORD, Api, Server
from unpuzzle_server.seed import loader

HERE = Path(__file__).parent
SECONDS = 400


@pytest.fixture(scope="module")
def demo_server(server: Server) -> Server:
    loader.load(server.owner_url, beside_others=True)
    return server


def run(server: Server, email: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    contract = HERE.parents[1] / "openapi" / "unpuzzle.yaml"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run", str(contract)]
    environment = {**os.environ, "GATE_EMAIL": email, "GATE_PASSWORD": PASSWORD, "NO_COLOR": "1"}
    return subprocess.run(
        [*command, "--url", server.base_url, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_server_keeps_the_contract_for_an_admin(demo_server: Server) -> None:
    with Api(demo_server) as api:
        outcome = run(demo_server, api.sign_up_admin().email)
    assert outcome.returncode == 0, outcome.stdout[-20_000:] + outcome.stderr


def test_the_server_keeps_the_contract_for_an_instructor(demo_server: Server) -> None:
    with Api(demo_server) as api:
        outcome = run(demo_server, api.sign_up_instructor().email, "--phases", "examples,coverage")
    assert outcome.returncode == 0, outcome.stdout[-20_000:] + outcome.stderr
