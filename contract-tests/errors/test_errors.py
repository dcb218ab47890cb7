"""The codes of the contract's rules: each can be provoked, and is told as the contract says."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from harness import CONTRACT, Api, code_of
from unpuzzle_server.kernel import spec
from world import World, is_open

INSUFFICIENT, DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds", "pm_card_visa_chargeDeclined"
ELSEWHERE = {
    # what the kernel answers, to whatever is asked: contract-tests/requests, access and wire
    "MALFORMED_REQUEST", "UNSUPPORTED_VERSION", "AUTH_REQUIRED", "AUTH_INVALID_TOKEN", "AUTH_USER_NOT_FOUND", "PERMISSION_DENIED",
    "ACCOUNT_SUSPENDED", "CSRF_FAILED", "METHOD_NOT_ALLOWED", "IDEMPOTENCY_IN_PROGRESS", "IDEMPOTENCY_MISMATCH",
    "PRECONDITION_FAILED", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "VALIDATION_ERROR", "RATE_LIMIT_EXCEEDED",
    "INTERNAL_ERROR", "SERVICE_UNAVAILABLE",
    # what needs a vendor, a worker or a setting of its own: server/tests
    "AI_SERVICE_ERROR", "AI_LIMIT_EXCEEDED", "EMAIL_NOT_VERIFIED", "MEDIA_MISMATCH", "MESSAGE_REFUSED", "OAUTH_FAILED",
    "ATTEMPT_CLOSED", "RANGE_NOT_SATISFIABLE", "NOT_CONFIGURED", "QUOTA_EXCEEDED", "LESSON_EMPTY",
}  # fmt: skip
"""Codes that are provoked by others than these tests."""

Provoked = Callable[[World], Any]
PROVOKED: list[tuple[str, str, Provoked]] = []


def provokes(operation: str, code: str) -> Callable[[Provoked], Provoked]:
    def kept(provoke: Provoked) -> Provoked:
        PROVOKED.append((operation, code, provoke))
        return provoke

    return kept


def call(name: str, caller: str = "", **changes: Any) -> Provoked:
    """The operation's own request, with something else in its body or its query."""
    params = changes.pop("params", {})

    def provoke(world: World) -> Any:
        operation = CONTRACT.operations[name]
        kwargs: dict[str, Any] = {"params": params} if params else {}
        if changes:
            kwargs["json"] = {**world.body(operation), **changes}
        return world.send(operation, getattr(world, caller) if caller else None, **kwargs)

    return provoke


def twice(name: str) -> Provoked:
    def provoke(world: World) -> Any:
        operation = CONTRACT.operations[name]
        request = {"path": operation.path.format(**world.ids(operation))}
        if operation.body:
            request["json"] = world.body(operation)
        world.send(operation, **request)
        return world.send(operation, **request)

    return provoke


PROVOKED += [
    ("auth.sign_up", "EMAIL_TAKEN", lambda world: call("auth.sign_up", email=world.owner.email)(world)),
    ("auth.sign_up", "WEAK_PASSWORD", call("auth.sign_up", password="password1234")),
    ("auth.sign_in", "AUTH_INVALID_CREDENTIALS", call("auth.sign_in", password="another horse battery")),
    ("auth.change_password", "AUTH_INVALID_CREDENTIALS", call("auth.change_password", current_password="another horse")),
    ("auth.change_email", "AUTH_INVALID_CREDENTIALS", call("auth.change_email", password="another horse")),
    ("auth.update_profile", "TIMEZONE_UNKNOWN", call("auth.update_profile", preferences={"timezone": "Europe/Atlantis"})),
    ("auth.update_profile", "TIMEZONE_UNKNOWN", call("auth.update_profile", preferences={"timezone": "localtime"})),
    ("auth.verify_email", "TOKEN_INVALID", call("auth.verify_email", token="x" * 43)),
    ("auth.oauth_sign_in", "REDIRECT_NOT_ALLOWED", call("auth.oauth_sign_in", redirect_url="https://evil.example/")),
    ("auth.decide_instructor_application", "CONFLICT", twice("auth.decide_instructor_application")),
    ("courses.create", "PRICE_INVALID", call("courses.create", price=9.999)),
    ("courses.create", "CATEGORY_UNKNOWN", call("courses.create", category_id=str(uuid4()))),
    ("courses.create_category", "CONFLICT", twice("courses.create_category")),
    ("content.create_quiz", "QUESTION_INVALID", call("content.create_quiz", questions=[
        {"type": "multiple_choice", "question": "Which?", "options": [{"text": "this"}, {"text": "that"}]}])),
    ("content.put_transcript", "TRANSCRIPT_INVALID", call("content.put_transcript", format="segments", segments=[
        {"start": 2, "end": 1, "text": "backwards"}])),
    ("content.assign_media", "ORDER_INVALID", call("content.assign_media", order_mapping={str(uuid4()): 1})),
    ("enrollments.enroll", "ENROLLMENT_EXISTS", twice("enrollments.enroll")),
    ("enrollments.enroll", "CONFLICT", lambda world: world.send(CONTRACT.operations["enrollments.enroll"], world.owner)),
    ("enrollments.accept_invitation", "TOKEN_INVALID", twice("enrollments.accept_invitation")),
    ("learning.record_progress", "RANGE_INVALID", call("learning.record_progress", watched=[{"start": 5, "end": 1}])),
    ("learning.submit_attempt", "ANSWER_INVALID", call("learning.submit_attempt", answers=[
        {"question_id": str(uuid4()), "option_ids": []}])),
    ("payments.create_intent", "AMOUNT_MISMATCH", call("payments.create_intent", amount=0.01)),
    ("payments.validate_coupon", "COUPON_INVALID", call("payments.validate_coupon", coupon_code="NOSUCHCODE")),
    ("payments.create_coupon", "COUPON_INVALID", call("payments.create_coupon", percentage=None)),
    ("payments.create_coupon", "RANGE_INVALID", call(
        "payments.create_coupon", starts_at="2030-01-01T00:00:00Z", ends_at="2029-01-01T00:00:00Z")),
    ("payments.refund", "REFUND_TOO_LARGE", call("payments.refund", amount=9999.99)),
    ("subscriptions.create", "PAYMENT_FAILED", call("subscriptions.create", payment_method_id=DECLINED)),
    ("subscriptions.create", "CONFLICT", twice("subscriptions.create")),
    ("subscriptions.resume", "CONFLICT", lambda world: world.send(CONTRACT.operations["subscriptions.resume"], world.caller)),
    ("media.initiate_upload", "MEDIA_SIZE_EXCEEDED", call("media.initiate_upload", file_size=10**12)),
    ("ai.get_usage", "RANGE_INVALID", call("ai.get_usage", params={"start_date": "2026-02-01", "end_date": "2026-01-01"})),
]  # fmt: skip


@provokes("auth.delete_account", "REAUTHENTICATION_REQUIRED")
def an_old_session(world: World) -> Any:
    person = world.api.sign_up()
    earlier = "UPDATE sessions SET created_at = created_at - interval '16 minutes' WHERE user_id = %s"
    world.api.server.sql(earlier, person.id)
    return person.delete("/api/v1/auth/account/")


@provokes("courses.publish", "COURSE_NOT_READY")
def an_empty_course(world: World) -> Any:
    course = world.owner.course(description="x", price=0, category_id=world.category_id)
    return world.owner.post(f"/api/v1/instructor/courses/{course['id']}/publish/")


@provokes("courses.delete_category", "CONFLICT")
def a_category_with_a_course(world: World) -> Any:
    category = world.api.category()["id"]
    world.owner.course(category_id=category)
    return world.owner.delete(f"/api/v1/admin/categories/{category}/")


@provokes("media.delete", "CONFLICT")
def a_file_that_is_shown(world: World) -> Any:
    world.send(CONTRACT.operations["content.assign_media"])
    return world.send(CONTRACT.operations["media.delete"])


@provokes("enrollments.enroll", "PAYMENT_REQUIRED")
def a_course_that_costs(world: World) -> Any:
    return world.caller.post(f"/api/v1/courses/{world._sold}/enroll/", json={})


@provokes("enrollments.enroll", "PAYMENT_INSUFFICIENT_FUNDS")
def a_card_without_money(world: World) -> Any:
    return world.caller.post(f"/api/v1/courses/{world._sold}/enroll/", json={"payment_method_id": INSUFFICIENT})


@provokes("enrollments.enroll", "COURSE_NOT_PUBLISHED")
def a_draft(world: World) -> Any:
    return world.caller.post(f"/api/v1/courses/{world.owner.course()['id']}/enroll/", json={})


@provokes("enrollments.accept_invitation", "ENROLLMENT_EXISTS")
def an_invitation_to_what_one_takes(world: World) -> Any:
    world.caller.post(f"/api/v1/courses/{world.course_id}/enroll/", json={})
    return world.send(CONTRACT.operations["enrollments.accept_invitation"])


@provokes("learning.get_progress", "ENROLLMENT_NOT_FOUND")
def a_course_that_one_does_not_take(world: World) -> Any:
    return world.caller.get(f"/api/v1/student/courses/{world._taken['course']}/progress/")


@provokes("courses.get", "COURSE_NOT_FOUND")
def a_course_that_is_not_there(world: World) -> Any:
    return world.api.get(f"/api/v1/courses/{uuid4()}/")


@provokes("learning.download_certificate", "NOT_FOUND")
def a_certificate_that_was_revoked(world: World) -> Any:
    world.send(CONTRACT.operations["learning.revoke_certificate"])
    return world.send(CONTRACT.operations["learning.download_certificate"])


@provokes("learning.start_attempt", "ATTEMPT_LIMIT_REACHED")
def a_quiz_tried_once_too_often(world: World) -> Any:
    world.send(CONTRACT.operations["learning.submit_attempt"])
    world.api.server.sql("UPDATE quizzes SET max_attempts = 1 WHERE id = %s", world._attempt["quiz_id"])
    return world.owner.post(f"/api/v1/student/quizzes/{world._attempt['quiz_id']}/attempts/")


@provokes("payments.cancel_intent", "CONFLICT")
def a_payment_that_succeeded(world: World) -> Any:
    return world.owner.post(f"/api/v1/payments/intents/{world._paid_payment}/cancel/")


@provokes("payments.receive_webhook", "INVALID_SIGNATURE")
def what_somebody_else_has_signed(world: World) -> Any:
    operation = CONTRACT.operations["payments.receive_webhook"]
    return world.send(operation, world.api, json=world.body(operation), headers={"Stripe-Signature": "t=1,v1=00"})


@provokes("auth.receive_webhook", "INVALID_SIGNATURE")
def what_somebody_else_has_signed_of_an_account(world: World) -> Any:
    operation = CONTRACT.operations["auth.receive_webhook"]
    signed = {"Webhook-Id": "x", "Webhook-Timestamp": "1", "Webhook-Signature": "v1,AAAA"}
    return world.send(operation, world.api, json=world.body(operation), headers=signed)


@provokes("media.complete_upload", "MEDIA_UPLOAD_FAILED")
def a_file_that_did_not_come(world: World) -> Any:
    target = world.send(CONTRACT.operations["media.initiate_upload"]).json()
    body = {"file_id": target["file_id"], "cdn_url": target["cdn_url"]}
    return world.owner.post("/api/v1/media/upload/complete/", json={**body, "upload_id": target["upload_id"]})


@pytest.mark.parametrize(("operation", "code", "provoke"), PROVOKED, ids=[f"{item[0]}-{item[1]}" for item in PROVOKED])
def test_a_rule_is_told_by_its_code(api: Api, operation: str, code: str, provoke: Provoked) -> None:
    refused = provoke(World(api, published=is_open(CONTRACT.operations[operation])))
    assert (refused.status_code, code_of(refused)) == (spec.statuses()[code], code)


def test_every_code_of_the_contract_is_provoked() -> None:
    provoked = {code for _, code, _ in PROVOKED} | ELSEWHERE
    assert provoked <= spec.statuses().keys()
    assert spec.statuses().keys() - provoked == set()
