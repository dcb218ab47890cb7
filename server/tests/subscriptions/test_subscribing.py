"""Subscribing: one subscription and one charge, however it comes about."""

from typing import Any

import httpx
import pytest
from stripes import client
from subscribers import CURRENT, FAILING, SUBSCRIPTIONS, Subscriber

from harness import Api, code_of, in_parallel, running_server
from postman import Postman


def test_the_plans_say_what_they_allow_and_cost(api: Api) -> None:
    page = api.get(f"{SUBSCRIPTIONS}plans/").json()
    assert [plan["plan"] for plan in page["results"]] == ["free", "premium", "enterprise"]
    free, premium, enterprise = page["results"]
    assert (free["limits"], free["prices"], free["trial_days"]) == ({"daily_limit": 3, "monthly_limit": 90}, [], 0)
    assert premium["limits"] == {"daily_limit": 50, "monthly_limit": 1500}
    assert [(price["interval"], price["amount"], price["currency"]) for price in premium["prices"]] == [
        ("month", 19, "USD"), ("year", 190, "USD"),
    ]  # fmt: skip
    assert enterprise["limits"] == {"daily_limit": None, "monthly_limit": None}
    second = api.get(f"{SUBSCRIPTIONS}plans/", params={"page": 2, "page_size": 1}).json()
    assert ([plan["plan"] for plan in second["results"]], second["count"]) == (["premium"], 3)


def test_the_deployment_says_what_plans_cost(postgres: str) -> None:
    settings: dict[str, Any] = {"plan_prices": (("premium", "1000", "9000"), ("enterprise", "5000", "50000"))}
    with running_server(postgres, plan_currency="JPY", trial_days=0, **settings) as server, Api(server) as api:
        _, premium, _ = api.get(f"{SUBSCRIPTIONS}plans/").json()["results"]
        assert (premium["prices"][0]["amount"], premium["prices"][0]["currency"], premium["trial_days"]) == (1000, "JPY", 0)
        subscriber = Subscriber(api.sign_up())
        assert subscriber.subscribe(trial=True).status_code == 409
        assert subscriber.subscribe().json()["price"] == {"amount": 1000, "currency": "JPY"}
        assert subscriber.charged() == 1000


def test_without_a_subscription_everybody_is_on_the_free_plan(subscriber: Subscriber) -> None:
    found = subscriber.person.get(CURRENT)
    current = found.json()
    assert (current["plan"], current["source"], current["status"], current["subscription_id"]) == ("free", "free", "active", None)
    assert current["limits"] == {"daily_limit": 3, "monthly_limit": 90}
    assert subscriber.person.get(CURRENT, headers={"If-None-Match": found.headers["ETag"]}).status_code == 304
    assert subscriber.invoices() == []
    for refused in (subscriber.change("premium"), subscriber.cancel(), subscriber.resume(), subscriber.pay_with("pm_card_visa")):
        assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")


def test_who_pays_has_the_plan_at_once(subscriber: Subscriber) -> None:
    made = subscriber.subscribe()
    assert made.status_code == 201, made.text
    current = made.json()
    assert (current["plan"], current["source"], current["status"], current["interval"]) == (
        "premium", "subscription", "active", "month",
    )  # fmt: skip
    assert current["price"] == {"amount": 19, "currency": "USD"}
    assert current["card"] == {"brand": "visa", "last4": "4242"}
    assert current["client_secret"] is current["next_action_url"] is current["cancel_at"] is None
    assert current["valid_until"] == current["current_period_end"] > current["current_period_start"]
    assert subscriber.plan() == ("premium", 50)
    assert subscriber.current() == current
    [invoice] = subscriber.invoices()
    assert (invoice["status"], invoice["total"], invoice["amount_paid"], invoice["reason"], invoice["plan"]) == (
        "paid", 19, 19, "subscription_create", "premium",
    )  # fmt: skip
    assert subscriber.charged() == 1900
    notifications = subscriber.person.get("/api/v1/notifications/", params={"type": "payment"}).json()["results"]
    assert {item["title"] for item in notifications} == {"Subscription started", "Payment received"}


def test_enterprise_by_the_year_has_no_limit(subscriber: Subscriber) -> None:
    current = subscriber.subscribe("enterprise", interval="year").json()
    assert (current["plan"], current["interval"], current["price"]["amount"]) == ("enterprise", "year", 990)
    assert current["limits"] == {"daily_limit": None, "monthly_limit": None}
    assert subscriber.plan() == ("enterprise", None)


def test_whoever_has_a_subscription_changes_it_instead(subscriber: Subscriber) -> None:
    subscriber.subscribe()
    refused = subscriber.subscribe("enterprise")
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert subscriber.charged() == 1900


@pytest.mark.parametrize(
    ("method", "code", "decline"),
    [
        (FAILING, "PAYMENT_FAILED", "generic_decline"),
        ("pm_card_chargeDeclined", "PAYMENT_FAILED", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "PAYMENT_INSUFFICIENT_FUNDS", "insufficient_funds"),
        ("pm_none_such", "PAYMENT_FAILED", "resource_missing"),
    ],
)
def test_a_card_that_is_declined_gives_no_plan_and_another_goes_on(
    subscriber: Subscriber, method: str, code: str, decline: str
) -> None:
    refused = subscriber.subscribe(method=method)
    assert (refused.status_code, code_of(refused), refused.json()["error"]["decline_code"]) == (402, code, decline)
    assert subscriber.plan() == ("free", 3)
    waiting = subscriber.current()
    assert (waiting["status"], waiting["plan"], waiting["subscribed_plan"]) == ("incomplete", "free", "premium")
    assert subscriber.subscribe().json()["status"] == "active"
    assert subscriber.charged() == 1900
    assert len(client(subscriber.api.server).subscriptions.list({"customer": subscriber.customer(), "status": "all"}).data) == 1


def test_who_has_to_authenticate_is_told_where(subscriber: Subscriber) -> None:
    made = subscriber.subscribe(method="pm_card_authenticationRequired", return_url="https://app.unpuzzle.com/subscribed")
    waiting = made.json()
    assert (made.status_code, waiting["status"], waiting["plan"]) == (201, "incomplete", "free")
    assert waiting["client_secret"].startswith("pi_")
    assert subscriber.current()["next_action_url"] == waiting["next_action_url"]
    assert httpx.post(waiting["next_action_url"], data={"answer": "complete"}).status_code == 303
    assert subscriber.current()["status"] == "active"  # nobody has waited for a webhook
    assert subscriber.plan() == ("premium", 50)
    assert subscriber.current()["client_secret"] is None


def test_another_plan_takes_the_place_of_one_that_waits(subscriber: Subscriber) -> None:
    first = subscriber.subscribe(method="pm_card_authenticationRequired").json()
    assert subscriber.subscribe("enterprise").json()["plan"] == "enterprise"
    assert subscriber.charged() == 9900
    at_stripe = client(subscriber.api.server).subscriptions
    assert at_stripe.retrieve(first["subscription_id"]).status in ("canceled", "incomplete_expired")


def test_one_that_waits_can_be_paid_with_another_method(subscriber: Subscriber) -> None:
    subscriber.subscribe(method=FAILING)
    assert subscriber.pay_with("pm_card_mastercard").json()["status"] == "active"
    assert subscriber.current()["card"]["brand"] == "mastercard"


def test_one_that_is_never_paid_expires(subscriber: Subscriber) -> None:
    subscriber.subscribe(method=FAILING)
    subscriber.pass_time(hours=23, minutes=1)
    again = subscriber.subscribe()
    assert (again.status_code, again.json()["status"], subscriber.charged()) == (201, "active", 1900)


def test_a_trial_costs_nothing_until_it_ends_and_is_had_once(subscriber: Subscriber) -> None:
    trying = subscriber.subscribe(trial=True).json()
    assert (trying["status"], trying["plan"], trying["trial_end"]) == ("trialing", "premium", trying["current_period_end"])
    assert (subscriber.plan(), subscriber.charged()) == (("premium", 50), 0)
    subscriber.pass_time(days=14, minutes=1)
    subscriber.advance()
    subscriber.hear()
    assert (subscriber.current()["status"], subscriber.charged()) == ("active", 1900)
    subscriber.cancel()
    subscriber.pass_time(days=32)
    subscriber.advance()
    subscriber.hear()
    assert subscriber.plan() == ("free", 3)
    refused = subscriber.subscribe(trial=True)
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert subscriber.subscribe().status_code == 201


def test_ten_who_subscribe_at_once_pay_once(subscriber: Subscriber) -> None:
    asked = {"plan": "premium", "payment_method_id": "pm_card_visa"}

    def act(caller: Api) -> int:
        return caller.post(SUBSCRIPTIONS, json=asked, headers=subscriber.person.headers).status_code

    answers = in_parallel(subscriber.api.server, [act] * 10)
    assert set(answers) <= {201, 409}
    assert 201 in answers
    assert subscriber.charged() == 1900
    assert len(client(subscriber.api.server).subscriptions.list({"customer": subscriber.customer(), "status": "all"}).data) == 1


def test_six_who_subscribe_to_both_plans_at_once_have_one_and_pay_for_it(subscriber: Subscriber) -> None:
    def asking(plan: str) -> Any:
        body = {"plan": plan, "payment_method_id": "pm_card_visa"}
        return lambda caller: caller.post(SUBSCRIPTIONS, json=body, headers=subscriber.person.headers).status_code

    answers = in_parallel(subscriber.api.server, [asking(plan) for plan in ("premium", "enterprise") * 3])
    assert set(answers) <= {201, 409, 503}
    current = subscriber.current()
    assert current["status"] == "active"
    assert subscriber.charged() == round(current["price"]["amount"] * 100)


def test_somebody_else_sees_nothing_of_it(api: Api, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    other = Subscriber(api.sign_up())
    assert (other.current()["plan"], other.invoices()) == ("free", [])
    assert code_of(api.get(CURRENT)) == "AUTH_REQUIRED"


def test_a_crash_before_stripe_has_heard_of_it_leaves_nothing(subscriber: Subscriber) -> None:
    server = subscriber.api.server
    reserve = """INSERT INTO subscriptions (user_id, plan, "interval", amount_minor, currency)
                 VALUES (%s, 'premium', 'month', 1900, 'USD') RETURNING id"""
    row = server.sql(reserve, subscriber.person.id)[0][0]
    Postman(server).place.enqueue("subscriptions.follow", subscription_id=str(row))
    assert Postman(server).deliver(str(row)) == ["subscriptions.follow"]
    assert server.sql("SELECT status FROM subscriptions WHERE id = %s", row) == [("incomplete_expired",)]
    assert subscriber.subscribe().status_code == 201


def test_a_crash_after_stripe_has_made_it_is_found_by_its_task(subscriber: Subscriber) -> None:
    subscriber.subscribe()
    server = subscriber.api.server
    forget = (
        "UPDATE subscriptions SET subscription = NULL, status = 'incomplete', last_word = NULL WHERE user_id = %s RETURNING id"
    )
    row = server.sql(forget, subscriber.person.id)[0][0]
    assert subscriber.plan() == ("free", 3)
    Postman(server).deliver(str(row))
    assert subscriber.plan() == ("premium", 50)
    assert subscriber.charged() == 1900
