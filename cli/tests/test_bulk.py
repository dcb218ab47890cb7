"""Bulk enrolment from a CSV file, on the real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import Api, Person, Server
from postman import Postman
from unpuzzle_cli.commands import bulk


@pytest.fixture
def environment(environment: dict[str, str], server: Server, instructor: Person) -> dict[str, str]:
    return {**environment, "UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_TOKEN": instructor.tokens["access_token"]}


@pytest.fixture
def course(instructor: Person) -> str:
    course: str = instructor.published_course()["id"]
    return course


@pytest.fixture
def worker(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does the job when the command waits for it the first time."""
    postman = Postman(api.server)

    def sleep(_: float) -> None:
        job = api.server.sql("SELECT id::text FROM bulk_jobs WHERE finished_at IS NULL ORDER BY created_at DESC LIMIT 1")
        postman.deliver(job[0][0])

    monkeypatch.setattr(bulk.time, "sleep", sleep)


def enroll(unpuzzle: Any, course: str, *arguments: str, **more: Any) -> Any:
    return unpuzzle("enrollments", "bulk-enroll", "--course-id", course, *arguments, **more)


@pytest.mark.usefixtures("worker")
def test_a_csv_file_is_read_and_its_job_followed(unpuzzle: Any, course: str, learner: Person, tmp_path: Path) -> None:
    file = tmp_path / "students.csv"
    file.write_text(f'\ufeffName, Email \nAda,{learner.email}\nNobody,none\n\n"Doe, John",{course}@example.com\nShort\n')
    tried = enroll(unpuzzle, course, "--file", str(file), "--dry-run")
    assert "Nothing was changed. 4 rows: 1 enrolled, 1 invited, 2 invalid." in tried.stderr
    done = enroll(unpuzzle, course, "--file", str(file))
    assert done.stdout == "2\tnone\tinvalid\tThis is not an e-mail address.\n4\t-\tinvalid\tThis is not an e-mail address.\n"
    assert done.stderr == "4 rows: 1 enrolled, 1 invited, 2 invalid.\n"
    again = json.loads(enroll(unpuzzle, course, "--file", "-", "--json", stdin=learner.email).stdout)
    assert (again["already_enrolled"], again["results"][0]["outcome"]) == (1, "already_enrolled")


def test_nobody_need_wait(unpuzzle: Any, course: str) -> None:
    begun = enroll(unpuzzle, course, "--rows", "email=a@example.com", "--no-wait", "--fields", "status,total")
    assert begun.stdout == "status\trunning\ntotal\t1\n"


@pytest.mark.parametrize(
    "text", ["Mail;EMAIL\nx;{}\n", "name\temail\r\nx\t{}", "name,email\rx,{}\r"], ids=["Excel", "tabs", "Mac"]
)
def test_any_separator_and_any_end_of_a_line_is_read(
    unpuzzle: Any, course: str, learner: Person, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "students.csv"
    file.write_bytes(text.format(learner.email).encode())
    tried = enroll(unpuzzle, course, "--file", str(file), "--dry-run", "--no-wait", "--json", "total")
    assert json.loads(tried.stdout) == {"total": 1}, tried.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [("a@example.com;A\n", "has no column `email`"), ("people\nA\n", "has no column `email`"), ("x" * 140_000, "can't be read")],
)
def test_a_person_is_never_taken_for_a_header_nor_a_header_for_a_person(
    unpuzzle: Any, course: str, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    wrong = enroll(unpuzzle, course, "--file", str(file))
    assert (wrong.returncode, said in wrong.stderr) == (2, True), wrong.stderr


def test_what_is_no_list_of_addresses_is_refused(unpuzzle: Any, course: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("name,address\nAda,London\n")
    wrong = enroll(unpuzzle, course, "--file", str(file))
    assert (wrong.returncode, "has no column `email`" in wrong.stderr) == (2, True)
    assert enroll(unpuzzle, course).returncode == 2
