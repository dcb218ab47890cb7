"""The gate sends the same requests every run, so that what it finds once it finds again."""

from dataclasses import replace
from pathlib import Path

from server_fixtures import open_database

from gate.run import SAME_EACH_TIME, finish, run_of
from harness import running_server

PART = ["--include-tag", "reflections", "--phases", "examples,fuzzing,stateful", "--max-examples", "3"]


def sent(file: Path) -> list[str]:
    """What an instructor's run on a part of the contract sends, to a server of its own, which is empty."""
    with open_database() as url, running_server(url) as server:
        run = run_of(server, "instructor", *SAME_EACH_TIME, *PART)
        finish(replace(run, environment={**run.environment, "GATE_RECORD": str(file)}))
    return file.read_text().splitlines()


def test_the_same_requests_are_sent_each_time(tmp_path: Path) -> None:
    first, second = sent(tmp_path / "first"), sent(tmp_path / "second")
    assert len(first) > 40, first
    assert first == second
