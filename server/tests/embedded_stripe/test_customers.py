"""Customers, their cards, and lists of either."""

import pytest
import stripe

from stripe_world import Embedded

from .test_payments import refused


def test_a_customer_is_changed_field_by_field(embedded: Embedded, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"email": "ada@example.com", "name": "Ada", "metadata": {"a": "1"}})
    customer = client.v1.customers.update(customer.id, {"name": "", "metadata": {"b": "2"}})
    assert (customer.email, customer.name, customer.metadata.to_dict()) == ("ada@example.com", None, {"a": "1", "b": "2"})
    assert client.v1.customers.update(customer.id, {"metadata": ""}).metadata.to_dict() == {}
    assert embedded.events(customer) == ["customer.created", "customer.updated", "customer.updated"]


def test_a_customer_who_was_deleted_is_known_as_that(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"email": "gone@example.com", "payment_method": "pm_card_visa"})
    assert client.v1.customers.delete(customer.id).deleted
    assert client.v1.customers.retrieve(customer.id).to_dict() == {"id": customer.id, "object": "customer", "deleted": True}
    assert client.v1.customers.list({"email": "gone@example.com"}).data == []
    for act in (
        lambda: client.v1.customers.update(customer.id, {"name": "x"}),
        lambda: client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id}),
    ):
        assert refused(act).code == "resource_missing"


def test_cards_come_and_go(embedded: Embedded, client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()
    methods = [client.v1.payment_methods.attach(f"pm_card_{name}", {"customer": customer.id}) for name in ("visa", "amex")]
    assert [method.card.brand for method in methods] == ["visa", "amex"]
    assert [method.id for method in client.v1.payment_methods.list({"customer": customer.id}).data] == [
        methods[1].id,
        methods[0].id,
    ]
    settings = {"default_payment_method": methods[0].id}
    customer = client.v1.customers.update(customer.id, {"invoice_settings": settings})  # type: ignore[typeddict-item]
    assert customer.invoice_settings.default_payment_method == methods[0].id
    assert client.v1.payment_methods.detach(methods[0].id).customer is None
    assert embedded.events(methods[0]) == ["payment_method.attached", "payment_method.detached"]
    assert len(client.v1.customers.payment_methods.list(customer.id).data) == 1
    assert refused(lambda: client.v1.payment_methods.detach(methods[0].id)).code == "payment_method_unexpected_state"
    other = client.v1.customers.create()
    assert refused(lambda: client.v1.payment_methods.attach(methods[1].id, {"customer": other.id})).http_status == 400
    assert (
        refused(lambda: client.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": other.id})).code
        == "card_declined"
    )
    assert client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": other.id}).customer == other.id


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ({"number": "4242 4242 4242 4242"}, None, None),
        ({"number": "4242424242424241"}, "incorrect_number", None),
        ({"number": "4539578763621486"}, "card_declined", "test_mode_live_card"),
        ({"exp_month": 13}, "invalid_expiry_month", None),
        ({"exp_year": 2020}, "invalid_expiry_year", None),
        ({"cvc": "12"}, "invalid_cvc", None),
    ],
)
def test_the_number_of_a_card_is_looked_at(
    client: stripe.StripeClient, card: dict[str, object], code: str | None, decline_code: str | None
) -> None:
    given = {"type": "card", "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2050, "cvc": "123", **card}}
    if code is None:
        assert client.v1.payment_methods.create(given).card.last4 == "4242"  # type: ignore[arg-type]
        return
    error = refused(lambda: client.v1.payment_methods.create(given))  # type: ignore[arg-type]
    assert (error.http_status, error.code, error.error.decline_code) == (402, code, decline_code)


def test_lists_are_walked_both_ways(client: stripe.StripeClient) -> None:
    email = "walker@example.com"
    ids = [client.v1.customers.create({"email": email}).id for _ in range(5)][::-1]
    page = client.v1.customers.list({"email": email, "limit": 2})
    assert ([item.id for item in page.data], page.has_more) == (ids[:2], True)
    assert [item.id for item in page.auto_paging_iter()] == ids
    after = client.v1.customers.list({"email": email, "limit": 3, "starting_after": ids[1]})
    assert ([item.id for item in after.data], after.has_more) == (ids[2:], False)
    before = client.v1.customers.list({"email": email, "limit": 2, "ending_before": ids[3]})
    assert ([item.id for item in before.data], before.has_more) == (ids[1:3], True)
    moment = client.v1.customers.retrieve(ids[0]).created
    assert len(client.v1.customers.list({"email": email, "created": {"gte": moment - 60, "lte": moment}}).data) == 5
    assert client.v1.customers.list({"email": email, "created": {"gt": moment}}).data == []
    assert refused(lambda: client.v1.customers.list({"limit": 101})).error.param == "limit"
    assert refused(lambda: client.v1.customers.list({"starting_after": "cus_none"})).code == "resource_missing"
