"""Schemathesis against the real server with the demo catalogue: every phase, every check, no failure, nothing left out."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from gate.run import CALLERS, fresh_server, run_of

EXAMPLES = {"admin": 12, "instructor": 6, "user": 3}
"""Of each operation for each caller. An admin may do everything; the others show that roles change nothing else."""
SAME_EACH_TIME = ["--seed", "7", "--generation-deterministic"]
SECONDS = 400


def gate(caller: str) -> subprocess.CompletedProcess[str]:
    with fresh_server() as server:
        run = run_of(server, caller, *SAME_EACH_TIME, "--max-examples", str(EXAMPLES[caller]))
        return subprocess.run(run.command, env=run.environment, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, subprocess.CompletedProcess[str]]:
    """All callers at once, each with a server of its own: one's requests don't wait for another's."""
    with ThreadPoolExecutor(len(CALLERS)) as pool:
        return dict(zip(CALLERS, pool.map(gate, CALLERS), strict=True))


@pytest.mark.parametrize("caller", CALLERS)
def test_the_server_keeps_the_contract(outcomes: dict[str, subprocess.CompletedProcess[str]], caller: str) -> None:
    assert outcomes[caller].returncode == 0, outcomes[caller].stdout[-20_000:] + outcomes[caller].stderr
