"""Uploading from the command line, on a real server."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from engines import CHUNK, Engine, engine_of
from files import made

from harness import Api, Person


@pytest.fixture(scope="module")
def engine(postgres: str) -> Iterator[Engine]:
    with ExitStack() as stack:
        yield engine_of("embedded", postgres, stack)


@pytest.fixture
def teacher(engine: Engine) -> Iterator[Person]:
    with Api(engine.server) as api:
        yield api.sign_up_instructor()


@pytest.fixture
def environment(environment: dict[str, str], engine: Engine, teacher: Person) -> dict[str, str]:
    return {**environment, "UNPUZZLE_BASE_URL": engine.server.base_url, "UNPUZZLE_TOKEN": teacher.tokens["access_token"]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "first lecture.mp4"
    path.write_bytes(made(9 * CHUNK + 5))
    return path


def fetched(answer: str) -> bytes:
    return httpx.get(json.loads(answer)["cdn_url"]).content


def test_a_pipe_gets_the_answer_and_nothing_else(unpuzzle: Any, file: Path) -> None:
    done = unpuzzle("media", "upload", str(file), "--title", "Lesson 1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert fetched(done.stdout) == file.read_bytes()
    assert json.loads(done.stdout)["metadata"]["title"] == "Lesson 1"


def test_a_section_gets_a_lesson_of_it(unpuzzle: Any, teacher: Person, file: Path) -> None:
    course = teacher.course()
    section = teacher.section(course)
    done = unpuzzle("media", "upload", str(file), "--course", course["id"], "--section", section["id"], "--fields", "media_id")
    media = teacher.get(f"/api/v1/media/library/{done.stdout.split()[1]}/").json()
    assert (media["course_id"], media["assigned_to"]["section_id"]) == (course["id"], section["id"])


def test_a_person_sees_how_far_it_is(terminal: Any, file: Path) -> None:
    seen, code = terminal("media", "upload", str(file), columns=120)
    assert code == 0
    assert "first lecture.mp4" in seen
    shown = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", seen)
    assert re.search(r"9\.0/9\.0 kB \S+ .?B/s \d:\d\d:\d\d", shown), shown


def test_whoever_stops_it_is_told_how_to_go_on(unpuzzle: Any, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    @contextmanager
    def interrupted(*_: object, in_bytes: bool) -> Iterator[Any]:
        def tell(sent: int, total: int) -> None:
            if sent >= 3 * CHUNK:
                raise KeyboardInterrupt

        yield tell

    with monkeypatch.context() as patch:
        patch.setattr("unpuzzle_cli.progress.shown", interrupted)
        stopped = unpuzzle("media", "upload", str(file))
    assert (stopped.returncode, stopped.stdout) == (130, "")
    found = re.search(rf"Go on: unpuzzle media upload '{re.escape(str(file))}' --resume (\S+)", stopped.stderr)
    assert found, stopped.stderr
    done = unpuzzle("media", "upload", str(file), "--resume", found[1], "--json")
    assert json.loads(done.stdout)["media_id"] == found[1]
    assert fetched(done.stdout) == file.read_bytes()


def test_what_can_not_be_uploaded_is_said(unpuzzle: Any, tmp_path: Path, file: Path) -> None:
    assert unpuzzle("media", "upload", str(tmp_path / "nothing.mp4")).returncode == 1
    program = tmp_path / "x.exe"
    program.write_bytes(b"MZ")
    refused = unpuzzle("media", "upload", str(program))
    assert (refused.returncode, "content_type" in refused.stderr) == (2, True)
    gone = unpuzzle("media", "upload", str(file), "--resume", "00000000-0000-4000-8000-000000000000")
    assert gone.returncode == 5
