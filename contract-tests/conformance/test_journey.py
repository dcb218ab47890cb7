"""The journey of the full profile: on it most operations succeed, and what they answer is held against the contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from conformance.command import SMALL, Ended, ended, including
from conformance.spoiler import Proxy

from harness import PASSWORD, Person, Server
from unpuzzle_cli.conformance.journey import CHAPTERS, chapters
from unpuzzle_cli.conformance.suite import Suite
from workplace import Workplace

TOLD = "The journey's chapter"


@contextmanager
def working(server: Server) -> Iterator[None]:
    """A worker of this process for what is asked for meanwhile; what other tests have left waits on, however late it is of."""
    place, ended = Workplace(server), Event()
    left = [task for (task,) in server.sql("SELECT id FROM tasks WHERE state = 'waiting'")]
    new = "UPDATE tasks SET state = 'sent' WHERE state = 'waiting' AND id <> ALL(%s) RETURNING id::text"

    def work() -> None:
        while not ended.wait(0.1):
            for (task,) in server.sql(new, left):
                place.perform(task)

    thread = Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.fixture
def journey_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made up."""
    monkeypatch.setattr(Suite, "_run_as", lambda *_: None)


def full(folder: Path, url: str, admin: Person, *names: str) -> Ended:
    prepared = {"UNPUZZLE_CONFORMANCE_ADMIN": f"{admin.email}:{PASSWORD}"}
    return ended(folder, "--base-url", url, "--profile", "full", "--yes", *SMALL, *including(*names), **prepared)


def told(end: Ended) -> list[str]:
    return [note for note in end.report["notes"] if note.startswith(TOLD)]


@pytest.mark.usefixtures("journey_alone")
class TestJourney:
    def test_it_comes_to_its_end_and_every_operation_on_it_succeeds_and_conforms(
        self, server: Server, admin: Person, tmp_path: Path
    ) -> None:
        catalogue = "SELECT count(*) FROM courses WHERE status = 'published'"
        before = server.sql(catalogue)
        admin.api.category()  # of which a course is
        with working(server):
            end = full(tmp_path, server.base_url, admin, "*")
        assert (told(end), end.findings, end.code) == ([], set(), 0), end.out
        on_it = {step["do"] for chapter in CHAPTERS.values() for step in chapter["steps"]}
        assert on_it.isdisjoint(end.report["unsucceeded"])
        assert len(on_it) == 120
        assert server.sql(catalogue) == before

    def test_an_answer_that_only_comes_on_it_is_held_against_the_contract(
        self, server: Server, admin: Person, tmp_path: Path
    ) -> None:
        proxy = Proxy(server.base_url, {"/api/v1/student/certificates/": lambda answer: answer.with_field(count=7)})
        with proxy.running():
            end = full(tmp_path, proxy.url, admin, "learning.list_certificates")
        assert ("learning.list_certificates", "lists") in end.findings

    def test_what_is_there_and_is_refused_as_unknown_is_a_finding_and_ends_the_chapter(
        self, server: Server, admin: Person, tmp_path: Path
    ) -> None:
        proxy = Proxy(server.base_url, {"/api/v1/subscriptions/current/cancel/": lambda answer: replace(answer, status=404)})
        with proxy.running():
            end = full(tmp_path, proxy.url, admin, "subscriptions.cancel", "subscriptions.resume")
        assert ("subscriptions.cancel", "journey") in end.findings
        assert told(end) == [f"{TOLD} subscribing ended early: subscriptions.cancel answered 404."]
        assert "subscriptions.resume" in end.report["unsucceeded"]


@pytest.mark.parametrize(
    ("selected", "names"),
    [
        ("system.info", []),
        ("auth.refresh", ["account"]),
        ("courses.publish", ["teaching", "buying", "closing"]),
        ("ai.get_quiz", ["teaching", "taking", "subscribing", "asking", "closing"]),
    ],
)
def test_chapters_are_those_of_what_is_selected_what_they_need_and_what_closes_them(selected: str, names: list[str]) -> None:
    assert chapters({selected}) == names
