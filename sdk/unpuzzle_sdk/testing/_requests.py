"""What a mock was asked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, quote

import httpx
from attrs import define, field

from ._contract import Operation, contract


@define(eq=False)
class RecordedRequest:
    """A request that a client sent. Its `repr` shows neither headers nor values, which may be secret.

    Attributes:
        operation: The operationId, such as `courses.get`; empty if the contract has no such operation.
        method: The HTTP method.
        path: The path.
        path_params: The values in the path, by name.
        query: The query parameters; of one that is sent more than once, a list.
        headers: The headers, by name in any case.
        body: The body as it was sent.
        status: The status that was answered; None where the connection failed.

    Example:
        ```python
        mock.client().courses.list(category="music")
        request = mock.requests[-1]
        assert (request.operation, request.query, request.status) == (
            "courses.list",
            {"category": "music"},
            200,
        )
        ```
    """

    operation: str
    method: str
    path: str
    path_params: dict[str, str] = field(factory=dict, repr=False)
    query: dict[str, Any] = field(factory=dict, repr=False)
    headers: httpx.Headers = field(factory=httpx.Headers, repr=False)
    body: bytes = field(default=b"", repr=False)
    status: int | None = None

    @property
    def json(self) -> Any:
        """The decoded JSON of the body; None if there is none."""
        return json.loads(self.body) if self.body else None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the JSON object in the body; none if it holds something else."""
        try:
            found = self.json
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def known(self) -> Operation | None:
        """The operation, if the contract has it."""
        return contract().operations.get(self.operation)


def recorded(sent: httpx.Request, bases: Iterable[str] = ()) -> RecordedRequest:
    """Read a request; `bases` are the paths under which clients look for the API."""
    path = sent.url.path
    raw_path = sent.url.raw_path.partition(b"?")[0].decode()
    under = [base for base in bases if path.startswith(f"{base}/")] or [""]
    # The path of one client's base may be how the API's own paths begin.
    finds = ((base, contract().find(sent.method, raw_path.removeprefix(quote(base)))) for base in under)
    base, found = next((each for each in finds if each[1]), (under[0], None))
    query = parse_qs(sent.url.query.decode(), keep_blank_values=True)
    return RecordedRequest(
        operation=found[0].id if found else "",
        method=sent.method,
        path=path.removeprefix(base),
        path_params=found[1] if found else {},
        query={name: values[0] if len(values) == 1 else values for name, values in query.items()},
        headers=sent.headers,
        body=sent.content,
    )
