"""What takes long shows how far it is; whoever stops it is told how to go on, and finds nothing half done."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from loopback import HANG, Reply

SIGNALS = [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143)]
"""A shell shows 130 where Ctrl-C itself has ended a command, and leaves its loop."""
CURSOR_HIDDEN, CURSOR_SHOWN = "\x1b[?25l", "\x1b[?25h"


PRESSED = """
import signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == module:
            signal.raise_signal(signal.SIGINT)
            raise NameError("what an import that was broken off has left")

module = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
signal.signal(signal.SIGINT, signal.default_int_handler)
from unpuzzle_cli.main import run
run()
"""
"""Ctrl-C at the import of a module."""


def pages(examples: dict[str, Any], last: int = 3) -> Callable[[Any], Reply]:
    """A list of 300 in pages of 100; what is behind the last does not come."""

    def answer(received: Any) -> Reply:
        number = int(received.query.get("page", ["1"])[0])
        if number > last:
            return Reply(pieces=[HANG])
        items = examples["CoursePage"]["results"][:1] * 100
        more = "http://x/?page=2" if number < 3 else None
        return Reply(
            200, {**examples["CoursePage"], "count": 300, "page": number, "page_size": 100, "next": more, "results": items}
        )

    return answer


def stopped(running: subprocess.Popen[bytes], by: int, when: Callable[[], bool]) -> tuple[int, str, str]:
    """How a command ends that is stopped, and what it has said."""
    with running:
        while not when():
            time.sleep(0.01)
        running.send_signal(by)
        out, err = (said.decode() for said in running.communicate(timeout=20))
    return running.returncode, out, err


@pytest.mark.parametrize(("by", "code"), SIGNALS)
def test_a_list_of_many_pages_says_where_it_was_stopped(
    start: Any, stand_in: Any, examples: dict[str, Any], by: int, code: int
) -> None:
    stand_in.respond = pages(examples, last=1)
    ended, out, err = stopped(start("courses", "list", "--all"), by, lambda: len(stand_in.received) == 2)
    assert (ended, out) == (code, "")
    assert err == "unpuzzle: Stopped after 100 of 300.\nPage by page: --page 2 --page-size 100\n"


def test_pages_are_counted_on_a_terminal_alone_and_the_cursor_comes_back(
    terminal: Any, unpuzzle: Any, stand_in: Any, examples: dict[str, Any]
) -> None:
    stand_in.respond = pages(examples)
    seen, code = terminal("courses", "list", "--all", "--jq", ".results | length")
    shown = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", seen)
    assert (code, "300" in shown.splitlines()) == (0, True)
    assert re.search(r"Reading .* 300/300 [0-9,]*(/s)? +\d:\d\d:\d\d", shown), shown
    assert seen.rindex(CURSOR_SHOWN) > seen.rindex(CURSOR_HIDDEN)
    assert CURSOR_HIDDEN not in terminal("courses", "list", "--all", "--quiet")[0]
    assert unpuzzle("courses", "list", "--all").stderr == ""


def test_one_page_shows_no_bar_nor_does_a_dumb_terminal(terminal: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = pages(examples)
    assert CURSOR_HIDDEN not in terminal("courses", "list")[0]
    assert CURSOR_HIDDEN not in terminal("courses", "list", "--limit", "100")[0]
    assert "\x1b" not in terminal("courses", "list", "--all", TERM="dumb")[0]


def test_sigterm_ends_a_command_as_programs_expect_it(start: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: Reply(pieces=[HANG])
    assert stopped(start("courses", "list"), signal.SIGTERM, lambda: bool(stand_in.received)) == (143, "", "")


def test_a_shell_leaves_its_loop_at_ctrl_c(shell: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: Reply(pieces=[HANG])
    with shell("for each in 1 2 3; do unpuzzle courses list; done") as running:
        while not stand_in.received:
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        said, _ = running.communicate(timeout=20)
    assert (said, running.returncode, len(stand_in.received)) == ("", -signal.SIGINT, 1)


@pytest.mark.parametrize("module", ["unpuzzle_cli.tree", "unpuzzle_sdk"])
def test_ctrl_c_while_it_starts_ends_it_without_a_word(environment: dict[str, str], module: str) -> None:
    command = [sys.executable, "-c", PRESSED, module, "courses", "list"]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_a_file_is_written_whole_or_not_at_all(unpuzzle: Any, stand_in: Any, tmp_path: Path, monkeypatch: Any) -> None:
    stand_in.respond = lambda _: Reply(200, content=b"openapi: new", headers={"Content-Type": "application/yaml"})
    kept = tmp_path / "contract.yaml"
    kept.write_text("old")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        assert unpuzzle("system", "openapi-yaml", "--output", str(kept)).returncode == 130
    assert (kept.read_text(), list(tmp_path.glob(".*"))) == ("old", [])
    assert unpuzzle("system", "openapi-yaml", "--output", str(kept)).returncode == 0
    assert kept.read_text() == "openapi: new"
    assert unpuzzle("system", "openapi-yaml", "--output", "/dev/null").returncode == 0


def test_readers_of_help_and_of_errors_may_have_enough(start: Any) -> None:
    for arguments in (["--help"], ["help", "formatting"]):
        with start(*arguments) as running:
            running.stdout.close()
            assert (running.stderr.read(), running.wait(20)) == (b"", 0)
    with start("nothing") as running:
        running.stderr.close()
        assert running.wait(20) == 2


def ranges(data: bytes, version: str = '"1"') -> Callable[[Any], Reply]:
    """A file that is given by ranges."""

    def answer(received: Any) -> Reply:
        first, last = (int(each) for each in received.headers["range"].removeprefix("bytes=").split("-"))
        if received.headers.get("if-range", version) != version:
            return Reply(200, content=data, headers={"ETag": version})
        part = data[first : last + 1]
        headers = {
            "ETag": version,
            "Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(data)}",
            "Content-Type": "video/mp4",
        }
        return Reply(206, content=part, headers=headers)

    return answer


DATA = bytes(range(256)) * 5


@pytest.fixture
def film(unpuzzle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Fetches a file of 1,280 bytes by ranges of 500."""
    monkeypatch.setattr("unpuzzle_cli.parts.BYTES", 500)
    return lambda **more: unpuzzle("media", "download", "an-id", "film.mp4", "--output", str(tmp_path / "film.mp4"), **more)


def test_a_download_that_breaks_off_goes_on_where_it_was(film: Any, stand_in: Any, tmp_path: Path) -> None:
    whole = ranges(DATA)
    stand_in.respond = lambda received: whole(received) if len(stand_in.received) < 3 else Reply(403, {})
    assert film().returncode == 4
    (kept,) = tmp_path.glob(".film*")
    assert kept.read_bytes() == DATA[:1000]
    stand_in.respond = whole
    assert film().returncode == 0
    assert (tmp_path / "film.mp4").read_bytes() == DATA
    assert list(tmp_path.glob(".film*")) == []
    assert [each.headers["range"] for each in stand_in.received[3:]] == ["bytes=0-499", "bytes=1000-1499"]


@pytest.mark.parametrize(("total", "said"), [("10", "nothing behind 4 bytes of 10"), ("*", "how long the file is")])
def test_a_download_that_never_ends_is_an_error(film: Any, stand_in: Any, tmp_path: Path, total: str, said: str) -> None:
    headers = {"ETag": '"1"', "Content-Range": f"bytes 0-3/{total}", "Content-Type": "video/mp4"}
    stand_in.script = [Reply(206, content=b"abcd", headers=headers), Reply(206, content=b"", headers=headers)]
    outcome = film()
    assert (outcome.returncode, said in outcome.stderr, (tmp_path / "film.mp4").exists()) == (1, True, False)


def test_a_download_that_is_stopped_says_where_it_is_kept(film: Any, stand_in: Any, tmp_path: Path, monkeypatch: Any) -> None:
    stand_in.respond = ranges(DATA)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("unpuzzle_cli.progress.shown", lambda *_, **__: nullcontext(interrupted))
        stopped = film()
    (kept,) = tmp_path.glob(".film*")
    said = f"unpuzzle: Stopped. What has come is kept in {kept}.\nGo on: the same command again\n"
    assert (stopped.returncode, stopped.stderr) == (130, said)


def test_a_file_that_changes_meanwhile_is_not_mixed(film: Any, stand_in: Any, tmp_path: Path) -> None:
    old, new = ranges(DATA), ranges(DATA[::-1], '"2"')

    def changed(received: Any) -> Reply:
        return (old if len(stand_in.received) < 2 else new)(received)

    stand_in.respond = changed
    assert "changed meanwhile" in film().stderr
    assert list(tmp_path.glob("*film*")) == []
    assert film().returncode == 0
    assert (tmp_path / "film.mp4").read_bytes() == DATA[::-1]


def test_a_download_is_led_on_to_storage_without_the_session(film: Any, stand_in: Any, tmp_path: Path) -> None:
    answer, address = ranges(DATA), f"{stand_in.url}/storage/film"
    stand_in.respond = lambda received: (
        answer(received) if "storage" in received.path else Reply(302, headers={"Location": address})
    )
    assert film(UNPUZZLE_TOKEN="mine").returncode == 0
    assert (tmp_path / "film.mp4").read_bytes() == DATA
    assert {each.headers.get("authorization") for each in stand_in.received if "storage" in each.path} == {None}


def test_a_download_that_the_disk_has_no_room_for_is_told_with_its_name_and_how_to_go_on(
    line: Any, stand_in: Any, tmp_path: Path
) -> None:
    headers = {"Content-Range": "bytes 0-99999/200000", "ETag": '"1"', "Content-Type": "application/octet-stream"}
    stand_in.respond = lambda _: Reply(206, content=b"x" * 100_000, headers=headers)
    typed = f"unpuzzle media download f47ac10b-58cc-4372-a567-0e02b2c3d479 a.mp4 --output {tmp_path}/a.mp4"
    told = f"unpuzzle: {tmp_path}/a.mp4 can't be written: File too large.\nGo on: the same command again\n"
    assert line(f"export PYTHONDONTWRITEBYTECODE=1; ulimit -f 50; {typed}") == (1, told)
