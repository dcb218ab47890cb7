"""The laws about who asks, how often, and what is kept: each lets a good answer pass, and one that is broken on purpose fails."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from unpuzzle_cli.conformance.laws import caching, codes, conditions, deletion, repetition, roles, services
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, FEW, Exchange, Reply, Request

OPERATIONS = {operation.id: operation for operation in CONTRACT.operations}
URL = "http://server/"
DONE = Reply(200, {"content-type": "application/json"}, b"{}")
REPLAYED = replace(DONE, headers={**DONE.headers, "idempotency-replayed": "true"})


def exchange(name: str, reply: Reply = DONE, again: Reply = DONE, **more: Any) -> Exchange:
    """Whose every further request gets the same answer."""
    operation = OPERATIONS[name]
    headers = {"Authorization": "Bearer one", "idempotency-key": "a-key"}
    request = Request(operation.method.upper(), URL, headers, b"{}")
    return Exchange(operation, request, reply, lambda _: again, **more)


def refusal(status: int, code: Any) -> Reply:
    return Reply(status, {"content-type": "application/json"}, json.dumps({"error": {"code": code}}).encode())


class TestCodes:
    @pytest.mark.parametrize(
        ("name", "status", "code"),
        [
            ("courses.get", 404, "COURSE_NOT_FOUND"),
            ("courses.get", 404, "NOT_FOUND"),
            ("courses.get", 422, "VALIDATION_ERROR"),
            ("courses.get", 401, "AUTH_INVALID_TOKEN"),
            ("courses.get", 418, "a code that the schema does not know"),
        ],
    )
    def test_what_the_operation_has_passes(self, name: str, status: int, code: str) -> None:
        codes(exchange(name, refusal(status, code)))

    def test_the_status_of_another_code_is_found(self) -> None:
        with pytest.raises(AssertionError, match="COURSE_NOT_FOUND is answered with 403, not 404"):
            codes(exchange("courses.get", refusal(403, "COURSE_NOT_FOUND")))

    def test_the_code_of_another_operation_is_found(self) -> None:
        with pytest.raises(AssertionError, match=r"courses\.get does not have the error REFUND_TOO_LARGE"):
            codes(exchange("courses.get", refusal(CONTRACT.statuses["REFUND_TOO_LARGE"], "REFUND_TOO_LARGE")))


class TestCaching:
    @pytest.mark.parametrize(
        ("name", "status", "told"),
        [("courses.get", 200, "no-cache"), ("courses.get", 404, "no-store"), ("auth.list_api_keys", 200, "no-store")],
    )
    def test_what_may_be_kept_is_what_has_a_tag(self, name: str, status: int, told: str) -> None:
        caching(exchange(name, Reply(status, {"cache-control": told})))
        other = {"no-cache": "no-store", "no-store": "no-cache"}[told]
        with pytest.raises(AssertionError, match=f"Cache-Control is {other}, not {told}"):
            caching(exchange(name, Reply(status, {"cache-control": other})))


class TestServices:
    def test_what_nobody_has_signed_is_not_taken(self) -> None:
        services(exchange("payments.receive_webhook", refusal(400, "INVALID_SIGNATURE")))
        services(exchange("courses.get"))
        with pytest.raises(AssertionError, match="taken from somebody"):
            services(exchange("payments.receive_webhook"))


class TestRoles:
    @pytest.mark.parametrize("known", [None, frozenset({"admin"}), frozenset({"student", "instructor"})])
    def test_whoever_has_the_role_may(self, known: frozenset[str] | None) -> None:
        roles(exchange("courses.list_own", roles=known))

    def test_whoever_does_not_may_not(self) -> None:
        roles(exchange("courses.list_own", refusal(403, "PERMISSION_DENIED"), roles=frozenset({"student"})))
        roles(exchange("enrollments.list", roles=frozenset({"student"})))
        with pytest.raises(AssertionError, match="it needs the role instructor, and was done for student"):
            roles(exchange("courses.list_own", roles=frozenset({"student"})))

    def test_a_learner_is_refused(self) -> None:
        roles(exchange("courses.list_own", again=refusal(403, "PERMISSION_DENIED"), learner=lambda: "Bearer two"))
        with pytest.raises(AssertionError, match="a learner gets 200"):
            roles(exchange("courses.list_own", learner=lambda: "Bearer two"))


class TestRepetition:
    def test_what_is_replayed_passes(self) -> None:
        repetition(exchange("courses.create", again=REPLAYED))
        repetition(exchange("courses.create", refusal(409, "CONFLICT")))
        repetition(exchange("auth.sign_in"))

    @pytest.mark.parametrize(
        ("again", "because"),
        [
            (replace(REPLAYED, content=b'{"id": 2}'), "sent again, it is answered otherwise"),
            (DONE, "Idempotency-Replayed is not true"),
            (refusal(409, "CONFLICT"), "answered otherwise"),
        ],
    )
    def test_what_is_done_twice_is_found(self, again: Reply, because: str) -> None:
        with pytest.raises(AssertionError, match=because):
            repetition(exchange("courses.create", again=again))


class TestDeletion:
    DELETED = Reply(204)

    def test_what_is_gone_passes(self) -> None:
        deletion(exchange("courses.delete", self.DELETED, refusal(404, "COURSE_NOT_FOUND")))
        deletion(exchange("learning.reopen_lesson", self.DELETED))
        deletion(exchange("courses.delete", refusal(404, "COURSE_NOT_FOUND")))

    @pytest.mark.parametrize(("name", "method"), [("courses.delete", "GET"), ("notifications.delete", "DELETE")])
    def test_what_is_there_still_is_found(self, name: str, method: str) -> None:
        with pytest.raises(AssertionError, match=f"after it was deleted, {method} of it is 200"):
            deletion(exchange(name, self.DELETED))


class TestConditions:
    def test_what_is_refused_passes(self) -> None:
        conditions(exchange("courses.update", again=refusal(412, "PRECONDITION_FAILED")))
        conditions(exchange("courses.delete"))
        conditions(exchange("courses.create"))

    def test_what_is_changed_unseen_is_found(self) -> None:
        with pytest.raises(AssertionError, match="it is 200, not 412"):
            conditions(exchange("courses.update"))


def test_what_costs_requests_is_held_against_the_first_few_answers() -> None:
    asked: Counter[tuple[str, str]] = Counter()
    held = [exchange("courses.update", asked=asked).is_rare("conditions") for _ in range(FEW + 2)]
    assert held == [*[True] * FEW, False, False]
    assert exchange("courses.create", asked=asked).is_rare("conditions")
