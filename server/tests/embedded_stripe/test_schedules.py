"""Schedules: a change that waits for the end of the period, taken back, or gone with its subscription."""

from typing import Any

import pytest
import stripe

from .test_payments import refused
from .test_subscriptions import Shop, item_of, length, shop

__all__ = ["shop"]  # the fixture

DAY = 86400


def planned(shop: Shop, subscription: stripe.Subscription, price: str, interval: str = "month") -> Any:
    """A schedule that changes to the price when the period ends."""
    schedules = shop.client.v1.subscription_schedules
    schedule = schedules.create({"from_subscription": subscription.id})
    now = schedule.phases[0]
    phases: Any = [
        {"items": [{"price": now["items"][0].price}], "start_date": now.start_date, "end_date": now.end_date},
        {"items": [{"price": price}], "duration": {"interval": interval}, "proration_behavior": "none"},
    ]
    return schedules.update(schedule.id, {"phases": phases, "end_behavior": "release"})


def test_the_next_period_begins_with_what_was_planned_and_then_the_schedule_lets_go(shop: Shop) -> None:
    dear, cheap = shop.price(3000), shop.price(1000)
    subscription = shop.subscribe(shop.customer(), dear)
    schedule = planned(shop, subscription, cheap)
    assert (schedule.status, len(schedule.phases), schedule.phases[1].start_date) == (
        "active", 2, item_of(subscription).current_period_end,
    )  # fmt: skip
    held = shop.now(subscription)
    assert (held.schedule, item_of(held).price.id, held.latest_invoice.total) == (schedule.id, dear, 3000)
    shop.pass_until(item_of(subscription).current_period_end)
    changed = shop.now(subscription)
    assert (item_of(changed).price.id, item_of(changed).id, changed.latest_invoice.total) == (cheap, item_of(held).id, 1000)
    shop.pass_until(item_of(changed).current_period_end)
    later = shop.now(subscription)
    assert (later.schedule, item_of(later).price.id, later.latest_invoice.total) == (None, cheap, 1000)
    schedule = shop.client.v1.subscription_schedules.retrieve(schedule.id)
    assert (schedule.status, schedule.released_subscription) == ("released", subscription.id)


def test_a_year_gives_way_to_a_month_at_its_end(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(20000, "year"))
    ending = item_of(subscription).current_period_end
    planned(shop, subscription, shop.price(2000))
    shop.pass_until(ending)
    changed = shop.now(subscription)
    assert (item_of(changed).current_period_start, changed.latest_invoice.total) == (ending, 2000)
    assert 28 * DAY <= length(changed) <= 31 * DAY


def test_what_was_planned_is_taken_back(shop: Shop) -> None:
    dear = shop.price(3000)
    subscription = shop.subscribe(shop.customer(), dear)
    schedule = planned(shop, subscription, shop.price(1000))
    released = shop.client.v1.subscription_schedules.release(schedule.id)
    assert (released.status, released.subscription) == ("released", None)
    assert shop.now(subscription).schedule is None
    shop.pass_until(item_of(subscription).current_period_end)
    assert shop.now(subscription).latest_invoice.total == 3000
    assert refused(lambda: shop.client.v1.subscription_schedules.release(schedule.id)).http_status == 400


def test_a_schedule_goes_with_its_subscription(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(3000))
    schedule = planned(shop, subscription, shop.price(1000))
    shop.client.v1.subscriptions.cancel(subscription.id)
    assert shop.client.v1.subscription_schedules.retrieve(schedule.id).status == "canceled"
    assert (
        refused(lambda: shop.client.v1.subscription_schedules.create({"from_subscription": subscription.id})).http_status == 400
    )


def test_a_scheduled_subscription_is_not_canceled_behind_its_schedule(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(3000))
    schedule = planned(shop, subscription, shop.price(1000))
    update = shop.client.v1.subscriptions.update
    assert schedule.id in str(refused(lambda: update(subscription.id, {"cancel_at_period_end": True})))
    again = refused(lambda: shop.client.v1.subscription_schedules.create({"from_subscription": subscription.id}))
    assert schedule.id in str(again)


@pytest.mark.parametrize(
    ("phases", "param"),
    [
        ([], "phases"),
        ([{"duration": {"interval": "month"}}], "phases[0][items]"),
        ([{"items": [{"price": "price_none"}], "duration": {"interval": "month"}}], "phases[0][items][0][price]"),
        ([{"items": [{"quantity": 2}], "duration": {"interval": "month"}}], "phases[0][items][0][price]"),
        ([{"items": ["own"]}], "phases[0][end_date]"),
        ([{"items": ["own"], "start_date": 5, "end_date": 9}], "phases[0][start_date]"),
        ([{"items": ["own"], "end_date": 9}], "phases[0][end_date]"),
        ([{"items": ["own"], "duration": {"interval": "eon"}}], "phases[0][duration][interval]"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(shop: Shop, phases: list[Any], param: str) -> None:
    price = shop.price(3000)
    subscription = shop.subscribe(shop.customer(), price)
    schedule = shop.client.v1.subscription_schedules.create({"from_subscription": subscription.id})
    own = {"items": [{"price": price}]}
    given: Any = [{**phase, **(own if phase.get("items") == ["own"] else {})} for phase in phases]
    error = refused(lambda: shop.client.v1.subscription_schedules.update(schedule.id, {"phases": given or ""}))
    assert (error.http_status, error.param) == (400, param)
    assert shop.client.v1.subscription_schedules.retrieve(schedule.id).phases == schedule.phases
