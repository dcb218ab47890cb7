"""Idempotency keys: one payment, however often it is asked for."""

from typing import Any
from uuid import uuid4

import stripe

from stripe_world import Embedded

from .test_payments import VENDORS_WARNING, refused

CONFIRMED = {"amount": 1000, "currency": "usd", "confirm": True, "payment_method_types": ["card"]}
PAYMENT: Any = {**CONFIRMED, "payment_method": "pm_card_visa"}
DECLINED: Any = {**CONFIRMED, "payment_method": "pm_card_chargeDeclined"}


def keyed() -> Any:
    return {"idempotency_key": uuid4().hex}


def test_the_same_key_is_the_same_payment(client: stripe.StripeClient) -> None:
    key = keyed()
    first, again = (client.v1.payment_intents.create(PAYMENT, key) for _ in range(2))
    assert first.to_dict() == again.to_dict()
    assert (again.last_response.headers["Idempotent-Replayed"], "Idempotent-Replayed" in first.last_response.headers) == (
        "true",
        False,
    )
    assert client.v1.payment_intents.create(PAYMENT, keyed()).id != first.id


def test_a_key_stands_for_one_request(client: stripe.StripeClient) -> None:
    key = keyed()
    client.v1.payment_intents.create(PAYMENT, key)
    for act in (
        lambda: client.v1.payment_intents.create({**PAYMENT, "amount": 1001}, key),
        lambda: client.v1.customers.create({}, key),
    ):
        error = refused(act)
        assert (type(error), error.http_status) == (stripe.IdempotencyError, 400)


def test_a_decline_is_kept_for_its_key(client: stripe.StripeClient) -> None:
    key = keyed()
    first, again = (refused(lambda: client.v1.payment_intents.create(DECLINED, key)) for _ in range(2))
    assert first.error.payment_intent.id == again.error.payment_intent.id
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_refusal_is_not_kept_for_its_key(client: stripe.StripeClient) -> None:
    key = keyed()
    refused(lambda: client.v1.payment_intents.create({**PAYMENT, "amount": 1}, key))
    assert client.v1.payment_intents.create(PAYMENT, key).status == "succeeded"


def test_a_key_is_forgotten_after_a_day(embedded: Embedded, client: stripe.StripeClient) -> None:
    key = keyed()
    first = client.v1.payment_intents.create(PAYMENT, key)
    embedded.pass_time(hours=24, seconds=1)
    assert client.v1.payment_intents.create(PAYMENT, key).id != first.id


@VENDORS_WARNING
def test_one_of_many_with_the_same_key_is_done(embedded: Embedded) -> None:
    key = keyed()
    answers = embedded.at_once(20, lambda client: client.v1.payment_intents.create_async(PAYMENT, key))
    done = {answer.id for answer in answers if not isinstance(answer, Exception)}
    assert len(done) == 1
    assert {answer.http_status for answer in answers if isinstance(answer, Exception)} <= {409}


def test_a_key_that_is_in_use_is_said_to_be(embedded: Embedded) -> None:
    key = uuid4().hex
    held = "SELECT pg_advisory_lock(hashtextextended('embedded_stripe ' || %s, 0))"
    embedded.server.sql(held, key)
    try:
        answer = embedded.send("POST", "/v1/customers", headers={"Idempotency-Key": key})
    finally:
        embedded.server.sql(held.replace("_lock", "_unlock", 1), key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_in_use")
