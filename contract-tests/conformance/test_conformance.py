"""`unpuzzle conformance` passes our server, finds what is wrong with another, and writes nothing unless it may."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as Xml

import pytest
import requests
from conformance.spoiler import Answer, Proxy
from requests.adapters import HTTPAdapter

from harness import PASSWORD, Api, Person, Server
from unpuzzle_cli import errors, main
from unpuzzle_cli.conformance import checks
from unpuzzle_cli.conformance.allowances import Allowances
from unpuzzle_cli.conformance.checks import at_example
from unpuzzle_cli.conformance.cleaning import Cleaning
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS, Exchange, Reply, Request, send
from unpuzzle_cli.conformance.laws.ownership import readable_address
from unpuzzle_cli.conformance.people import WRONG_TOKEN
from unpuzzle_cli.conformance.people import Person as Sender
from unpuzzle_cli.conformance.probes import is_like_get
from unpuzzle_cli.conformance.report import Outcome, Report
from unpuzzle_cli.conformance.suite import Suite
from unpuzzle_cli.conformance.telling import Teller
from unpuzzle_cli.conformance.wire import EndedError, Left, OutsideError, UnsafeRequestError, Wire
from unpuzzle_cli.conformance.world import World
from unpuzzle_cli.credentials import Credentials
from unpuzzle_sdk import Tokens

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


def not_gzip(answer: Answer) -> Answer:
    return replace(answer, headers={**answer.headers, "content-encoding": "gzip"})


def too_deep(answer: Answer) -> Answer:
    return replace(answer, content=b"[" * 200_000)


def refusal(after: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code = 429
    answer.headers["Retry-After"] = after
    answer.raw = io.BytesIO()
    return answer


def in_a_thread(act: Callable[[], None]) -> None:
    thread = Thread(target=act)
    thread.start()
    thread.join()


def raising(error: BaseException) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


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

    def test_nothing_more_is_made_while_what_was_made_is_deleted(self) -> None:
        wire = Wire("http://127.0.0.1:1", may_write=True, cleaning=True)
        raised: list[BaseException] = []

        def make() -> None:
            with pytest.raises(EndedError) as info:
                send(Request("POST", "http://127.0.0.1:1/api/v1/"))
            raised.append(info.value)

        with wire.connected():
            in_a_thread(make)
        assert (wire.sent, len(raised)) == (0, 1)

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
        assert len(end.report["findings"]) == 1


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

    def test_accounts_that_testing_sign_up_made_are_gone_and_no_mail_went_anywhere(self, server: Server, tmp_path: Path) -> None:
        people = "SELECT count(*) FROM users WHERE deletes_at IS NULL"
        elsewhere = "SELECT count(*) FROM users WHERE email NOT LIKE '%@example.com'"
        before = server.sql(people), server.sql(elsewhere)
        asked = [*SMALL, *including("auth.sign_up"), "--profile", "full", "--yes"]
        end = ended(tmp_path, "--base-url", server.base_url, *asked)
        assert end.code == 0, end.out
        (sign_up,) = end.report["operations"]
        assert sign_up["seen"]["201"] > 0
        assert (server.sql(people), server.sql(elsewhere)) == before

    def test_payments_and_subscriptions_that_it_began_are_cancelled_before_the_account_goes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[str] = []

        def answer(request: Request) -> Reply:
            sent.append(f"{request.method} {urlsplit(request.url).path}")
            return Reply(200, content=b'{"access_token": "one", "user": {}}')

        monkeypatch.setattr("unpuzzle_cli.conformance.people.send", answer)
        person = Sender("http://host/edu", "a@example.com", "password")
        wire = Wire("http://host/edu", may_write=True)
        wire.left = Left(intents=[(person.email, "pay")], subscribers=[person.email, person.email])
        notes: list[str] = []
        assert Cleaning(wire, [person], [person], notes).run(interrupted=False) is None
        assert [line for line in sent if "signin" not in line] == [
            "POST /edu/api/v1/payments/intents/pay/cancel/",
            "POST /edu/api/v1/subscriptions/current/cancel/",
            "DELETE /edu/api/v1/auth/account/",
        ]
        assert notes == ["The subscription of a@example.com is cancelled, and ends with what is paid for."]

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ({"email": "a@0.com"}, {"email": "a@example.com"}),
            ({"rows": [{"email": "a@b.c"}], "title": "a@b.c"}, {"rows": [{"email": "a@example.com"}], "title": "a@b.c"}),
            ({"email": "a@"}, {"email": "a@"}),
            ({"email": f"a@{'b' * 300}.com"}, {"email": f"a@{'b' * 300}.com"}),
            (["text"], ["text"]),
        ],
    )
    def test_an_address_that_mail_could_go_to_becomes_nobodys_and_what_is_none_stays(self, sent: Any, kept: Any) -> None:
        assert at_example(sent) == kept

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
        asked = ["--base-url", server.base_url, "--profile", "full", "--yes", *SMALL, *including("courses.create")]
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


class TestBaseUrl:
    """A server below a path: what is beside it may be somebody else's."""

    @pytest.mark.parametrize("beside", ["/api/v1/", "/education/", "/edu/../api/v1/", "/"])
    def test_nothing_is_sent_outside_it(self, beside: str) -> None:
        wire = Wire("http://127.0.0.1:1/edu", may_write=True)
        with wire.connected(), pytest.raises(OutsideError):
            send(Request("POST", f"http://127.0.0.1:1{beside}"))
        assert wire.sent == 0

    def test_what_is_read_again_is_below_it(self) -> None:
        operation = OPERATIONS["DELETE", "/api/v1/instructor/courses/{course_id}/"]
        assert readable_address(operation, "http://host/edu/api/v1/instructor/courses/1/") == "/edu/api/v1/instructor/courses/1/"
        assert readable_address(operation, "http://host/api/v1/instructor/courses/1/") == "/api/v1/instructor/courses/1/"


class TestLimits:
    def test_a_limit_that_never_ends_is_waited_for_a_few_times_and_then_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr("unpuzzle_cli.conformance.wire.time.sleep", waits.append)
        monkeypatch.setattr(HTTPAdapter, "send", lambda *_, **__: refusal("0"))
        wire = Wire("http://host", may_write=False)
        with wire.connected():
            assert send(Request("GET", "http://host/api/v1/")).status == 429
            assert waits == [1] * 5
            assert send(Request("GET", "http://host/api/v1/")).status == 429
        assert len(waits) == 5

    def test_all_waits_of_a_request_together_are_a_minute_at_most(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr("unpuzzle_cli.conformance.wire.time.sleep", waits.append)
        monkeypatch.setattr(HTTPAdapter, "send", lambda *_, **__: refusal("25"))
        told: list[str] = []
        with Wire("http://host", may_write=False, tell=told.append).connected():
            send(Request("GET", "http://host/api/v1/"))
        assert waits == [25, 25]
        assert told[0] == "Waiting for a limit, 25 s."

    def test_a_check_that_needs_an_answer_that_a_limit_refused_says_nothing(self) -> None:
        checks.begin(checks.Run("test", World("http://host")))
        exchange = Exchange(OPERATIONS["GET", "/api/v1/"], Request("HEAD", "http://host"), Reply(200), lambda _: Reply(429))
        assert checks.hold(is_like_get, exchange) is False

    @pytest.mark.parametrize(
        ("seen", "conforms", "verdict"),
        [({429: 3, 401: 1}, False, "was not held: limited"), ({429: 3, 200: 1}, True, "conforms"), ({401: 1}, True, "conforms")],
    )
    def test_where_limits_hide_most_the_verdict_is_that_it_was_not_held(
        self, seen: dict[int, int], conforms: bool, verdict: str
    ) -> None:
        outcome = Outcome.of(OPERATIONS["GET", "/api/v1/"])
        outcome.seen = seen
        report = Report("http://host", "full", 7, 1, "1", "now", operations=[outcome])
        assert (report.conforms, report.verdict) == (conforms, verdict)
        assert report.as_dict()["unsucceeded"] == ([] if 200 in seen else ["system.info"])

    def test_what_the_end_needs_is_not_used_before(self) -> None:
        allowances, operation = Allowances(), OPERATIONS["GET", "/api/v1/"]
        numbers = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "30", "X-RateLimit-Reset-After": "900"}
        allowances.saw("somebody", operation, numbers)
        assert allowances.wait("somebody", operation, things=5) == 0
        assert allowances.wait("somebody", operation, things=20) == 900
        assert "30 of 1000 requests left" in allowances.too_small("somebody", 10)

    def test_who_may_not_sign_up_is_told_why(self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("unpuzzle_cli.conformance.callers.ask", lambda *_: Reply(429))
        end = ended(tmp_path, "--base-url", server.base_url, "--profile", "full", "--yes")
        assert end.code == errors.SIGN_IN
        assert "sign-up answers 429, a limit" in end.told


class TestSecrets:
    def test_a_token_that_no_header_may_have_is_refused_and_not_shown(self, server: Server, tmp_path: Path) -> None:
        end = ended(tmp_path, "--base-url", server.base_url, UNPUZZLE_TOKEN="sk_secret\n")
        assert end.code == errors.SIGN_IN
        assert "sk_secret" not in end.told

    def test_an_address_with_a_password_is_refused_and_not_shown(self, tmp_path: Path) -> None:
        end = ended(tmp_path, "--base-url", "http://somebody:secretpw@host")
        assert end.code == errors.USAGE
        assert "secretpw" not in end.told

    def test_a_value_that_was_given_is_removed_however_short_it_is(self) -> None:
        told = Teller(given={"pw1"}).without_secrets("curl --header 'X-Gate: pw1' http://host/pw11")
        assert told == "curl --header 'X-Gate: [removed]' http://host/pw11"

    def test_a_token_that_is_nobodys_is_told(self) -> None:
        curl = Teller().curl(Request("GET", "http://host/", {"Authorization": WRONG_TOKEN}))
        assert "'Authorization: Bearer of-nobody'" in curl

    def test_a_kept_token_that_has_ended_is_exchanged(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UNPUZZLE_CONFIG_DIR", str(tmp_path / "none"))
        monkeypatch.setenv("UNPUZZLE_NO_KEYRING", "1")
        with Api(server) as api:
            refresh = api.sign_up().tokens["refresh_token"]
        Credentials("default", server.base_url).save(Tokens("ended", refresh, expires_at=0))
        end = ended(
            tmp_path / "report",
            "--base-url",
            server.base_url,
            *SMALL,
            *including("auth.get_profile"),
            UNPUZZLE_CONFIG_DIR=str(tmp_path / "none"),
        )
        assert end.code == 0, end.told
        assert "200" in end.report["operations"][0]["seen"]


class TestUsage:
    @pytest.mark.parametrize(
        "wrong",
        [["--include", "courses.*", "--include", "curses.*"], ["--tag", "none"], ["--report", ""], ["--report-dir", __file__]],
    )
    def test_what_is_wrong_is_said_before_anything_is_sent(self, server: Server, tmp_path: Path, wrong: list[str]) -> None:
        with Proxy(server.base_url).running() as proxy:
            base = ["--base-url", proxy.url, "--profile", "full", "--yes"]
            end = ended(tmp_path, *base, *wrong) if wrong[0] != "--report-dir" else ended(Path(wrong[1]), *base)
        assert (end.code, proxy.methods) == (errors.USAGE, [])

    def test_an_admin_who_is_none_is_noted(self, server: Server, caller: Person, tmp_path: Path) -> None:
        asked = ["--base-url", server.base_url, "--profile", "full", "--yes", *SMALL, *including("system.health")]
        end = ended(tmp_path, *asked, UNPUZZLE_CONFORMANCE_ADMIN=f"{caller.email}:{PASSWORD}")
        assert f"{caller.email} of UNPUZZLE_CONFORMANCE_ADMIN is no admin." in end.report["notes"]

    def test_an_account_without_a_password_is_refused_and_not_shown(self, server: Server, tmp_path: Path) -> None:
        asked = ["--base-url", server.base_url, "--profile", "full", "--yes"]
        end = ended(tmp_path, *asked, UNPUZZLE_CONFORMANCE_LEARNER="nopassword")
        assert end.code == errors.USAGE
        assert "UNPUZZLE_CONFORMANCE_LEARNER" in end.told
        assert "nopassword" not in end.told

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
