"""The settings of a client."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard
from urllib.parse import urlsplit

from attrs import field, frozen

from .._spec import API_VERSION, BASE_URL
from .._version import __version__
from .auth import MemoryTokenStore, Tokens, TokenStore
from .headers import canonical
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


def _timeout(value: Timeout) -> Timeout:
    if value is not None and not _is_number(value):
        # Whoever has made an httpx.Timeout has loaded httpx.
        from httpx import Timeout as HttpTimeout

        if not isinstance(value, HttpTimeout):
            raise TypeError(f"timeout must be a number of seconds, an httpx.Timeout or None, not {value!r}")
        return value
    if value is not None and not value > 0:
        raise ValueError(f"timeout must be more than 0 seconds, not {value!r}")
    return None if value == math.inf else value


def _max_retries(value: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"max_retries must be an int, not {value!r}")
    if value < 0:
        raise ValueError(f"max_retries must not be less than 0, as {value!r} is")
    return value


def _max_retry_time(value: float | None) -> float:
    if value is None:
        return math.inf
    if not _is_number(value):
        raise TypeError(f"max_retry_time must be a number of seconds or None, not {value!r}")
    if not value >= 0:
        raise ValueError(f"max_retry_time must be 0 seconds or more, not {value!r}")
    return value


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@frozen(repr=False)
class Options:
    """What may differ between the views of a client that `with_options` gives.

    Attributes:
        timeout: Seconds to wait for the server in each attempt; None waits for ever.
        max_retries: How often to try again.
        max_retry_time: After how many seconds not to try again, nor to wait for another attempt; infinite for no limit.
        headers: Headers for every request.
        middleware: What is put around every attempt, the outermost first.
        trace: What is put around every request with all its attempts.
    """

    timeout: Timeout = field(default=DEFAULT_TIMEOUT, converter=_timeout)
    max_retries: int = field(default=DEFAULT_MAX_RETRIES, converter=_max_retries)
    max_retry_time: float = field(default=DEFAULT_MAX_RETRY_TIME, converter=_max_retry_time)
    headers: Mapping[str, str] = field(factory=dict, repr=False, converter=canonical)
    middleware: Sequence[Any] = ()
    trace: Trace | None = None

    def __repr__(self) -> str:
        """Tell no setting: a reporter of errors may ask while they are being checked, and headers may be secret."""
        return "<Options>"

    def replace(
        self,
        timeout: Timeout | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_time: float | None | Unset = UNSET,
        headers: Mapping[str, str] | Unset = UNSET,
        middleware: Sequence[Any] | Unset = UNSET,
    ) -> Options:
        """Give a copy with some settings changed; headers and middleware are added."""
        return Options(
            timeout=self.timeout if isinstance(timeout, Unset) else timeout,
            max_retries=self.max_retries if isinstance(max_retries, Unset) else max_retries,
            max_retry_time=self.max_retry_time if isinstance(max_retry_time, Unset) else max_retry_time,
            headers=self.headers if isinstance(headers, Unset) else {**self.headers, **canonical(headers)},
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
    url = (os.environ.get("UNPUZZLE_BASE_URL") or BASE_URL if given is None else given).rstrip("/")
    try:
        parts = urlsplit(url)
    except ValueError:
        # What it says may repeat a password.
        raise ValueError("base_url is not an address") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"base_url must start with http:// or https://, not {url.rpartition('@')[2]!r}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("base_url must have no query, no fragment and no password")
    return url


def choose_timeout(given: Timeout | Unset, http_client: Any) -> Timeout:
    """Give how long to wait: the argument, else what the httpx client of the caller says, else the default."""
    own: Timeout = getattr(http_client, "timeout", DEFAULT_TIMEOUT)
    return own if isinstance(given, Unset) else given


def choose_store(token: str | None, api_key: str | None, token_store: TokenStore | None) -> TokenStore:
    """Give where the tokens are: what is given as an argument, else in UNPUZZLE_TOKEN, else in UNPUZZLE_API_KEY."""
    fault = _fault(token, api_key, token_store)
    if fault:
        # Without what a traceback would show.
        del token, api_key
        raise ValueError(fault)
    if token_store is not None:
        return token_store
    found = token or api_key or os.environ.get("UNPUZZLE_TOKEN") or os.environ.get("UNPUZZLE_API_KEY")
    return MemoryTokenStore(Tokens(found) if found else None)


def _fault(token: str | None, api_key: str | None, token_store: TokenStore | None) -> str:
    if sum(each is not None for each in (token, api_key, token_store)) > 1:
        return "give a token, an api_key or a token_store, only one of them"
    empty = [name for name, value in (("token", token), ("api_key", api_key)) if value == ""]
    return f"{empty[0]} must not be empty" if empty else ""
