"""Limits are waited for while that makes sense, and the verdict says what they hid."""

import io
from pathlib import Path

import pytest
import requests
from conformance.command import ended
from requests.adapters import HTTPAdapter

from harness import Server
from unpuzzle_cli import errors
from unpuzzle_cli.conformance import checks
from unpuzzle_cli.conformance.allowances import Allowances
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS, Exchange, Reply, Request, send
from unpuzzle_cli.conformance.probes import is_like_get
from unpuzzle_cli.conformance.report import Outcome, Report
from unpuzzle_cli.conformance.wire import Wire
from unpuzzle_cli.conformance.world import World


def refusal(after: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code = 429
    answer.headers["Retry-After"] = after
    answer.raw = io.BytesIO()
    return answer


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
