"""Buying a course: one charge and one enrolment, however it comes about."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from shop import HISTORY, INTENTS, VISA, charges, confirm, coupon, enroll, enrolled, intent, tell
from stripes import client

from harness import Api, Person, code_of, in_parallel, running_server
from postman import Postman


@pytest.fixture
def course(instructor: Person) -> dict[str, Any]:
    return instructor.published_course(price=49.99)


def test_a_payment_method_buys_at_once(api: Api, learner: Person, course: dict[str, Any]) -> None:
    bought = enroll(learner, course, **VISA).json()
    assert bought["payment"]["payment_id"].startswith("pi_")
    assert (bought["payment"]["amount"], bought["payment"]["status"]) == (49.99, "completed")
    assert bought["course_id"] == course["id"]
    assert enrolled(learner, course)
    assert charges(api, learner) == 1


def test_an_intent_and_its_confirmation_buy(api: Api, learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course, amount=49.99, currency="USD", payment_method="card", metadata={"source": "web"})
    assert (made["status"], made["amount"], made["discount"]) == ("requires_payment_method", 49.99, None)
    assert made["client_secret"].startswith(made["payment_intent_id"])
    paid = confirm(learner, made, **VISA).json()
    assert (paid["status"], paid["stripe_payment_intent"]) == ("succeeded", made["payment_intent_id"])
    assert paid["enrollment"]["course_id"] == course["id"]
    assert paid["receipt_url"].startswith(api.server.base_url)
    assert enrolled(learner, course)
    assert charges(api, learner) == 1


def test_what_is_confirmed_twice_is_charged_once(api: Api, learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    assert confirm(learner, made, **VISA).json() == confirm(learner, made, **VISA).json()
    assert charges(api, learner) == 1


def test_an_intent_is_asked_for_again_and_is_the_same(learner: Person, course: dict[str, Any]) -> None:
    assert intent(learner, course) == intent(learner, course)


def test_a_payment_has_two_names(learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    by_ours, by_theirs = (learner.get(f"{INTENTS}{made[name]}/").json() for name in ("payment_id", "payment_intent_id"))
    assert by_ours == by_theirs == made


def test_the_wrong_price_is_refused(learner: Person, course: dict[str, Any]) -> None:
    for wrong in ({"amount": 0.5}, {"amount": 49.991}, {"amount": 49.99, "currency": "EUR"}):
        refused = learner.post(INTENTS, json={"course_id": course["id"], **wrong})
        assert (refused.status_code, code_of(refused)) == (422, "AMOUNT_MISMATCH")


def test_what_can_not_be_bought_has_no_intent(api: Api, instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    free, draft = instructor.published_course(), instructor.course(price=5)
    for caller, asked, expected in [
        (learner, free["id"], (409, "CONFLICT")),
        (learner, draft["id"], (409, "COURSE_NOT_PUBLISHED")),
        (learner, str(uuid4()), (404, "COURSE_NOT_FOUND")),
        (instructor, course["id"], (409, "CONFLICT")),
        (api, course["id"], (401, "AUTH_REQUIRED")),
    ]:
        refused = caller.post(INTENTS, json={"course_id": asked})
        assert (refused.status_code, code_of(refused)) == expected


def test_what_is_too_small_for_stripe_is_not_sold(instructor: Person, learner: Person) -> None:
    course = instructor.published_course(price=0.05)
    for refused in (learner.post(INTENTS, json={"course_id": course["id"]}), enroll(learner, course, **VISA)):
        assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "PAYMENT_FAILED", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "PAYMENT_INSUFFICIENT_FUNDS", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "PAYMENT_FAILED", "expired_card"),
        ("pm_card_visa_chargeDeclinedLostCard", "PAYMENT_FAILED", "lost_card"),
        ("pm_of_nobody", "PAYMENT_FAILED", "resource_missing"),
    ],
)
def test_a_declined_card_says_why_and_another_one_may_be_tried(
    api: Api, learner: Person, course: dict[str, Any], method: str, code: str, decline_code: str
) -> None:
    refused = enroll(learner, course, payment_method_id=method)
    assert (refused.status_code, code_of(refused)) == (402, code)
    error = refused.json()["error"]
    assert error["decline_code"] == decline_code
    assert method != "pm_of_nobody" or error["message"] == "This payment method can't be used."
    made = learner.get(f"{INTENTS}{error['payment_id']}/").json()
    assert made["status"] == ("failed" if method != "pm_of_nobody" else "requires_payment_method")
    again = confirm(learner, made, payment_method_id=method)
    assert (again.status_code, code_of(again)) == (402, code)
    assert not enrolled(learner, course)
    assert confirm(learner, made, **VISA).json()["status"] == "succeeded"
    assert charges(api, learner) == 1


def test_without_a_method_the_error_says_how_to_go_on(learner: Person, course: dict[str, Any]) -> None:
    refused = enroll(learner, course)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["status"]) == (402, "PAYMENT_REQUIRED", "requires_payment_method")
    nothing = confirm(learner, error)
    assert (nothing.status_code, code_of(nothing)) == (402, "PAYMENT_REQUIRED")
    assert error["client_secret"] == nothing.json()["error"]["client_secret"]
    assert confirm(learner, error, **VISA).json()["status"] == "succeeded"


def authenticate(url: str, answer: str) -> httpx.Response:
    """What a person does on the page of their bank."""
    with httpx.Client(follow_redirects=False) as browser:
        page = browser.get(url)
        assert page.status_code == 200, page.text
        return browser.post(url, data={"answer": answer})


def test_a_holder_who_authenticates_has_bought(api: Api, learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    body = {"payment_method_id": "pm_card_authenticationRequired", "return_url": "https://app.unpuzzle.com/back"}
    asked = confirm(learner, made, **body)
    assert (asked.status_code, asked.json()["status"], asked.json()["enrollment"]) == (200, "requires_action", None)
    back = authenticate(asked.json()["next_action_url"], "complete")
    assert back.headers["location"].startswith("https://app.unpuzzle.com/back?payment_intent=pi_")
    assert confirm(learner, made).json()["status"] == "succeeded"
    assert enrolled(learner, course)
    assert charges(api, learner) == 1


def test_a_holder_who_fails_to_authenticate_has_not(api: Api, learner: Person, course: dict[str, Any]) -> None:
    refused = enroll(learner, course, payment_method_id="pm_card_authenticationRequired")
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["status"]) == (402, "PAYMENT_REQUIRED", "requires_action")
    body = {"payment_method_id": "pm_card_authenticationRequired", "return_url": "https://app.unpuzzle.com/back"}
    authenticate(confirm(learner, error, **body).json()["next_action_url"], "fail")
    assert learner.get(f"{INTENTS}{error['payment_id']}/").json()["status"] == "failed"
    assert not enrolled(learner, course)
    assert charges(api, learner) == 0


def test_fifty_purchases_at_once_are_one(api: Api, learner: Person, course: dict[str, Any]) -> None:
    path = f"/api/v1/courses/{course['id']}/enroll/"
    act = lambda caller: caller.post(path, json=VISA, headers=learner.headers).status_code  # noqa: E731
    assert sorted(in_parallel(api.server, [act] * 50)) == [201] + [409] * 49
    assert charges(api, learner) == 1
    assert learner.get("/api/v1/enrollments/").json()["count"] == 1


def test_the_same_key_is_the_same_purchase(api: Api, learner: Person, course: dict[str, Any]) -> None:
    path, headers = f"/api/v1/courses/{course['id']}/enroll/", {"Idempotency-Key": uuid4().hex}
    first, again = (learner.post(path, json=VISA, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert charges(api, learner) == 1


def test_of_many_who_confirm_at_once_all_have_bought(api: Api, instructor: Person, learner: Person) -> None:
    """One charges; to the others it is the payment that has succeeded, and no enrolment that was there before."""
    for _ in range(4):
        path = f"{INTENTS}{intent(learner, instructor.published_course(price=49.99))['payment_id']}/confirm/"
        answers = in_parallel(api.server, [lambda caller: caller.post(path, json=VISA, headers=learner.headers)] * 6)  # noqa: B023
        assert [answer.json().get("status") for answer in answers] == ["succeeded"] * 6


def test_nobody_is_charged_for_what_they_have_by_now(api: Api, learner: Person, course: dict[str, Any]) -> None:
    """Their instructor may have enrolled them meanwhile."""
    made = intent(learner, course)
    api.server.sql("INSERT INTO enrollments (user_id, course_id) VALUES (%s, %s)", learner.id, course["id"])
    refused = confirm(learner, made, **VISA)
    assert (refused.status_code, code_of(refused)) == (409, "ENROLLMENT_EXISTS")
    assert charges(api, learner) == 0


def test_nobody_is_charged_for_what_is_not_sold_any_more(
    api: Api, instructor: Person, learner: Person, course: dict[str, Any]
) -> None:
    made = intent(learner, course)
    assert instructor.post(f"/api/v1/instructor/courses/{course['id']}/archive/").status_code == 200
    refused = confirm(learner, made, **VISA)
    assert (refused.status_code, code_of(refused)) == (409, "COURSE_NOT_PUBLISHED")
    assert charges(api, learner) == 0


def test_the_same_key_at_once_is_the_same_purchase(api: Api, instructor: Person, learner: Person) -> None:
    for _ in range(5):
        path = f"/api/v1/courses/{instructor.published_course(price=49.99)['id']}/enroll/"
        headers = {**learner.headers, "Idempotency-Key": uuid4().hex}
        answers = in_parallel(api.server, [lambda caller: caller.post(path, json=VISA, headers=headers)] * 6)  # noqa: B023
        refused = [code_of(answer) for answer in answers if answer.status_code != 201]
        assert set(refused) <= {"IDEMPOTENCY_IN_PROGRESS"}
        assert [answer.headers.get("idempotency-replayed") for answer in answers if answer.status_code == 201].count(None) == 1
        again = learner.post(path, json=VISA, headers=headers)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")


def test_another_key_is_another_purchase(learner: Person, course: dict[str, Any]) -> None:
    first, other = (enroll_with(learner, course, uuid4().hex) for _ in range(2))
    assert (first.status_code, code_of(other)) == (201, "ENROLLMENT_EXISTS")


def enroll_with(person: Person, course: dict[str, Any], key: str) -> Any:
    return person.post(f"/api/v1/courses/{course['id']}/enroll/", json=VISA, headers={"Idempotency-Key": key})


def test_a_cancelled_payment_is_over(learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    cancelled = [learner.post(f"{INTENTS}{made['payment_id']}/cancel/") for _ in range(2)]
    assert [(answer.status_code, answer.json()["status"]) for answer in cancelled] == [(200, "canceled")] * 2
    refused = confirm(learner, made, **VISA)
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert intent(learner, course)["payment_id"] != made["payment_id"]


def test_a_payment_that_was_cancelled_holds_no_course(
    api: Api, instructor: Person, learner: Person, course: dict[str, Any]
) -> None:
    path, made = f"/api/v1/instructor/courses/{course['id']}/", intent(learner, course)
    refused = instructor.delete(path)
    assert (refused.status_code, "about to pay" in refused.json()["error"]["message"]) == (409, True)
    learner.post(f"{INTENTS}{made['payment_id']}/cancel/")
    assert api.sign_up_instructor().delete(path).status_code == 404
    assert instructor.delete(path).status_code == 204
    assert learner.get(f"{INTENTS}{made['payment_id']}/").status_code == 404


def test_a_payment_that_was_given_back_holds_its_course(instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    paid = enroll(learner, course, **VISA).json()["payment"]["payment_id"]
    assert instructor.post(f"{HISTORY}{paid}/refund/", json={}).status_code == 200
    refused = instructor.delete(f"/api/v1/instructor/courses/{course['id']}/")
    assert (refused.status_code, "archive it instead" in refused.json()["error"]["message"]) == (409, True)


def test_what_is_paid_is_not_cancelled(learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    confirm(learner, made, **VISA)
    refused = learner.post(f"{INTENTS}{made['payment_id']}/cancel/")
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    refused = learner.post(INTENTS, json={"course_id": course["id"]})
    assert (refused.status_code, code_of(refused)) == (409, "ENROLLMENT_EXISTS")


def test_what_a_coupon_has_paid_is_not_cancelled(instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course, coupon_code=coupon(instructor, percentage=100)["code"])
    refused = learner.post(f"{INTENTS}{made['payment_id']}/cancel/")
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert enrolled(learner, course)


def test_whoever_left_comes_back_without_paying_again(api: Api, learner: Person, course: dict[str, Any]) -> None:
    enroll(learner, course, **VISA)
    learner.post(f"/api/v1/courses/{course['id']}/unenroll/")
    refused = learner.post(INTENTS, json={"course_id": course["id"]})
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert enroll(learner, course).status_code == 201
    assert charges(api, learner) == 1


def test_a_new_price_makes_a_new_payment(instructor: Person, learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    instructor.patch(f"/api/v1/instructor/courses/{course['id']}/", json={"price": 10})
    assert intent(learner, course)["amount"] == 10
    assert learner.get(f"{INTENTS}{made['payment_id']}/").json()["status"] == "canceled"


@pytest.mark.parametrize("action", ["get", "cancel", "confirm"])
def test_somebody_elses_payment_is_not_there(api: Api, learner: Person, course: dict[str, Any], action: str) -> None:
    made, somebody = intent(learner, course), api.sign_up()
    path = f"{INTENTS}{made['payment_id']}/" + ("" if action == "get" else f"{action}/")
    asked = somebody.get(path) if action == "get" else somebody.post(path, **({"json": VISA} if action == "confirm" else {}))
    assert (asked.status_code, code_of(asked)) == (404, "NOT_FOUND")


def test_a_webhook_alone_enrols(api: Api, learner: Person, course: dict[str, Any]) -> None:
    """The page has paid with Stripe's own library and was closed before it could confirm."""
    made = intent(learner, course)
    client(api.server).payment_intents.confirm(made["payment_intent_id"], {"payment_method": "pm_card_visa"})
    assert not enrolled(learner, course)
    tell(api, "payment_intent.succeeded", {"id": made["payment_intent_id"]})
    assert enrolled(learner, course)
    assert confirm(learner, made).json()["status"] == "succeeded"


def test_webhooks_come_twice_and_in_any_order(api: Api, learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    confirm(learner, made, payment_method_id="pm_card_chargeDeclined")
    confirm(learner, made, **VISA)
    about = {"id": made["payment_intent_id"]}
    same = tell(api, "payment_intent.succeeded", about)
    tell(api, "payment_intent.succeeded", about, same)
    for late in ("payment_intent.payment_failed", "payment_intent.failed", "payment_intent.created"):
        tell(api, late, about)
    assert learner.get(f"{INTENTS}{made['payment_id']}/").json()["status"] == "succeeded"
    assert learner.get("/api/v1/enrollments/").json()["count"] == 1
    assert charges(api, learner) == 1


def test_a_payment_that_a_crash_has_cut_short_is_followed_up(api: Api, learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    client(api.server).payment_intents.confirm(made["payment_intent_id"], {"payment_method": "pm_card_visa"})
    ours = api.server.sql("SELECT id::text FROM payments WHERE intent = %s", made["payment_intent_id"])[0][0]
    assert "payments.follow" in Postman(api.server).deliver(ours)
    assert enrolled(learner, course)


def test_what_nobody_completes_is_given_up(api: Api, learner: Person, course: dict[str, Any]) -> None:
    made = intent(learner, course)
    ours = api.server.sql("SELECT id::text FROM payments WHERE intent = %s", made["payment_intent_id"])[0][0]
    Postman(api.server).deliver(ours)
    assert learner.get(f"{INTENTS}{made['payment_id']}/").json()["status"] == "canceled"
    assert client(api.server).payment_intents.retrieve(made["payment_intent_id"]).status == "canceled"


def test_a_stripe_that_is_away_is_said_to_be(postgres: str) -> None:
    with running_server(postgres, stripe_api_base="http://127.0.0.1:9") as server, Api(server) as api:
        course, learner = api.sign_up_instructor().published_course(price=20), api.sign_up()
        refused = enroll(learner, course, **VISA)
        assert (refused.status_code, code_of(refused)) == (503, "SERVICE_UNAVAILABLE")
        assert refused.json()["error"]["retry_after"] == 5
        assert learner.get(HISTORY).json()["count"] == 0
