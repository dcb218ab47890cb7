"""What it costs to start, and what is shown without a server."""

import os
import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from unpuzzle_cli import __version__

BARE_STARTS = 7
ROOT = Path(__file__).parents[2]
HEAVY = {"httpx", "jinja2", "jq", "keyring", "rich", "unpuzzle_sdk", "yaml"}


IMPORTED = """
import sys
sys.argv = ["unpuzzle", *sys.argv[1:]]
from unpuzzle_cli.main import run
try:
    run()
finally:
    print(*sys.modules)
"""


def loaded_by(*arguments: str) -> set[str]:
    """The packages that a command imports."""
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", IMPORTED, *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=False, env=path).stdout
    return {name.partition(".")[0] for name in printed.splitlines()[-1].split()}


def test_the_version_needs_nothing() -> None:
    assert not (HEAVY | {"typer"}) & loaded_by("--version")


def test_help_needs_neither_the_sdk_nor_rich() -> None:
    assert not HEAVY & loaded_by("courses", "list", "--help")


def test_the_version_costs_at_most_seven_bare_starts() -> None:
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def best(*command: str) -> float:
        times = []
        for _ in range(5):
            start = perf_counter()
            subprocess.run([sys.executable, *command], check=True, env=path, stdout=subprocess.DEVNULL)
            times.append(perf_counter() - start)
        return min(times)

    assert best("-m", "unpuzzle_cli", "--version") <= BARE_STARTS * best("-c", "pass")


def test_the_version_is_shown_behind_other_options_too(unpuzzle: Any) -> None:
    assert unpuzzle("--quiet", "--version").stdout == f"unpuzzle {__version__}\n"


def test_help_is_shown_where_a_command_is_missing(unpuzzle: Any) -> None:
    for arguments in ([], ["courses"], ["-h"], ["config"]):
        shown = unpuzzle(*arguments)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout.startswith("Usage: unpuzzle")


def test_help_gives_an_example_the_role_and_the_refusals(unpuzzle: Any) -> None:
    shown = unpuzzle("courses", "publish", "--help").stdout
    assert shown.startswith("Usage: unpuzzle courses publish <course-id> [flags]\n")
    assert "Examples:\n  $ unpuzzle courses publish b6b28414-328b-5b14-930c-0a8320288e81\n" in shown
    assert "Needs the role instructor. May answer COURSE_NOT_FOUND, COURSE_NOT_READY." in " ".join(shown.split())


def test_help_of_a_command_is_told_in_two_ways(unpuzzle: Any) -> None:
    for words in ([], ["courses"], ["courses", "list"], ["api"]):
        assert unpuzzle("help", *words).stdout == unpuzzle(*words, "--help").stdout


def test_every_variable_of_the_environment_and_every_exit_code_has_its_line_in_a_topic(unpuzzle: Any) -> None:
    code = "".join(
        path.read_text() for part in ("cli/unpuzzle_cli", "sdk/unpuzzle_sdk/_core") for path in (ROOT / part).glob("*.py")
    )
    read = {name for name in re.findall(r"\bUNPUZZLE_[A-Z_]+", code) if name != "UNPUZZLE_COMPLETE"}
    told = {line.split()[0] for line in unpuzzle("help", "environment").stdout.splitlines()}
    assert told == read | {"NO_COLOR", "COLUMNS"}
    codes = [line.split()[0] for line in unpuzzle("help", "exit-codes").stdout.splitlines()]
    listed = (ROOT / "cli" / "README.md").read_text().partition("**Exit codes**: ")[2].partition("\n")[0]
    assert codes == re.findall(r"\d+", listed)


def test_topics_and_commands_behind_help_are_completed(unpuzzle: Any) -> None:
    def completed(*words: str) -> list[str]:
        asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        found: list[str] = unpuzzle(_UNPUZZLE_COMPLETE="complete_bash", **asked).stdout.split()
        return found

    assert completed("unpuzzle", "help", "e") == ["enrollments", "environment", "exit-codes"]
    assert completed("unpuzzle", "help", "courses", "pub") == ["publish"]


def test_help_is_plain_in_a_pipe_and_bold_on_a_terminal(unpuzzle: Any, terminal: Any) -> None:
    assert "\x1b" not in unpuzzle("courses").stdout
    assert "\x1b[1mCommands" in terminal("courses")[0]
    assert "\x1b" not in terminal("courses", NO_COLOR="1")[0]


def test_command_modules_import_typer_and_the_standard_library_alone() -> None:
    commands = Path(__file__).parents[1] / "unpuzzle_cli" / "commands"
    lines = [line for path in commands.glob("*.py") for line in path.read_text().splitlines()]
    found = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert found - set(sys.stdlib_module_names) == {"typer", "unpuzzle_cli"}
