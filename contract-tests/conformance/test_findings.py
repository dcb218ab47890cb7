"""Every fault of a server that has some is found, and told in each report."""

import re
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from conformance.command import READ, SMALL, SPOILS, Ended, ended, including, token_of
from conformance.spoiler import Proxy

from harness import PASSWORD, Person, Server
from unpuzzle_cli import errors

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


@pytest.fixture(scope="module")
def spoiled(server: Server, caller: Person, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Another server, where each answer has a fault."""
    spoils = {READ[name]: spoil for name, spoil in SPOILS.items()}
    with Proxy(server.base_url, spoils, open_paths=(READ["auth.get_profile"],), token=token_of(caller)).running() as proxy:
        asked = ["--base-url", proxy.url, *SMALL, *including(*READ)]
        return ended(tmp_path_factory.mktemp("spoiled"), *asked, UNPUZZLE_TOKEN=token_of(caller))


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
