"""A span of OpenTelemetry for every call: `pip install "unpuzzle-sdk[opentelemetry]"`.

from unpuzzle_sdk.opentelemetry import instrument

client = instrument(Unpuzzle())
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import evolve, frozen
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, TracerProvider, get_tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ._core import redact
from ._core.base_client import BaseClient
from ._core.flow import Flow, Need, Send, Sender, watched
from ._core.headers import canonical
from ._core.operation import Request
from ._core.response import Answer
from ._version import __version__

__all__ = ["instrument"]

C = TypeVar("C", bound=BaseClient[Any])

_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"))


def instrument(client: C, *, tracer_provider: TracerProvider | None = None) -> C:
    """Give a view of a client whose calls are traced. It shares the connections and the session.

    A span has the name of the operation and the attributes of the semantic conventions for HTTP clients, and covers
    all attempts; the exchange of a token has one of its own. The API gets its context as `traceparent`. The span of a
    stream ends when the stream begins.

    Args:
        client: An `Unpuzzle` or an `AsyncUnpuzzle`.
        tracer_provider: Where the spans go; by default to the global one.
    """
    tracer = get_tracer("unpuzzle_sdk", __version__, tracer_provider)
    return client._view(evolve(client._options, trace=_Trace(tracer, client.base_url)))


@frozen
class _Trace:
    tracer: Tracer
    base_url: str

    def __call__(self, request: Request, send: Sender) -> Flow[Answer]:
        sends: list[Send] = []
        with self._span(request) as span:
            context: dict[str, str] = {}
            TraceContextTextMapPropagator().inject(context)
            try:
                answer = yield from watched(send(request.with_headers(canonical(context))), _collect(sends))
            finally:
                if len(sends) > 1:
                    span.set_attribute("http.request.resend_count", len(sends) - 1)
            _tell(span, answer)
            return answer

    @contextmanager
    def _span(self, request: Request) -> Iterator[Span]:
        with self.tracer.start_as_current_span(
            request.operation or _method(request).replace("_OTHER", "HTTP"),
            kind=SpanKind.CLIENT,
            attributes=self._attributes(request),
            record_exception=False,  # its text may tell more than its class
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                _fail(span, type(error).__qualname__)
                raise

    def _attributes(self, request: Request) -> Mapping[str, str | int]:
        parts = urlsplit(self.base_url)
        query = redact.query(request.query, redact.secret_names(request.operation)[0])
        found: dict[str, str | int] = {
            "http.request.method": _method(request),
            "server.address": parts.hostname or "",
            "server.port": parts.port or (443 if parts.scheme == "https" else 80),
            "url.full": f"{self.base_url}{request.path}{'?' if query else ''}{query}",
        }
        return {**found, "url.template": request.template} if request.template else found


def _collect(sends: list[Send]) -> Callable[[Need], None]:
    return lambda need: sends.append(need) if isinstance(need, Send) else None


def _tell(span: Span, answer: Answer) -> None:
    span.set_attribute("http.response.status_code", answer.status)
    if answer.request_id:
        span.set_attribute("http.response.header.x-request-id", [answer.request_id])
    if answer.status >= 400:
        _fail(span, str(answer.status))


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def _method(request: Request) -> str:
    return request.method if request.method in _METHODS else "_OTHER"
