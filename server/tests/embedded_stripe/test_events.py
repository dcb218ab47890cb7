"""Events: written with what they tell of, signed, and delivered until they are taken."""

import stripe

from stripe_world import Embedded

from .test_payments import pay, refused


def test_events_are_delivered_signed(embedded: Embedded, client: stripe.StripeClient) -> None:
    intent = pay(client)
    embedded.deliver()
    assert embedded.receiver.types() == ["charge.succeeded", "payment_intent.created", "payment_intent.succeeded"]
    told = next(event for event in embedded.receiver.taken if event.type == "payment_intent.succeeded")
    assert (told.data.object.id, told.livemode, told.api_version) == (intent.id, False, stripe.api_version)
    kept = client.v1.events.retrieve(told.id)
    assert (kept.type, kept.pending_webhooks, kept.data.object.id) == (told.type, 0, intent.id)
    assert client.v1.events.list({"type": told.type}).data[0].id == told.id


def test_nothing_that_is_told_shows_what_is_the_servers_own(embedded: Embedded, client: stripe.StripeClient) -> None:
    pay(client, "pm_card_threeDSecure2Required", return_url="https://example.com/")
    embedded.deliver()
    answers = [embedded.send("GET", f"/v1/{name}").text for name in ("events", "payment_intents", "payment_methods")]
    assert not [text for text in answers if '"_' in text]


def test_a_delivery_that_is_refused_is_tried_again(embedded: Embedded, client: stripe.StripeClient) -> None:
    client.v1.customers.create({"name": "Ada"})
    embedded.receiver.refuses = 2
    for taken in (0, 0, 1):
        embedded.deliver()
        assert len(embedded.receiver.taken) == taken
    embedded.deliver()
    assert embedded.receiver.types() == ["customer.created"]


def test_deliveries_are_given_up_after_three_days(embedded: Embedded, client: stripe.StripeClient) -> None:
    client.v1.customers.create()
    embedded.receiver.refuses = 2
    embedded.deliver()
    embedded.pass_time(days=3, minutes=1)
    embedded.deliver()
    embedded.deliver()
    assert (embedded.receiver.taken, embedded.receiver.refuses) == ([], 0)


def test_what_is_refused_is_not_told(embedded: Embedded, client: stripe.StripeClient) -> None:
    refused(lambda: pay(client, amount=1))
    refused(lambda: client.v1.customers.create({"payment_method": "pm_card_chargeDeclined"}))
    embedded.deliver()
    assert embedded.receiver.taken == []


def test_an_event_tells_what_was_there_before(embedded: Embedded, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada", "metadata": {"user": "u1"}})
    client.v1.customers.update(customer.id, {"name": "Grace"}, {"idempotency_key": f"rename {customer.id}"})
    event = client.v1.events.list({"type": "customer.updated", "limit": 1}).data[0]
    assert event.data.previous_attributes.to_dict() == {"name": "Ada"}
    assert (event.data.object["name"], event.request.idempotency_key) == ("Grace", f"rename {customer.id}")
