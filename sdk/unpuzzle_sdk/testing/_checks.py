"""Whether the API would take a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import httpx

from ._answers import Answers
from ._contract import Operation, contract
from ._reading import Malformed, check_text, read_form, read_json
from ._requests import RecordedRequest
from ._rules import Problem, Rules, coerced

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
COOKIE = "unpuzzle_access"


@cache
def rules() -> Rules:
    """Give the rules of the contract."""
    return Rules(contract().schemas)


def refused(answers: Answers, request: RecordedRequest) -> httpx.Response | None:
    """Give the error with which the API refuses a request; None if it takes it."""
    operation = request.known
    if operation is None:
        return _not_found(answers, request)
    if operation.needs_token and not _has_token(request):
        return answers.refusal("AUTH_REQUIRED")
    if request.body and operation.body:
        sent, wanted = request.headers.get("Content-Type", "").lower().partition(";")[0].strip(), operation.body["type"]
        if sent != wanted:
            in_utf8 = ", in UTF-8" if wanted in (JSON, FORM) else ""
            return answers.refusal("UNSUPPORTED_MEDIA_TYPE", f'Send the body as "Content-Type: {wanted}"{in_utf8}.')
    try:
        check_text(request.query, "The query holds a NUL character.")
        problems = [*_parameter_problems(operation, request), *_body_problems(operation, request)]
    except Malformed as error:
        return answers.refusal("MALFORMED_REQUEST", str(error))
    if problems:
        details = [{"field": name, "message": message} for name, message in problems]
        return answers.refusal("VALIDATION_ERROR", "Invalid input data", details=details)
    return None


def _not_found(answers: Answers, request: RecordedRequest) -> httpx.Response:
    methods = contract().methods(request.path)
    if methods:
        return answers.refusal(
            "METHOD_NOT_ALLOWED", f"{request.path} takes {', '.join(methods)}, not {request.method}."
        )
    near = contract().nearest(request.path)
    hint = f" Did you mean {near}?" if near else ""
    return answers.refusal("NOT_FOUND", f"The contract has no path {request.path}.{hint}")


def _has_token(request: RecordedRequest) -> bool:
    headers = request.headers
    return headers.get("Authorization", "").startswith("Bearer ") or f"{COOKIE}=" in headers.get("Cookie", "")


def _parameter_problems(operation: Operation, request: RecordedRequest) -> Iterator[Problem]:
    found: dict[str, Mapping[str, Any]] = {
        "path": request.path_params,
        "query": request.query,
        "header": request.headers,
        "cookie": {},
    }
    names = {parameter["name"] for parameter in operation.parameters if parameter["in"] == "query"}
    for name, value in request.query.items():
        if name not in names and not operation.is_open:
            yield name, "is not a known parameter"
        elif isinstance(value, list):
            yield name, "is given more than once"
    for parameter in operation.parameters:
        name, values = parameter["name"], found[parameter["in"]]
        if name in values and isinstance(values[name], str):
            value = coerced(values[name], rules().resolve(parameter["schema"]).get("type"))
            yield from rules().problems(parameter["schema"], value, name)
        elif name not in values and parameter.get("required"):
            yield name, "is required"


def _body_problems(operation: Operation, request: RecordedRequest) -> Iterator[Problem]:
    body = operation.body
    if not body:
        return
    if not request.body:
        if body.get("required"):
            yield "body", "is required"
    elif body["type"] == JSON:
        yield from rules().problems(body["schema"], read_json(request.body))
    elif body["type"] == FORM:
        yield from rules().problems(body["schema"], read_form(request.body))
