"""Reads the arguments of an operation out of a request: strictly, and with every problem at once."""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs
from jsonschema_rs import ValidationErrorKind

from unpuzzle_server import __version__
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import Exchange
from unpuzzle_server.kernel.streams_in import OCTETS, Incoming

MAJOR_VERSION = __version__.partition(".")[0]
JSON = "application/json"
KERNEL_HEADERS = {"X-API-Version", "If-None-Match", "Idempotency-Key", "Range", "If-Range"}
"""Header parameters that the kernel itself answers to; handlers do not get them."""
MAX_DETAILS = 100
INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", re.ASCII)
BOOLEANS = {"true": True, "false": False}

ABSENT = object()
"""No body at all, which is not the same as the body `null`."""

Detail = dict[str, str]


class Reader:
    """The compiled form of one operation's parameters and body."""

    def __init__(self, operation: spec.Operation, max_body_bytes: int) -> None:
        self.operation = operation
        self.max_body_bytes = max_body_bytes
        self.parameters = [ParameterReader(item) for item in operation.parameters]
        self.query_names = {item.name for item in operation.parameters if item.location == "query"}
        self.body = spec.compiled(operation.body) if operation.body else None

    async def read(self, exchange: Exchange) -> dict[str, Any]:
        """The handler's keyword arguments; raises MALFORMED_REQUEST, VALIDATION_ERROR and their like."""
        _check_version(exchange.headers.get("x-api-version"))
        query = _query(exchange.scope["query_string"])
        body = await self._parse_body(exchange) if self.body else ABSENT
        details: list[Detail] = [*self._query_problems(query)]
        arguments: dict[str, Any] = {}
        for parameter in self.parameters:
            value = parameter.read(exchange, query, details)
            if parameter.name not in KERNEL_HEADERS:
                arguments[parameter.argument] = value
        if self.body:
            details += self._body_problems(body)
            arguments["body"] = {} if body is ABSENT else body
        if details:
            raise Problem("VALIDATION_ERROR", "Invalid input data", details=details[:MAX_DETAILS])
        return arguments

    def _query_problems(self, query: dict[str, list[str]]) -> Iterable[Detail]:
        for name, values in query.items():
            if name not in self.query_names:
                if self.operation.is_open:
                    continue
                yield {"field": name[:100], "message": "is not a known parameter"}
            elif len(values) > 1:
                yield {"field": name, "message": "is given more than once"}

    async def _parse_body(self, exchange: Exchange) -> Any:
        if self.operation.body_type == OCTETS:
            return self._stream(exchange)
        raw = await exchange.body(self.max_body_bytes)
        if not raw:
            return ABSENT
        _check_media_type(exchange, self.operation.body_type)
        return parse_json(raw) if self.operation.body_type == JSON else parse_form(raw)

    def _stream(self, exchange: Exchange) -> Any:
        if exchange.announced == 0 or (exchange.announced is None and "transfer-encoding" not in exchange.headers):
            return ABSENT
        _check_media_type(exchange, OCTETS)
        return Incoming(exchange, self.max_body_bytes)

    def _body_problems(self, body: Any) -> Iterable[Detail]:
        assert self.body is not None
        if body is ABSENT:
            return [{"field": "body", "message": "is required"}] if self.operation.body_required else []
        if isinstance(body, Incoming):
            return []
        try:
            return [] if self.body.is_valid(body) else explain(self.body, body)
        except ValueError:  # jsonschema-rs follows some 250 levels; no schema of the spec needs ten
            raise too_deep() from None


class ParameterReader:
    def __init__(self, parameter: spec.Parameter) -> None:
        schema = spec.resolve(parameter.schema)
        self.name = parameter.name
        self.argument = parameter.argument
        self.location = parameter.location
        self.required = parameter.required
        self.default = schema.get("default")
        self.type = schema["type"]
        self.validator = spec.compiled(parameter.schema)

    def read(self, exchange: Exchange, query: dict[str, list[str]], details: list[Detail]) -> Any:
        text = self._text(exchange, query)
        if text is None:
            if self.required:
                details.append({"field": self.name, "message": "is required"})
            return self.default
        value = coerce(text, self.type)
        if not self.validator.is_valid(value):
            details += explain(self.validator, value, self.name)
        return value

    def _text(self, exchange: Exchange, query: dict[str, list[str]]) -> str | None:
        match self.location:
            case "query":
                return query[self.name][0] if self.name in query else None
            case "path":
                return exchange.path_params[self.name]
            case "header":
                return exchange.headers.get(self.name.lower())
            case _:
                return exchange.cookies.get(self.name)


def coerce(text: str, kind: str) -> Any:
    """The value of a parameter's text; text that is not of its kind stays text, which its schema then refuses."""
    if kind == "integer" and INTEGER.fullmatch(text):
        return int(text)
    if kind == "number" and NUMBER.fullmatch(text):
        return float(text)
    if kind == "boolean":
        return BOOLEANS.get(text, text)
    return text


def _check_version(version: str | None) -> None:
    if version is None:
        return
    major = version.partition(".")[0]
    if major.isascii() and major.isdigit() and major.lstrip("0") != MAJOR_VERSION:
        raise Problem("UNSUPPORTED_VERSION", f"This server speaks version {MAJOR_VERSION} of the API, not {major[:10]}.")


def _query(raw: bytes) -> dict[str, list[str]]:
    if not raw:
        return {}
    found: dict[str, list[str]] = {}
    for name, value in _pairs(raw, "query"):
        found.setdefault(name, []).append(value)
    return found


def _pairs(raw: bytes, where: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:  # UnicodeDecodeError is one
        raise Problem("MALFORMED_REQUEST", f"The {where} is not UTF-8, or has more than 100 parameters.") from None
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Problem("MALFORMED_REQUEST", f"The {where} holds a NUL character.")
    return pairs


def parse_form(raw: bytes) -> dict[str, str]:
    """A form (`application/x-www-form-urlencoded`), each field once."""
    pairs = _pairs(raw, "form")
    if not pairs or len(dict(pairs)) != len(pairs):
        raise Problem("MALFORMED_REQUEST", "The form is empty, or a field stands twice in it.")
    return dict(pairs)


def _check_media_type(exchange: Exchange, expected: str) -> None:
    media_type, _, options = exchange.headers.get("content-type", "").lower().partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", options)
    if media_type.strip() != expected or (charset and charset[1] not in ("utf-8", "utf8")):
        in_utf8 = "" if expected == OCTETS else ", in UTF-8"
        raise Problem("UNSUPPORTED_MEDIA_TYPE", f'Send the body as "Content-Type: {expected}"{in_utf8}.')
    if exchange.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("UNSUPPORTED_MEDIA_TYPE", "Send the body without a Content-Encoding.")


def parse_json(raw: bytes) -> Any:
    """A JSON text (RFC 8259), without what parsers disagree on: duplicate keys, NaN, NUL, lone surrogates."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
        if b"\\u" in raw:
            _check_text(value)
    except UnicodeDecodeError:
        raise Problem("MALFORMED_REQUEST", "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Problem("MALFORMED_REQUEST", f"The body is not valid JSON: line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise too_deep() from None
    except _NotJSONError as error:
        raise Problem("MALFORMED_REQUEST", f"The body is not valid JSON: {error}.") from None
    except ValueError:  # Python reads no whole number of more than 4300 digits
        raise Problem("MALFORMED_REQUEST", "The body holds a number of too many digits.") from None
    return value


def too_deep() -> Problem:
    return Problem("MALFORMED_REQUEST", "The body is nested too deeply.")


class _NotJSONError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotJSONError("a key stands twice in an object")
    return found


def _no_constant(name: str) -> Any:
    raise _NotJSONError(f"{name} is not a JSON value")


def _check_text(value: Any) -> None:
    match value:
        case str():
            if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
                raise _NotJSONError("a string holds NUL or half a surrogate pair")
        case list():
            for item in value:
                _check_text(item)
        case dict():
            for key, item in value.items():
                _check_text(key)
                _check_text(item)


def explain(validator: jsonschema_rs.Draft202012Validator, value: Any, name: str = "") -> list[Detail]:
    """Every problem of a value, in words that never quote it: it may be a password."""
    return [detail for error in validator.iter_errors(value) for detail in _details(error, name)]


def _details(error: jsonschema_rs.ValidationError, name: str) -> Iterable[Detail]:
    path = [name] if name else []
    path += [str(part) for part in error.instance_path]
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            yield {"field": ".".join([*path, name]), "message": "is required"}
        case ValidationErrorKind.AdditionalProperties(unexpected=keys):
            for key in keys:
                yield {"field": ".".join([*path, key[:100]]), "message": "is not a known field"}
        case kind:
            yield {"field": ".".join(path) or "body", "message": _sentence(kind.name, kind.value)}


def _sentence(kind: str, value: Any) -> str:
    match kind:
        case "type":
            types = [value] if isinstance(value, str) else list(value)
            return f"must be {' or '.join(TYPES.get(item, str(item)) for item in types)}"
        case "enum":
            return f"must be one of {', '.join(map(str, value))}"
        case "format":
            return f"is not {FORMATS.get(value, f'a valid {value}')}"
        case _ if kind in SENTENCES:
            return SENTENCES[kind].format(value)
        case _:
            return "is not allowed"


TYPES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
FORMATS = {
    "email": "an e-mail address",
    "uuid": "a UUID",
    "uri": "a URL",
    "date-time": "a time such as 2026-01-20T00:00:00Z",
    "date": "a date such as 2026-01-20",
}
SENTENCES = {
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
    "maxProperties": "must have at most {} keys",
    "minProperties": "must have at least {} keys",
    "uniqueItems": "must not hold the same item twice",
    "pattern": "has characters or a form that is not allowed here",
}
