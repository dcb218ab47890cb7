"""The command with a folder of its own, against a stand-in that answers the contract's examples."""

import fcntl
import io
import os
import pty
import select
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Reply, load_contract
from loopback import Server as StandIn

from unpuzzle_cli import main

COMMAND = [sys.executable, "-c", "import sys; sys.argv[0] = 'unpuzzle'; from unpuzzle_cli.main import run; run()"]


class Pipe(io.TextIOWrapper):
    """A stream whose text stays; it says that it is a terminal if it is to."""

    def __init__(self, text: str = "", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(text.encode()), encoding="utf-8", newline="")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined,no-any-return]


Unpuzzle = Callable[..., subprocess.CompletedProcess[str]]
Terminal = Callable[..., tuple[str, int]]


@pytest.fixture(scope="session")
def contract() -> dict[str, Any]:
    return load_contract()


@pytest.fixture(scope="session")
def examples(contract: dict[str, Any]) -> dict[str, Any]:
    """The example of every schema."""
    return {name: schema.get("example") for name, schema in contract["components"]["schemas"].items()}


@pytest.fixture
def stand_in(examples: dict[str, Any]) -> Iterator[StandIn]:
    """A server that answers what a test tells it to."""
    found = StandIn()
    first = examples["CoursePage"]["results"][:1]
    found.respond = lambda _: Reply(200, {**examples["CoursePage"], "count": 1, "next": None, "results": first})
    yield found
    found.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the command keeps its configuration and its tokens."""
    return tmp_path / "config"


@pytest.fixture
def environment(stand_in: StandIn, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UNPUZZLE", "COLUMNS", "NO_COLOR"))}
    own = {"UNPUZZLE_BASE_URL": stand_in.url, "UNPUZZLE_CONFIG_DIR": str(folder), "UNPUZZLE_NO_KEYRING": "1", "TERM": "xterm"}
    return {**kept, **own, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def unpuzzle(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Unpuzzle:
    """Runs the command in this process, with pipes on all sides, or one terminal; keywords are variables of the environment."""

    def run(*arguments: str, stdin: str = "", screen: bool = False, **changes: str) -> subprocess.CompletedProcess[str]:
        stdout = Pipe(terminal=screen)
        streams = {"stdin": Pipe(stdin, terminal=screen), "stdout": stdout, "stderr": stdout if screen else Pipe()}
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["unpuzzle", *arguments])
            patch.setattr("unpuzzle_cli.console._silent", False)
            patch.setattr("os.environ", {**environment, **changes})
            for name, stream in streams.items():
                patch.setattr(sys, name, stream)
            with pytest.raises(SystemExit) as end:
                main.run()
        return subprocess.CompletedProcess(
            ["unpuzzle", *arguments], end.value.code, *(streams[name].text for name in ("stdout", "stderr"))
        )

    return run


@pytest.fixture
def shell(environment: dict[str, str]) -> Callable[[str], subprocess.Popen[str]]:
    """Starts a line of bash, in which `unpuzzle` is the command; what it says on either stream is in one pipe."""

    def popen(text: str) -> subprocess.Popen[str]:
        command = f'unpuzzle() {{ {shlex.join(COMMAND)} "$@"; }}; {text}'
        streams: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(["bash", "-o", "pipefail", "-c", command], env=environment, start_new_session=True, **streams)

    return popen


@pytest.fixture
def line(shell: Callable[[str], subprocess.Popen[str]]) -> Callable[[str], tuple[int, str]]:
    """Runs a line of bash; gives how it ends, and what it says."""

    def run(text: str) -> tuple[int, str]:
        with shell(text) as running:
            said, _ = running.communicate(timeout=60)
        return running.returncode, said

    return run


@pytest.fixture
def start(environment: dict[str, str]) -> Callable[..., subprocess.Popen[bytes]]:
    """Starts the command as a process, with pipes on all sides."""

    def popen(*arguments: str, **changes: str) -> subprocess.Popen[bytes]:
        pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen([*COMMAND, *arguments], env={**environment, **changes}, **pipes)

    return popen


@pytest.fixture
def process(start: Callable[..., subprocess.Popen[bytes]]) -> Unpuzzle:
    """Runs the command as a process."""

    def run(*arguments: str, stdin: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        with start(*arguments, **changes) as running:
            said = [stream.decode() for stream in running.communicate(stdin.encode(), timeout=60)]
        return subprocess.CompletedProcess(arguments, running.returncode, *said)

    return run


@pytest.fixture
def terminal(environment: dict[str, str]) -> Terminal:
    """Runs the command on a terminal. `answers` are typed when what they answer is seen."""

    def run(*arguments: str, answers: dict[str, str] | None = None, columns: int = 100, **changes: str) -> tuple[str, int]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        streams: Any = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        # A session of its own has no controlling terminal, so that a prompt can't reach the one of the tests.
        process = subprocess.Popen([*COMMAND, *arguments], env={**environment, **changes}, start_new_session=True, **streams)
        os.close(theirs)
        seen = _seen(ours, dict(answers or {}))
        os.close(ours)
        return seen, process.wait(30)

    return run


def _seen(ours: int, answers: dict[str, str]) -> str:
    seen = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the terminal is gone with its last process
            break
        if not chunk:
            break
        seen += chunk
        for question in [question for question in answers if question.encode() in seen]:
            os.write(ours, answers.pop(question).encode() + b"\n")
    return seen.decode()
