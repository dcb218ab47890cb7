"""Answers: what came over the wire, and how it becomes values or exceptions."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from .errors import APIStatusError, ErrorDetail, InvalidResponseError, NotModified, class_of_status

T = TypeVar("T")


@frozen
class RateLimit:
    """Where the caller stands.

    Attributes:
        limit: How many requests the period has.
        remaining: How many are left.
        reset_at: When the next period begins.
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
        except (KeyError, ValueError, OverflowError):
            return None


@frozen
class Answer:
    """An HTTP response, read to the end. The keys of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def request_id(self) -> str | None:
        """The id to quote to support."""
        return self.headers.get("x-request-id")

    @property
    def retry_after(self) -> float | None:
        """The seconds until `Retry-After`, which is a number or a date."""
        value = self.headers.get("retry-after", "")
        try:
            return max(0.0, float(value))
        except ValueError:
            return _seconds_until(value)

    def json(self) -> Any:
        """Decode the body, without the success envelope if the answer says that it has one."""
        try:
            data = json.loads(self.content)
        except ValueError as error:
            raise self._invalid("is not JSON") from error
        if self.headers.get("preference-applied") != "envelope=standard":
            return data
        if not isinstance(data, dict) or "data" not in data:
            raise self._invalid("has no standard envelope")
        return data["data"]

    def decode(self, decode: Callable[[Any], T]) -> T:
        """Decode the body and read it as what the contract promises."""
        data = self.json()
        try:
            return decode(data)
        except KeyError as error:
            raise self._invalid(f"has no field {error}") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise self._invalid("does not have the promised shape") from error

    def raise_for_status(self) -> None:
        """Raise the exception for an error or a 304."""
        if self.status == 304:
            raise NotModified(etag=self.headers.get("etag"), request_id=self.request_id)
        if self.status >= 400:
            raise status_error(self)

    def _invalid(self, what: str) -> InvalidResponseError:
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
    """

    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    parsed: T

    @property
    def request_id(self) -> str | None:
        """The id to quote to support."""
        return self.headers.get("x-request-id")

    @property
    def etag(self) -> str | None:
        """The ETag of the resource, for `if_match` and `if_none_match`."""
        return self.headers.get("etag")

    @property
    def rate_limit(self) -> RateLimit | None:
        """Where the caller stands."""
        return RateLimit.from_headers(self.headers)


def _seconds_until(date: str) -> float | None:
    # Nearly every server sends a number, so that only few programs have to load this.
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(date)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
    return max(0.0, (when - datetime.datetime.now(datetime.UTC)).total_seconds())


def json_body(decode: Callable[[Any], T]) -> Callable[[Answer], T]:
    """Make the parser of a JSON answer."""
    return lambda answer: answer.decode(decode)


def binary_body(answer: Answer) -> bytes:
    """Give the bytes of an answer."""
    return answer.content


def text_body(answer: Answer) -> str:
    """Give the text of an answer."""
    return answer.content.decode(errors="replace")


def no_body(answer: Answer) -> None:
    """Give nothing."""


def error_object(answer: Answer) -> dict[str, Any]:
    """Give the object that the error envelope holds; empty if the answer has none, such as a proxy's page."""
    try:
        error = json.loads(answer.content)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def status_error(answer: Answer) -> APIStatusError:
    """Make the exception for an answer: the class of its code, else that of its status."""
    from .._error_codes import BY_CODE

    error = error_object(answer)
    code = error.get("code")
    retry_after = answer.retry_after
    kind: type[APIStatusError] = BY_CODE.get(str(code), class_of_status(answer.status))
    return kind(
        str(error.get("message") or f"The API answered with status {answer.status}"),
        status_code=answer.status,
        code=None if code is None else str(code),
        details=[_detail(item) for item in error.get("details") or () if isinstance(item, dict)],
        request_id=answer.request_id,
        retry_after=error.get("retry_after") if retry_after is None else retry_after,
        rate_limit=RateLimit.from_headers(answer.headers),
        body=_body(answer),
    )


def _detail(item: dict[str, Any]) -> ErrorDetail:
    return ErrorDetail(str(item.get("field", "")), str(item.get("message", "")))


def _body(answer: Answer) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError:
        return answer.content.decode(errors="replace")
