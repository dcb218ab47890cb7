"""What Stripe tells of subscriptions: in any order, twice, or not at all; and what follows when its payer leaves."""

import random
from datetime import timedelta

import pytest
from stripes import client
from subscribers import Subscriber

from harness import Api
from postman import Postman
from unpuzzle_server import reconciling
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.subscriptions import tasks


def reconcile(api: Api) -> dict[str, int]:
    place = Postman(api.server).place

    async def reconciling_once(runner: object) -> dict[str, int]:
        return await tasks.reconcile(TaskContext(runner.kernel, None), timedelta(days=60))  # type: ignore[attr-defined,arg-type]

    return place.run(reconciling_once)


def lived(subscriber: Subscriber) -> list[str]:
    """Subscribes, changes, is renewed and fails to be; answers the events that nobody here has heard."""
    subscriber.subscribe()
    subscriber.change("enterprise")
    subscriber.pass_time(days=32)
    subscriber.advance()
    subscriber.charges_fail()
    subscriber.pass_time(days=32)
    subscriber.advance()
    return subscriber.waiting()


@pytest.mark.parametrize("seed", range(2))
def test_events_in_any_order_and_twice_leave_the_same(subscriber: Subscriber, seed: int) -> None:
    events = lived(subscriber)
    disorder = random.Random(seed)
    told = disorder.sample(events, len(events))
    subscriber.hear(told)
    first = subscriber.current(), subscriber.invoices()
    assert first[0]["status"] == "past_due"
    assert [invoice["status"] for invoice in first[1]].count("paid") == 3
    for event in told:  # again, as if the first answers had been lost
        subscriber.api.server.sql("DELETE FROM stripe_events WHERE id = %s", event)
        Postman(subscriber.api.server).place.enqueue("embedded_stripe.deliver", event_id=event)
    subscriber.hear(told[:6])
    assert (subscriber.current(), subscriber.invoices()) == first


def test_what_was_never_told_is_found_by_reconciling(api: Api, subscriber: Subscriber) -> None:
    events = lived(subscriber)
    for event in events:
        api.server.sql("DELETE FROM tasks WHERE args->>'event_id' = %s", event)
    assert subscriber.plan() == ("enterprise", None)
    assert len(subscriber.invoices()) == 2
    found = reconcile(api)
    assert found["missed"] >= 1
    assert subscriber.person.get("/api/v1/subscriptions/current/").json()["status"] == "past_due"
    paid = [invoice for invoice in subscriber.invoices() if invoice["status"] == "paid"]
    assert subscriber.charged() == round(sum(invoice["amount_paid"] for invoice in paid) * 100)


def test_a_subscription_of_somebody_elses_at_stripe_is_none_of_ours(api: Api, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    stripe, customer = client(api.server), subscriber.customer()
    price = stripe.prices.create(
        {"unit_amount": 500, "currency": "usd", "recurring": {"interval": "month"}, "product_data": {"name": "Other"}}
    )
    stripe.subscriptions.create({"customer": customer, "items": [{"price": price.id}]})
    subscriber.hear()
    assert subscriber.plan() == ("premium", 50)
    assert len(subscriber.invoices()) == 1


def test_what_is_changed_in_the_dashboard_arrives(subscriber: Subscriber) -> None:
    made = subscriber.subscribe().json()
    stripe = client(subscriber.api.server).subscriptions
    stripe.update(made["subscription_id"], {"cancel_at_period_end": True})
    subscriber.hear()
    assert subscriber.current()["cancel_at"] == made["current_period_end"]
    stripe.cancel(made["subscription_id"])
    subscriber.hear()
    assert subscriber.plan() == ("free", 3)


def test_the_events_of_the_document_are_followed(subscriber: Subscriber) -> None:
    lived(subscriber)
    subscriber.hear()
    kinds = {row[0] for row in subscriber.api.server.sql("SELECT DISTINCT type FROM stripe_events WHERE applied_at IS NOT NULL")}
    assert {"customer.subscription.created", "customer.subscription.updated", "invoice.paid", "invoice.payment_failed"} <= kinds


def test_what_is_given_back_of_an_invoice_shows_whether_it_is_told_or_found(api: Api, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    (invoice,) = subscriber.invoices()
    subscriber.hear()
    stripe = client(api.server)
    (paid,) = stripe.invoice_payments.list({"invoice": invoice["invoice_id"]}).data
    stripe.refunds.create({"payment_intent": paid.payment.payment_intent, "amount": 500})
    subscriber.hear()
    assert subscriber.invoices() == [invoice | {"refunded_amount": 5}]
    stripe.refunds.create({"payment_intent": paid.payment.payment_intent})
    for event in subscriber.waiting():
        api.server.sql("DELETE FROM tasks WHERE args->>'event_id' = %s", event)
    reconcile(api)
    assert subscriber.invoices() == [invoice | {"refunded_amount": 19}]
    told = subscriber.person.get("/api/v1/notifications/").json()["results"]
    assert [item["message"] for item in told[:2]] == [
        f"{amount} USD for your Premium subscription were given back" for amount in ("14.00", "5.00")
    ]


def test_whoever_deletes_their_account_pays_for_no_further_period(subscriber: Subscriber) -> None:
    made = subscriber.subscribe().json()
    assert subscriber.person.delete("/api/v1/auth/account/").status_code == 204
    Postman(subscriber.api.server).deliver(subscriber.person.id)
    found = client(subscriber.api.server).subscriptions.retrieve(made["subscription_id"])
    assert found.cancel_at_period_end is True


def test_an_account_that_was_erased_is_no_customer_any_more(subscriber: Subscriber) -> None:
    made, customer = subscriber.subscribe().json(), subscriber.customer()
    server = subscriber.api.server
    server.sql("UPDATE users SET deletes_at = %s WHERE id = %s", server.clock.now() - timedelta(days=1), subscriber.person.id)
    server.sql("SELECT app.erase_account(%s, %s)", subscriber.person.id, server.clock.now())
    assert "subscriptions.forget" in Postman(server).deliver(customer)
    assert client(server).subscriptions.retrieve(made["subscription_id"]).status == "canceled"
    assert server.sql("SELECT card_last4 FROM subscriptions WHERE user_id = %s", subscriber.person.id) == [(None,)]


def test_a_trial_that_was_given_up_here_and_made_there_ends(subscriber: Subscriber) -> None:
    server, stripe = subscriber.api.server, client(subscriber.api.server)
    assert subscriber.subscribe(method="pm_none_such", trial=True).status_code == 402
    ((row,),) = server.sql("SELECT id FROM subscriptions WHERE user_id = %s", subscriber.person.id)
    price = stripe.prices.create(
        {"unit_amount": 1900, "currency": "usd", "recurring": {"interval": "month"}, "product_data": {"name": "Premium"}}
    )
    server.sql("SELECT app.drop_subscription(%s)", row)
    kept = stripe.payment_methods.attach("pm_card_visa", {"customer": subscriber.customer()})
    stripe.customers.update(subscriber.customer(), {"invoice_settings": {"default_payment_method": kept.id}})
    made = stripe.subscriptions.create(
        {
            "customer": subscriber.customer(),
            "items": [{"price": price.id}],
            "metadata": {"subscription_id": str(row)},
            "trial_period_days": 14,
        }
    )
    subscriber.hear()
    assert stripe.subscriptions.retrieve(made.id).status == "canceled"
    subscriber.pass_time(days=15)
    subscriber.advance()
    assert (subscriber.plan(), subscriber.charged()) == (("free", 3), 0)


def test_one_that_can_not_be_followed_does_not_keep_the_rest_from_it(api: Api, subscriber: Subscriber) -> None:
    subscriber.subscribe()
    subscriber.pass_time(days=32, minutes=31)
    api.server.sql("UPDATE subscriptions SET subscription = 'sub_of_nobody' WHERE user_id = %s", subscriber.person.id)
    other = Subscriber(api.sign_up())
    other.subscribe()
    client(api.server).subscriptions.cancel(other.current()["subscription_id"])
    for event in other.waiting():
        api.server.sql("DELETE FROM tasks WHERE args->>'event_id' = %s", event)
    assert reconcile(api)["overdue"] >= 1
    assert other.plan() == ("free", 3)


def test_the_command_tells_what_it_mended(subscriber: Subscriber) -> None:
    lived(subscriber)
    place = Postman(subscriber.api.server).place
    told = reconciling.reconcile(place.home, place.owner_settings, 90)
    assert "subscriptions had changed unheard" in told
    assert "0 subscriptions had changed unheard" not in told
