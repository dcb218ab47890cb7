"""A request of each operation that succeeds: its path, its parameters, its body, and who sends it."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import stripes
from standardwebhooks import Webhook

from harness import CONTRACT, NUMBERS, PASSWORD, TEST_SETTINGS, Api, Person
from objects import PICTURE, Objects
from unpuzzle_sdk import PKCE
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.spec import Operation

LINK = re.compile(rb"expires=\d+&signature=\w+")
"""What a signed link ends with: it is another one each second."""
FORM = "application/x-www-form-urlencoded"
OCTETS = "application/octet-stream"
FOR_SOMEBODY_ELSE = {
    "auth.apply_as_instructor", "enrollments.enroll", "enrollments.accept_invitation", "payments.create_intent",
    "payments.validate_coupon", "subscriptions.create",
}  # fmt: skip
"""What the owner, who is an admin, teaches the course and has a subscription, can't do: a learner does it."""
FOR_LEARNERS = {"enrollments.unenroll", *(name for name in CONTRACT.operations if name.startswith("learning."))}
"""What the owner does in a course of somebody else's, which they take."""
OF_A_REVIEW = {"learning.update_review", "learning.delete_review"}
OF_PAYMENTS = {
    "payments.get_receipt": "_paid_payment",
    "payments.download_receipt": "_paid_payment",
    "payments.refund": "_refundable_payment",
}
"""What needs a payment of its own kind."""
OF_AN_ATTEMPT = {"learning.list_attempts", "learning.get_attempt", "learning.submit_attempt"}
FOR_SUBSCRIBERS = {f"subscriptions.{verb}" for verb in ("change", "cancel", "resume", "update_payment_method", "list_invoices")}
"""What needs a subscription of the owner's."""
OF_A_TRANSCRIPT = {"content.get_transcript", "content.delete_transcript"}
SIGNED = {"auth.download_export", "media.upload_content", "media.download"}
"""What is called by a link that was signed."""
OF_THE_TUTOR = {"session_id": "_conversation", "quiz_id": "_practice"}
"""What its operations mean by a name that others have too."""
FOR_A_PUBLISHED_COURSE = {"enrollments.enroll", "enrollments.bulk_enroll", "enrollments.accept_invitation"}
"""What can't be done with a draft, besides what is open to the public."""


def named(operation: Any) -> str | None:
    """The name of a parametrized test's operation."""
    return operation.id if isinstance(operation, Operation) else None


def in_path(operation: Operation) -> list[str]:
    return [item.name for item in operation.parameters if item.location == "path"]


def is_open(operation: Operation) -> bool:
    """Whether it is about a published course."""
    return operation.role == "public" or operation.id in FOR_A_PUBLISHED_COURSE


def carried_as(operation: Operation) -> str:
    """How httpx is told the body of an operation."""
    return {FORM: "data", OCTETS: "content"}.get(operation.body_type, "json")


def as_json(body: Any) -> bytes:
    """As httpx and the SDK write it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def signature(operation: Operation, body: Any) -> dict[str, str]:
    """The headers by which the server knows who has sent a body."""
    if operation.body_type == OCTETS:
        return {"Content-Type": OCTETS}
    if operation.id == "payments.receive_webhook":
        return {"Stripe-Signature": stripes.sign(TEST_SETTINGS.secret_key, as_json(body))}
    if operation.id != "auth.receive_webhook":
        return {}
    sent_at, message_id = datetime.now(UTC), uuid4().hex
    signed = Webhook(TEST_SETTINGS.auth_webhook_secrets[1].removeprefix("v1,")).sign(message_id, sent_at, as_json(body).decode())
    return {"Webhook-Id": message_id, "Webhook-Timestamp": str(int(sent_at.timestamp())), "Webhook-Signature": signed}


class World(Objects):
    """What a request of each operation needs to succeed, and who may send it."""

    def __init__(self, api: Api, *, published: bool = False) -> None:
        super().__init__(api, published=published)
        self._keys: dict[tuple[str, frozenset[str]], Person] = {}

    def caller_of(self, operation: Operation) -> Person:
        return self.caller if operation.id in FOR_SOMEBODY_ELSE else self.owner

    def with_key(self, person: Person, scopes: frozenset[str]) -> Person:
        """Somebody by a key that has some scopes: one for each set of them, for there is a limit to the keys of one person."""
        if (person.id, scopes) not in self._keys:
            self._keys[person.id, scopes] = person.with_key(*scopes)
        return self._keys[person.id, scopes]

    def ids(self, operation: Operation) -> dict[str, str]:
        """The values of an operation's path parameters."""
        own = OF_THE_TUTOR if operation.id.startswith("ai.") else {}
        unknown = [name for name in in_path(operation) if not hasattr(type(self), own.get(name, name))]
        assert not unknown, f"{operation.id}: add a property {' and '.join(unknown)} to Objects in contract-tests/objects.py"
        if operation.id in OF_A_REVIEW:
            assert self.review_id
        if operation.id in FOR_SUBSCRIBERS:
            assert self._subscribed
        if operation.id in OF_A_TRANSCRIPT:
            assert self._transcript
        return {name: self._id(operation, name) for name in in_path(operation)}

    def _id(self, operation: Operation, name: str) -> str:
        if operation.id.startswith("ai.") and name in OF_THE_TUTOR:
            of_the_tutor: str = getattr(self, OF_THE_TUTOR[name])
            return of_the_tutor
        if operation.id in OF_PAYMENTS:
            payment: str = getattr(self, OF_PAYMENTS[operation.id])
            return payment
        if name == "quiz_id" and operation.id in OF_AN_ATTEMPT:
            tried: str = self._attempt["quiz_id"]
            return tried
        taken = self._taken if operation.id in FOR_LEARNERS else {}
        found: str = taken.get(name.removesuffix("_id")) or getattr(self, name)
        return found

    def populated(self) -> "World":
        """With one of everything, so that no list is empty."""
        for operation in CONTRACT.operations.values():
            if operation.id not in OF_A_REVIEW:
                self.ids(operation)
        assert self.student
        if self.published:
            assert self.review_by_somebody
        return self

    def body(self, operation: Operation) -> Any:
        """The contract's own example, with ids that exist and what must be new or known."""
        if operation.body is None:
            return None
        if operation.body_type == OCTETS:
            return PICTURE
        filled: dict[str, Any] = self._filled(spec.resolve(operation.body)["example"])
        return filled | self._particular(operation)

    def _particular(self, operation: Operation) -> dict[str, Any]:
        """What the example of one operation can't know."""
        match operation.id:
            case "auth.sign_up":
                return {"email": f"person{next(NUMBERS)}-{uuid4().hex[:8]}@example.com"}
            case "auth.sign_in":
                return {"email": self.owner.email, "password": PASSWORD}
            case "auth.refresh":
                session = self.send(CONTRACT.operations["auth.sign_in"]).json()  # a refresh token is good for one use
                return {"refresh_token": session["refresh_token"]}
            case "auth.confirm_password_reset":
                return {"token": self.token("password_reset")}
            case "auth.verify_email":
                return {"token": self.token("email")}
            case "auth.oauth_callback" | "auth.link_identity":
                return self.attempt()
            case "auth.oauth_form_callback":
                return {"state": self.begun(PKCE.new())["state"]}
            case "auth.receive_webhook":
                user = {"id": str(uuid4()), "email": f"told{next(NUMBERS)}-{uuid4().hex[:8]}@example.com"}
                return {"id": f"evt_{uuid4().hex}", "created_at": rfc3339(self.api.server.clock.now()), "data": user}
            case "auth.change_email":
                return {"password": PASSWORD}
            case "auth.change_password":
                return {"current_password": PASSWORD}
            case "enrollments.accept_invitation":
                return {"token": self.invitation()}
            case "payments.create_coupon":
                return {"code": f"C{uuid4().hex[:10]}"}
            case "payments.create_intent" | "payments.validate_coupon":
                return {"course_id": self._sold, "coupon_code": self._coupon["code"]}
            case "payments.receive_webhook":
                return {"id": f"evt_{uuid4().hex}"}
            case "content.assign_media":
                return {"order_mapping": {self.media_id: 1}}
            case "media.complete_upload":
                return {"file_id": self._upload["file_id"], "cdn_url": self._upload["cdn_url"]}
            case "learning.submit_attempt":
                question = self._attempt["questions"][0]
                return {"answers": [{"question_id": question["id"], "option_ids": [question["options"][0]["id"]]}]}
            case "ai.send_message":
                return {"session_id": self._conversation}
            case "ai.grade_quiz":
                return {"answers": []}
            case "courses.create_category":
                return {"name": f"Category {uuid4().hex[:8]}", "slug": f"category-{uuid4().hex[:8]}"}
            case _:
                return {}

    def _filled(self, value: Any) -> Any:
        match value:
            case dict():
                return {key: self.existing(key) or self._filled(item) for key, item in value.items()}
            case list():
                return [self._filled(item) for item in value]
            case _:
                return value

    def existing(self, field: str) -> Any:
        """The id for a field named after a path parameter, `…_id` or `…_ids`."""
        if field.endswith("_ids") and hasattr(type(self), field[:-1]):
            return [getattr(self, field[:-1])]
        return getattr(self, field) if field.endswith("_id") and hasattr(type(self), field) else None

    def query(self, operation: Operation) -> dict[str, str]:
        """The parameters without which the operation can't be called: those of a signed link, or of an attempt to sign in."""
        if operation.id == "auth.oauth_redirect":
            issuer = f"{self.api.server.base_url}/oauth-sandbox/google"
            return {"state": self.begun(PKCE.new())["state"], "code": "c0ffee", "iss": issuer}
        if operation.id == "ai.search_transcripts":
            return {"q": "said"}
        if operation.id not in SIGNED:
            return {}
        match operation.id:
            case "media.upload_content":
                link = self._upload["upload_url"]
            case "media.download":
                link = self.owner.get(f"/api/v1/media/library/{self.media_id}/").json()["cdn_url"]
            case _:
                link = self.owner.get(f"/api/v1/auth/account/export/{self.export_id}/").json()["download_url"]
        return dict(parse_qsl(urlsplit(link).query))

    def arguments(self, operation: Operation) -> dict[str, Any]:
        """The keyword arguments of the operation's method in the SDK."""
        body = self.body(operation)
        if operation.body_type == OCTETS:
            return {**self.ids(operation), **self.query(operation), "content": body}
        headers = {name.lower().replace("-", "_"): value for name, value in signature(operation, body).items()}
        flag = operation.stream.flag if operation.stream else None  # has a method of its own
        fields = {name: value for name, value in (body or {}).items() if name != flag}
        return {**self.ids(operation), **self.query(operation), **headers, **fields}

    def send(self, operation: Operation, caller: Any = None, **kwargs: Any) -> Any:
        """Sends the operation's request, as whoever may unless it is somebody else, with anything else in its place."""
        if operation.body and not {"json", "data", "content"} & kwargs.keys():
            body = self.body(operation)
            kwargs[carried_as(operation)] = body
            kwargs["headers"] = {**signature(operation, body), **kwargs.get("headers", {})}
        kwargs["params"] = {**self.query(operation), **kwargs.get("params", {})}
        path = kwargs.pop("path", None) or operation.path.format(**self.ids(operation))
        return getattr(caller or self.caller_of(operation), operation.method.lower())(path, **kwargs)

    def seen(self, names: list[str]) -> dict[str, Any]:
        """What the owner reads of the objects that a path with these parameters names."""
        reads = [item for item in CONTRACT.operations.values() if item.method == "GET" and in_path(item)]
        answers = {item.id: self.send(item) for item in reads if set(in_path(item)) <= set(names)}
        assert all(answer.status_code == 200 for answer in answers.values())
        return {operation_id: _as_it_stands(answer) for operation_id, answer in answers.items()}


def _as_it_stands(answer: Any) -> tuple[str | None, bytes]:
    """An answer's ETag and body, but for the links in it that were signed for this one."""
    lasting = LINK.sub(b"", answer.content)
    return answer.headers.get("etag") if lasting == answer.content else None, lasting
