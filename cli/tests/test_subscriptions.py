"""Subscribing from the command line, on the real server."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness import Person, Server


@pytest.fixture
def environment(environment: dict[str, str], server: Server, learner: Person) -> dict[str, str]:
    return {**environment, "UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_TOKEN": learner.tokens["access_token"]}


def test_a_plan_is_chosen_paid_and_cancelled(unpuzzle: Any) -> None:
    plans = unpuzzle("subscriptions", "list-plans", "--fields", "plan,limits.daily_limit")
    assert plans.stdout == "free\t3\npremium\t50\nenterprise\t\n"
    asked = ("subscriptions", "create", "--plan", "premium", "--payment-method-id")
    declined = unpuzzle(*asked, "pm_card_chargeCustomerFail")
    assert declined.returncode == 1
    assert "unpuzzle subscriptions update-payment-method --payment-method-id pm_…" in declined.stderr
    made = unpuzzle(*asked, "pm_card_visa", "--fields", "plan,status")
    assert made.stdout == "plan\tpremium\nstatus\tactive\n"
    leaving = json.loads(unpuzzle("subscriptions", "cancel", "--feedback", "unused", "--json").stdout)
    assert leaving["cancel_at"] == leaving["current_period_end"]
    invoices = unpuzzle("subscriptions", "list-invoices", "--fields", "reason,amount_paid,refunded_amount,currency")
    assert invoices.stdout == "subscription_create\t19\t0\tUSD\n"


def test_a_receipt_is_saved_to_print(unpuzzle: Any, instructor: Person, tmp_path: Path) -> None:
    course = instructor.published_course(price=49.99)
    unpuzzle("enrollments", "enroll", course["slug"], "--payment-method-id", "pm_card_visa")
    payment = unpuzzle("payments", "list-history", "--fields", "payment_id").stdout.strip()
    saved = unpuzzle("payments", "download-receipt", payment, "--output", str(tmp_path / "receipt.pdf"))
    assert saved.returncode == 0, saved.stderr
    assert (tmp_path / "receipt.pdf").read_bytes().startswith(b"%PDF-")
