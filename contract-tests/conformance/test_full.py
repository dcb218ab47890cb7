"""What a run that may write has made is gone when it ends, and nobody is written to."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from conformance.command import SMALL, ended, including

from harness import Person, Server
from unpuzzle_cli import errors
from unpuzzle_cli.conformance.checks import at_example
from unpuzzle_cli.conformance.cleaning import Cleaning
from unpuzzle_cli.conformance.laws.exchange import Reply, Request
from unpuzzle_cli.conformance.people import Person as Sender
from unpuzzle_cli.conformance.wire import Left, Wire


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

    def test_what_it_published_and_began_to_pay_is_withdrawn_before_the_account_goes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A course that somebody has taken can't be deleted: it is told, and in no catalogue."""
        sent: list[str] = []
        course = "/edu/api/v1/instructor/courses/c/"

        def answer(request: Request) -> Reply:
            sent.append(f"{request.method} {urlsplit(request.url).path}")
            return Reply(409 if sent[-1] == f"DELETE {course}" else 200, content=b'{"access_token": "one", "user": {}}')

        for place in ("people", "cleaning"):
            monkeypatch.setattr(f"unpuzzle_cli.conformance.{place}.send", answer)
        person = Sender("http://host/edu", "a@example.com", "password")
        wire, whose = Wire("http://host/edu", may_write=True), person.email
        wire.left = Left(
            things=[(whose, course)] * 2, published=[(whose, "c")] * 2, intents=[(whose, "pay")], subscribers=[whose, whose]
        )
        notes: list[str] = []
        assert Cleaning(wire, [person], [person], notes).run(interrupted=False) is None
        assert [line for line in sent if "signin" not in line] == [
            f"POST {course}archive/",
            "POST /edu/api/v1/payments/intents/pay/cancel/",
            "POST /edu/api/v1/subscriptions/current/cancel/",
            f"DELETE {course}",
            "DELETE /edu/api/v1/auth/account/",
        ]
        assert notes == [
            "The subscription of a@example.com is cancelled, and ends with what is paid for.",
            "/api/v1/instructor/courses/c/ stays, as something else needs it.",
        ]

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

    def test_a_body_that_may_be_left_out_is_not_malformed_where_it_is(
        self, server: Server, instructor: Person, tmp_path: Path
    ) -> None:
        """What the contract's example names costs something: it is refused for that, and may be."""
        priced, renamed = instructor.published_course(price=30), "UPDATE courses SET slug = %s WHERE id = %s"
        server.sql(renamed, "introduction-to-python-programming", priced["id"])
        try:
            end = ended(tmp_path, "--base-url", server.base_url, "--profile", "full", "--yes", *including("enrollments.enroll"))
        finally:
            server.sql(renamed, priced["slug"], priced["id"])
        assert end.code == 0, end.out
        (enroll,) = end.report["operations"]
        assert enroll["seen"]["402"] > 0

    def test_it_does_not_write_before_somebody_has_said_yes(self, server: Server, tmp_path: Path) -> None:
        end = ended(tmp_path, "--base-url", server.base_url, "--profile", "full")
        assert end.code == errors.USAGE
        assert "--yes" in end.told
