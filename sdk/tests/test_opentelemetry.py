"""Spans: one for each call, with what the semantic conventions name, and nothing secret."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from loopback import Reply, Server, error
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from unpuzzle_sdk import AsyncUnpuzzle, MemoryTokenStore, Tokens, Unpuzzle, errors
from unpuzzle_sdk.opentelemetry import instrument


class Traces:
    """Keeps spans."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())


@pytest.fixture
def traces() -> Traces:
    return Traces()


def test_a_call_is_a_span_whatever_its_attempts(
    client: Unpuzzle, server: Server, traces: Traces, examples: dict[str, Any]
) -> None:
    server.script = [Reply(503), Reply(drop=True), Reply(json=examples["Course"], headers={"X-Request-ID": "req_1"})]
    instrument(client, tracer_provider=traces.provider).courses.get("intro", if_none_match='"1"')
    (span,) = traces.spans
    assert (span.name, span.kind, span.status.status_code) == ("courses.get", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": server.http.server_port,
        "url.full": f"{server.url}/api/v1/courses/intro/",
        "url.template": "/api/v1/courses/{course_id}/",
        "http.request.resend_count": 2,
        "http.response.status_code": 200,
        "http.response.header.x-request-id": ("req_1",),
    }
    assert span.context is not None
    context = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"
    assert [request.headers["traceparent"] for request in server.received] == [context] * 3


def test_the_signature_of_a_link_is_in_no_span(client: Unpuzzle, server: Server, traces: Traces) -> None:
    server.respond = lambda _: Reply(json=1)
    link = f"{server.url}/api/v1/media/1/download/?expires=1&signature=canary"
    instrument(client, tracer_provider=traces.provider).request("GET", link)
    (span,) = traces.spans
    assert (span.attributes or {})["url.full"] == link.replace("canary", "***")


def test_only_who_asks_is_traced(client: Unpuzzle, server: Server, traces: Traces, examples: dict[str, Any]) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])
    traced = instrument(client, tracer_provider=traces.provider)
    client.system.health()
    assert not traces.spans
    assert "traceparent" not in server.received[0].headers
    traced.with_options(timeout=5).system.health()
    assert [span.name for span in traces.spans] == ["system.health"]
    assert traced._wire is client._wire


@pytest.mark.parametrize(
    ("reply", "kind"), [(error(404, "COURSE_NOT_FOUND"), "404"), (Reply(drop=True), "APIConnectionError")]
)
def test_a_failure_says_what_it_is(client: Unpuzzle, server: Server, traces: Traces, reply: Reply, kind: str) -> None:
    server.respond = lambda _: reply
    with pytest.raises(errors.UnpuzzleError):
        instrument(client, tracer_provider=traces.provider).with_options(max_retries=0).courses.get("x")
    (span,) = traces.spans
    assert span.attributes is not None
    assert (span.attributes["error.type"], span.status.status_code) == (kind, StatusCode.ERROR)
    assert "http.request.resend_count" not in span.attributes
    assert not span.events


def test_a_span_is_the_child_of_the_one_around_it_and_so_is_the_exchange_of_a_token(
    server: Server, traces: Traces, examples: dict[str, Any]
) -> None:
    server.script = [error(401, "AUTH_INVALID_TOKEN"), Reply(json=examples["Tokens"]), Reply(json=examples["User"])]
    store = MemoryTokenStore(Tokens("a", "r"))

    async def main() -> None:
        async with AsyncUnpuzzle(base_url=server.url, token_store=store) as client:
            with traces.provider.get_tracer("program").start_as_current_span("program"):
                await instrument(client, tracer_provider=traces.provider).auth.get_profile()

    asyncio.run(main())
    refresh, call, program = traces.spans
    assert [span.name for span in traces.spans] == ["auth.refresh", "auth.get_profile", "program"]
    assert program.context is not None
    assert call.context is not None
    assert call.parent is not None
    assert refresh.parent is not None
    assert (call.parent.span_id, refresh.parent.span_id) == (program.context.span_id, call.context.span_id)
    assert call.attributes is not None
    assert call.attributes["http.request.resend_count"] == 1


def test_no_attribute_holds_a_secret(client: Unpuzzle, server: Server, traces: Traces) -> None:
    server.respond = lambda _: Reply(302, headers={"Location": "https://x/?code=canary"})
    traced = instrument(client.with_options(headers={"X-Key": "canary"}), tracer_provider=traces.provider)
    traced.auth.oauth_redirect(state="canary", code="canary", error="why")
    with pytest.raises(errors.UnpuzzleError):
        traced.request("PURGE", "/api/v1/new/7/", params={"a_token": "canary", "page": 2})
    shown = [span.to_json() for span in traces.spans]
    assert "canary" not in "".join(shown)
    assert "error=why" in shown[0]
    assert "page=2" in shown[1]
    assert [span.name for span in traces.spans] == ["auth.oauth_redirect", "HTTP"]


def test_it_is_not_imported_unless_asked_for() -> None:
    program = "import sys; from unpuzzle_sdk import Unpuzzle; Unpuzzle().courses.get; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in loaded if "opentelemetry" in name]
