"""Schemathesis against the real server with the demo catalogue: every phase, every check, no failure, nothing left out."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from gate.run import SAME_EACH_TIME, Outcome, finish, fresh_server, run_of

WITHOUT_COVERAGE = ["--phases", "examples,fuzzing,stateful"]
FIRST_HALF = [word for tag in ("system", "auth", "courses", "content", "media") for word in ("--include-tag", tag)]
OTHER_HALF = [word.replace("--include", "--exclude") for word in FIRST_HALF]
SENT = {
    "admin": ["--max-examples", "1", *FIRST_HALF],
    "admin of the rest": ["--max-examples", "1", *OTHER_HALF],
    "instructor": ["--max-examples", "1", *WITHOUT_COVERAGE, "--exclude-by", "/x-unpuzzle-role == admin"],
}
"""An admin may do everything, and sends everything, in two halves at once.

The instructor shows that the laws hold for who owns something without being an admin. What the contract makes of a schema's
limits is the same for all, and is left to the admin; whom a role refuses, to the access matrix; all of it for all to the fuzz.
"""
PART = [word for name in os.environ.get("GATE_OPERATIONS", "").split(",") if name for word in ("--include-operation-id", name)]
"""A few operations alone, by everybody: where a fault is looked for, the whole comes last.

Not by links: a part may have none, which Schemathesis takes for a failure.
"""
if PART:
    SENT = {"admin": ["--max-examples", "3", "--phases", "examples,coverage,fuzzing", *PART]} | {
        caller: ["--max-examples", "4", "--phases", "examples,fuzzing", *PART] for caller in ("instructor", "user")
    }


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    """All callers at once, each with a server of its own: one's requests don't change what another finds."""
    with ExitStack() as stack, ThreadPoolExecutor(len(SENT)) as pool:
        servers = {name: stack.enter_context(fresh_server()) for name in SENT}
        runs = [run_of(servers[name], name.split()[0], *SAME_EACH_TIME, *asked) for name, asked in SENT.items()]
        yield dict(zip(SENT, pool.map(finish, runs), strict=True))


@pytest.mark.parametrize("caller", SENT)
def test_the_server_keeps_the_contract(outcomes: dict[str, Outcome], caller: str) -> None:
    assert outcomes[caller].returncode == 0, outcomes[caller].stdout[-20_000:] + outcomes[caller].stderr
