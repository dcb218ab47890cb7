"""Whatever fails, a server or the run itself, is told for what it is, and the reports are written."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conformance.command import READ, SMALL, SPOILS, ended, in_a_thread, including
from conformance.spoiler import Answer, Proxy

from harness import Server
from unpuzzle_cli import errors
from unpuzzle_cli.conformance.cleaning import Cleaning
from unpuzzle_cli.conformance.suite import Suite


def hang_up(answer: Answer) -> Answer:
    raise ConnectionAbortedError


def not_gzip(answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "content-encoding": "gzip"})


def too_deep(answer: Answer) -> Answer:
    return replace(answer, content=b"[" * 200_000)


def raising(error: BaseException) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


class TestLoss:
    def test_a_request_that_gets_no_answer_is_found(self, server: Server, tmp_path: Path) -> None:
        with Proxy(server.base_url, {READ["system.info"]: hang_up}).running() as proxy:
            end = ended(tmp_path, "--base-url", proxy.url, *SMALL, *including("system.info"))
        assert end.code == errors.FAILED
        assert ("system.info", "answers") in end.findings

    def test_a_server_that_goes_away_is_told_apart(self, server: Server, tmp_path: Path) -> None:
        with Proxy(server.base_url).running() as proxy:
            proxy.spoils[READ["system.info"]] = lambda answer: proxy.leave() or answer
            end = ended(tmp_path, "--base-url", proxy.url, *SMALL, *including("system.info"))
        assert (end.code, end.report["stopped"]) == (errors.UNREACHABLE, "The server stopped answering.")

    @pytest.mark.parametrize(
        ("raised", "code", "said"),
        [
            (KeyboardInterrupt(), errors.INTERRUPTED, "It was interrupted."),
            (SystemExit(errors.TERMINATED), errors.TERMINATED, "It was terminated."),
            (OSError("odd"), errors.FAILED, "It could not go on."),
        ],
    )
    def test_whatever_ends_it_the_report_is_written(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, said: str
    ) -> None:
        monkeypatch.setattr(Suite, "_probe", raising(raised))
        end = ended(tmp_path, "--base-url", server.base_url, *SMALL, *including("system.info"))
        assert (end.code, end.report["stopped"]) == (code, said)

    def test_who_interrupts_the_end_is_told_what_remains(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Suite, "_probe", raising(KeyboardInterrupt()))
        monkeypatch.setattr(Cleaning, "_do", raising(KeyboardInterrupt()))
        asked = ["--base-url", server.base_url, "--profile", "full", "--yes", *SMALL, *including("courses.list_own")]
        end = ended(tmp_path, *asked)
        assert end.code == errors.INTERRUPTED
        assert "Ctrl-C again leaves it" in end.told
        (note,) = [note for note in end.report["notes"] if note.startswith("Left on the server")]
        assert note.count("@example.com") == 3

    @pytest.mark.parametrize("spoil", [not_gzip, too_deep])
    def test_an_odd_answer_is_a_finding_and_does_not_end_the_run(
        self, server: Server, tmp_path: Path, spoil: Callable[[Answer], Answer]
    ) -> None:
        with Proxy(server.base_url, {READ["system.info"]: spoil}).running() as proxy:
            end = ended(tmp_path, "--base-url", proxy.url, *SMALL, *including("system.info", "subscriptions.list_plans"))
        assert end.code == errors.FAILED
        assert not end.report["stopped"]
        assert {operation for operation, _ in end.findings} == {"system.info"}

    def test_a_thread_that_dies_is_no_server_that_conforms(self, server: Server, tmp_path: Path) -> None:
        with Proxy(server.base_url).running() as proxy, pytest.MonkeyPatch.context() as patch:
            patch.setattr(Suite, "_run_within_limits", lambda *_: in_a_thread(raising(RecursionError())))
            end = ended(tmp_path, "--base-url", proxy.url, *SMALL, *including("system.info"))
        assert (end.code, end.report["stopped"]) == (errors.FAILED, "It could not go on.")

    def test_a_pipe_that_closes_changes_neither_the_verdict_nor_the_reports(self, server: Server, tmp_path: Path) -> None:
        with Proxy(server.base_url, {READ["system.info"]: SPOILS["system.info"]}).running() as proxy:
            asked = ["--base-url", proxy.url, *SMALL, *including("system.info"), "--report-dir", str(tmp_path)]
            command = [sys.executable, "-m", "unpuzzle_cli", "conformance", *asked]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
                assert process.stdout
                process.stdout.close()
                assert process.wait(60) == errors.FAILED
        assert {file.name for file in tmp_path.iterdir()} == {"junit.xml", "report.html", "report.json"}
