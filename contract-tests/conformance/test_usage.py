"""What is given on the command line and by the environment: what is refused, noted, and never shown."""

from pathlib import Path

import pytest
from conformance.command import SMALL, ended, including
from conformance.spoiler import Proxy

from harness import PASSWORD, Api, Person, Server
from unpuzzle_cli import errors
from unpuzzle_cli.conformance.laws.exchange import Request
from unpuzzle_cli.conformance.people import WRONG_TOKEN
from unpuzzle_cli.conformance.telling import Teller
from unpuzzle_cli.credentials import Credentials
from unpuzzle_sdk import Tokens


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
