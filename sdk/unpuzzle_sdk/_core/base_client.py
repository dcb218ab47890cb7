"""What the two clients have in common."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from .auth import MemoryTokenStore, Tokens, TokenStore
from .exchange import Exchange
from .operation import Arguments, Operation, Request
from .options import Options, choose_base_url, choose_token, default_headers
from .response import Answer
from .session import Session, SessionOperations
from .unset import UNSET, Unset

if TYPE_CHECKING:
    from .transport import Timeout


class BaseClient:
    """Settings, session and address of a client."""

    _session_operations: ClassVar[SessionOperations]

    def __init__(
        self,
        base_url: str | None,
        token: str | None,
        api_key: str | None,
        token_store: TokenStore | None,
        options: Options,
        headers: Mapping[str, str] | None,
    ) -> None:
        if sum(map(bool, (token, api_key, token_store))) > 1:
            raise ValueError("give a token, an api_key or a token_store, only one of them")
        self.base_url: str = choose_base_url(base_url)
        token = None if token_store else choose_token(token or api_key)
        store = token_store or MemoryTokenStore(Tokens(token) if token else None)
        self._session = Session(store, self._session_operations)
        self._use(options.replace(headers={**default_headers(), **(headers or {})}))

    def _use(self, options: Options) -> None:
        self._options = options
        self._exchange = Exchange(self._session, options)

    def with_options(
        self,
        *,
        timeout: Timeout | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_time: float | Unset = UNSET,
        headers: Mapping[str, str] | Unset = UNSET,
    ) -> Self:
        """Give a view of this client with other options. It shares the connections and the session.

        Args:
            timeout: Seconds to wait for the server in each attempt; None waits for ever.
            max_retries: How often to try again.
            max_retry_time: After how many seconds not to try again, nor to wait for another attempt.
            headers: More headers for every request.

        Returns:
            The view; this client stays as it is.

        Example:
            ```python
            patient = client.with_options(timeout=120, max_retries=5)
            print(patient.system.health().status)
            ```
        """
        view = copy.copy(self)
        view._use(self._options.replace(timeout, max_retries, max_retry_time, headers))
        return view

    def __repr__(self) -> str:
        """Give the address; never a token."""
        return f"<{type(self).__name__} {self.base_url}>"

    def ad_hoc(self, method: str, path: str) -> Operation[Any]:
        """Give the operation that is any request."""
        method = method.upper()
        # Links in answers are absolute. To any other host the token must not go.
        path = path.removeprefix(self.base_url)
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError("path must start with / or with the base_url of the client")
        return Operation(
            name=f"{method} {path}",
            method=method,
            path=path,
            answers={200: _json_or_nothing},
            keyed=method not in ("GET", "HEAD", "OPTIONS"),
        )


def ad_hoc_arguments(
    params: Mapping[str, Any] | None, json: Any, content: bytes | None, headers: Mapping[str, str] | None
) -> Arguments:
    """Give the arguments of any request."""
    return Arguments(query=params or {}, body=json, content=content, headers=headers or {})


def elsewhere(method: str, url: str, headers: Mapping[str, str], content: bytes) -> tuple[str, Request]:
    """Give a request to another address than the API's: its origin, and the rest."""
    parts = urlsplit(url)
    request = Request(method, parts.path, parts.query, headers, content, authenticated=False)
    return f"{parts.scheme}://{parts.netloc}", request


def _json_or_nothing(answer: Answer) -> Any:
    return answer.json() if answer.content else None
