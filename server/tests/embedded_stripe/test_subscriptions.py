"""Subscriptions on the one clock: begun, renewed, changed to the cent, failed, recovered and ended."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
import stripe

from stripe_world import Embedded
from unpuzzle_server.embedded_stripe.cycles import advance, period_end
from unpuzzle_server.embedded_stripe.subscriptions import share
from unpuzzle_server.kernel.database import Database

from .test_payments import VENDORS_WARNING, refused

DAY = 86400


@dataclass
class Shop:
    """A product with prices, and somebody to buy it."""

    embedded: Embedded
    client: stripe.StripeClient
    product: str

    def price(self, amount: int, interval: str = "month") -> str:
        recurring = {"interval": interval}
        given: Any = {"unit_amount": amount, "currency": "usd", "product": self.product, "recurring": recurring}
        return self.client.v1.prices.create(given).id

    def customer(self, method: str = "pm_card_visa") -> stripe.Customer:
        customer = self.client.v1.customers.create({"email": "ada@example.com"})
        kept = self.client.v1.payment_methods.attach(method, {"customer": customer.id})
        return self.client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": kept.id}})

    def subscribe(self, customer: stripe.Customer, price: str, **fields: Any) -> stripe.Subscription:
        given: Any = {"customer": customer.id, "items": [{"price": price}], "expand": ["latest_invoice"], **fields}
        return self.client.v1.subscriptions.create(given)

    def now(self, subscription: stripe.Subscription) -> stripe.Subscription:
        return self.client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice", "latest_invoice.payments"]})

    def change(self, subscription: stripe.Subscription, price: str, **fields: Any) -> stripe.Subscription:
        items = [{"id": item_of(subscription).id, "price": price}]
        given: Any = {"items": items, "expand": ["latest_invoice"], **fields}
        return self.client.v1.subscriptions.update(subscription.id, given)

    def intent(self, subscription: stripe.Subscription) -> str:
        payments = self.client.v1.invoice_payments.list({"invoice": self.now(subscription).latest_invoice.id})
        intent = payments.data[0].payment.payment_intent
        return str(intent)

    def charges_fail(self, customer: stripe.Customer, method: str = "pm_card_chargeCustomerFail") -> None:
        kept = self.client.v1.payment_methods.attach(method, {"customer": customer.id})
        self.client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": kept.id}})

    def pass_until(self, moment: int) -> None:
        self.embedded.pass_time(seconds=moment - self.embedded.clock.timestamp() + 1)


def item_of(subscription: stripe.Subscription) -> stripe.SubscriptionItem:
    item: stripe.SubscriptionItem = subscription["items"].data[0]
    return item


def length(subscription: stripe.Subscription) -> int:
    return item_of(subscription).current_period_end - item_of(subscription).current_period_start


@pytest.fixture
def shop(embedded: Embedded, client: stripe.StripeClient) -> Shop:
    return Shop(embedded, client, client.v1.products.create({"name": "Premium"}).id)


def test_a_price_is_found_by_its_key(shop: Shop) -> None:
    prices, key = shop.client.v1.prices, uuid4().hex
    recurring: Any = {"interval": "year"}
    given: Any = {"unit_amount": 9900, "currency": "usd", "product": shop.product, "recurring": recurring, "lookup_key": key}
    price = prices.create(given)
    assert [item.id for item in prices.list({"lookup_keys": [key]}).data] == [price.id]
    assert refused(lambda: prices.create(given)).code == "resource_already_exists"
    other = prices.create({**given, "transfer_lookup_key": True})
    assert [item.id for item in prices.list({"lookup_keys": [key]}).data] == [other.id]
    assert prices.retrieve(price.id, {"expand": ["product"]}).product.name == "Premium"
    assert prices.update(price.id, {"active": False, "metadata": {"a": "1"}}).active is False
    assert refused(lambda: shop.subscribe(shop.customer(), price.id)).http_status == 400
    assert [item.id for item in prices.list({"product": shop.product, "active": True}).data] == [other.id]


def test_a_subscription_begins_with_a_paid_invoice(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000), metadata={"user": "u1"})
    invoice = subscription.latest_invoice
    assert (subscription.status, subscription.metadata["user"], item_of(subscription).quantity) == ("active", "u1", 1)
    assert (invoice.status, invoice.total, invoice.amount_paid, invoice.billing_reason) == (
        "paid",
        1000,
        1000,
        "subscription_create",
    )
    assert invoice.lines.data[0].description == "1 × Premium (at $10.00 / month)"
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert shop.client.v1.payment_intents.retrieve(shop.intent(subscription)).status == "succeeded"
    assert shop.embedded.events(subscription) == ["customer.subscription.created", "customer.subscription.updated"]
    paid = ["invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"]
    assert shop.embedded.events(invoice) == paid
    assert [item.id for item in shop.client.v1.invoices.list({"subscription": subscription.id}).data] == [invoice.id]


def test_the_payer_confirms_the_first_invoice(shop: Shop) -> None:
    customer = shop.client.v1.customers.create()
    subscription = shop.subscribe(
        customer,
        shop.price(1500),
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        expand=["latest_invoice.confirmation_secret"],
    )
    secret = subscription.latest_invoice.confirmation_secret.client_secret
    assert (subscription.status, subscription.latest_invoice.status) == ("incomplete", "open")
    intent_id = secret.partition("_secret_")[0]
    paid = shop.client.v1.payment_intents.confirm(intent_id, {"payment_method": "pm_card_visa"})
    subscription = shop.now(subscription)
    assert (subscription.status, subscription.latest_invoice.status) == ("active", "paid")
    assert subscription.default_payment_method == paid.payment_method
    assert subscription.latest_invoice.payments.data[0].status == "paid"


def test_the_bank_asks_for_the_first_invoice(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer("pm_card_authenticationRequired"), shop.price(1000))
    assert subscription.status == "incomplete"
    intent = shop.client.v1.payment_intents.retrieve(shop.intent(subscription))
    httpx.post(intent.next_action.use_stripe_sdk["stripe_js"], data={"answer": "complete"})
    assert shop.now(subscription).status == "active"
    assert "invoice.payment_action_required" in shop.embedded.events(subscription.latest_invoice)


def test_a_first_payment_that_fails_leaves_what_was_asked_for(shop: Shop) -> None:
    customer = shop.customer("pm_card_chargeCustomerFail")
    price = shop.price(1000)
    assert shop.subscribe(customer, price).status == "incomplete"
    error = refused(lambda: shop.subscribe(customer, price, payment_behavior="error_if_incomplete"))
    assert (error.http_status, error.code) == (402, "card_declined")
    assert len(shop.client.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data) == 1
    nobody = shop.client.v1.customers.create()
    assert refused(lambda: shop.subscribe(nobody, price)).code == "resource_missing"


def test_a_subscription_that_is_never_paid_expires(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000), payment_behavior="default_incomplete")
    intent = shop.intent(subscription)
    shop.embedded.pass_time(hours=23, seconds=1)
    subscription = shop.now(subscription)
    assert (subscription.status, subscription.latest_invoice.status) == ("incomplete_expired", "void")
    assert shop.client.v1.payment_intents.retrieve(intent).status == "canceled"


def test_periods_follow_each_other(shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscribe(customer, shop.price(1000))
    ending = item_of(subscription).current_period_end
    shop.pass_until(ending)
    subscription = shop.now(subscription)
    invoice = subscription.latest_invoice
    assert (subscription.status, item_of(subscription).current_period_start) == ("active", ending)
    assert (invoice.status, invoice.billing_reason, invoice.created, invoice.amount_paid) == (
        "paid",
        "subscription_cycle",
        ending,
        1000,
    )
    shop.embedded.pass_time(days=70)
    subscription = shop.now(subscription)
    invoices = shop.client.v1.invoices.list({"customer": customer.id}).data
    assert len(invoices) in (4, 5)
    assert len({item.number for item in invoices}) == len(invoices)
    assert item_of(subscription).current_period_end > shop.embedded.clock.timestamp()


def test_a_trial_is_told_of_and_then_paid_for(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000), trial_period_days=7)
    assert (subscription.status, subscription.latest_invoice.total, length(subscription)) == ("trialing", 0, 7 * DAY)
    shop.embedded.pass_time(days=4, seconds=1)
    assert shop.now(subscription).status == "trialing"
    assert shop.embedded.events(subscription)[-1] == "customer.subscription.trial_will_end"
    shop.embedded.pass_time(days=3)
    ended = shop.now(subscription)
    assert (ended.status, ended.latest_invoice.amount_paid) == ("active", 1000)
    assert item_of(ended).current_period_start == subscription.trial_end


def test_a_trial_can_be_ended_now(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000), trial_period_days=7)
    shop.embedded.pass_time(days=1)
    subscription = shop.client.v1.subscriptions.update(subscription.id, {"trial_end": "now", "expand": ["latest_invoice"]})
    assert (subscription.status, subscription.latest_invoice.amount_paid) == ("active", 1000)


def test_a_renewal_that_fails_is_tried_three_times(shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscribe(customer, shop.price(1000))
    shop.charges_fail(customer)
    failed_at = item_of(subscription).current_period_end
    shop.pass_until(failed_at)
    attempts = []
    for day in (3, 5, 7):
        subscription = shop.now(subscription)
        assert (subscription.status, subscription.latest_invoice.status) == ("past_due", "open")
        assert subscription.latest_invoice.next_payment_attempt == failed_at + day * DAY
        attempts.append(subscription.latest_invoice.attempt_count)
        shop.pass_until(failed_at + day * DAY)
    subscription = shop.now(subscription)
    assert (attempts, subscription.latest_invoice.attempt_count) == ([1, 2, 3], 4)
    assert (subscription.status, subscription.cancellation_details.reason) == ("canceled", "payment_failed")
    assert shop.embedded.events(subscription)[-1] == "customer.subscription.deleted"
    assert shop.embedded.events(subscription.latest_invoice).count("invoice.payment_failed") == 4


@pytest.mark.parametrize("way", ["by itself", "by the payer", "by the intent"])
def test_a_renewal_that_failed_is_paid_after_all(shop: Shop, way: str) -> None:
    customer = shop.customer()
    subscription = shop.subscribe(customer, shop.price(1000))
    shop.charges_fail(customer)
    shop.pass_until(item_of(subscription).current_period_end)
    subscription = shop.now(subscription)
    assert subscription.status == "past_due"
    if way == "by itself":
        shop.charges_fail(customer, "pm_card_visa")
        shop.embedded.pass_time(days=3)
    elif way == "by the payer":
        paid = shop.client.v1.invoices.pay(subscription.latest_invoice.id, {"payment_method": "pm_card_mastercard"})
        assert paid.status == "paid"
        assert refused(lambda: shop.client.v1.invoices.pay(paid.id)).http_status == 400
    else:
        shop.client.v1.payment_intents.confirm(shop.intent(subscription), {"payment_method": "pm_card_visa"})
    subscription = shop.now(subscription)
    assert (subscription.status, subscription.latest_invoice.status) == ("active", "paid")
    assert subscription.latest_invoice.next_payment_attempt is None


def test_paying_with_a_card_that_is_declined_is_told(shop: Shop) -> None:
    customer = shop.customer("pm_card_chargeCustomerFail")
    subscription = shop.subscribe(customer, shop.price(1000))
    error = refused(lambda: shop.client.v1.invoices.pay(subscription.latest_invoice.id))
    assert (error.http_status, error.code) == (402, "card_declined")
    assert shop.now(subscription).latest_invoice.attempt_count == 2


def test_an_end_at_the_end_of_the_period_can_be_taken_back(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000))
    update = shop.client.v1.subscriptions.update
    ending = item_of(subscription).current_period_end
    leaving = update(subscription.id, {"cancel_at_period_end": True, "cancellation_details": {"feedback": "unused"}})
    assert (leaving.status, leaving.cancel_at, leaving.cancellation_details.feedback) == ("active", ending, "unused")
    staying = update(subscription.id, {"cancel_at_period_end": False})
    assert (staying.cancel_at, staying.canceled_at) == (None, None)
    update(subscription.id, {"cancel_at_period_end": True})
    shop.pass_until(ending)
    ended = shop.now(subscription)
    assert (ended.status, ended.ended_at, ended.latest_invoice.billing_reason) == ("canceled", ending, "subscription_create")
    assert shop.embedded.events(subscription)[-1] == "customer.subscription.deleted"
    assert refused(lambda: shop.change(ended, shop.price(1))).http_status == 400
    assert refused(lambda: shop.client.v1.subscriptions.cancel(ended.id)).code == "resource_missing"


def test_a_subscription_is_canceled_at_once(shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscribe(customer, shop.price(1000))
    assert shop.client.v1.subscriptions.cancel(subscription.id).status == "canceled"
    assert shop.client.v1.subscriptions.list({"customer": customer.id}).data == []
    assert len(shop.client.v1.subscriptions.list({"customer": customer.id, "status": "canceled"}).data) == 1


def test_a_customer_who_is_deleted_pays_no_more(shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscribe(customer, shop.price(1000))
    shop.client.v1.customers.delete(customer.id)
    assert shop.now(subscription).status == "canceled"


def test_a_change_is_charged_to_the_cent(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000))
    item, whole = item_of(subscription), length(subscription)
    when = item.current_period_start + whole // 3
    shop.pass_until(when)
    changed = shop.change(subscription, shop.price(2500), proration_behavior="always_invoice", proration_date=when)
    left = item.current_period_end - when
    invoice = changed.latest_invoice
    assert [line.amount for line in invoice.lines.data] == [-round(1000 * left / whole), round(2500 * left / whole)]
    assert all(line.parent.subscription_item_details.proration for line in invoice.lines.data)
    assert (invoice.billing_reason, invoice.status, invoice.total) == ("subscription_update", "paid", 1000)
    assert length(changed) == whole


def test_a_change_waits_for_the_next_invoice_unless_it_is_not_to_be_charged(shop: Shop) -> None:
    dear, cheap = shop.price(2500), shop.price(1000)
    for behavior, difference in (("create_prorations", 750), ("none", 0)):
        subscription = shop.subscribe(shop.customer(), cheap)
        item, half = item_of(subscription), length(subscription) // 2
        when = item.current_period_end - half
        shop.pass_until(when)
        changed = shop.change(subscription, dear, proration_behavior=behavior, proration_date=when)
        assert changed.latest_invoice.id == subscription.latest_invoice.id
        shop.pass_until(item.current_period_end)
        assert shop.now(subscription).latest_invoice.total == 2500 + difference


def test_what_was_paid_too_much_is_credited(shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscribe(customer, shop.price(3000))
    item, half = item_of(subscription), length(subscription) // 2
    when = item.current_period_end - half
    shop.pass_until(when)
    down = shop.change(subscription, shop.price(1000), proration_behavior="always_invoice", proration_date=when).latest_invoice
    assert (down.total, down.amount_due, down.status, down.ending_balance) == (-1000, 0, "paid", -1000)
    assert shop.client.v1.customers.retrieve(customer.id).balance == -1000
    shop.pass_until(item.current_period_end)
    following = shop.now(subscription).latest_invoice
    assert (following.total, following.starting_balance, following.amount_due, following.ending_balance) == (1000, -1000, 0, 0)


def test_another_interval_begins_a_new_period(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000))
    shop.embedded.pass_time(days=10)
    yearly = shop.change(subscription, shop.price(9000, "year"))
    assert item_of(yearly).current_period_start == pytest.approx(shop.embedded.clock.timestamp(), abs=5)
    assert length(yearly) in (365 * DAY, 366 * DAY)
    credit, charge = (line.amount for line in yearly.latest_invoice.lines.data)
    assert (-700 < credit < -620, charge, yearly.latest_invoice.total) == (True, 9000, 9000 + credit)


def test_a_change_that_can_not_be_paid_is_none_where_that_is_asked_for(shop: Shop) -> None:
    customer = shop.customer()
    cheap, dear = shop.price(1000), shop.price(9000)
    subscription = shop.subscribe(customer, cheap)
    shop.charges_fail(customer)
    always = {"proration_behavior": "always_invoice"}
    error = refused(lambda: shop.change(subscription, dear, payment_behavior="error_if_incomplete", **always))
    assert error.http_status == 402
    assert item_of(shop.now(subscription)).price.id == cheap
    assert shop.change(subscription, dear, **always).status == "past_due"


def test_time_is_caught_up_with_by_a_worker(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000))
    shop.pass_until(item_of(subscription).current_period_end)

    async def work() -> list[int]:
        database = Database(shop.embedded.server.settings, shop.embedded.clock)
        try:
            return [await advance(database, shop.embedded.base_url) for _ in range(2)]
        finally:
            await database.close()

    first, second = asyncio.run(work())
    assert (first > 0, second) == (True, 0)
    assert len(shop.client.v1.invoices.list({"subscription": subscription.id}).data) == 2


@VENDORS_WARNING
def test_twenty_who_look_at_once_see_one_renewal(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000))
    shop.pass_until(item_of(subscription).current_period_end)
    seen = shop.embedded.at_once(20, lambda client: client.v1.subscriptions.retrieve_async(subscription.id))
    assert len({found.latest_invoice for found in seen}) == 1
    assert len(shop.client.v1.invoices.list({"subscription": subscription.id}).data) == 2


def test_what_an_invoice_is_paid_by_is_the_invoices(shop: Shop) -> None:
    subscription = shop.subscribe(shop.customer(), shop.price(1000), payment_behavior="default_incomplete")
    intent, intents = shop.intent(subscription), shop.client.v1.payment_intents
    assert refused(lambda: intents.cancel(intent)).code == "payment_intent_unexpected_state"
    assert refused(lambda: intents.update(intent, {"amount": 100})).error.param == "amount"
    shop.client.v1.invoices.void_invoice(subscription.latest_invoice.id)
    assert intents.retrieve(intent).status == "canceled"


@pytest.mark.parametrize(
    ("interval", "times", "anchor", "start", "end"),
    [
        ("month", 1, "2026-01-31", "2026-01-31", "2026-02-28"),
        ("month", 1, "2026-01-31", "2026-02-28", "2026-03-31"),
        ("month", 3, "2025-11-30", "2025-11-30", "2026-02-28"),
        ("year", 1, "2024-02-29", "2024-02-29", "2025-02-28"),
        ("year", 1, "2024-02-29", "2027-02-28", "2028-02-29"),
        ("week", 2, "2026-01-01", "2026-01-15", "2026-01-29"),
        ("day", 1, "2026-01-01", "2026-01-01", "2026-01-02"),
    ],
)
def test_a_period_ends_where_its_month_has_the_day(interval: str, times: int, anchor: str, start: str, end: str) -> None:
    first, second, last = (int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) for day in (anchor, start, end))
    assert period_end(first, {"interval": interval, "interval_count": times}, second) == last


def test_a_share_is_rounded_to_the_nearest_cent() -> None:
    assert [share(999, part, 3) for part in range(4)] == [0, 333, 666, 999]
    assert (share(1000, 1, 3), share(1000, 2, 3), share(1, 1, 2)) == (333, 667, 1)
