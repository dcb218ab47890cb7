"""Changing, cancelling and resuming; what is due and not paid; and plans that admins give."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from stripes import client
from subscribers import CURRENT, FAILING, Subscriber

from harness import Api, Person, code_of, in_parallel


def grant(admin: Person, person: Person, **body: Any) -> Any:
    return admin.put(f"/api/v1/admin/users/{person.id}/plan/", json=body)


@pytest.fixture
def admin(api: Api) -> Person:
    return api.sign_up_admin()


@pytest.fixture
def premium(subscriber: Subscriber) -> Subscriber:
    assert subscriber.subscribe().status_code == 201
    return subscriber


def days_left(current: dict[str, Any], now: datetime) -> float:
    return (datetime.fromisoformat(current["current_period_end"]) - now) / timedelta(days=1)


def test_a_larger_plan_begins_at_once_and_the_difference_is_charged(premium: Subscriber) -> None:
    premium.pass_time(days=10)
    changed = premium.change("enterprise")
    assert changed.status_code == 200, changed.text
    current = changed.json()
    assert (current["plan"], current["price"]["amount"], current["next_plan"]) == ("enterprise", 99, None)
    assert premium.plan() == ("enterprise", None)
    newest = premium.invoices()[0]
    assert newest["reason"] == "subscription_update"
    assert 0 < newest["amount_paid"] < 99 - 19
    assert premium.charged() == round(sum(invoice["amount_paid"] for invoice in premium.invoices()) * 100)


def test_a_smaller_plan_begins_when_the_period_ends(subscriber: Subscriber) -> None:
    subscriber.subscribe("enterprise")
    current = subscriber.change("premium").json()
    assert (current["plan"], current["next_plan"], current["next_interval"]) == ("enterprise", "premium", "month")
    assert (subscriber.plan(), subscriber.charged()) == (("enterprise", None), 9900)
    subscriber.pass_time(days=32)
    subscriber.advance()
    subscriber.hear()
    assert subscriber.plan() == ("premium", 50)
    current = subscriber.current()
    assert (current["next_plan"], current["price"]["amount"], subscriber.charged()) == (None, 19, 9900 + 1900)


def test_what_was_to_change_is_taken_back_or_changed_again(subscriber: Subscriber) -> None:
    subscriber.subscribe("enterprise", interval="year")
    assert subscriber.change("premium").json()["next_plan"] == "premium"
    monthly = subscriber.change("enterprise", interval="month").json()
    assert (monthly["next_plan"], monthly["next_interval"]) == ("enterprise", "month")
    stays = subscriber.change("enterprise", interval="year").json()
    assert (stays["next_plan"], stays["next_interval"]) == (None, None)
    subscriber.pass_time(days=366)
    subscriber.advance()
    subscriber.hear()
    assert (subscriber.current()["interval"], subscriber.charged()) == ("year", 2 * 99000)


def test_a_year_instead_of_a_month_begins_at_once(premium: Subscriber) -> None:
    current = premium.change("premium", interval="year").json()
    assert (current["interval"], current["price"]["amount"]) == ("year", 190)
    assert days_left(current, premium.api.server.clock.now()) > 360
    assert 19000 <= premium.charged() <= 19000 + 1900


def test_in_a_trial_every_change_is_at_once_and_costs_nothing(subscriber: Subscriber) -> None:
    subscriber.subscribe("enterprise", trial=True)
    current = subscriber.change("premium", interval="year").json()
    assert (current["plan"], current["interval"], current["status"], current["next_plan"]) == (
        "premium",
        "year",
        "trialing",
        None,
    )
    assert subscriber.charged() == 0
    subscriber.pass_time(days=15)
    subscriber.advance()
    subscriber.hear()
    assert subscriber.charged() == 19000


def test_a_change_that_can_not_be_paid_is_none(premium: Subscriber) -> None:
    premium.charges_fail()
    refused = premium.change("enterprise")
    assert (refused.status_code, code_of(refused)) == (402, "PAYMENT_FAILED")
    current = premium.current()
    assert (current["plan"], current["status"], premium.charged()) == ("premium", "active", 1900)


def test_a_change_that_is_declined_takes_back_nothing(subscriber: Subscriber) -> None:
    subscriber.subscribe("premium", interval="year")
    subscriber.change("premium", interval="month")
    subscriber.charges_fail()
    assert code_of(subscriber.change("enterprise", interval="year")) == "PAYMENT_FAILED"
    current = subscriber.current()
    assert (current["plan"], current["next_plan"], current["next_interval"]) == ("premium", "premium", "month")


class TestUnheard:
    """What Stripe has done and nobody here has been told is asked for before anything is decided."""

    def test_one_that_has_ended_is_not_changed(self, premium: Subscriber) -> None:
        client(premium.api.server).subscriptions.cancel(premium.current()["subscription_id"])
        assert (premium.change("enterprise").status_code, premium.plan()) == (409, ("free", 3))

    def test_one_that_has_become_smaller_becomes_larger_again(self, subscriber: Subscriber) -> None:
        subscriber.subscribe("enterprise")
        subscriber.change("premium")
        subscriber.pass_time(days=32)
        subscriber.advance()
        assert subscriber.change("enterprise").json()["plan"] == "enterprise"
        assert subscriber.charged() > 9900 + 1900

    def test_one_whose_renewal_failed_ends_at_once(self, premium: Subscriber) -> None:
        premium.charges_fail()
        premium.pass_time(days=32)
        premium.advance()
        assert premium.cancel().json()["plan"] == "free"
        assert [invoice["status"] for invoice in premium.invoices()] == ["void", "paid"]

    def test_what_is_due_is_paid_before_anything_changes(self, premium: Subscriber) -> None:
        premium.charges_fail()
        premium.pass_time(days=32)
        premium.advance()
        assert premium.change("enterprise").status_code == 409
        assert premium.pay_with("pm_card_visa").json()["status"] == "active"
        assert premium.charged() == 3800


def test_a_cancelled_subscription_goes_on_to_its_end(premium: Subscriber) -> None:
    leaving = premium.cancel(feedback="too_expensive", comment="I learn slowly").json()
    assert leaving["cancel_at"] == leaving["current_period_end"]
    assert premium.cancel().json() == leaving
    at_stripe = client(premium.api.server).subscriptions.retrieve(leaving["subscription_id"])
    assert at_stripe.cancellation_details.feedback == "too_expensive"
    assert premium.plan() == ("premium", 50)
    refused = premium.change("enterprise")
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    premium.pass_time(days=32)
    premium.advance()
    premium.hear()
    assert (premium.plan(), premium.charged()) == (("free", 3), 1900)
    assert premium.resume().status_code == 409


def test_a_cancellation_is_taken_back(premium: Subscriber) -> None:
    assert premium.resume().json()["cancel_at"] is None
    premium.cancel()
    assert premium.resume().json()["cancel_at"] is None
    premium.pass_time(days=32)
    premium.advance()
    premium.hear()
    assert (premium.plan(), premium.charged()) == (("premium", 50), 3800)


def test_cancelling_drops_what_was_to_change(subscriber: Subscriber) -> None:
    subscriber.subscribe("enterprise")
    subscriber.change("premium")
    leaving = subscriber.cancel().json()
    assert (leaving["next_plan"], leaving["cancel_at"]) == (None, leaving["current_period_end"])


def test_one_that_was_never_paid_is_cancelled_at_once(subscriber: Subscriber) -> None:
    subscriber.subscribe(method=FAILING)
    assert subscriber.cancel().json()["status"] == "active"  # the free plan's
    assert subscriber.current()["subscription_id"] is None


def test_a_renewal_that_fails_keeps_the_plan_for_a_week_and_then_ends_it(premium: Subscriber) -> None:
    premium.charges_fail()
    premium.pass_time(days=32)
    premium.advance()
    premium.hear()
    current = premium.current()
    assert (current["status"], current["plan"], premium.plan()) == ("past_due", "premium", ("premium", 50))
    assert [invoice["status"] for invoice in premium.invoices()] == ["open", "paid"]
    assert [invoice["status"] for invoice in premium.invoices(status="open")] == ["open"]
    refused = premium.change("enterprise")
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    premium.pass_time(days=8)
    premium.advance()
    premium.hear()
    assert (premium.plan(), premium.charged()) == (("free", 3), 1900)
    titles = [
        item["title"] for item in premium.person.get("/api/v1/notifications/", params={"type": "payment"}).json()["results"]
    ]
    assert titles.count("Payment failed") == titles.count("Subscription ended") == titles.count("Payment received") == 1


def test_what_is_due_is_paid_with_another_method(premium: Subscriber) -> None:
    premium.charges_fail()
    premium.pass_time(days=32)
    premium.advance()
    premium.hear()
    refused = premium.pay_with(FAILING)
    assert (refused.status_code, code_of(refused)) == (402, "PAYMENT_FAILED")
    paid = premium.pay_with("pm_card_mastercard").json()
    assert (paid["status"], paid["card"]["brand"]) == ("active", "mastercard")
    assert premium.charged() == 3800
    premium.pass_time(days=32)
    premium.advance()
    premium.hear()
    assert (premium.current()["status"], premium.charged()) == ("active", 5700)


def test_what_is_due_may_need_an_action_of_the_payer(premium: Subscriber) -> None:
    premium.charges_fail()
    premium.pass_time(days=32)
    premium.advance()
    premium.hear()
    asked = premium.pay_with("pm_card_authenticationRequired", return_url="https://app.unpuzzle.com/paid")
    assert (asked.status_code, asked.json()["status"]) == (200, "past_due")
    assert asked.json()["client_secret"]
    assert asked.json()["next_action_url"]
    assert premium.charged() == 1900


def test_what_is_due_need_not_be_paid_by_who_cancels(premium: Subscriber) -> None:
    premium.charges_fail()
    premium.pass_time(days=32)
    premium.advance()
    premium.hear()
    assert premium.cancel().json()["plan"] == "free"
    assert [invoice["status"] for invoice in premium.invoices()] == ["void", "paid"]
    premium.pass_time(days=8)
    assert premium.charged() == 1900


def test_an_admin_gives_a_plan_with_limits_of_its_own(admin: Person, subscriber: Subscriber) -> None:
    given = grant(admin, subscriber.person, plan="enterprise", daily_limit=500)
    assert given.json()["limits"] == {"daily_limit": 500, "monthly_limit": None}
    current = subscriber.current()
    assert (current["plan"], current["source"], current["limits"]["daily_limit"]) == ("enterprise", "grant", 500)
    assert subscriber.plan() == ("enterprise", 500)
    assert grant(admin, subscriber.person, plan="premium", daily_limit=None).json()["limits"] == {
        "daily_limit": None, "monthly_limit": 1500,
    }  # fmt: skip
    assert grant(admin, subscriber.person, plan="premium").json()["limits"] == {"daily_limit": 50, "monthly_limit": 1500}
    assert grant(admin, subscriber.person, plan="free").json()["plan"] == "free"
    assert subscriber.plan() == ("free", 3)


def test_the_larger_of_what_is_paid_and_what_is_given_holds(admin: Person, premium: Subscriber) -> None:
    grant(admin, premium.person, plan="enterprise", daily_limit=9)
    current = premium.current()
    assert (current["plan"], current["source"], current["subscribed_plan"]) == ("enterprise", "grant", "premium")
    grant(admin, premium.person, plan="premium", daily_limit=99)
    assert premium.plan() == ("premium", 99)
    premium.change("enterprise")
    assert premium.plan() == ("enterprise", None)


def test_what_was_given_ends_when_it_says(admin: Person, subscriber: Subscriber) -> None:
    until = (subscriber.api.server.clock.now() + timedelta(days=1)).isoformat()
    assert grant(admin, subscriber.person, plan="premium", valid_until=until).json()["valid_until"]
    assert subscriber.plan() == ("premium", 50)
    subscriber.pass_time(days=1, minutes=1)
    assert subscriber.plan() == ("free", 3)


def test_only_admins_give_plans_and_only_to_somebody(admin: Person, api: Api, subscriber: Subscriber) -> None:
    assert code_of(grant(subscriber.person, subscriber.person, plan="premium")) == "PERMISSION_DENIED"
    nobody = admin.put("/api/v1/admin/users/4f1c1a0e-3f7e-4e57-9c4e-1f0b8f5a7f10/plan/", json={"plan": "premium"})
    assert (nobody.status_code, code_of(nobody)) == (404, "NOT_FOUND")
    for moment in ("2026-02-30T00:00:00Z", "9999-12-31T23:59:59-23:59"):
        refused = grant(admin, subscriber.person, plan="premium", valid_until=moment)
        assert refused.status_code == 422, refused.text


def test_the_payment_method_of_somebody_else_is_refused(premium: Subscriber, api: Api) -> None:
    other = Subscriber(api.sign_up())
    other.subscribe()
    theirs = client(api.server).payment_methods.list({"customer": other.customer()}).data[0].id
    refused = premium.pay_with(theirs)
    assert (refused.status_code, code_of(refused)) == (402, "PAYMENT_FAILED")
    assert premium.person.get(CURRENT).json()["status"] == "active"


def last4_at_stripe(subscriber: Subscriber) -> Any:
    kept = client(subscriber.api.server).customers.retrieve(
        subscriber.customer(), {"expand": ["invoice_settings.default_payment_method"]}
    )
    return kept.invoice_settings.default_payment_method.card.last4


def test_the_card_that_is_shown_is_the_one_that_is_charged(premium: Subscriber) -> None:
    premium.charges_fail()  # kept at Stripe, by somebody whose request has not come to its end here
    assert code_of(premium.change("enterprise")) == "PAYMENT_FAILED"
    assert (premium.current()["card"]["last4"], last4_at_stripe(premium)) == ("0341", "0341")


def test_of_two_cards_at_once_the_one_that_is_charged_is_shown(premium: Subscriber) -> None:
    def paying(method: str) -> Any:
        body, headers = {"payment_method_id": method}, premium.person.headers
        return lambda caller: caller.put(f"{CURRENT}payment-method/", json=body, headers=headers).status_code

    for _ in range(5):
        assert in_parallel(premium.api.server, [paying("pm_card_mastercard"), paying("pm_card_amex")]) == [200, 200]
        assert premium.current()["card"]["last4"] == last4_at_stripe(premium)
