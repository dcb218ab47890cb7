"""Schemathesis against the real server with the demo catalogue: every phase, every check, no failure, nothing left out."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gate.run import CALLERS, Run, fresh_server, run_of

WITHOUT_COVERAGE = ["--phases", "examples,fuzzing,stateful"]
SENT = {
    "admin": ["--max-examples", "12"],
    "instructor": ["--max-examples", "6", *WITHOUT_COVERAGE, "--exclude-by", "/x-unpuzzle-role == admin"],
    "user": ["--max-examples", "3", *WITHOUT_COVERAGE, "--include-by", "/x-unpuzzle-role == user"],
}
"""An admin may do everything, and sends everything.

The others show that the laws hold for who owns something without being an admin. What the contract makes of a schema's limits is
the same for all, and is left to the admin; whom a role refuses, to the access matrix; and all of it for all callers to the fuzz.
"""
SAME_EACH_TIME = ["--seed", "7", "--generation-deterministic"]
SECONDS = 400
Outcome = subprocess.CompletedProcess[str]


def finish(run: Run) -> Outcome:
    return subprocess.run(run.command, env=run.environment, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    """All callers at once, each with a server of its own: one's requests don't change what another finds."""
    with ExitStack() as stack, ThreadPoolExecutor(len(CALLERS)) as pool:
        runs = [run_of(stack.enter_context(fresh_server()), caller, *SAME_EACH_TIME, *SENT[caller]) for caller in CALLERS]
        yield dict(zip(CALLERS, pool.map(finish, runs), strict=True))


def sent(file: Path) -> list[str]:
    """What an instructor's run on a part of the contract sends, to a server of its own."""
    with fresh_server() as server:
        part = ["--include-tag", "content", "--phases", "examples,fuzzing,stateful", "--max-examples", "4"]
        run = run_of(server, "instructor", *SAME_EACH_TIME, *part)
        finish(replace(run, environment={**run.environment, "GATE_RECORD": str(file)}))
    return file.read_text().splitlines()


def test_the_same_requests_are_sent_each_time(tmp_path: Path) -> None:
    first, second = sent(tmp_path / "first"), sent(tmp_path / "second")
    assert len(first) > 50
    assert first == second


@pytest.mark.parametrize("caller", CALLERS)
def test_the_server_keeps_the_contract(outcomes: dict[str, Outcome], caller: str) -> None:
    assert outcomes[caller].returncode == 0, outcomes[caller].stdout[-20_000:] + outcomes[caller].stderr
