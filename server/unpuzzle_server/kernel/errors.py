"""Errors as the API tells them: a code from the spec, its status, and one envelope for all."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from connexion.exceptions import OAuthProblem
from sqlalchemy import exc as sql

from unpuzzle_server.kernel.spec import statuses

log = logging.getLogger(__name__)

BUSY_SECONDS = 5
"""When to try again while the database is away."""


class Problem(Exception):
    """A refusal: what `code` means and which status it has stands in the spec."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, str]] = (),
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        """`about` is what else the error carries, by the names of the spec's `Error`."""
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = statuses()[code]
        self.details = details
        self.retry_after = retry_after
        self.about = dict(about or {})
        self.headers = dict(headers or {})
        if self.status == 401:
            self.headers.setdefault("WWW-Authenticate", 'Bearer realm="unpuzzle"')
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)

    def body(self) -> dict[str, Any]:
        """The `error` object of the envelope."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = list(self.details)
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return error | self.about


def not_found(what: str) -> Problem:
    return Problem("NOT_FOUND", f"There is no such {what}.")


def as_problem(error: Exception) -> Problem:
    """What the caller is told of anything that was raised; a fault of ours is logged here."""
    match error:
        case Problem():
            return error
        case OAuthProblem():
            # Connexion's word for "this needs a security scheme and nothing was sent".
            return Problem("AUTH_REQUIRED", 'Sign in first: send an access token as "Authorization: Bearer …".')
        case sql.OperationalError() | sql.InterfaceError() | sql.TimeoutError() | ConnectionError():
            log.error("the database is not available: %s", type(error).__name__)
            return Problem("SERVICE_UNAVAILABLE", "The database is not available.", retry_after=BUSY_SECONDS)
        case _:
            log.error("unhandled error", exc_info=error)
            return Problem("INTERNAL_ERROR", "Something went wrong on our side. Nothing was changed.")
