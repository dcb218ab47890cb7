"""Writing a transcript from the command line, on the real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import Person, Server

VTT = "WEBVTT\n\n00:00.000 --> 00:02.500\nGuten Tag\n"


@pytest.fixture
def environment(environment: dict[str, str], server: Server, instructor: Person) -> dict[str, str]:
    return {**environment, "UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_TOKEN": instructor.tokens["access_token"]}


@pytest.fixture
def lesson(instructor: Person) -> str:
    found: str = instructor.lesson(instructor.section(instructor.course()))["id"]
    return found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.vtt", "\ufeff" + VTT),
        ("a.SRT", "1\n00:00:00,000 --> 00:00:02,500\nGuten Tag\n"),
        ("a.json", json.dumps([{"start": 0, "end": 2.5, "text": "Guten Tag"}])),
    ],
)
def test_a_file_is_written_by_its_name(unpuzzle: Any, lesson: str, tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    written = unpuzzle("content", "upload-transcript", lesson, str(tmp_path / name), "--language", "de")
    assert (written.returncode, written.stdout) == (0, f"{lesson}\t1 segments\tde\n"), written.stderr
    read = unpuzzle("content", "get-transcript", lesson, "--json")
    assert json.loads(read.stdout)["segments"] == [{"start": 0, "end": 2.5, "text": "Guten Tag"}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", VTT, "a.txt is none of .vtt, .srt, .json."),
        ("a.vtt", VTT.replace("00:02.500", "00:2"), "line 3: these are no times"),
        ("a.json", "[", "is not JSON: line 1, column 2."),
        ("a.json", '{"start": 0}', "holds no segments:"),
        ("a.srt", None, "can't be read: No such file or directory"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    unpuzzle: Any, lesson: str, tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    refused = unpuzzle("content", "upload-transcript", lesson, str(tmp_path / name))
    assert refused.returncode != 0
    assert said in refused.stderr
