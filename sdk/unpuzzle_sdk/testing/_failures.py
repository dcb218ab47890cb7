"""What goes wrong when a test wants it to: refusals of the API, and connections that break."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import httpx
from attrs import define

from .._core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    InvalidRequestError,
    StreamInterrupted,
    UnpuzzleError,
    status_of_class,
)
from .._error_codes import BY_CODE
from ._answers import Answers
from ._contract import contract, unknown
from ._names import ErrorCode
from ._requests import RecordedRequest

What: TypeAlias = int | ErrorCode | BaseException | type[BaseException]
"""A status, an error code, or an exception: of the SDK, of httpx or of Python."""
Act: TypeAlias = Callable[[], httpx.Response]


@define
class Failure:
    """Something that goes wrong some times, for all operations or for one.

    Attributes:
        name: How a test has asked for it.
        act: Answers or raises.
        times: How often it is still to happen.
        operation: The operation; empty for all.
        after: Whether the request is carried out first, so that only its answer is lost.
    """

    name: str
    act: Act
    times: int
    operation: str = ""
    after: bool = False


class Failures:
    """Those that are still to come, in order."""

    def __init__(self) -> None:
        """Begin without any."""
        self._waiting: list[Failure] = []
        self._lock = threading.Lock()

    def add(self, failure: Failure) -> None:
        """Let something go wrong after what is already to."""
        if failure.times < 1:
            raise ValueError("times must be 1 or more")
        if failure.operation:
            contract().operation(failure.operation)
        self._waiting.append(failure)

    def take(self, request: RecordedRequest) -> Failure | None:
        """Give what goes wrong with a request."""
        with self._lock:
            for failure in self._waiting:
                if failure.operation in ("", request.operation):
                    failure.times -= 1
                    if not failure.times:
                        self._waiting.remove(failure)
                    return failure
        return None

    def left(self) -> list[str]:
        """Name those that are still to come."""
        return [f"{failure.name} for {failure.operation or 'any operation'}" for failure in self._waiting]

    def clear(self) -> None:
        """Forget what was still to come."""
        self._waiting.clear()


def act_of(
    answers: Answers, what: What, *, message: str | None = None, retry_after: float | None = None, about: dict[str, Any]
) -> Act:
    """Say how something goes wrong; a name that means nothing is refused at once."""
    if isinstance(what, APIStatusError):
        message = message or what.message
        retry_after = what.retry_after if retry_after is None else retry_after
        details = [{"field": detail.field, "message": detail.message} for detail in what.details]
        about = {**({"details": details} if details else {}), **about}
    if isinstance(what, (int, str, APIStatusError)) or issubclass(_kind(what), APIStatusError):
        status, code = _meant(what)
        if code is None:
            return lambda: _not_ours(status, retry_after)
        return lambda: answers.refusal(code, message, retry_after=retry_after, status=status, about=about)
    if message is not None or retry_after is not None or about:
        raise ValueError("only an error answer of the API says something")
    raised = _raised(what)
    return lambda: _raise(raised)


def _kind(what: Any) -> type[Any]:
    return what if inspect.isclass(what) else type(what)


def _meant(what: Any) -> tuple[int, str | None]:
    """Give the status and the error code."""
    errors = contract().errors
    if isinstance(what, str):
        if what not in errors:
            raise ValueError(unknown("error code", what, errors))
        return int(errors[what]["status"]), what
    status = what if isinstance(what, int) else getattr(what, "status_code", 0) or status_of_class(_kind(what))
    code = next((code for code, found in BY_CODE.items() if found is _kind(what)), None) or _code_of_status(status)
    if not 400 <= status <= 599:
        raise ValueError(f"{status} is no status of an error")
    return status, code


def _code_of_status(status: int) -> str | None:
    """Give the plainest code of a status, its first; None where only something before the API answers so."""
    return next((code for code, error in contract().errors.items() if error["status"] == status), None)


def _not_ours(status: int, retry_after: float | None) -> httpx.Response:
    headers = {"Content-Type": "text/html"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return httpx.Response(status, headers=headers, content=f"<h1>{status}</h1>".encode())


def _raised(what: Any) -> Any:
    """Give what httpx raises where a client makes this of it."""
    kind = _kind(what)
    sent = getattr(what, "sent", True)
    if issubclass(kind, InvalidRequestError):
        return httpx.LocalProtocolError("Illegal header value")
    if issubclass(kind, (TimeoutError, APITimeoutError)):
        return httpx.ReadTimeout("The read operation timed out") if sent else httpx.ConnectTimeout("timed out")
    if issubclass(kind, APIConnectionError) and not issubclass(kind, StreamInterrupted):
        return _unanswered(is_sent=sent)
    if issubclass(kind, UnpuzzleError):
        raise ValueError(f"{kind.__name__} is nothing that goes wrong with a request: say what leads to it")
    if not issubclass(kind, BaseException):
        raise TypeError(f"give a status, an error code or an exception, no {kind.__name__}")
    if issubclass(kind, OSError):
        return _unanswered(is_sent=issubclass(kind, _LOST_KINDS))
    return what


def _unanswered(*, is_sent: bool) -> httpx.TransportError:
    if is_sent:
        return httpx.ReadError("Connection reset by peer")
    return httpx.ConnectError("All connection attempts failed")


_LOST_KINDS = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""What Python raises on a connection that there was."""


def _raise(what: Any) -> httpx.Response:
    raise what
