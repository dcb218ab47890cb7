"""What a test expects a mock to have been asked, and how it is told that it was not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .._core import redact
from .._core.codec import to_json
from .._core.unset import UNSET
from ._requests import RecordedRequest


def check_called(
    operation: str,
    requests: Sequence[RecordedRequest],
    times: int | None,
    body: Any,
    parameters: Mapping[str, Any],
) -> None:
    """Fail unless there are requests of an operation that are as they should be."""
    mine = [request for request in requests if request.operation == operation]
    found = [request for request in mine if _has(request, parameters) and _says(request, body)]
    if len(found) == times or (times is None and found):
        return
    raise AssertionError(
        "\n  ".join([_headline(operation, len(found), times, body, parameters), *_seen(mine, requests)])
    )


def _has(request: RecordedRequest, parameters: Mapping[str, Any]) -> bool:
    asked = {**request.query, **request.path_params}
    return all(asked.get(name) == as_sent(value) for name, value in parameters.items())


def _says(request: RecordedRequest, body: Any) -> bool:
    return body is UNSET or (_is_json(request) and bool(request.json == body))


def as_sent(value: Any) -> Any:
    """Write a parameter as it is sent."""
    data = to_json(value)
    if isinstance(data, list):
        return [as_sent(item) for item in data]
    return str(data).lower() if isinstance(data, bool) else str(data)


def _headline(operation: str, found: int, times: int | None, body: Any, parameters: Mapping[str, Any]) -> str:
    wanted = [*_named(operation, parameters), *([] if body is UNSET else [f"json={_shown(operation, body)}"])]
    call = f"{operation}({', '.join(wanted)})"
    expected = "" if times is None else f", not {_times(times)}"
    return f"{call} was called {_times(found)}{expected}. The mock was asked:"


def _times(number: int) -> str:
    return {0: "never", 1: "once"}.get(number, f"{number} times")


def _seen(mine: Sequence[RecordedRequest], requests: Sequence[RecordedRequest]) -> list[str]:
    """Show the calls of the operation; without any, those of the others."""
    return [_line(request) for request in mine or requests] or ["nothing"]


def _line(request: RecordedRequest) -> str:
    status = "no answer" if request.status is None else request.status
    named = ", ".join(_named(request.operation, {**request.path_params, **request.query}))
    body = f" json={_shown(request.operation, request.json)}" if _is_json(request) else ""
    return f"{request.operation or request.path}({named}){body} → {status}"


def _is_json(request: RecordedRequest) -> bool:
    if not request.body or not request.headers.get("Content-Type", "").startswith("application/json"):
        return False
    try:
        json.loads(request.body)
    except (ValueError, RecursionError):
        return False
    return True


def _named(operation: str, parameters: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in _hidden(operation, {**parameters}).items()]


def _shown(operation: str, body: Any) -> str:
    return json.dumps(_hidden(operation, body), ensure_ascii=False)


def _hidden(operation: str, value: Any) -> Any:
    sent, _ = redact.secret_names(operation)
    return redact.fields(value, sent)
