"""The snippets of the README, run as they stand against a running server with the demo catalogue."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from browser import Browser, Visitor
from files import made
from server_fixtures import open_folder

import public_api
from harness import TEST_SETTINGS, Api, Server, running_server
from unpuzzle_sdk.testing import MockUnpuzzle
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from unpuzzle_server.kernel.settings import OAUTH_VARIABLE
from unpuzzle_server.kernel.spec import statuses
from unpuzzle_server.seed import loader

NOTIFICATIONS = (Path(__file__).parent / "notifications.md").read_text(encoding="utf-8")
PAYMENTS = (Path(__file__).parent / "payments.md").read_text(encoding="utf-8")
LEARNING = (Path(__file__).parent / "learning.md").read_text(encoding="utf-8")
TUTOR = (Path(__file__).parent / "tutor.md").read_text(encoding="utf-8")
MEDIA = (Path(__file__).parent / "media.md").read_text(encoding="utf-8")
TESTING = (Path(__file__).parent / "sdk" / "testing.md").read_text(encoding="utf-8")
OAUTH = (Path(__file__).parent / "oauth.md").read_text(encoding="utf-8")
TRANSCRIPTS = (Path(__file__).parent / "transcripts.md").read_text(encoding="utf-8")
QUICKSTART = (Path(__file__).parent / "sdk" / "quickstart.md").read_text(encoding="utf-8")
README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
CODES = {code.lower() for code in statuses()}
ADDRESS = "http://127.0.0.1:8000"
LOCAL_SERVER = """
import pytest

from unpuzzle_sdk.testing import Account, LocalServer


@pytest.fixture
def unpuzzle_server():
    accounts = {accounts}
    return LocalServer("{url}", {{role: Account(**account) for role, account in accounts.items()}})
"""


@pytest.fixture(scope="module")
def demo() -> Iterator[Server]:
    """A server as the README starts it: with the demo catalogue, which no other test has changed."""
    with open_folder() as home, EmbeddedPostgres(home) as embedded, running_server(embedded.url) as server:
        loader.load(embedded.url)
        yield server


def snippets(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def run(command: list[str], server: Server, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    changes = {"UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_CONFIG_DIR": str(tmp_path), "UNPUZZLE_NO_KEYRING": "1"}
    environment = {**os.environ, **changes, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def test_the_python_runs_and_prints_what_it_promises(demo: Server, tmp_path: Path) -> None:
    outcomes = [run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path) for code in snippets("python")]
    assert [outcome.returncode for outcome in outcomes] == [0, 0], [outcome.stderr for outcome in outcomes]
    buying, learning = (outcome.stdout.splitlines() for outcome in outcomes)
    assert len(buying) == 4
    assert "costs 49.99 USD" in buying[3] or "already enrolled" in buying[3]
    assert [line.rsplit(" ", 1)[1] for line in learning] == ["60"]


def test_the_quick_start_of_the_sdk_runs(demo: Server, tmp_path: Path) -> None:
    codes = snippets("python", QUICKSTART)
    outcomes = [run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path) for code in codes]
    assert [outcome.returncode for outcome in outcomes] == [0, 0, 0], [outcome.stderr for outcome in outcomes]
    looked, wrote, together = (outcome.stdout.splitlines() for outcome in outcomes)
    assert len(looked) == 3
    assert {line.partition(" - ")[0] for line in wrote} >= {"description"}
    assert together[0].startswith("Introduction to Python Programming ")


@pytest.mark.parametrize("name", [name for name, member in public_api.WITH_EXAMPLE.items() if public_api.of_a_server(member)])
def test_the_examples_with_a_server_run(demo: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(url=demo.base_url, accounts=loader.ACCOUNTS)
    monkeypatch.setattr("unpuzzle_server.testing.running", lambda **_: nullcontext(found))
    (program,) = public_api.programs(public_api.WITH_EXAMPLE[name])
    public_api.run(program, name, MockUnpuzzle())


def test_notifications_arrive_and_preferences_hold(demo: Server, tmp_path: Path) -> None:
    codes = snippets("python", NOTIFICATIONS)
    outcomes = [run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path) for code in codes]
    assert [outcome.returncode for outcome in outcomes] == [0, 0], [outcome.stderr for outcome in outcomes]
    told, wanted = (outcome.stdout.splitlines() for outcome in outcomes)
    assert {line.split(" ", 1)[1] for line in told} == {"Welcome to the course", "Payment received"}
    assert wanted == ["True False False"]


def test_a_transcript_is_written_after_its_fault_was_told(demo: Server, tmp_path: Path) -> None:
    (code,) = snippets("python", TRANSCRIPTS)
    outcome = run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines() == [
        "line 3: it ends before it has started",
        "0 4.2 A hook keeps state between renders.",
    ]


def test_a_course_is_bought_after_a_card_was_declined(demo: Server, tmp_path: Path) -> None:
    code, _ = snippets("python", PAYMENTS)
    outcome = run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    declined, paid, *history = outcome.stdout.splitlines()
    assert declined.endswith(" generic_decline")
    assert paid == "succeeded Payment successful. You are now enrolled in the course."
    assert history == ["Course: Introduction to Python Programming 49.99 USD"]


def test_the_tutor_answers_asks_and_grades(demo: Server, tmp_path: Path) -> None:
    (code,) = snippets("python", TUTOR)
    outcome = run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    said, reference, percentage, remaining = outcome.stdout.splitlines()
    assert "in Python the indentation is the grammar" in said
    assert reference.split(" ", 1)[1] in said
    assert (percentage, remaining) == ("100", "1")


def test_a_plan_is_subscribed_to_and_changed(demo: Server, tmp_path: Path) -> None:
    _, code = snippets("python", PAYMENTS)
    outcome = run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    declined, smaller, *invoices = outcome.stdout.splitlines()
    assert declined.endswith(" generic_decline")
    assert smaller.startswith("enterprise until ")
    assert smaller.endswith(" then premium")
    assert [line.split(" ", 1)[1] for line in invoices] == [
        "subscription_update 80.0 0.0 USD",
        "subscription_create 19.0 0.0 USD",
    ]


def test_a_quiz_is_written_taken_and_graded(demo: Server, tmp_path: Path) -> None:
    code, _ = snippets("python", LEARNING)
    outcome = run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines() == ["3 of 3 True [True, True]", "100"]


def test_what_was_learnt_and_taught_is_told(demo: Server, tmp_path: Path) -> None:
    _, code = snippets("python", LEARNING)
    outcome = run([sys.executable, "-c", code.replace(ADDRESS, demo.base_url)], demo, tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    days, first, *_, funnel, earned = outcome.stdout.splitlines()
    assert days.startswith("7 days, ")
    assert " True " in first
    assert "('completed', " in funnel
    assert "('USD', Decimal('" in earned


def test_a_lecture_goes_up(demo: Server, tmp_path: Path) -> None:
    (code,) = snippets("python", MEDIA)
    lecture = tmp_path / "lecture.mp4"
    lecture.write_bytes(made(6 * 2**20))
    code = code.replace(ADDRESS, demo.base_url).replace('"lecture.mp4"', repr(str(lecture)))
    outcome = run([sys.executable, "-c", code], demo, tmp_path)
    assert outcome.returncode == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert lines[2] == f"{6 * 2**20} of {6 * 2**20}"
    assert (lines[3].split()[0], lines[4]) == ("lecture.mp4", "Lesson 1 pending")


def test_the_round_trip_to_a_provider_runs(demo: Server) -> None:
    (code,) = snippets("python", OAUTH)
    command = [sys.executable, "-c", code.replace(ADDRESS, demo.base_url)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as program, Browser(demo.base_url) as browser:
        left = browser.consent(program.stdout.readline().removeprefix("Open: ").strip(), Visitor("reader@example.com"))
        said, _ = program.communicate(browser.come_back(left).headers["location"] + "\n", timeout=30)
    assert program.returncode == 0
    assert said.endswith("Signed in as reader@example.com\ngithub reader@example.com\n")


def test_the_tests_of_a_customer_pass(demo: Server, tmp_path: Path) -> None:
    """With the fixtures of the SDK, of which the server is the one that runs already."""
    running = LOCAL_SERVER.format(url=demo.base_url, accounts={account.role: vars(account) for account in loader.ACCOUNTS})
    (tmp_path / "conftest.py").write_text(running, encoding="utf-8")
    codes = snippets("python", TESTING)
    (tmp_path / "test_customer.py").write_text("".join(codes), encoding="utf-8")
    plain = ["-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "unpuzzle_sdk.testing.plugin"]
    outcome = run([sys.executable, "-m", "pytest", "-q", *plain, "--rootdir", str(tmp_path), str(tmp_path)], demo, tmp_path)
    assert outcome.returncode == 0, outcome.stdout
    assert f"{''.join(codes).count('def test_')} passed" in outcome.stdout


def test_the_address_that_curl_asks_is_served(demo: Server) -> None:
    (path,) = re.findall(rf"curl '{ADDRESS}(.*?)'", README)
    with Api(demo) as api:
        assert api.get(path).json()["count"] > 0


def test_each_command_line_works(demo: Server, tmp_path: Path) -> None:
    lines = [line for block in snippets("sh") for line in block.splitlines() if line.startswith(".venv/bin/unpuzzle ")]
    assert len(lines) == 5
    for line in lines:
        arguments = shlex.split(line)[1:]
        outcome = run([sys.executable, "-m", "unpuzzle_cli", *arguments], demo, tmp_path)
        if arguments == ["auth", "login"]:
            assert "--email" in outcome.stderr  # nobody is here to be asked
        else:
            assert outcome.returncode == 0, outcome.stderr
            assert outcome.stdout


def test_the_settings_named_in_the_docs_are_there() -> None:
    operating = (Path(__file__).parent / "operating.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Z_]+[A-Z])(?:=[\w:/.]+)?`", operating + OAUTH + TUTOR + MEDIA))
    known = {name for name in named if not OAUTH_VARIABLE.fullmatch(name)}
    assert len(known) > 20
    assert {name.lower() for name in known} - CODES <= vars(TEST_SETTINGS).keys()
