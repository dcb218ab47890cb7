"""Stripe's webhook: its own word and no other, kept before it is answered."""

import time
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from shop import VISA, enrolled, intent
from stripes import WEBHOOK, as_json, client, event, sign

from harness import Api, Person, code_of, running_server
from postman import Postman
from unpuzzle_server import deadletters, reconciling
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.payments import tasks
from unpuzzle_server.serving import ServeError
from workplace import Workplace

JSON = {"Content-Type": "application/json"}


def test_an_event_without_a_good_signature_is_refused(api: Api) -> None:
    secret = api.server.settings.secret_key
    body = as_json(event("payment_intent.succeeded", {"id": "pi_1"}, "evt_unsigned"))
    good = sign(secret, body)
    for header in (
        None, "t=1", "nonsense", good.replace("v1=", "v0="), good[:-1] + ("0" if good[-1] != "0" else "1"),
        sign(secret, body + b" "), sign("another key that signs, 32 characters", body),
        sign(secret, body, time.time() - 310), sign(secret, body, time.time() + 310),
    ):  # fmt: skip
        refused = api.post(WEBHOOK, content=body, headers={**JSON, **({"Stripe-Signature": header} if header else {})})
        assert (refused.status_code, code_of(refused)) == (400, "INVALID_SIGNATURE")
    assert api.server.sql("SELECT count(*) FROM stripe_events WHERE id = 'evt_unsigned'") == [(0,)]


def test_an_event_is_kept_once_and_followed_once(api: Api) -> None:
    event_id = f"evt_{uuid4().hex}"
    body = as_json(event("product.created", {"id": "prod_1"}, event_id))
    headers = {**JSON, "Stripe-Signature": sign(api.server.settings.secret_key, body)}
    for _ in range(2):
        assert api.post(WEBHOOK, content=body, headers=headers).json() == {"received": True}
    assert Postman(api.server).deliver(event_id) == ["payments.apply_event"]
    assert api.server.sql("SELECT applied_at IS NOT NULL FROM stripe_events WHERE id = %s", event_id) == [(True,)]


def test_what_is_no_event_of_ours_changes_nothing(api: Api) -> None:
    made = client(api.server).payment_intents.create({"amount": 500, "currency": "usd", "metadata": {"payment_id": "none"}})
    event_id = f"evt_{uuid4().hex}"
    body = as_json(event("payment_intent.created", {"id": made.id}, event_id))
    api.post(WEBHOOK, content=body, headers={**JSON, "Stripe-Signature": sign(api.server.settings.secret_key, body)})
    Postman(api.server).deliver(event_id)
    assert api.server.sql("SELECT applied_at IS NOT NULL FROM stripe_events WHERE id = %s", event_id) == [(True,)]


def test_two_secrets_are_good_while_one_is_replaced(postgres: str) -> None:
    secrets = ("whsec_the_new_one_of_two", "whsec_the_old_one_of_two")
    with running_server(postgres, stripe_api_key="sk_test_x", stripe_webhook_secrets=secrets) as server, Api(server) as api:
        from unpuzzle_server.embedded_stripe.events import signature

        for secret, status in [(secrets[0], 200), (secrets[1], 200), ("whsec_of_nobody", 400)]:
            body = as_json(event("product.created", {"id": "prod_1"}, f"evt_{uuid4().hex}"))
            header = signature(body, secret, int(time.time()))
            assert api.post(WEBHOOK, content=body, headers={**JSON, "Stripe-Signature": header}).status_code == status


def test_what_no_webhook_told_is_reconciled(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course(price=30)
    made = intent(learner, course)
    client(api.server).payment_intents.confirm(made["payment_intent_id"], {"payment_method": VISA["payment_method_id"]})
    assert not enrolled(learner, course)
    place = Workplace(api.server)
    reconcile = lambda runner: tasks.reconcile(TaskContext(runner.kernel, uuid4()), timedelta(hours=1))  # noqa: E731
    assert place.run(reconcile)["mended"] >= 1
    assert enrolled(learner, course)
    assert place.run(reconcile)["mended"] == 0


def test_the_configuration_says_that_stripe_is_embedded(api: Api) -> None:
    told = api.get("/api/v1/payments/config/stripe/").json()
    assert (told["is_embedded"], told["publishable_key"][:8]) == (True, "pk_test_")
    assert told["api_base_url"] == f"{api.server.base_url}/embedded-stripe"


def test_an_event_that_was_given_up_is_listed_and_followed_again(api: Api, instructor: Person, learner: Person) -> None:
    place, course = Workplace(api.server), instructor.published_course(price=30)
    made = intent(learner, course)
    client(api.server).payment_intents.confirm(made["payment_intent_id"], {"payment_method": "pm_card_visa"})
    event_id = f"evt_{uuid4().hex}"
    body = as_json(event("payment_intent.succeeded", {"id": made["payment_intent_id"]}, event_id))
    api.post(WEBHOOK, content=body, headers={**JSON, "Stripe-Signature": sign(api.server.settings.secret_key, body)})
    api.server.sql("UPDATE tasks SET attempts = 9 WHERE args->>'event_id' = %s", event_id)
    Postman(api.server).deliver(event_id, stripe_api_base="http://127.0.0.1:9")
    assert event_id in deadletters.listed(place.home, place.owner_settings, deadletters.EVENTS)
    for wanted in (event_id, event_id):
        assert deadletters.replay(place.home, place.owner_settings, wanted) == "1 event will be followed by the workers."
    Postman(api.server).deliver(event_id)
    assert enrolled(learner, course)
    assert event_id not in deadletters.listed(place.home, place.owner_settings, deadletters.EVENTS)
    assert deadletters.replay(place.home, place.owner_settings, None) == "0 events will be followed by the workers."
    with pytest.raises(ServeError, match="no event evt_none"):
        deadletters.replay(place.home, place.owner_settings, "evt_none")


def test_the_books_are_held_against_stripes_by_a_command(api: Api, instructor: Person, learner: Person) -> None:
    place, course = Workplace(api.server), instructor.published_course(price=30)
    made = intent(learner, course)
    client(api.server).payment_intents.confirm(made["payment_intent_id"], {"payment_method": "pm_card_visa"})
    assert "were mended" in reconciling.reconcile(place.home, api.server.settings, 1)
    assert enrolled(learner, course)
    away = replace(api.server.settings, stripe_api_base="http://127.0.0.1:9")
    with pytest.raises(ServeError, match="STRIPE_API_BASE says where"):
        reconciling.reconcile(place.home, away, 1)
