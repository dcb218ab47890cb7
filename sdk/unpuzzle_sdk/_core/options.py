"""The settings of a client."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import field, frozen

from .._spec import API_VERSION, BASE_URL
from .._version import __version__
from .unset import UNSET, Unset

if TYPE_CHECKING:
    from .flow import Flow, Sender
    from .operation import Request
    from .response import Answer
    from .wire import Timeout

    Trace = Callable[[Request, Sender], Flow[Answer]]

DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RETRIES = 2
DEFAULT_MAX_RETRY_TIME = 60.0


@frozen
class Options:
    """What may differ between the views of a client that `with_options` gives.

    Attributes:
        timeout: Seconds to wait for the server in each attempt; None waits for ever.
        max_retries: How often to try again.
        max_retry_time: After how many seconds not to try again, nor to wait for another attempt.
        headers: Headers for every request.
        middleware: What is put around every attempt, the outermost first.
        trace: What is put around every request with all its attempts.
    """

    timeout: Timeout = DEFAULT_TIMEOUT
    max_retries: int = DEFAULT_MAX_RETRIES
    max_retry_time: float = DEFAULT_MAX_RETRY_TIME
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    middleware: Sequence[Any] = ()
    trace: Trace | None = None

    def replace(
        self,
        timeout: Timeout | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_time: float | Unset = UNSET,
        headers: Mapping[str, str] | Unset = UNSET,
        middleware: Sequence[Any] | Unset = UNSET,
    ) -> Options:
        """Give a copy with some settings changed; headers and middleware are added."""
        return Options(
            timeout=self.timeout if isinstance(timeout, Unset) else timeout,
            max_retries=self.max_retries if isinstance(max_retries, Unset) else max_retries,
            max_retry_time=self.max_retry_time if isinstance(max_retry_time, Unset) else max_retry_time,
            headers=self.headers if isinstance(headers, Unset) else {**self.headers, **headers},
            middleware=self.middleware if isinstance(middleware, Unset) else (*self.middleware, *middleware),
            trace=self.trace,
        )


def default_headers() -> dict[str, str]:
    """Give the headers that say who is calling and which contract it knows."""
    return {
        "Accept": "application/json",
        "User-Agent": f"unpuzzle-sdk-python/{__version__}",
        "X-API-Version": API_VERSION,
        "X-Client-Version": __version__,
    }


def choose_base_url(given: str | None) -> str:
    """Give the address of the API: the argument, else UNPUZZLE_BASE_URL, else production."""
    url = (given or os.environ.get("UNPUZZLE_BASE_URL") or BASE_URL).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"base_url must start with http:// or https://, not {url!r}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("base_url must have no query, no fragment and no password")
    return url


def choose_token(given: str | None) -> str | None:
    """Give what to send as a bearer: the argument, else UNPUZZLE_TOKEN, else UNPUZZLE_API_KEY."""
    return given or os.environ.get("UNPUZZLE_TOKEN") or os.environ.get("UNPUZZLE_API_KEY") or None
