"""What was paid: the list, its sums, and receipts."""

import pypdfium2
import pytest
from shop import HISTORY, VISA, confirm, coupon, enroll, intent

from harness import Api, Person, code_of, fields_of


def test_the_history_is_ones_own_and_newest_first(api: Api, instructor: Person, learner: Person) -> None:
    courses = [instructor.published_course(price=price) for price in (10, 20.5)]
    for course in courses:
        enroll(learner, course, **VISA)
    enroll(api.sign_up(), courses[0], **VISA)
    page = learner.get(HISTORY).json()
    assert (page["count"], page["total_spent"], page["total_spent_by_currency"]) == (
        2,
        30.5,
        [{"currency": "USD", "amount": 30.5}],
    )
    newest = page["results"][0]
    assert (newest["amount"], newest["description"]) == (20.5, f"Course: {courses[1]['title']}")
    assert newest["course"] == {"id": courses[1]["id"], "title": courses[1]["title"], "instructor": "Ada Lovelace"}
    assert newest["receipt_url"].startswith(api.server.base_url)


def test_a_sum_over_several_currencies_is_none(instructor: Person, learner: Person) -> None:
    for currency, price in (("USD", 10), ("JPY", 500)):
        enroll(learner, instructor.published_course(price=price, currency=currency), **VISA)
    page = learner.get(HISTORY).json()
    assert page["total_spent"] is None
    assert page["total_spent_by_currency"] == [{"currency": "JPY", "amount": 500}, {"currency": "USD", "amount": 10}]


def test_the_history_is_filtered_by_day_and_status(api: Api, instructor: Person, learner: Person) -> None:
    old, new, declined, untried = (instructor.published_course(price=price) for price in (10, 20, 30, 40))
    for course in (old, new):
        enroll(learner, course, **VISA)
    enroll(learner, declined, payment_method_id="pm_card_chargeDeclined")
    intent(learner, untried)
    api.server.sql("UPDATE payments SET created_at = '2025-01-10T23:59:59Z' WHERE course_id = %s", old["id"])

    def titles(**filters: str) -> set[str]:
        return {item["course"]["title"] for item in learner.get(HISTORY, params=filters).json()["results"]}

    assert titles() == {old["title"], new["title"], declined["title"]}
    assert titles(end_date="2025-01-10") == titles(start_date="2025-01-10", end_date="2025-01-10") == {old["title"]}
    assert titles(start_date="2025-01-11") == {new["title"], declined["title"]}
    assert titles(status="failed") == {declined["title"]}
    assert titles(status="succeeded") == {old["title"], new["title"]}
    assert titles(status="requires_payment_method") == {untried["title"]}
    assert learner.get(HISTORY, params={"status": "failed"}).json()["total_spent"] == 0
    assert learner.get(HISTORY, params={"end_date": "2025-01-10"}).json()["total_spent"] == 10


@pytest.mark.parametrize("path", ["/api/v1/payments/history/", "/api/v1/ai-assistant/user/usage/"])
@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_no_day_is_before_the_first_year(learner: Person, path: str, name: str) -> None:
    refused = learner.get(path, params={name: "0000-12-31"})
    assert (refused.status_code, fields_of(refused)) == (422, {name})
    assert learner.get(path, params={"start_date": "9999-12-31", "end_date": "9999-12-31"}).status_code == 200


def test_a_receipt_shows_what_was_paid(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course(price=49.99)
    made = intent(learner, course, coupon_code=coupon(instructor, percentage=20)["code"])
    path = f"{HISTORY}{made['payment_id']}/receipt/"
    assert code_of(learner.get(path)) == "NOT_FOUND"
    confirm(learner, made, **VISA)
    receipt = learner.get(path).json()
    assert (receipt["list_price"], receipt["discount"]["discount_amount"], receipt["amount"]) == (49.99, 10, 39.99)
    assert (receipt["buyer"], receipt["course"]["instructor"]) == ("Ada Lovelace", "Ada Lovelace")
    assert code_of(api.sign_up().get(path)) == "NOT_FOUND"
    assert code_of(instructor.get(path)) == "NOT_FOUND"
    assert code_of(api.get(path)) == "AUTH_REQUIRED"


def test_a_receipt_is_a_page_to_print(api: Api, instructor: Person, learner: Person) -> None:
    course = instructor.published_course(price=1049.99)
    made = intent(learner, course, coupon_code=coupon(instructor, percentage=20)["code"])
    path = f"{HISTORY}{made['payment_id']}/receipt.pdf"
    assert code_of(learner.get(path)) == "NOT_FOUND"
    confirm(learner, made, **VISA)
    answer = learner.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
    [page] = pypdfium2.PdfDocument(answer.content)
    words = page.get_textpage().get_text_bounded()
    for shown in (made["payment_id"], "Ada Lovelace", course["title"], "1,049.99 USD", "−210.00 USD", "839.99 USD"):
        assert shown in words
    assert code_of(instructor.get(path)) == "NOT_FOUND"
    assert code_of(api.get(path)) == "AUTH_REQUIRED"


def test_a_receipt_has_no_decimals_where_the_currency_has_none(instructor: Person, learner: Person) -> None:
    made = intent(learner, instructor.published_course(price=1500, currency="JPY"))
    confirm(learner, made, **VISA)
    pdf = learner.get(f"{HISTORY}{made['payment_id']}/receipt.pdf").content
    assert "1,500 JPY" in pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded()
