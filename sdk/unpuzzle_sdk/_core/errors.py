"""The exceptions of the SDK. The subclasses for single error codes are generated beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .headers import Headers

if TYPE_CHECKING:
    from .response import RateLimit

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConfirmationRequired",
    "ConflictError",
    "ErrorDetail",
    "InvalidRequestError",
    "InvalidResponseError",
    "MethodNotAllowedError",
    "NotFoundError",
    "NotModified",
    "PayloadTooLargeError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "RateLimitError",
    "ServerError",
    "ServiceUnavailableError",
    "StreamInterrupted",
    "UnprocessableEntityError",
    "UnpuzzleError",
    "UnsupportedMediaTypeError",
    "UploadInterrupted",
]


@frozen
class ErrorDetail:
    """One of the problems of a request: what it is about, and what is wrong.

    Attributes:
        field: The name of the parameter or of the field of the body.
        message: What is wrong, for people.

    Example:
        ```python
        from unpuzzle_sdk import errors

        try:
            client.courses.create(title="")
        except errors.ValidationError as error:
            for detail in error.details:
                print(detail.field, detail.message)
        ```
    """

    field: str
    message: str


class UnpuzzleError(Exception):
    """The base of everything that goes wrong with a call."""


# The arguments after `message` have defaults so that exceptions survive copying and pickling, which
# call the class with the message alone and then restore the attributes.
class APIConnectionError(UnpuzzleError):
    """The API could not be reached, or the connection broke before the answer was complete.

    Attributes:
        sent: Whether the API may have got the request.

    Example:
        ```python
        from unpuzzle_sdk import errors

        try:
            client.system.health()
        except errors.APIConnectionError as error:
            print("The request may have arrived." if error.sent else "The request was never sent.")
        ```
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        """Keep what is known about the request."""
        super().__init__(message)
        self.sent = sent


class APITimeoutError(APIConnectionError):
    """The API did not answer in time."""


class StreamInterrupted(APIConnectionError):
    """A stream broke off before its last event, and can't be gone on with."""


class InvalidRequestError(APIConnectionError):
    """Nothing was sent, as the address or a header is malformed. Another attempt is of no use."""


class InvalidResponseError(UnpuzzleError):
    """The answer says that all is well, but cannot be read as what the contract promises.

    Attributes:
        status_code: The HTTP status.
        request_id: The id to quote to support.

    Example:
        ```python
        from unpuzzle_sdk import errors

        try:
            client.system.health()
        except errors.InvalidResponseError as error:
            print(error.status_code, error.request_id)
        ```
    """

    def __init__(self, message: str, *, status_code: int = 0, request_id: str | None = None) -> None:
        """Keep what is known about the answer."""
        super().__init__(message)
        self.status_code = status_code
        self.request_id = request_id


class ConfirmationRequired(UnpuzzleError):
    """The server has taken the request, and goes on when somebody has opened the link that it sent by mail.

    Sign-up ends so where the server lets nobody in before their address is confirmed.

    Attributes:
        status_code: 202.
        request_id: The id of the request.

    Example:
        ```python
        from unpuzzle_sdk import errors

        try:
            client.auth.sign_up(
                email="jane@example.com", password="learn-by-puzzling", full_name="Jane Doe"
            )
        except errors.ConfirmationRequired as error:
            print(error)
        ```
    """

    status_code = 202

    def __init__(self, message: str = "Open the link that was sent by mail", *, request_id: str | None = None) -> None:
        """Keep what the server said."""
        super().__init__(message)
        self.request_id = request_id


class UploadInterrupted(UnpuzzleError):
    """The upload broke off. What has come is kept for a day: give the `upload_id` as `resume` to go on.

    Attributes:
        upload_id: The id of the upload.

    Example:
        ```python
        from unpuzzle_sdk import errors

        try:
            client.media.upload("lecture.mp4")
        except errors.UploadInterrupted as error:
            client.media.upload("lecture.mp4", resume=error.upload_id)
        ```
    """

    def __init__(self, message: str, *, upload_id: str = "") -> None:
        """Keep what it takes to go on."""
        super().__init__(message)
        self.upload_id = upload_id


class NotModified(UnpuzzleError):
    """The resource still has the ETag that was sent as `if_none_match`: what you have is up to date.

    Attributes:
        etag: The ETag of the resource.
        request_id: The id of the request.

    Example:
        ```python
        from unpuzzle_sdk import errors

        course = client.raw.courses.get("introduction-to-python-programming")
        try:
            client.courses.get("introduction-to-python-programming", if_none_match=course.etag)
        except errors.NotModified:
            print("It is as it was:", course.parsed.title)
        ```
    """

    status_code = 304

    def __init__(
        self, message: str = "The resource has not changed", *, etag: str | None = None, request_id: str | None = None
    ) -> None:
        """Keep what is known about the answer."""
        super().__init__(message)
        self.etag = etag
        self.request_id = request_id


class APIStatusError(UnpuzzleError):
    """The API answered with an error.

    Attributes:
        status_code: The HTTP status.
        code: The error code, such as `COURSE_NOT_FOUND`; None if the answer has none.
        message: What went wrong, for people.
        details: Every problem, where there may be several.
        request_id: The id to quote to support.
        retry_after: In how many seconds to try again, if the API says so.
        rate_limit: Where the caller stands, if the API says so.
        body: The whole answer: decoded JSON, else text.
        headers: The headers of the answer, by names in any case; their `repr` shows no secrets.

    Example:
        ```python
        from unpuzzle_sdk import errors

        try:
            client.courses.get("no-such-course")
        except errors.CourseNotFound as error:
            print(error.message)
        except errors.APIStatusError as error:
            print(error.status_code, error.code, error.request_id)
        ```
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int = 0,
        code: str | None = None,
        details: Sequence[ErrorDetail] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        rate_limit: RateLimit | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what is known about the answer."""
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.code = code
        self.details: list[ErrorDetail] = list(details)
        self.request_id = request_id
        self.retry_after = retry_after
        self.rate_limit = rate_limit
        self.body = body
        self.headers: Mapping[str, str] = Headers(headers or {})

    def __str__(self) -> str:
        """Give the message, each detail, and what support will ask for; never the body, which may hold secrets."""
        lines = [f"{self.message} ({self._facts()})", *(f"{detail.field}: {detail.message}" for detail in self.details)]
        return "\n  ".join(lines)

    def __repr__(self) -> str:
        """Give the class and the facts."""
        return f"<{type(self).__name__} {self._facts()}>"

    def _facts(self) -> str:
        facts = (f"status {self.status_code}", self.code, self.request_id and f"request {self.request_id}")
        return ", ".join(fact for fact in facts if fact)


class BadRequestError(APIStatusError):
    """400: the request can't be read."""


class AuthenticationError(APIStatusError):
    """401: nobody is signed in, or what was sent is no longer valid."""


class PaymentRequiredError(APIStatusError):
    """402: something has to be paid first, or the payment failed.

    What to go on with is None where the API did not say it. `str` and `repr` leave the `client_secret` out.

    Example:
        ```python
        from unpuzzle_sdk import errors

        try:
            client.enrollments.enroll(
                "introduction-to-python-programming", payment_method_id="pm_card_visa"
            )
        except errors.PaymentRequiredError as error:
            print(error.next_action_url or error.decline_code)
        ```
    """

    @property
    def payment_id(self) -> str | None:
        """The payment, for `client.payments.confirm_intent`."""
        return self._told("payment_id")

    @property
    def client_secret(self) -> str | None:
        """What Stripe's own library takes in a page or an app."""
        return self._told("client_secret")

    @property
    def payment_status(self) -> str | None:
        """How the payment stands, such as `requires_action`."""
        return self._told("status")

    @property
    def next_action_url(self) -> str | None:
        """Where the holder of the card authenticates."""
        return self._told("next_action_url")

    @property
    def decline_code(self) -> str | None:
        """Why a card was declined, such as `insufficient_funds`."""
        return self._told("decline_code")

    def _told(self, name: str) -> str | None:
        error = self.body.get("error") if isinstance(self.body, dict) else None
        found = error.get(name) if isinstance(error, dict) else None
        return found if isinstance(found, str) else None


class PermissionDeniedError(APIStatusError):
    """403: the caller may not do this."""


class NotFoundError(APIStatusError):
    """404: it is not there, or not yours to know of."""


class MethodNotAllowedError(APIStatusError):
    """405: the path does not take this method."""


class ConflictError(APIStatusError):
    """409: it contradicts the present state."""


class PreconditionFailedError(APIStatusError):
    """412: somebody else has changed the resource."""


class PayloadTooLargeError(APIStatusError):
    """413: the body is too large."""


class UnsupportedMediaTypeError(APIStatusError):
    """415: the body has the wrong type."""


class UnprocessableEntityError(APIStatusError):
    """422: the request can be read but not followed; see `details`."""


class RateLimitError(APIStatusError):
    """429: too many requests; see `retry_after`."""


class ServerError(APIStatusError):
    """5xx: a fault of the server."""


class ServiceUnavailableError(ServerError):
    """503: the server, or something it needs, is down; see `retry_after`."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    409: ConflictError,
    412: PreconditionFailedError,
    413: PayloadTooLargeError,
    415: UnsupportedMediaTypeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    503: ServiceUnavailableError,
}


def class_of_status(status: int) -> type[APIStatusError]:
    """Give the exception for a status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else APIStatusError)


def status_of_class(kind: type[APIStatusError]) -> int:
    """Give the status that an exception stands for."""
    return next((status for status, base in _BY_STATUS.items() if issubclass(kind, base)), 500)
