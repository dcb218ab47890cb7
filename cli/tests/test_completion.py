"""Completion in three shells: commands, options, choices, and what is on the server."""

import os
import subprocess
import sys
from typing import Any

import pytest
from loopback import Reply

PYTHON = "introduction-to-python-programming"


def bash(*words: str) -> dict[str, str]:
    return {"_UNPUZZLE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}


def other(shell: str, *words: str) -> dict[str, str]:
    asked = {"_UNPUZZLE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": " ".join(words)}
    return {**asked, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


@pytest.mark.parametrize(
    "asked",
    [
        bash("unpuzzle", "courses", "get", "intro"),
        other("zsh", "unpuzzle", "courses", "get", "intro"),
        other("fish", "unpuzzle", "courses", "get", "intro"),
    ],
    ids=["bash", "zsh", "fish"],
)
def test_slugs_come_from_the_server(unpuzzle: Any, stand_in: Any, asked: dict[str, str]) -> None:
    assert PYTHON in unpuzzle(**asked).stdout
    assert stand_in.received[0].query["search"] == ["intro"]


def test_own_courses_are_completed_by_their_ids(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(200, examples["OwnCoursePage"])
    known = examples["OwnCoursePage"]["results"][0]["id"]
    assert known in unpuzzle(**bash("unpuzzle", "courses", "publish", known[:4])).stdout


def test_ids_are_completed_from_the_list_that_they_are_in(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(200, examples["SectionPage"])
    section = examples["SectionPage"]["results"][0]
    found = unpuzzle(**other("fish", "unpuzzle", "content", "get-section", "some-course", section["id"][:4])).stdout
    assert section["id"] in found
    assert section["title"] in found
    assert stand_in.received[0].path == "/api/v1/content/courses/some-course/sections/"


def test_bash_completes_with_the_script_that_is_printed(unpuzzle: Any, environment: dict[str, str], tmp_path: Any) -> None:
    command = tmp_path / "unpuzzle"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m unpuzzle_cli "$@"\n')
    command.chmod(0o755)
    asked = 'COMP_WORDS=(unpuzzle courses get intro) COMP_CWORD=3; _unpuzzle_completion unpuzzle; echo "${COMPREPLY[@]}"'
    script = unpuzzle("completion", "bash").stdout + asked
    path = f"{tmp_path}{os.pathsep}{environment['PATH']}"
    bash = subprocess.run(["bash", "-c", script], env={**environment, "PATH": path}, capture_output=True, text=True, check=True)
    assert bash.stdout.split() == [PYTHON]


def test_bash_breaks_words_at_equals_signs_and_colons_and_that_changes_nothing(unpuzzle: Any, stand_in: Any) -> None:
    def completed(*words: str) -> list[str]:
        return unpuzzle(**{**bash(*words), "COMP_WORDS": "\n".join(words)}).stdout.split()  # type: ignore[no-any-return]

    assert completed("unpuzzle", "courses", "list", "--json", "=", "titl") == ["title"]
    assert completed("unpuzzle", "courses", "list", "--json", "=", "title,pri") == ["title,price"]
    scheme, host, port = stand_in.url.split(":")
    assert completed("unpuzzle", "--base-url", scheme, ":", host, ":", port, "courses", "get", "intro") == [PYTHON]
    assert completed("unpuzzle", "courses", "get", "--base-url", "=", scheme, ":", host, ":", port, "intro") == [PYTHON]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_where_a_word_is_one_what_completes_it_begins_with_its_option(unpuzzle: Any, shell: str) -> None:
    def completed(*words: str) -> str:
        asked = {"_UNPUZZLE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": " ".join(["unpuzzle", *words])}
        return unpuzzle(**asked, _TYPER_COMPLETE_FISH_ACTION="get-args").stdout  # type: ignore[no-any-return]

    assert completed("courses", "list", "--json=titl").count("--json=title") == 1
    assert completed("courses", "list", "--json=title,pri").count("--json=title,price") == 1
    assert "--difficulty" in completed("courses", "list", "--diff")
    assert "=" not in completed("courses", "list", "--sort", "pri")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["unpuzzle", "cour"], "courses"),
        (["unpuzzle", "courses", "pub"], "publish"),
        (["unpuzzle", "courses", "list", "--diff"], "--difficulty"),
        (["unpuzzle", "courses", "list", "--sort", "pr"], "price"),
        (["unpuzzle", "courses", "create", "--currency", "EU"], "EUR"),
        (["unpuzzle", "completion", "f"], "fish"),
    ],
)
def test_what_is_known_without_a_server(unpuzzle: Any, stand_in: Any, words: list[str], found: str) -> None:
    assert found in unpuzzle(**bash(*words)).stdout
    assert stand_in.received == []


def test_completion_never_complains(unpuzzle: Any, stand_in: Any) -> None:
    stand_in.respond = lambda _: Reply(500, content=b"<html>")
    asked = bash("unpuzzle", "courses", "get", "intro")
    for changes in ({}, {"UNPUZZLE_BASE_URL": "http://127.0.0.1:1"}, {"UNPUZZLE_BASE_URL": "nonsense"}):
        silent = unpuzzle(**{**asked, **changes})
        assert (silent.stdout.strip(), silent.stderr) == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_can_be_printed(unpuzzle: Any, shell: str) -> None:
    shown = unpuzzle("completion", shell)
    assert shown.returncode == 0
    assert f"_UNPUZZLE_COMPLETE=complete_{shell}" in shown.stdout
