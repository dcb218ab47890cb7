"""What the SDK tells of a payment that is still to be made."""

import pytest

from harness import Api, Person, Server
from unpuzzle_sdk import Unpuzzle, errors


@pytest.fixture
def buyer(server: Server, learner: Person) -> Unpuzzle:
    return Unpuzzle(base_url=server.base_url, token=learner.tokens["access_token"])


def test_an_error_of_a_payment_says_how_to_go_on(buyer: Unpuzzle, instructor: Person) -> None:
    course = instructor.published_course(price=20)
    with pytest.raises(errors.PaymentRequired) as unpaid:
        buyer.enrollments.enroll(course["id"])
    error = unpaid.value
    assert (error.payment_status, error.decline_code, error.next_action_url) == ("requires_payment_method", None, None)
    assert error.client_secret
    assert error.client_secret not in f"{error!r} {error}"
    with pytest.raises(errors.PaymentInsufficientFunds) as declined:
        buyer.payments.confirm_intent(error.payment_id or "", payment_method_id="pm_card_visa_chargeDeclinedInsufficientFunds")
    assert (declined.value.decline_code, declined.value.payment_id) == ("insufficient_funds", error.payment_id)
    paid = buyer.payments.confirm_intent(error.payment_id or "", payment_method_id="pm_card_visa")
    assert paid.status == "succeeded"
    assert paid.enrollment
    buyer.close()


def test_an_answer_that_is_no_error_of_ours_tells_nothing(api: Api) -> None:
    assert errors.PaymentRequiredError("Pay", status_code=402, body="<html>").payment_id is None
