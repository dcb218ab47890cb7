"""Completion as a person meets it: typed at a shell on a pseudo-terminal, with Tab; what runs then tells what was completed.

`SHELLS=bash,zsh,fish` tries others than bash, as `nox -s peers` does; one that is not there fails.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from loopback import Reply

TAB = "\t"
PYTHON = "introduction-to-python-programming"
READY = "ready> "
STARTS = {
    "bash": (
        ["--norc", "--noprofile", "-i"],
        f"PS1='{READY}'; bind 'set enable-bracketed-paste off'",
        'eval "$({} completion bash)"',
    ),
    "zsh": (["-f", "-i"], f"PROMPT='{READY}'; autoload -U compinit; compinit -u -D", 'eval "$({} completion zsh)"'),
    "fish": (["--no-config", "-i"], f"function fish_prompt; echo -n '{READY}'; end", "{} completion fish | source"),
}
"""How each is started without anybody's settings, prepared, and told of our completion."""

Typed = Callable[[str], list[Any]]


@pytest.fixture(params=os.environ.get("SHELLS", "bash").split(","))
def typed(request: Any, environment: dict[str, str], stand_in: Any, tmp_path: Path) -> Iterator[Typed]:
    """Types a line at a shell that has loaded our script, and gives what the server was asked, for completion too."""
    command = tmp_path / "unpuzzle"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m unpuzzle_cli "$@"\n')
    command.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{environment['PATH']}"
    arguments, prepare, load = STARTS[request.param]
    shell = pexpect.spawn(
        request.param,
        arguments,
        env={**environment, "PATH": path, "TERM": "dumb"},
        encoding="utf-8",
        timeout=30,
        dimensions=(24, 200),
    )
    shell.sendline(prepare)
    shell.sendline(load.format("unpuzzle"))

    def run(line: str) -> list[Any]:
        before = len(stand_in.received)
        shell.sendline(f"{line}; echo en''ded")
        shell.expect("ended")
        shell.expect(READY)
        return [(each.path, each.query) for each in stand_in.received[before:]]

    yield run
    shell.close(force=True)


def test_commands_options_choices_and_slugs_are_completed(typed: Typed, stand_in: Any, examples: dict[str, Any]) -> None:
    page, course = ({**examples[name], "next": None} for name in ("CoursePage", "Course"))
    stand_in.respond = lambda received: Reply(200, page if received.path.endswith("/courses/") else course)
    assert typed(f"unpuzzle cour{TAB}get-own b6b28414 --quiet")[0][0] == "/api/v1/instructor/courses/b6b28414/"
    assert typed(f"unpuzzle --base-url {stand_in.url} cour{TAB}list --json=titl{TAB}--quiet")[0][0] == "/api/v1/courses/"
    ((_, query),) = typed(f"unpuzzle courses list --diff{TAB}beg{TAB}--sort pri{TAB}--quiet")
    assert (query["difficulty"], query["sort"]) == (["beginner"], ["price"])
    (_, asked), *_, (path, _) = typed(f"unpuzzle courses get intro{TAB}--quiet")
    assert (asked["search"], path) == (["intro"], f"/api/v1/courses/{PYTHON}/")
