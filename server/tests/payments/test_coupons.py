"""Coupons: what they take off, for whom, when, and how often."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from shop import COUPONS, INTENTS, VISA, charges, confirm, coupon, enroll, enrolled, intent

from harness import Api, Person, code_of, in_parallel
from postman import Postman


@pytest.fixture
def course(instructor: Person) -> dict[str, Any]:
    return instructor.published_course(price=49.99)


def quote(person: Person, course: dict[str, Any], code: str) -> Any:
    return person.post(f"{COUPONS}validate/", json={"course_id": course["id"], "coupon_code": code})


def at(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


@pytest.mark.parametrize(
    ("price", "currency", "off", "paid", "discount"),
    [
        (49.99, "USD", {"percentage": 20}, 39.99, 10.0),
        (0.99, "USD", {"percentage": 50}, 0.49, 0.5),
        (1001, "JPY", {"percentage": 50}, 500, 501),
        (49.99, "USD", {"amount": 5, "currency": "USD"}, 44.99, 5.0),
        (49.99, "USD", {"amount": 100, "currency": "USD"}, 0, 49.99),
    ],
)
def test_a_discount_is_rounded_half_up_to_the_minor_unit(
    instructor: Person, learner: Person, price: float, currency: str, off: dict[str, Any], paid: float, discount: float
) -> None:
    course = instructor.published_course(price=price, currency=currency)
    code = coupon(instructor, **off)["code"]
    told = quote(learner, course, code).json()
    assert (told["list_price"], told["amount"], told["discount"]["discount_amount"]) == (price, paid, discount)
    assert told["discount"]["discount_percentage"] == off.get("percentage")


def test_a_coupon_lowers_what_is_charged(api: Api, instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    code = coupon(instructor, percentage=20)["code"]
    made = intent(learner, course, coupon_code=code.lower(), amount=49.99)
    assert (made["amount"], made["discount"]) == (39.99, {"coupon_code": code, "discount_amount": 10, "discount_percentage": 20})
    confirm(learner, made, **VISA)
    assert api.server.sql("SELECT data->'amount' FROM embedded_stripe.objects WHERE id = %s", made["payment_intent_id"]) == [
        (3999,)
    ]
    assert instructor.get(COUPONS).json()["results"][0]["redemptions"] == 1


def test_a_coupon_for_all_of_the_price_needs_no_card(
    api: Api, instructor: Person, learner: Person, course: dict[str, Any]
) -> None:
    code, somebody = coupon(instructor, percentage=100)["code"], api.sign_up()
    bought = enroll(learner, course, coupon_code=code)
    assert (bought.status_code, bought.json()["payment"]["amount"]) == (201, 0)
    assert bought.json()["payment"]["payment_id"].startswith("pay_")
    made = intent(somebody, course, coupon_code=code)
    assert (made["status"], made["payment_intent_id"], made["client_secret"]) == ("succeeded", None, None)
    assert confirm(somebody, made).json()["enrollment"]["course_id"] == course["id"]
    assert enrolled(somebody, course)
    assert charges(api, learner) == charges(api, somebody) == 0


def test_another_coupon_makes_another_payment(instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    first = intent(learner, course)
    second = intent(learner, course, coupon_code=coupon(instructor)["code"])
    assert second["payment_id"] != first["payment_id"]
    assert learner.get(f"{INTENTS}{first['payment_id']}/").json()["status"] == "canceled"
    assert intent(learner, course) == second


def test_a_coupon_that_does_not_hold_says_why(
    instructor: Person, other_instructor: Person, learner: Person, course: dict[str, Any]
) -> None:
    elsewhere = instructor.published_course(price=10)
    used_up = coupon(instructor, max_redemptions=1)["code"]
    assert enroll(learner, elsewhere, coupon_code=used_up, **VISA).status_code == 201
    once_each = coupon(instructor, max_redemptions_per_user=1)["code"]
    third = instructor.published_course(price=10)
    assert enroll(learner, third, coupon_code=once_each, **VISA).status_code == 201
    for code, why in [
        ("NOTHING", "no such coupon"),
        (coupon(other_instructor)["code"], "no such coupon"),
        (coupon(instructor, course_id=elsewhere["id"])["code"], "no such coupon"),
        (coupon(instructor, is_active=False)["code"], "no such coupon"),
        (coupon(instructor, starts_at=at(days=1))["code"], "yet"),
        (coupon(instructor, starts_at=at(days=-2), ends_at=at(days=-1))["code"], "any more"),
        (coupon(instructor, amount=5, currency="EUR")["code"], "EUR"),
        (used_up, "used up"),
        (once_each, "have used"),
    ]:
        body = {"course_id": course["id"], "coupon_code": code}
        for refused in (
            quote(learner, course, code),
            learner.post(INTENTS, json=body),
            enroll(learner, course, coupon_code=code),
        ):
            assert refused.status_code == 422, (code, why)
            assert code_of(refused) == "COUPON_INVALID"
            assert why in refused.json()["error"]["message"]


def test_a_coupon_that_is_refused_leaves_the_open_payment(instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    first = intent(learner, course)
    body = {"course_id": course["id"], "coupon_code": "NOPE"}
    for refused in (learner.post(INTENTS, json=body), enroll(learner, course, coupon_code="NOPE", **VISA)):
        assert (refused.status_code, code_of(refused)) == (422, "COUPON_INVALID")
        assert learner.get(f"{INTENTS}{first['payment_id']}/").json()["status"] == "requires_payment_method"
    assert intent(learner, course) == first


def test_a_coupon_that_holds_no_more_at_a_new_price_leaves_the_open_payment(
    instructor: Person, learner: Person, course: dict[str, Any]
) -> None:
    made = coupon(instructor, amount=5, currency="USD")
    first = intent(learner, course, coupon_code=made["code"])
    assert instructor.patch(f"/api/v1/instructor/courses/{course['id']}/", json={"currency": "EUR"}).status_code == 200
    assert learner.post(INTENTS, json={"course_id": course["id"], "coupon_code": made["code"]}).status_code == 422
    assert learner.get(f"{INTENTS}{first['payment_id']}/").json()["status"] == "requires_payment_method"


def test_what_one_has_open_is_no_other_use_of_its_coupon(
    api: Api, instructor: Person, learner: Person, course: dict[str, Any]
) -> None:
    code, somebody = coupon(instructor, max_redemptions=1, max_redemptions_per_user=1)["code"], api.sign_up()
    made = intent(learner, course, coupon_code=code)
    assert quote(learner, course, code).status_code == 200
    assert intent(learner, course, coupon_code=code) == made
    assert quote(somebody, course, code).status_code == 422
    assert quote(learner, instructor.published_course(price=10), code).status_code == 422
    assert confirm(learner, made, **VISA).status_code == 200
    assert quote(learner, course, code).status_code == 422


def test_a_coupon_of_an_admin_holds_everywhere(admin: Person, learner: Person, course: dict[str, Any]) -> None:
    assert quote(learner, course, coupon(admin)["code"]).status_code == 200


def test_ten_uses_are_ten_under_many_buyers(api: Api, instructor: Person, course: dict[str, Any]) -> None:
    code = coupon(instructor, max_redemptions=10)["code"]
    buyers = [api.sign_up() for _ in range(100)]
    body = {"coupon_code": code, **VISA}

    def buying(buyer: Person) -> Any:
        return lambda caller: caller.post(f"/api/v1/courses/{course['id']}/enroll/", json=body, headers=buyer.headers).status_code

    answers = in_parallel(api.server, [buying(buyer) for buyer in buyers])
    assert sorted(answers) == [201] * 10 + [422] * 90
    assert instructor.get(COUPONS).json()["results"][0]["redemptions"] == 10


def test_what_is_given_up_frees_the_coupon(api: Api, instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    code, somebody = coupon(instructor, max_redemptions=1)["code"], api.sign_up()
    made = intent(learner, course, coupon_code=code)
    assert quote(somebody, course, code).status_code == 422
    ours = api.server.sql("SELECT id::text FROM payments WHERE intent = %s", made["payment_intent_id"])[0][0]
    assert "payments.give_up" in Postman(api.server).deliver(ours)
    assert quote(somebody, course, code).status_code == 200


def test_a_coupon_is_changed_and_deleted(instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    made = coupon(instructor, percentage=10)
    path = f"{COUPONS}{made['id']}/"
    changed = instructor.patch(path, json={"is_active": False, "max_redemptions": 3})
    assert (changed.json()["is_active"], changed.json()["max_redemptions"]) == (False, 3)
    assert instructor.get(path).json() == changed.json()
    assert quote(learner, course, made["code"]).status_code == 422
    assert instructor.patch(path, json={}).json() == changed.json()
    assert instructor.delete(path).status_code == 204
    assert instructor.get(path).status_code == 404
    assert instructor.delete(path).status_code == 404


def test_a_moment_may_be_written_small(instructor: Person) -> None:
    """As RFC 3339 has it."""
    assert coupon(instructor, ends_at="2031-01-01t00:00:00z")["ends_at"] == "2031-01-01T00:00:00.000000Z"


def test_what_makes_no_coupon_is_refused(instructor: Person, other_instructor: Person) -> None:
    code, theirs = coupon(instructor)["code"], other_instructor.published_course()
    new = {"code": uuid4().hex}
    for body, expected in [
        ({"code": code.lower(), "percentage": 5}, (409, "CONFLICT")),
        ({**new, "percentage": 5, "course_id": theirs["id"]}, (404, "COURSE_NOT_FOUND")),
        ({**new, "percentage": 5, "course_id": str(uuid4())}, (404, "COURSE_NOT_FOUND")),
        ({**new, "amount": 1.234, "currency": "USD"}, (422, "PRICE_INVALID")),
        ({**new, "percentage": 5, "starts_at": at(days=2), "ends_at": at(days=1)}, (422, "RANGE_INVALID")),
        ({**new, "percentage": 5, "starts_at": "2026-02-31T00:00:00Z"}, (422, "VALIDATION_ERROR")),
        ({**new, "percentage": 5, "amount": 5, "currency": "USD"}, (422, "COUPON_INVALID")),
        ({**new, "amount": 5}, (422, "COUPON_INVALID")),
        ({**new, "amount": 5, "currency": "ZZZ"}, (422, "COUPON_INVALID")),
        ({**new, "percentage": 5, "currency": "USD"}, (422, "COUPON_INVALID")),
        (new, (422, "COUPON_INVALID")),
        ({**new, "percentage": 101}, (422, "VALIDATION_ERROR")),
    ]:
        refused = instructor.post(COUPONS, json=body)
        assert (refused.status_code, code_of(refused)) == expected, body
    made = coupon(instructor, starts_at=at(days=1))
    refused = instructor.patch(f"{COUPONS}{made['id']}/", json={"ends_at": at(hours=1)})
    assert (refused.status_code, code_of(refused)) == (422, "RANGE_INVALID")


def test_somebody_elses_coupon_is_not_there(
    api: Api, instructor: Person, other_instructor: Person, learner: Person, admin: Person
) -> None:
    made = coupon(instructor)
    path = f"{COUPONS}{made['id']}/"
    for send in (other_instructor.get, other_instructor.delete):
        assert (send(path).status_code, other_instructor.get(COUPONS).json()["count"]) == (404, 0)
    assert other_instructor.patch(path, json={"is_active": False}).status_code == 404
    assert code_of(learner.get(COUPONS)) == "PERMISSION_DENIED"
    assert code_of(api.get(COUPONS)) == "AUTH_REQUIRED"
    assert admin.get(path).json() == made


def test_a_coupon_is_not_quoted_for_what_is_not_sold(instructor: Person, learner: Person) -> None:
    code = coupon(instructor)["code"]
    gone, draft = quote(learner, {"id": str(uuid4())}, code), quote(learner, instructor.course(price=10), code)
    assert (gone.status_code, code_of(gone)) == (404, "COURSE_NOT_FOUND")
    assert (draft.status_code, code_of(draft)) == (409, "COURSE_NOT_PUBLISHED")
