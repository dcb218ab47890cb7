"""Operations: what the generated code says about each, and the requests that are made from them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from attrs import evolve, field, frozen

from . import codec
from .errors import InvalidResponseError
from .headers import canonical
from .response import Answer
from .unset import UNSET

T = TypeVar("T")

IDEMPOTENCY_KEY = "Idempotency-Key"
# The first three would make another path, and so another operation; the others are none that anything could have.
_NO_SEGMENTS = ("", ".", "..", None, UNSET)


@frozen
class Operation(Generic[T]):
    """One operation of the API.

    Attributes:
        name: The operationId; empty for a request that is none of the contract.
        method: The HTTP method.
        path: The path, with names in braces; as it is sent if the request is none of the contract.
        answers: How to parse the body of each status that is not an error.
        authenticated: Whether to send the access token.
        form: Whether the body is sent as a form instead of JSON.
        keyed: Whether it takes an `Idempotency-Key`, which makes it safe to repeat.
        optional_body: Whether an empty body is left out.
        streams: Whether it answers with events, which are read as they come.
        query: What the address of a request that is none of the contract brought along of a query, encoded.
    """

    name: str
    method: str
    path: str
    answers: Mapping[int, Callable[[Answer], T]]
    authenticated: bool = True
    form: bool = False
    keyed: bool = False
    optional_body: bool = False
    streams: bool = False
    query: str = field(default="", repr=False)

    def parse(self, answer: Answer) -> T:
        """Turn an answer into the value that the method gives."""
        answer.raise_for_status()
        parser = self.answers.get(answer.status)
        if parser is None and answer.status < 300:
            # A success that this version does not know is read like the documented one.
            parser = next(iter(self.answers.values()), None)
        if parser is None:
            raise InvalidResponseError(
                f"The API answered {self.method} {self.path} with the unexpected status {answer.status}{_hint(answer)}",
                status_code=answer.status,
                request_id=answer.request_id,
            )
        return parser(answer)


def _hint(answer: Answer) -> str:
    if "location" not in answer.headers:
        return ""
    from .redact import addresses

    # Queries of addresses may be signed, and fragments hold tokens.
    target = addresses(re.split("[?#]", answer.headers["location"])[0])
    return f", which leads on to {target}: set base_url to where the API is"


@frozen(kw_only=True)
class Arguments:
    """The arguments of one call. As tracebacks may show locals, its `repr` shows nothing that may be secret."""

    path: Mapping[str, str] = field(factory=dict, repr=False)
    query: Mapping[str, Any] = field(factory=dict, repr=False)
    headers: Mapping[str, str | None] = field(factory=dict, repr=False)
    body: Any = field(default=UNSET, repr=False)
    content: bytes | None = field(default=None, repr=False)

    def of_page(self, number: int) -> Arguments:
        """Give those for another page of the same list."""
        # The ETag in If-None-Match is that of the first page.
        headers = {name: value for name, value in self.headers.items() if name != "If-None-Match"}
        return evolve(self, headers=headers, query={**self.query, "page": number})


@frozen
class Request:
    """A request as it is sent. Its `repr` shows nothing that may be secret.

    Attributes:
        method: The HTTP method.
        path: The path, filled in and encoded.
        query: The query, encoded.
        headers: The headers.
        content: The body.
        authenticated: Whether it takes the access token.
        streams: Whether the answer is read as it comes.
        operation: The operationId; empty for a request that is none of the contract.
        template: The path with names in braces; empty as above.
        attempt: Which attempt this is, from 1.
    """

    method: str
    path: str
    query: str = field(default="", repr=False)
    headers: dict[str, str] = field(factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    authenticated: bool = True
    streams: bool = False
    operation: str = ""
    template: str = ""
    attempt: int = 1

    @property
    def target(self) -> str:
        """The path with the query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method in ("GET", "HEAD", "OPTIONS") or IDEMPOTENCY_KEY in self.headers

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """Give a copy with more headers."""
        # Not `evolve`, which looks up the fields at every call.
        return Request(
            self.method,
            self.path,
            self.query,
            {**self.headers, **headers},
            self.content,
            self.authenticated,
            self.streams,
            self.operation,
            self.template,
            self.attempt,
        )


def build_request(operation: Operation[Any], arguments: Arguments) -> Request:
    """Make the request of an operation from its arguments."""
    chosen = canonical({name: value for name, value in arguments.headers.items() if value is not None})
    content = arguments.content
    if operation.streams:
        chosen["Accept"] = "text/event-stream"
    if operation.keyed and IDEMPOTENCY_KEY not in chosen:
        chosen[IDEMPOTENCY_KEY] = _new_key()
    if content is not None:
        chosen.setdefault("Content-Type", "application/octet-stream")
    elif arguments.body is not UNSET:
        content = _guarded(lambda: _encoded(operation, arguments.body))
        if content is not None:
            kind = "application/x-www-form-urlencoded" if operation.form else "application/json"
            chosen.setdefault("Content-Type", kind)
    return Request(
        method=operation.method,
        path=_guarded(lambda: fill_path(operation.path, arguments.path)) if operation.name else operation.path,
        query="&".join(filter(None, (operation.query, _guarded(lambda: encode_query(arguments.query))))),
        headers=chosen,
        content=content,
        authenticated=operation.authenticated,
        streams=operation.streams,
        operation=operation.name,
        template=operation.path if operation.name else "",
    )


def _guarded(encode: Callable[[], T]) -> T:
    """Encode what may be secret, and let no failure show it."""
    failure: Exception
    try:
        return encode()
    except UnicodeEncodeError:
        # It holds all that was to be encoded.
        failure = ValueError("a text holds half a surrogate pair, which can't be sent")
    except (TypeError, ValueError) as error:
        # Without the frames in which the values are.
        failure = error.with_traceback(None)
    raise failure


def _encoded(operation: Operation[Any], body: Any) -> bytes | None:
    data = codec.to_json(body)
    if operation.form:
        return urlencode(data).encode()
    if operation.optional_body and not data:
        return None
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def fill_path(template: str, values: Mapping[str, str]) -> str:
    """Put values into the braces of a path, each as one segment."""

    def segment(match: re.Match[str]) -> str:
        value = values[match[1]]
        # Not `str` of a text: that of an enum's member is its name.
        text = value if isinstance(value, str) else str(value)
        # Servers take an encoded slash for one, and so for the path of another operation.
        if value in _NO_SEGMENTS or "/" in text:
            raise ValueError(f"{match[1]} must not be {value!r}")
        return quote(text, safe="")

    return re.sub(r"\{(\w+)\}", segment, template)


def encode_query(values: Mapping[str, Any]) -> str:
    """Encode query parameters; None and `UNSET` are left out, sequences are repeated."""
    if not values:
        return ""
    pairs = [(name, _query_value(value)) for name, value in values.items() if value is not None and value is not UNSET]
    return urlencode(pairs, doseq=True)


def _query_value(value: Any) -> Any:
    data = codec.to_json(value)
    if isinstance(data, list):
        return [_query_value(item) for item in data]
    return str(data).lower() if isinstance(data, bool) else data


def _new_key() -> str:
    # uuid costs 10 ms to import: only programs that write pay for it.
    from uuid import uuid4

    return str(uuid4())
