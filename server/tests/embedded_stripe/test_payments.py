"""One-time payments, over the vendor's own library: what a payment goes through, and what it is refused for."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
import stripe

from stripe_world import Embedded

VENDORS_WARNING = pytest.mark.filterwarnings("ignore:Use 'content=")
"""The library's asynchronous client sends bodies in a way that httpx would have otherwise."""
ONE_STEP = {"amount": 4999, "currency": "usd", "confirm": True, "payment_method_types": ["card"]}


def pay(client: stripe.StripeClient, method: str = "pm_card_visa", **fields: Any) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create({**ONE_STEP, "payment_method": method, **fields})  # type: ignore[typeddict-item]


def refused(act: Callable[[], Any]) -> stripe.StripeError:
    with pytest.raises(stripe.StripeError) as caught:
        act()
    return caught.value


def test_a_payment_succeeds_in_one_step(embedded: Embedded, client: stripe.StripeClient) -> None:
    intent = pay(
        client, metadata={"course": "c1"}, description="A course", receipt_email="ada@example.com", expand=["latest_charge"]
    )
    charge = intent.latest_charge
    assert (intent.status, intent.amount_received, intent.livemode, intent.metadata["course"]) == ("succeeded", 4999, False, "c1")
    assert (charge.paid, charge.amount_captured, charge.receipt_email, charge.payment_intent) == (
        True,
        4999,
        "ada@example.com",
        intent.id,
    )
    assert (charge.outcome.type, charge.payment_method_details.card.last4) == ("authorized", "4242")
    assert "A course" in httpx.get(charge.receipt_url).text
    assert embedded.events(intent) == ["payment_intent.created", "payment_intent.succeeded"]
    assert embedded.events(charge) == ["charge.succeeded"]
    assert client.v1.charges.list({"payment_intent": intent.id}).data[0].id == charge.id


def test_every_answer_says_that_it_is_embedded(embedded: Embedded) -> None:
    for path in ("/v1/customers", "/v1/customers/cus_none", "/v1/nothing"):
        assert embedded.send("GET", path).headers["stripe-embedded"] == "unpuzzle"


def test_a_payment_goes_step_by_step(client: stripe.StripeClient) -> None:
    intents = client.v1.payment_intents
    intent = intents.create(
        {"amount": 1000, "currency": "eur", "payment_method_types": ["card"], "metadata": {"a": "1", "b": "2"}}
    )
    assert (intent.status, intent.payment_method, intent.client_secret.startswith(intent.id)) == (
        "requires_payment_method",
        None,
        True,
    )
    intent = intents.update(intent.id, {"payment_method": "pm_card_mastercard", "amount": 1100, "metadata": {"a": "", "c": "3"}})
    assert (intent.status, intent.amount, intent.metadata.to_dict()) == ("requires_confirmation", 1100, {"b": "2", "c": "3"})
    intent = intents.confirm(intent.id)
    assert (intent.status, intent.amount_received) == ("succeeded", 1100)
    for act in (
        lambda: intents.confirm(intent.id),
        lambda: intents.cancel(intent.id),
        lambda: intents.update(intent.id, {"amount": 99}),
    ):
        assert refused(act).code == "payment_intent_unexpected_state"


def test_a_payment_that_is_canceled_stays_so(embedded: Embedded, client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "usd"})
    intent = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (intent.status, intent.cancellation_reason, bool(intent.canceled_at)) == ("canceled", "abandoned", True)
    error = refused(lambda: client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"}))
    assert (error.http_status, error.code, error.error.payment_intent.id) == (400, "payment_intent_unexpected_state", intent.id)
    assert embedded.events(intent)[-1] == "payment_intent.canceled"


@pytest.mark.parametrize(
    ("name", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclined", "card_declined", "generic_decline"),
        ("chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("chargeDeclinedExpiredCard", "expired_card", None),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("chargeDeclinedProcessingError", "processing_error", None),
        ("chargeDeclinedFraudulentDecline", "card_declined", "fraudulent"),
        ("chargeCustomerFail", "card_declined", "generic_decline"),
    ],
)
def test_a_card_is_declined_in_the_words_of_its_bank(
    embedded: Embedded, client: stripe.StripeClient, name: str, code: str, decline_code: str | None
) -> None:
    error = refused(lambda: pay(client, f"pm_card_{name}"))
    assert isinstance(error, stripe.CardError)
    assert (error.http_status, error.code, error.error.decline_code) == (402, code, decline_code)
    intent = client.v1.payment_intents.retrieve(error.error.payment_intent.id, {"expand": ["latest_charge"]})
    assert (intent.status, intent.payment_method, intent.last_payment_error.code) == ("requires_payment_method", None, code)
    assert (intent.latest_charge.status, intent.latest_charge.failure_code, intent.latest_charge.receipt_url) == (
        "failed",
        code,
        None,
    )
    assert embedded.events(intent) == ["payment_intent.created", "payment_intent.payment_failed"]
    paid = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"amount": None}, 400, "parameter_missing", "amount"),
        ({"currency": None}, 400, "parameter_missing", "currency"),
        ({"amount": 49}, 400, "amount_too_small", "amount"),
        ({"amount": 29, "currency": "gbp"}, 400, "amount_too_small", "amount"),
        ({"amount": "many"}, 400, "parameter_invalid_integer", "amount"),
        ({"amount": -5}, 400, "parameter_invalid_integer", "amount"),
        ({"amount": 100_000_000}, 400, "amount_too_large", "amount"),
        ({"currency": "xxx"}, 400, None, "currency"),
        ({"customer": "cus_none"}, 400, "resource_missing", "customer"),
        ({"payment_method": "pm_none"}, 400, "resource_missing", "payment_method"),
        ({"amuont": 5}, 400, "parameter_unknown", "amuont"),
        ({"confirm": "perhaps"}, 400, None, "confirm"),
        ({"payment_method_types": ["carrier_pigeon"]}, 400, "payment_intent_invalid_parameter", "payment_method_types"),
    ],
)
def test_what_can_not_be_paid_is_refused(
    client: stripe.StripeClient, fields: dict[str, Any], status: int, code: str | None, param: str
) -> None:
    given = {name: value for name, value in {**ONE_STEP, "payment_method": "pm_card_visa", **fields}.items() if value is not None}
    error = refused(lambda: client.v1.payment_intents.create(given))  # type: ignore[arg-type]
    assert (error.http_status, error.code, error.error.param) == (status, code, param)


def test_what_is_not_there_is_not_found(client: stripe.StripeClient) -> None:
    for act in (
        client.v1.payment_intents.retrieve,
        client.v1.customers.retrieve,
        client.v1.charges.retrieve,
        client.v1.refunds.retrieve,
    ):
        error = refused(lambda act=act: act("pi_none"))
        assert (error.http_status, error.code) == (404, "resource_missing")


def test_a_payment_without_a_method_is_not_confirmed(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "usd", "payment_method_types": ["card"]})
    assert refused(lambda: client.v1.payment_intents.confirm(intent.id)).code == "payment_intent_unexpected_state"


def test_methods_that_may_redirect_need_somewhere_to_return_to(client: stripe.StripeClient) -> None:
    def paid(**more: Any) -> stripe.PaymentIntent:
        given = {"amount": 1000, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa", **more}
        return client.v1.payment_intents.create(given)  # type: ignore[arg-type]

    assert "return_url" in str(refused(paid))
    assert paid(return_url="https://example.com/").status == "succeeded"
    assert paid(automatic_payment_methods={"enabled": True, "allow_redirects": "never"}).status == "succeeded"


@pytest.mark.parametrize("answer", ["complete", "fail"])
def test_3_d_secure_asks_the_holder_and_comes_back(embedded: Embedded, client: stripe.StripeClient, answer: str) -> None:
    intent = pay(client, "pm_card_threeDSecure2Required", return_url="https://example.com/done?order=7")
    assert (intent.status, intent.next_action.redirect_to_url.return_url) == (
        "requires_action",
        "https://example.com/done?order=7",
    )
    url = intent.next_action.redirect_to_url.url
    assert "$49.99 USD" in httpx.get(url).text
    left = httpx.post(url, data={"answer": answer})
    back = httpx.URL(left.headers["location"])
    assert (left.status_code, back.params["order"], back.params["payment_intent"]) == (303, "7", intent.id)
    assert back.params["payment_intent_client_secret"] == intent.client_secret
    assert back.params["redirect_status"] == {"complete": "succeeded", "fail": "failed"}[answer]
    intent = client.v1.payment_intents.retrieve(intent.id)
    if answer == "complete":
        assert (intent.status, intent.next_action) == ("succeeded", None)
    else:
        assert (intent.status, intent.last_payment_error.code) == (
            "requires_payment_method",
            "payment_intent_authentication_failure",
        )
    assert httpx.get(url).status_code == httpx.post(url, data={"answer": "complete"}).status_code == 404
    last = "payment_intent.succeeded" if answer == "complete" else "payment_intent.payment_failed"
    assert embedded.events(intent) == ["payment_intent.created", "payment_intent.requires_action", last]


def test_3_d_secure_without_a_return_address_is_for_stripes_script(client: stripe.StripeClient) -> None:
    intent = pay(client, "pm_card_authenticationRequired")
    assert intent.next_action.type == "use_stripe_sdk"
    left = httpx.post(intent.next_action.use_stripe_sdk["stripe_js"], data={"answer": "complete"})
    assert "You can close this page" in left.text
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_card_can_be_declined_after_3_d_secure(client: stripe.StripeClient) -> None:
    intent = pay(client, "pm_card_threeDSecureRequiredChargeDeclined", return_url="https://example.com/")
    left = httpx.post(intent.next_action.redirect_to_url.url, data={"answer": "complete"})
    assert httpx.URL(left.headers["location"]).params["redirect_status"] == "failed"
    assert client.v1.payment_intents.retrieve(intent.id).last_payment_error.code == "card_declined"


def test_nobody_is_asked_off_session(client: stripe.StripeClient) -> None:
    error = refused(lambda: pay(client, "pm_card_authenticationRequired", off_session=True))
    assert (error.http_status, error.code, error.error.decline_code) == (
        402,
        "authentication_required",
        "authentication_required",
    )


def test_a_card_that_was_set_up_is_charged_off_session(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"email": "ada@example.com"})
    method = client.v1.payment_methods.attach("pm_card_authenticationRequiredOnSetup", {"customer": customer.id})
    with_it = {"customer": customer.id, "return_url": "https://example.com/"}
    assert refused(lambda: pay(client, method.id, customer=customer.id, off_session=True)).code == "authentication_required"
    first = pay(client, method.id, setup_future_usage="off_session", **with_it)
    httpx.post(first.next_action.redirect_to_url.url, data={"answer": "complete"})
    assert pay(client, method.id, customer=customer.id, off_session=True).status == "succeeded"


def test_a_card_is_kept_for_later_when_that_is_asked_for(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    intent = pay(client, customer=customer.id, setup_future_usage="off_session")
    assert client.v1.customers.payment_methods.list(customer.id).data[0].id == intent.payment_method


def test_a_card_that_belongs_to_nobody_is_good_once(client: stripe.StripeClient) -> None:
    method = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    assert pay(client, method.id).payment_method == method.id
    assert "may not be used again" in str(refused(lambda: pay(client, method.id)))
    customer = client.v1.customers.create()
    assert "may not be used again" in str(refused(lambda: client.v1.payment_methods.attach(method.id, {"customer": customer.id})))


def test_a_card_is_charged_only_for_its_customer(client: stripe.StripeClient) -> None:
    owner, other = client.v1.customers.create(), client.v1.customers.create()
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": owner.id})
    assert refused(lambda: pay(client, method.id)).http_status == 400
    assert refused(lambda: pay(client, method.id, customer=other.id)).code == "resource_missing"
    assert pay(client, method.id, customer=owner.id).status == "succeeded"


def test_refunds_end_where_the_payment_does(embedded: Embedded, client: stripe.StripeClient) -> None:
    intent = pay(client)
    part = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000, "reason": "requested_by_customer"})
    assert (part.status, part.amount, part.charge, part.currency) == ("succeeded", 1000, intent.latest_charge, "usd")
    error = refused(lambda: client.v1.refunds.create({"payment_intent": intent.id, "amount": 4000}))
    assert (error.http_status, error.error.param) == (400, "amount")
    assert str(error).endswith("Refund amount ($40.00) is greater than unrefunded amount on charge ($39.99)")
    rest = client.v1.refunds.create({"charge": intent.latest_charge})
    assert rest.amount == 3999
    assert refused(lambda: client.v1.refunds.create({"payment_intent": intent.id})).code == "charge_already_refunded"
    charge = client.v1.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded, [item.id for item in charge.refunds.data]) == (
        True,
        4999,
        [rest.id, part.id],
    )
    assert embedded.events(charge) == ["charge.succeeded", "charge.refunded", "charge.refunded"]
    assert [item.id for item in client.v1.refunds.list({"payment_intent": intent.id}).data] == [rest.id, part.id]


def test_what_was_not_paid_is_not_refunded(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "usd"})
    assert refused(lambda: client.v1.refunds.create({"payment_intent": intent.id})).http_status == 400


@VENDORS_WARNING
def test_fifty_who_confirm_at_once_charge_once(embedded: Embedded, client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa", "payment_method_types": ["card"]}
    )

    answers = embedded.at_once(50, lambda client: client.v1.payment_intents.confirm_async(intent.id))
    assert [answer.status for answer in answers if not isinstance(answer, Exception)] == ["succeeded"]
    assert {answer.code for answer in answers if isinstance(answer, Exception)} == {"payment_intent_unexpected_state"}
    assert len(client.v1.charges.list({"payment_intent": intent.id}).data) == 1


@VENDORS_WARNING
def test_who_refunds_at_once_gets_no_more_than_was_paid(embedded: Embedded, client: stripe.StripeClient) -> None:
    intent = pay(client, amount=1000)

    refund = {"payment_intent": intent.id, "amount": 300}
    answers = embedded.at_once(10, lambda client: client.v1.refunds.create_async(refund))  # type: ignore[arg-type]
    assert sum(not isinstance(answer, Exception) for answer in answers) == 3


def test_a_publishable_key_is_good_for_what_payers_do(embedded: Embedded, client: stripe.StripeClient) -> None:
    public = embedded.client_with(embedded.app.publishable_key)
    method = public.v1.payment_methods.create(
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2050}}
    )
    intent = client.v1.payment_intents.create({"amount": 1000, "currency": "usd", "payment_method_types": ["card"]})
    send = {"headers": {"Authorization": f"Bearer {embedded.app.publishable_key}"}}
    path = f"/v1/payment_intents/{intent.id}"
    assert embedded.send("GET", path, **send).status_code == 400
    assert embedded.send("GET", path, params={"client_secret": f"{intent.id}_secret_guessed"}, **send).status_code == 404
    form = {"client_secret": intent.client_secret, "payment_method": method.id}
    assert embedded.send("POST", f"{path}/confirm", data=form, **send).json()["status"] == "succeeded"
    assert embedded.send("GET", "/v1/customers", **send).status_code == 401


def test_who_has_no_key_or_another_is_not_let_in(embedded: Embedded) -> None:
    assert httpx.get(f"{embedded.base_url}/v1/customers").status_code == 401
    with pytest.raises(stripe.AuthenticationError):
        embedded.client_with(f"sk_test_{uuid4().hex}").v1.customers.list()
    assert httpx.get(f"{embedded.base_url}/v1/customers", auth=(embedded.app.secret_key, "")).status_code == 200
