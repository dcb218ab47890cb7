"""Answers: what came over the wire, and how it becomes values or exceptions."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Generic, NoReturn, TypeVar

from attrs import field, frozen

from .errors import (
    APIStatusError,
    ConfirmationRequired,
    ErrorDetail,
    InvalidResponseError,
    NotModified,
    class_of_status,
)

T = TypeVar("T")


@frozen
class RateLimit:
    """Where the caller stands.

    Attributes:
        limit: How many requests the period has.
        remaining: How many are left.
        reset_at: When the next period begins.

    Example:
        ```python
        limit = client.raw.courses.get("introduction-to-python-programming").rate_limit
        if limit is not None and limit.remaining == 0:
            print("Nothing is left until", limit.reset_at)
        ```
    """

    limit: int
    remaining: int
    reset_at: datetime.datetime | None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimit | None:
        """Read the `X-RateLimit-…` headers; None where they are missing or broken."""
        try:
            limit, remaining = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
            reset = headers.get("x-ratelimit-reset")
            return cls(limit, remaining, datetime.datetime.fromtimestamp(int(reset), datetime.UTC) if reset else None)
        except (KeyError, ValueError, OverflowError, OSError):
            return None


@frozen
class Answer:
    """An HTTP response, read to the end unless it is a stream. The keys of `headers` are in lower case.

    Attributes:
        status: The HTTP status.
        headers: The headers.
        content: The body; empty for a stream.
        chunks: The pieces of a stream as they come, and its connection.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    chunks: Any = field(default=None, repr=False, eq=False)

    @property
    def request_id(self) -> str | None:
        """The id to quote to support."""
        return self.headers.get("x-request-id")

    @property
    def retry_after(self) -> float | None:
        """The seconds until `Retry-After`, which is a number or a date."""
        value = self.headers.get("retry-after", "")
        seconds = _seconds(value)
        return _seconds_until(value) if seconds is None else seconds

    @property
    def body(self) -> Any:
        """The decoded JSON of the body, else its text; None if it is empty."""
        if not self.content:
            return None
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Decode the body, without the success envelope if the answer says that it has one."""
        try:
            data = json.loads(self.content)
        except (ValueError, RecursionError):
            pass
        else:
            return self._unwrapped(data)
        raise self.invalid("is not JSON")

    def decode(self, decode: Callable[[Any], T]) -> T:
        """Decode the body and read it as what the contract promises."""
        try:
            return decode(self.json())
        except KeyError as error:
            problem = f"has no field {error}"
        except (ArithmeticError, AttributeError, TypeError, ValueError, RecursionError) as error:
            problem = f"does not have the promised shape ({type(error).__name__})"
        # Not within the handlers: what they caught holds the body, and so may hold secrets.
        raise self.invalid(problem)

    def raise_for_status(self) -> None:
        """Raise the exception for an error or a 304."""
        if self.status == 304:
            raise NotModified(etag=self.headers.get("etag"), request_id=self.request_id)
        if self.status >= 400:
            raise status_error(self)

    def _unwrapped(self, data: Any) -> Any:
        if self.headers.get("preference-applied") != "envelope=standard":
            return data
        if isinstance(data, dict) and "data" in data:
            return data["data"]
        raise self.invalid("has no standard envelope")

    def invalid(self, what: str) -> InvalidResponseError:
        """Make the exception for a body that is not what the contract promises."""
        facts = f"status {self.status}" + (f", request {self.request_id}" if self.request_id else "")
        return InvalidResponseError(
            f"The body of the answer {what} ({facts})", status_code=self.status, request_id=self.request_id
        )


@frozen
class RawResponse(Generic[T]):
    """A whole response, as the methods of `client.raw` give it.

    Attributes:
        status_code: The HTTP status.
        headers: The headers; the keys are in lower case.
        parsed: What the method gives without `raw`.
        content: The body as it came.

    Example:
        ```python
        response = client.raw.courses.get("introduction-to-python-programming")
        print(response.status_code, response.request_id, response.etag, response.parsed.title)
        ```
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    parsed: T
    content: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, answer: Answer, parsed: T) -> RawResponse[T]:
        """Make it of an answer and what it was read as."""
        return cls(answer.status, answer.headers, parsed, answer.content)

    @property
    def request_id(self) -> str | None:
        """The id to quote to support."""
        return self.headers.get("x-request-id")

    def raise_for_status(self) -> None:
        """Raise the exception for an error or a 304, which only `client.raw.request` gives.

        Raises:
            errors.APIStatusError: The answer is an error; the class of its code, else of its status.
            errors.NotModified: It is a 304.

        Example:
            ```python
            response = client.raw.request("GET", "/api/v1/courses/")
            response.raise_for_status()
            ```
        """
        Answer(self.status_code, self.headers, self.content).raise_for_status()

    @property
    def etag(self) -> str | None:
        """The ETag of the resource, for `if_match` and `if_none_match`."""
        return self.headers.get("etag")

    @property
    def rate_limit(self) -> RateLimit | None:
        """Where the caller stands."""
        return RateLimit.from_headers(self.headers)


def _seconds(value: Any) -> float | None:
    try:
        seconds = value if isinstance(value, int) else float(value)
        return max(0, seconds) if isfinite(seconds) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _seconds_until(date: str) -> float | None:
    # Nearly every server sends a number, so that only few programs have to load this.
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(date)
        when = when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
        return max(0.0, (when - datetime.datetime.now(datetime.UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def json_body(decode: Callable[[Any], T]) -> Callable[[Answer], T]:
    """Make the parser of a JSON answer."""
    return lambda answer: answer.decode(decode)


def binary_body(answer: Answer) -> bytes:
    """Give the bytes of an answer."""
    return answer.content


def text_body(answer: Answer) -> str:
    """Give the text of an answer."""
    return answer.content.decode(errors="replace")


def location(answer: Answer) -> str:
    """Give the address that an answer leads on to."""
    if "location" not in answer.headers:
        raise answer.invalid("leads nowhere")
    return answer.headers["location"]


def deferred(answer: Answer) -> NoReturn:
    """Raise what says that the operation goes on when somebody has opened a link in a mail."""
    message = answer.decode(lambda data: str(data["message"]))
    raise ConfirmationRequired(message, request_id=answer.request_id)


def no_body(answer: Answer) -> None:
    """Give nothing."""


def error_object(answer: Answer) -> dict[str, Any]:
    """Give the object that the error envelope holds; empty if the answer has none, such as a proxy's page."""
    body = answer.body
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def error_code(answer: Answer) -> str | None:
    """Give the code of an error; None if the answer has none."""
    return _code(error_object(answer))


def _code(error: dict[str, Any]) -> str | None:
    code = error.get("code")
    return None if code is None else str(code)


def status_error(answer: Answer) -> APIStatusError:
    """Make the exception for an answer: the class of its code, else that of its status."""
    from .._error_codes import BY_CODE

    error = error_object(answer)
    code = _code(error)
    details = error.get("details")
    retry_after = answer.retry_after
    kind: type[APIStatusError] = BY_CODE.get(code or "", class_of_status(answer.status))
    return kind(
        str(error.get("message") or f"The API answered with status {answer.status}"),
        status_code=answer.status,
        code=code,
        details=[_detail(item) for item in details if isinstance(item, dict)] if isinstance(details, list) else (),
        request_id=answer.request_id,
        retry_after=_seconds(error.get("retry_after")) if retry_after is None else retry_after,
        rate_limit=RateLimit.from_headers(answer.headers),
        body=answer.body,
        headers=answer.headers,
    )


def _detail(item: dict[str, Any]) -> ErrorDetail:
    return ErrorDetail(str(item.get("field", "")), str(item.get("message", "")))
