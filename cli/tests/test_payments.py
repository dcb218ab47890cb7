"""Buying a course from the command line, on the real server."""

import json
from typing import Any

import pytest

from harness import Person, Server


@pytest.fixture
def environment(environment: dict[str, str], server: Server, learner: Person) -> dict[str, str]:
    return {**environment, "UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_TOKEN": learner.tokens["access_token"]}


def begun(unpuzzle: Any, instructor: Person) -> str:
    course = instructor.published_course(price=12.5)
    made = unpuzzle("payments", "create-intent", "--course-id", course["id"], "--json")
    payment: str = json.loads(made.stdout)["payment_id"]
    return payment


def test_a_payment_is_followed_to_its_end(unpuzzle: Any, instructor: Person) -> None:
    payment = begun(unpuzzle, instructor)
    waited = unpuzzle("payments", "watch", payment, "--timeout", "1")
    assert (waited.returncode, waited.stdout) == (1, f"{payment}\trequires_payment_method\t12.5 USD\n")
    assert f"unpuzzle payments watch {payment}" in waited.stderr
    paid = unpuzzle("payments", "confirm-intent", payment, "--payment-method-id", "pm_card_visa", "--fields", "status")
    assert paid.stdout == "status\tsucceeded\n"
    followed = unpuzzle("payments", "watch", payment)
    assert (followed.returncode, followed.stdout) == (0, f"{payment}\tsucceeded\t12.5 USD\n")


def test_a_declined_card_ends_with_what_to_type_next(unpuzzle: Any, instructor: Person) -> None:
    payment = begun(unpuzzle, instructor)
    declined = unpuzzle("payments", "confirm-intent", payment, "--payment-method-id", "pm_card_chargeDeclined")
    assert (declined.returncode, "unpuzzle payments confirm-intent" in declined.stderr) == (1, True)
    followed = unpuzzle("payments", "watch", payment)
    assert (followed.returncode, followed.stdout) == (1, f"{payment}\tfailed\t12.5 USD\n")
    assert "generic_decline" in followed.stderr


def test_what_is_bought_stands_in_the_history(unpuzzle: Any, instructor: Person) -> None:
    course = instructor.published_course(price=49.99)
    refused = unpuzzle("enrollments", "enroll", course["slug"])
    assert (refused.returncode, "unpuzzle payments confirm-intent pay_" in refused.stderr) == (1, True)
    taken = unpuzzle("enrollments", "enroll", course["slug"], "--payment-method-id", "pm_card_visa")
    assert taken.returncode == 0, taken.stderr
    listed = unpuzzle("payments", "list-history", "--fields", "amount,status")
    assert listed.stdout == "49.99\tsucceeded\n"
