"""Giving back: all or a part, by whom it was sold, here or at Stripe."""

from typing import Any
from uuid import uuid4

import pytest
from shop import HISTORY, VISA, charges, coupon, enroll, enrolled, intent, tell
from stripes import client

from harness import Api, Person, code_of, in_parallel
from postman import Postman


@pytest.fixture
def course(instructor: Person) -> dict[str, Any]:
    return instructor.published_course(price=40)


@pytest.fixture
def paid(learner: Person, course: dict[str, Any]) -> str:
    """The id of a payment."""
    named: str = enroll(learner, course, **VISA).json()["payment"]["payment_id"]
    return named


def refund(person: Person, payment: str, **body: Any) -> Any:
    headers = body.pop("headers", None)
    return person.post(f"{HISTORY}{payment}/refund/", json=body, headers=headers)


def test_a_refund_of_all_ends_the_enrolment(instructor: Person, learner: Person, course: dict[str, Any], paid: str) -> None:
    given = refund(instructor, paid, reason="requested_by_customer").json()
    assert (given["amount"], given["status"], given["payment_status"]) == (40, "succeeded", "refunded")
    assert not enrolled(learner, course)
    page = learner.get(HISTORY).json()
    assert (page["total_spent"], page["results"][0]["refunded_amount"], page["results"][0]["status"]) == (0, 40, "refunded")


def test_a_refund_of_a_part_does_not(instructor: Person, learner: Person, course: dict[str, Any], paid: str) -> None:
    assert refund(instructor, paid, amount=15.5).json()["payment_status"] == "partially_refunded"
    assert enrolled(learner, course)
    assert learner.get(HISTORY).json()["total_spent"] == 24.5
    assert refund(instructor, paid).json()["amount"] == 24.5
    assert not enrolled(learner, course)


def test_whoever_was_refunded_buys_again(
    api: Api, instructor: Person, learner: Person, course: dict[str, Any], paid: str
) -> None:
    refund(instructor, paid)
    assert enroll(learner, course).status_code == 402
    assert enroll(learner, course, **VISA).status_code == 201
    assert charges(api, learner) == 2


def test_no_more_is_given_back_than_was_paid(api: Api, instructor: Person, paid: str) -> None:
    refused = refund(instructor, paid, amount=40.01)
    assert (refused.status_code, code_of(refused)) == (422, "REFUND_TOO_LARGE")
    act = lambda caller: caller.post(f"{HISTORY}{paid}/refund/", json={"amount": 15}, headers=instructor.headers).status_code  # noqa: E731
    assert sorted(in_parallel(api.server, [act] * 8)) == [200] * 2 + [422] * 6
    assert client(api.server).payment_intents.retrieve(paid, {"expand": ["latest_charge"]}).latest_charge.amount_refunded == 3000
    refund(instructor, paid)
    assert code_of(refund(instructor, paid)) == "REFUND_TOO_LARGE"


def test_the_same_key_refunds_once(api: Api, instructor: Person, paid: str) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    first, again = (refund(instructor, paid, amount=10, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert api.server.sql("SELECT count(*) FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.intent = %s", paid) == [
        (1,)
    ]


def test_what_a_crash_has_cut_short_is_finished(api: Api, learner: Person, paid: str) -> None:
    refund_id = str(uuid4())
    reserve = "INSERT INTO refunds (id, payment_id, amount_minor) SELECT %s, id, amount_minor FROM payments WHERE intent = %s"
    api.server.sql(reserve, refund_id, paid)
    Postman(api.server).place.enqueue("payments.finish_refund", refund_id=refund_id)
    assert learner.get(HISTORY).json()["results"][0]["status"] == "succeeded"
    assert Postman(api.server).deliver(refund_id) == ["payments.finish_refund"]
    assert learner.get(HISTORY).json()["results"][0]["status"] == "refunded"


def test_an_amount_has_the_decimals_of_its_currency(instructor: Person, paid: str) -> None:
    refused = refund(instructor, paid, amount=1.005)
    assert (refused.status_code, code_of(refused)) == (422, "PRICE_INVALID")


def test_nothing_is_told_of_what_somebody_else_has_sold(other_instructor: Person, paid: str) -> None:
    for payment in (paid, f"pay_{uuid4().hex}"):
        for amount in (1, 1.234):
            refused = refund(other_instructor, payment, amount=amount)
            assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")


def test_what_is_not_paid_is_not_refunded(instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    refused = refund(instructor, intent(learner, course)["payment_id"])
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")


def test_what_cost_nothing_is_not_refunded(instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    free = enroll(learner, course, coupon_code=coupon(instructor, percentage=100)["code"]).json()["payment"]["payment_id"]
    refused = refund(instructor, free)
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")


def test_only_who_sold_it_refunds(
    api: Api, instructor: Person, other_instructor: Person, learner: Person, admin: Person, paid: str
) -> None:
    assert code_of(refund(other_instructor, paid)) == "NOT_FOUND"
    assert code_of(refund(other_instructor, paid, amount=1)) == "NOT_FOUND"
    assert code_of(refund(instructor, f"pay_{uuid4().hex}", amount=1)) == "NOT_FOUND"
    assert code_of(refund(learner, paid)) == "PERMISSION_DENIED"
    assert code_of(api.post(f"{HISTORY}{paid}/refund/", json={})) == "AUTH_REQUIRED"
    assert refund(admin, paid).status_code == 200


def test_a_refund_made_at_stripe_counts_as_one_made_here(
    api: Api, instructor: Person, learner: Person, course: dict[str, Any], paid: str
) -> None:
    made = client(api.server).refunds.create({"payment_intent": paid, "amount": 1000})
    tell(api, "charge.refunded", {"id": made.charge, "payment_intent": paid})
    assert learner.get(HISTORY).json()["results"][0]["status"] == "partially_refunded"
    client(api.server).refunds.create({"payment_intent": paid})
    refused = refund(instructor, paid, amount=1)
    assert (refused.status_code, code_of(refused)) == (422, "REFUND_TOO_LARGE")
    assert not enrolled(learner, course)


def test_what_an_instructor_earns_is_what_was_paid_less_what_was_given_back(
    api: Api, instructor: Person, learner: Person, course: dict[str, Any], paid: str
) -> None:
    free = coupon(instructor, percentage=100)["code"]
    enroll(api.sign_up(), course, coupon_code=free)
    for amount in (15.5, 4.5):
        refund(instructor, paid, amount=amount)
    booked = "SELECT kind, amount_minor FROM earnings WHERE user_id = %s ORDER BY id"
    assert api.server.sql(booked, instructor.id) == [("sale", 4000), ("sale", 0), ("refund", -1550), ("refund", -450)]
    sums = """SELECT sum(e.amount_minor) = p.amount_minor - p.refunded_minor
                FROM earnings e JOIN payments p ON p.id = e.payment_id WHERE e.user_id = %s GROUP BY p.id"""
    assert {row[0] for row in api.server.sql(sums, instructor.id)} == {True}
