"""`unpuzzle conformance` passes our server, finds what is wrong with another, and writes nothing unless it may."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
import requests
from conformance.spoiler import Answer, Proxy

from harness import PASSWORD, Api, Person, Server
from unpuzzle_cli import errors, main
from unpuzzle_cli.conformance.laws.exchange import Request, send
from unpuzzle_cli.conformance.wire import UnsafeRequestError, Wire

SMALL = ["--max-examples", "1"]
READ = {
    "system.info": "/api/v1/",
    "auth.get_profile": "/api/v1/auth/profile/",
    "ai.get_limits": "/api/v1/ai-assistant/user/check-limits/",
    "notifications.get_preferences": "/api/v1/notifications/preferences/",
    "payments.get_config": "/api/v1/payments/config/stripe/",
    "subscriptions.get_current": "/api/v1/subscriptions/current/",
    "subscriptions.list_plans": "/api/v1/subscriptions/plans/",
}
"""Operations with few parameters, and where they are."""


def without_request_id(answer: Answer) -> Answer:
    return replace(answer, headers={name: value for name, value in answer.headers.items() if name != "x-request-id"})


def hang_up(answer: Answer) -> Answer:
    raise ConnectionAbortedError


CLEAN = {"system.info", "auth.get_profile", "subscriptions.list_plans", "courses.get"}
SPOILS = {
    "system.info": lambda answer: replace(answer, status=418),
    "ai.get_limits": lambda answer: replace(answer, status=500),
    "notifications.get_preferences": lambda answer: answer.with_field(password_hash=answer.token),
    "payments.get_config": lambda answer: answer.without_field("publishable_key"),
    "subscriptions.get_current": without_request_id,
    "subscriptions.list_plans": lambda answer: answer.with_field(count=1000),
}
FOUND = {
    ("system.info", "status_code_conformance"),
    ("ai.get_limits", "not_a_server_error"),
    ("notifications.get_preferences", "closed_world"),
    ("payments.get_config", "response_schema_conformance"),
    ("subscriptions.get_current", "request_ids"),
    ("subscriptions.get_current", "response_headers_conformance"),
    ("subscriptions.list_plans", "lists"),
    ("auth.get_profile", "ignored_auth"),
    ("auth.get_profile", "wrong_token"),
}
"""What each spoiled answer breaks, and the proxy that lets everybody in."""


@dataclass
class Ended:
    code: int
    out: str
    told: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report

    @property
    def findings(self) -> set[tuple[str, str]]:
        return {(finding["operation"], finding["check"]) for finding in self.report["findings"]}

    @property
    def texts(self) -> list[str]:
        return [self.out, self.told, *(file.read_text() for file in sorted(self.folder.iterdir()))]


def ended(folder: Path, *arguments: str, **environment: str) -> Ended:
    """Runs the command in this process, with pipes on all sides."""
    out, told = io.StringIO(), io.StringIO()
    own = {"UNPUZZLE_CONFIG_DIR": str(folder / "none"), "UNPUZZLE_NO_KEYRING": "1", **environment}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(told):
        patch.setattr("sys.argv", ["unpuzzle", "conformance", *arguments, "--report-dir", str(folder)])
        patch.setattr("sys.stdin", io.StringIO())
        for name, value in own.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            main.run()
    return Ended(int(end.value.code or 0), out.getvalue(), told.getvalue(), folder)


def including(*names: str) -> list[str]:
    return [word for name in names for word in ("--include", name)]


def token_of(person: Person) -> str:
    token: str = person.tokens["access_token"]
    return token


@pytest.fixture(scope="module")
def caller(server: Server) -> Iterator[Person]:
    with Api(server) as api:
        yield api.sign_up()


@pytest.fixture(scope="module")
def clean(server: Server, caller: Person, tmp_path_factory: pytest.TempPathFactory) -> tuple[Proxy, Ended]:
    """Our server as it is, only read, and what it was asked."""
    with Proxy(server.base_url).running() as proxy:
        asked = ["--base-url", proxy.url, *SMALL, *including(*CLEAN)]
        return proxy, ended(tmp_path_factory.mktemp("clean"), *asked, UNPUZZLE_TOKEN=token_of(caller))


@pytest.fixture(scope="module")
def spoiled(server: Server, caller: Person, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Another server, where each answer has a fault."""
    spoils = {READ[name]: spoil for name, spoil in SPOILS.items()}
    with Proxy(server.base_url, spoils, open_paths=(READ["auth.get_profile"],), token=token_of(caller)).running() as proxy:
        asked = ["--base-url", proxy.url, *SMALL, *including(*READ)]
        return ended(tmp_path_factory.mktemp("spoiled"), *asked, UNPUZZLE_TOKEN=token_of(caller))


class TestReadOnly:
    def test_our_server_conforms(self, clean: tuple[Proxy, Ended]) -> None:
        _, end = clean
        assert end.code == 0, end.out
        assert end.report["conforms"]
        assert {outcome["id"] for outcome in end.report["operations"]} == CLEAN

    def test_no_unsafe_request_is_sent(self, clean: tuple[Proxy, Ended]) -> None:
        proxy, _ = clean
        assert {*proxy.methods} == {"GET", "HEAD", "OPTIONS"}
        assert len(proxy.methods) > 100

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"])
    def test_the_wire_refuses_to_send_one_whoever_asks(self, method: str) -> None:
        wire = Wire("http://127.0.0.1:1", may_write=False)
        with wire.connected():
            for attempt in (requests.request, requests.Session().request):
                with pytest.raises(UnsafeRequestError):
                    attempt(method, "http://127.0.0.1:1/api/v1/")
            with pytest.raises(UnsafeRequestError):
                send(Request(method, "http://127.0.0.1:1/api/v1/"))
        assert wire.sent == 0

    @pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:1", "https://example.invalid"])
    def test_the_wire_carries_no_token_to_another_server(self, server: Server, elsewhere: str) -> None:
        with Proxy(server.base_url).running() as proxy, Wire(proxy.url, may_write=False).connected():
            assert send(Request("GET", f"{elsewhere}/api/v1/", {"Authorization": "Bearer one"})).status == 401
            assert proxy.methods == ["GET"]

    def test_what_the_wire_lets_pass_ends_with_the_run(self) -> None:
        usual = requests.adapters.HTTPAdapter.send
        with Wire("http://127.0.0.1:1", may_write=False).connected():
            assert requests.adapters.HTTPAdapter.send is not usual
        assert requests.adapters.HTTPAdapter.send is usual

    def test_statuses_that_were_seen_and_that_were_not_are_told(self, clean: tuple[Proxy, Ended]) -> None:
        (profile,) = [outcome for outcome in clean[1].report["operations"] if outcome["id"] == "auth.get_profile"]
        assert {"200", "304", "401"} <= profile["seen"].keys()
        assert 503 in profile["unseen"]
        assert sorted([*map(int, profile["seen"]), *profile["unseen"]]) == profile["documented"]


class TestFindings:
    def test_every_fault_is_found(self, spoiled: Ended) -> None:
        assert spoiled.code == errors.FAILED
        assert not FOUND - spoiled.findings

    def test_a_finding_says_all_that_is_needed(self, spoiled: Ended) -> None:
        (found,) = [each for each in spoiled.report["findings"] if each["check"] == "not_a_server_error"]
        assert found["status"] == 500
        assert found["request_id"].startswith("conformance-")
        assert found["rule"] == "No request makes the server fail."
        assert found["curl"].startswith("curl --include --request GET http://127.0.0.1:")
        assert '"Authorization: Bearer $UNPUZZLE_TOKEN"' in found["curl"]
        assert found["contract"].startswith(f"GET {READ['ai.get_limits']} answers 200, ")

    def test_no_secret_is_told(self, spoiled: Ended, caller: Person) -> None:
        for text in spoiled.texts:
            assert token_of(caller) not in text
            assert PASSWORD not in text

    def test_a_pipe_gets_lines(self, spoiled: Ended) -> None:
        kinds = [line.split("\t")[0] for line in spoiled.out.splitlines()]
        assert {*kinds} == {"check", "finding"}
        assert kinds.count("finding") == len(spoiled.report["findings"])

    def test_it_can_end_with_the_first(self, server: Server, tmp_path: Path) -> None:
        with Proxy(server.base_url, {READ["system.info"]: SPOILS["system.info"]}).running() as proxy:
            end = ended(tmp_path, "--base-url", proxy.url, *SMALL, *including("system.info", "courses.list"), "--fail-fast")
        assert (end.code, {operation for operation, _ in end.findings}) == (errors.FAILED, {"system.info"})
        assert end.report["stopped"] == "It was to end with the first finding."


class TestReports:
    def test_junit_has_a_case_for_each_check_of_each_operation(self, spoiled: Ended) -> None:
        root = Xml.parse(spoiled.folder / "junit.xml").getroot()
        cases = {(case.get("classname"), case.get("name")): case for case in root.iter("testcase")}
        expected = {(each["id"], check) for each in spoiled.report["operations"] for check in each["checks"]}
        assert cases.keys() == expected
        assert {key for key, case in cases.items() if case.find("failure") is not None} == spoiled.findings

    def test_junit_counts_what_is_in_it(self, spoiled: Ended) -> None:
        root = Xml.parse(spoiled.folder / "junit.xml").getroot()
        assert (root.tag, {suite.tag for suite in root}) == ("testsuites", {"testsuite"})
        for counted in (root, *root):
            assert counted.get("tests") == str(len([*counted.iter("testcase")]))
            assert counted.get("failures") == str(len([*counted.iter("failure")]))
            assert float(counted.get("time", "-1")) >= 0
        assert root.attrib.keys() == {"name", "time", "tests", "failures", "errors"}
        for suite in root:
            assert [child.tag for child in suite] == ["properties", *["testcase"] * len(suite.findall("testcase"))]

    def test_html_asks_nobody_for_anything(self, spoiled: Ended) -> None:
        text = (spoiled.folder / "report.html").read_text()
        assert not re.search(r"<(script|link|img|iframe)|(src|href)=|url\(|@import", text)
        assert text.count("<article>") == len(spoiled.report["findings"])

    def test_html_shows_what_servers_say_as_text(self, server: Server, tmp_path: Path) -> None:
        spoils = {READ["system.info"]: lambda answer: answer.with_field(**{"<script>alert(1)</script>": 1})}
        with Proxy(server.base_url, spoils).running() as proxy:
            end = ended(tmp_path, "--base-url", proxy.url, *SMALL, *including("system.info"), "--report", "html")
        assert [file.name for file in end.folder.iterdir()] == ["report.html"]
        assert "<script" not in (tmp_path / "report.html").read_text()
        assert "&lt;script&gt;" in (tmp_path / "report.html").read_text()


class TestFull:
    def test_what_it_made_is_gone(self, server: Server, tmp_path: Path) -> None:
        courses, people = "SELECT count(*) FROM courses", "SELECT count(*) FROM users WHERE deletes_at IS NULL"
        before = server.sql(courses), server.sql(people)
        asked = [*SMALL, *including("courses.delete", "courses.check_readiness", "notifications.get_preferences")]
        end = ended(tmp_path, "--base-url", server.base_url, "--profile", "full", "--yes", *asked)
        assert end.code == 0, end.out
        seen = {outcome["id"]: outcome["seen"] for outcome in end.report["operations"]}
        assert {"204", "401", "404"} <= seen["courses.delete"].keys()
        assert "200" in seen["courses.check_readiness"]
        assert (server.sql(courses), server.sql(people)) == before

    def test_it_does_not_write_before_somebody_has_said_yes(self, server: Server, tmp_path: Path) -> None:
        end = ended(tmp_path, "--base-url", server.base_url, "--profile", "full")
        assert end.code == errors.USAGE
        assert "--yes" in end.told


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


class TestUsage:
    def test_a_server_that_is_not_there_is_no_server_that_does_not_conform(self, tmp_path: Path) -> None:
        end = ended(tmp_path, "--base-url", "http://127.0.0.1:9")
        assert end.code == errors.UNREACHABLE
        assert "can't be reached" in end.told

    def test_a_token_that_is_not_good_is_told_before_anything_is_sent(self, server: Server, tmp_path: Path) -> None:
        end = ended(tmp_path, "--base-url", server.base_url, UNPUZZLE_TOKEN="none")
        assert (end.code, "UNPUZZLE_TOKEN" in end.told) == (errors.SIGN_IN, True)

    @pytest.mark.parametrize("wrong", [["--include", "none.*"], ["--report", "pdf"], ["--profile", "all"], ["--header", "x"]])
    def test_what_makes_no_sense_is_refused(self, server: Server, tmp_path: Path, wrong: list[str]) -> None:
        assert ended(tmp_path, "--base-url", server.base_url, *wrong).code == errors.USAGE

    def test_without_the_extra_it_says_what_to_type(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("unpuzzle_cli.commands.conformance.find_spec", lambda name: None)
        assert "pip install 'unpuzzle-cli[conformance]'" in ended(tmp_path).told
