"""A course with a price, those who buy it, and what a worker does of it."""

from typing import Any
from uuid import uuid4

import httpx
from stripes import WEBHOOK, as_json, event, sign

from harness import Api, Person
from postman import Postman

INTENTS, HISTORY, COUPONS = "/api/v1/payments/intents/", "/api/v1/payments/history/", "/api/v1/payments/coupons/"
VISA = {"payment_method_id": "pm_card_visa"}


def enroll(person: Person, course: dict[str, Any], **body: Any) -> httpx.Response:
    answer: httpx.Response = person.post(f"/api/v1/courses/{course['id']}/enroll/", json=body)
    return answer


def intent(person: Person, course: dict[str, Any], **body: Any) -> dict[str, Any]:
    answer = person.post(INTENTS, json={"course_id": course["id"], **body})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def confirm(person: Person, payment: dict[str, Any], **body: Any) -> httpx.Response:
    answer: httpx.Response = person.post(f"{INTENTS}{payment['payment_id']}/confirm/", json=body)
    return answer


def coupon(person: Person, **fields: Any) -> dict[str, Any]:
    answer = person.post(
        COUPONS, json={"code": f"C{uuid4().hex[:10]}", **({} if "amount" in fields else {"percentage": 20}), **fields}
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def tell(api: Api, kind: str, about: dict[str, Any], event_id: str | None = None) -> str:
    """A webhook of Stripe's, and what the worker then does."""
    event_id = event_id or f"evt_{uuid4().hex}"
    body = as_json(event(kind, about, event_id))
    headers = {"Stripe-Signature": sign(api.server.settings.secret_key, body), "Content-Type": "application/json"}
    answer = api.post(WEBHOOK, content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    Postman(api.server).deliver(event_id)
    return event_id


def charges(api: Api, person: Person) -> int:
    """How many charges at Stripe have succeeded for somebody's payments."""
    statement = """SELECT count(*) FROM embedded_stripe.objects c JOIN payments p ON p.intent = c.data->>'payment_intent'
                    WHERE c.kind = 'charge' AND c.data->>'status' = 'succeeded' AND p.user_id = %s"""
    return int(api.server.sql(statement, person.id)[0][0])


def enrolled(person: Person, course: dict[str, Any]) -> bool:
    results = person.get("/api/v1/enrollments/", params={"status": "active"}).json()["results"]
    return course["id"] in [item["course"]["id"] for item in results]
