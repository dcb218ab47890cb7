"""What every command shows for the examples of its help, on a terminal and in a pipe.

The answers are the contract's own examples, from a mock that takes only what the contract allows: so the examples are requests
that can be made. `UPDATE_GOLDEN=1 pytest cli/tests/test_golden.py` writes the files anew.
"""

import difflib
import getpass
import json
import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from unpuzzle_cli import browser, common, console, progress, show
from unpuzzle_cli.session import Choice
from unpuzzle_sdk import Tokens
from unpuzzle_sdk.resources.media import Media
from unpuzzle_sdk.testing import MockUnpuzzle

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
FILES = {
    "aliases.toml": 'mine = "courses list-own --status draft"\n',
    "key.txt": "unp_key\n",
    "lecture.mp4": "a film",
    "lecture.vtt": "WEBVTT\n\n00:00.000 --> 00:04.200\nWhat is said\n",
    "part.bin": "a part",
    "password.txt": "open-sesame\n",
    "students.csv": "email\nada@example.com\n",
    "text.txt": "WEBVTT\n\n00:00.000 --> 00:04.200\nWhat is said\n",
}
TYPED, SECRET = "jane@example.com\n", "open-sesame"
"""What is typed where a command asks."""
UPLOAD = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
"""What has been uploaded; the example of an upload is of a file of another size."""
FOLLOWED = {"notifications stream", "notifications watch", "payments watch"}
"""They go on until Ctrl-C, or until something changes, as nothing does in the mock."""


def all_commands() -> Iterator[tuple[str, Any]]:
    """Every command by its name."""
    from unpuzzle_cli.tree import app

    for name, group in app.commands.items():
        group.make_context(name, [], resilient_parsing=True)
        for verb, command in getattr(group, "commands", {"": group}).items():
            yield f"{name} {verb}".strip(), command


def examples(command: Any) -> list[str]:
    """The examples in the help of a command."""
    return [line[2:] for line in (command.epilog or "").splitlines() if line.startswith("$ ")]


COMMANDS = {name: examples(command) for name, command in all_commands()}
OF_A_SERVER = {"conformance"}
"""What the mock, which keeps nothing, can't be held to: see contract-tests/conformance."""


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def no_progress(*_: object, **__: object) -> Iterator[Any]:
    yield lambda *_: None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the examples, where nothing depends on the time, or on how fast it goes."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(show, "now", lambda: NOW)
    monkeypatch.setattr(progress, "shown", no_progress)
    monkeypatch.setattr(time, "sleep", interrupted)
    monkeypatch.setattr(console, "flush", interrupted)  # an event has been shown
    monkeypatch.setattr(getpass, "getpass", lambda _: SECRET)
    monkeypatch.setattr(browser, "open_page", lambda _: False)
    monkeypatch.setattr(browser.Waiting, "url", "http://127.0.0.1:1234/callback")
    monkeypatch.setattr(browser.Waiting, "answer", lambda _, state: {"code": "a-code", "state": state})
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    own = {"UNPUZZLE_CONFIG_DIR": "config", "UNPUZZLE_NO_KEYRING": "1", "TERM": "xterm", "COLUMNS": "100"}
    return {"PATH": os.environ["PATH"], **own}


@pytest.fixture
def shown(environment: dict[str, str], home: Path, unpuzzle: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs an example for somebody who is signed in and has an alias, whatever examples before have done."""
    mock = MockUnpuzzle()
    monkeypatch.setattr(mock, "_wait", interrupted)
    monkeypatch.setattr(Choice, "client", lambda self, **asked: mock.client(**(asked or {"token_store": self.credentials})))
    monkeypatch.setattr(Media, "upload", lambda self, *_, **__: self.complete_upload(upload_id=UPLOAD))

    def run(example: str, *, screen: bool) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr("os.environ", environment)
            Choice().credentials.save(Tokens("a-token"))
            (home / "config" / "config.toml").write_text(
                '[default]\ntimeout = "30"\n[aliases]\ndear = "courses list --sort price"\n'
            )
        line, _, file = example.partition(" < ")
        return unpuzzle(*shlex.split(line)[1:], stdin=FILES[file] if file else TYPED, screen=screen)

    return run


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in OF_A_SERVER])
def test_the_examples_of_a_command_show_what_they_should(command: str, shown: Any, home: Path) -> None:
    text, codes = "", set()
    for example in COMMANDS[command]:
        screen, pipe = (shown(example, screen=screen) for screen in (True, False))
        codes.add(screen.returncode)
        text += f"$ {example}\n{screen.stdout}[exit {screen.returncode}]\n\n$ {example} | cat\n{pipe.stdout}"
        text += "".join(f"[stderr] {line}\n" for line in pipe.stderr.splitlines()) + f"[exit {pipe.returncode}]\n\n"
    assert codes == {130 if command in FOLLOWED else 0}, text
    compare(GOLDEN / f"{command.replace(' ', '/')}.txt", text.replace("\x1b", "␛"))


def compare(file: Path, shown: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(shown, encoding="utf-8")
    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    different = "".join(difflib.unified_diff(kept.splitlines(keepends=True), shown.splitlines(keepends=True), "golden", "shown"))
    assert not different, f"{different}\nIf it should be so: UPDATE_GOLDEN=1 pytest {Path(__file__).name}"


def test_every_command_has_an_example_and_every_golden_file_a_command() -> None:
    assert not [command for command, examples in COMMANDS.items() if not examples]
    kept = {str(file.relative_to(GOLDEN).with_suffix("")).replace("/", " ") for file in GOLDEN.rglob("*.txt")}
    assert kept == set(COMMANDS) - OF_A_SERVER


def test_what_every_command_takes_is_kept_for_compat() -> None:
    taken = {"": taken_by(common.OPTIONS)}
    taken |= {name: taken_by([*command.params, *getattr(command, "shapes", ())]) for name, command in all_commands()}
    lines = (f"{json.dumps(name)}: {json.dumps(options)}" for name, options in sorted(taken.items()))
    compare(GOLDEN / "commands.json", "{\n" + ",\n".join(lines) + "\n}\n")


def taken_by(parameters: list[Any]) -> dict[str, Any]:
    """What a command takes, by how it is spelled; an argument has its place alone."""
    places = count(1)
    found = {}
    for each in parameters:
        spelled = [f"argument {next(places)}"] if each.param_type_name == "argument" else [*each.opts, *each.secondary_opts]
        found |= dict.fromkeys(spelled, reading(each))
    return found


def reading(parameter: Any) -> dict[str, Any]:
    """How what is given is read."""
    more = {
        "required": parameter.required,
        "many": bool(getattr(parameter, "multiple", False)) or parameter.nargs == -1,
        "file": "@file" in (getattr(parameter, "help", "") or ""),
        "values": [*(getattr(parameter.type, "choices", None) or ())],
    }
    return {"type": parameter.type.name, **{key: value for key, value in more.items() if value}}
