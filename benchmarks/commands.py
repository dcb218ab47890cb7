"""What it costs to start `unpuzzle`, beside other command lines that are on the path: gh, awscli, httpie.

    python benchmarks/commands.py

CPU of the whole process, user and system, of 20 starts in turns. Fails when a goal is not met.
"""

import compileall
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from figures import Spread, table

import unpuzzle_cli
import unpuzzle_sdk

STARTS = 20
OURS = str(Path(sys.executable).with_name("unpuzzle"))
ABOUT = {"--version": ["--version"], "--help": ["--help"], "help of a command": ["courses", "list", "--help"]}
PEERS = {
    "gh": {"--version": ["--version"], "--help": ["--help"], "help of a command": ["repo", "list", "--help"]},
    "aws": {"--version": ["--version"], "help of a command": ["s3", "ls", "help"]},
    "http": {"--version": ["--version"], "--help": ["--help"]},
}
GOALS_MS = {"--version": 80, "--help": 150}
TAB = {"_UNPUZZLE_COMPLETE": "complete_bash", "COMP_WORDS": "unpuzzle courses li", "COMP_CWORD": "2"}


def cpu_ms(command: list[str], **changes: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PAGER": "cat", "AWS_PAGER": "", **changes}
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000


def measured(commands: dict[str, list[str]]) -> dict[str, Spread]:
    """The CPU of each, in turns, so that what disturbs one disturbs all; the first turn warms up."""
    for command in commands.values():
        cpu_ms(command)
    turns = [{name: cpu_ms(command) for name, command in commands.items()} for _ in range(STARTS)]
    return {name: Spread.of([turn[name] for turn in turns]) for name in commands}


def main() -> int:
    for package in (unpuzzle_cli, unpuzzle_sdk):  # as pip does when it installs
        compileall.compile_dir(package.__path__[0], quiet=1)
    there = {name: shutil.which(name) for name in PEERS}
    lines, missed = [], []
    for what, ours in ABOUT.items():
        commands = {"ours": [OURS, *ours]}
        commands |= {name: [str(there[name]), *asked[what]] for name, asked in PEERS.items() if there[name] and what in asked}
        found = measured(commands)
        goal = GOALS_MS.get(what)
        met = goal is None or found["ours"].middle <= goal
        missed += [] if met else [what]
        lines.append([what, *(str(found.get(name, "")) for name in ("ours", *PEERS)), f"≤ {goal}" if goal else ""])
    tab = Spread.of([cpu_ms([OURS], **TAB) for _ in range(STARTS)])
    lines.append(["Tab behind `courses li`", str(tab), *[""] * len(PEERS), ""])
    print(table(["ms of CPU", "ours", *PEERS, "goal"], lines))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
