"""What the two clients have in common."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import urlsplit

from .auth import TokenStore
from .exchange import Exchange
from .operation import Arguments, Operation, Request
from .options import Options, choose_base_url, choose_store
from .response import Answer
from .session import Session, SessionOperations
from .unset import UNSET, Unset

if TYPE_CHECKING:
    from .wire import Timeout


W = TypeVar("W")


class BaseClient(Generic[W]):
    """Settings, session and address of a client."""

    _session_operations: ClassVar[SessionOperations]

    def __init__(self, base_url: str | None, token_store: TokenStore, options: Options) -> None:
        self.base_url: str = choose_base_url(base_url)
        self._session = Session(token_store, self._session_operations)
        self._use(options)

    def _use(self, options: Options) -> None:
        self._options = options
        self._exchange = Exchange(self._session, options)

    def with_options(
        self,
        *,
        timeout: Timeout | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_time: float | None | Unset = UNSET,
        headers: Mapping[str, str] | Unset = UNSET,
        middleware: Sequence[W] | Unset = UNSET,
        token: str | None = None,
        api_key: str | None = None,
    ) -> Self:
        """Give a view of this client with other options. It shares the connections, and without a token the session.

        Args:
            timeout: Seconds to wait for the server in each attempt; None waits for ever.
            max_retries: How often to try again.
            max_retry_time: After how many seconds not to try again, nor to wait for another attempt; None for no limit.
            headers: More headers for every request.
            middleware: More to put around every attempt, within what there is.
            token: An access token, for a session of the view's own.
            api_key: An API key in its place.

        Returns:
            The view; this client stays as it is.

        Example:
            ```python
            patient = client.with_options(timeout=120, max_retries=5)
            print(patient.system.health().status)
            ```
        """
        try:
            options = self._options.replace(timeout, max_retries, max_retry_time, headers, middleware)
            if token is None and api_key is None:
                return self._view(options)
            session = Session(choose_store(token, api_key, None), self._session_operations)
        finally:
            # A traceback may show locals.
            del token, api_key, headers
        return self._view(options, session)

    def _view(self, options: Options, session: Session | None = None) -> Self:
        view = copy.copy(self)
        view._session = session or self._session
        view._use(options)
        return view

    def __repr__(self) -> str:
        """Give the address; never a token."""
        # A reporter of errors may ask while it is being made.
        return f"<{type(self).__name__} {vars(self).get('base_url', '(without an address)')}>"

    def ad_hoc(self, method: str, path: str) -> Operation[Any]:
        """Give the operation that is any request."""
        # Links in answers are absolute. To any other host the token must not go.
        path, _, query = path.removeprefix(self.base_url).partition("#")[0].partition("?")
        if not path.startswith("/") or path.startswith("//"):
            # A traceback may show locals, and a link may be signed.
            del path, query
            raise ValueError("path must start with / or with the base_url of the client")
        # Not every operation takes an Idempotency-Key: no write is safe to repeat unless the caller gives one.
        return Operation(name="", method=method.upper(), path=path, query=query, answers={200: _json_or_nothing})


def ad_hoc_arguments(
    params: Mapping[str, Any] | None, json: Any, content: bytes | None, headers: Mapping[str, str] | None
) -> Arguments:
    """Give the arguments of any request."""
    return Arguments(query=params or {}, body=json, content=content, headers=headers or {})


def elsewhere(method: str, url: str, headers: Mapping[str, str], content: bytes) -> tuple[str, Request]:
    """Give a request to another address than the API's: its origin, and the rest."""
    parts = urlsplit(url)
    request = Request(method, parts.path, parts.query, dict(headers), content, authenticated=False)
    return f"{parts.scheme}://{parts.netloc}", request


def _json_or_nothing(answer: Answer) -> Any:
    return answer.json() if answer.content else None
