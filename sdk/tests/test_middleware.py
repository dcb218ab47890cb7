"""What a program puts around every attempt."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from loopback import Reply, Server, error

from unpuzzle_sdk import AsyncUnpuzzle, Tokens, Unpuzzle, errors
from unpuzzle_sdk._core.auth import MemoryTokenStore
from unpuzzle_sdk._core.flow import Send
from unpuzzle_sdk._core.middleware import async_send_through, send_through
from unpuzzle_sdk.types import AsyncNext, Next, Request, Response


class Seen:
    """Keeps what it sees, and names itself in a header."""

    def __init__(self, name: str = "seen", into: list[Any] | None = None) -> None:
        self.name = name
        self.seen: list[Any] = [] if into is None else into

    def _keep(self, request: Request) -> None:
        self.seen.append((self.name, request.operation, request.method, request.template, request.attempt))
        request.headers["X-Order"] = request.headers.get("X-Order", "") + self.name

    def __call__(self, request: Request, call_next: Next) -> Response:
        self._keep(request)
        return call_next(request)

    async def in_asyncio(self, request: Request, call_next: AsyncNext) -> Response:
        self._keep(request)
        return await call_next(request)


def test_it_sees_every_attempt(server: Server, examples: dict[str, Any]) -> None:
    server.script = [Reply(503), Reply(drop=True), Reply(json=examples["Course"])]
    seen = Seen()
    with Unpuzzle(base_url=server.url, middleware=[seen]) as client:
        client.courses.get("x")
    path = "/api/v1/courses/{course_id}/"
    assert seen.seen == [("seen", "courses.get", "GET", path, attempt) for attempt in (1, 2, 3)]
    assert [request.headers["x-order"] for request in server.received] == ["seen"] * 3


def test_the_first_is_the_outermost_and_views_add_more(server: Server, examples: dict[str, Any]) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])
    order: list[Any] = []
    with Unpuzzle(base_url=server.url, middleware=[Seen("a", order), Seen("b", order)]) as client:
        client.with_options(middleware=[Seen("c", order)]).system.health()
        client.system.health()
    assert [name for name, *_ in order] == ["a", "b", "c", "a", "b"]
    assert [request.headers["x-order"] for request in server.received] == ["abc", "ab"]


def test_it_may_answer_by_itself(server: Server) -> None:
    def answer(request: Request, call_next: Next) -> Response:
        return Response(404, {"x-request-id": "req_mine"}, b'{"error": {"code": "COURSE_NOT_FOUND"}}')

    with Unpuzzle(base_url=server.url, middleware=[answer]) as client, pytest.raises(errors.CourseNotFound) as caught:
        client.courses.get("x")
    assert caught.value.request_id == "req_mine"
    assert not server.received


class Unrelated(Exception):
    pass


def test_what_it_raises_comes_out_as_it_is(server: Server) -> None:
    raised = Unrelated("mine")

    def fail(request: Request, call_next: Next) -> Response:
        raise raised

    with Unpuzzle(base_url=server.url, middleware=[Seen(), fail]) as client, pytest.raises(Unrelated) as caught:
        client.system.health()
    assert caught.value is raised
    assert caught.value.__cause__ is None is caught.value.__context__
    assert not server.received


def test_a_lost_connection_that_it_raises_is_tried_again(server: Server, examples: dict[str, Any]) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])

    def fail_once(request: Request, call_next: Next) -> Response:
        if request.attempt == 1:
            raise errors.APIConnectionError("as if")
        return call_next(request)

    with Unpuzzle(base_url=server.url, middleware=[fail_once]) as client:
        client.system.health()
    assert len(server.received) == 1


def test_it_sees_the_exchange_of_a_token(server: Server, examples: dict[str, Any]) -> None:
    server.script = [error(401, "AUTH_INVALID_TOKEN"), Reply(json=examples["Tokens"]), Reply(json=examples["User"])]
    seen, store = Seen(), MemoryTokenStore(Tokens("a", "r"))
    with Unpuzzle(base_url=server.url, token_store=store, middleware=[seen]) as client:
        client.auth.get_profile()
    assert [operation for _, operation, *_ in seen.seen] == ["auth.get_profile", "auth.refresh", "auth.get_profile"]


def test_its_changes_are_those_of_one_attempt(server: Server, examples: dict[str, Any]) -> None:
    server.script = [Reply(503), Reply(json=examples["Health"])]

    def mark(request: Request, call_next: Next) -> Response:
        assert "X-Mark" not in request.headers
        request.headers["X-Mark"] = str(request.attempt)
        return call_next(request)

    with Unpuzzle(base_url=server.url, middleware=[mark]) as client:
        client.system.health()
    assert [request.headers["x-mark"] for request in server.received] == ["1", "2"]


def test_in_asyncio_it_is_a_coroutine(server: Server, examples: dict[str, Any]) -> None:
    server.script = [Reply(503), Reply(json=examples["Health"])]
    order: list[Any] = []
    chain = [Seen("a", order).in_asyncio, Seen("b", order).in_asyncio]

    async def refuse(request: Request, call_next: AsyncNext) -> Response:
        raise Unrelated

    async def main() -> None:
        async with AsyncUnpuzzle(base_url=server.url, middleware=chain) as client:
            await client.system.health()
            with pytest.raises(Unrelated):
                await client.with_options(middleware=[refuse]).system.health()

    asyncio.run(main())
    assert [name for name, *_ in order] == ["a", "b"] * 3
    assert server.received[1].headers["x-order"] == "ab"


def test_a_request_of_ones_own_has_no_operation(client: Unpuzzle, server: Server) -> None:
    server.respond = lambda _: Reply(json=1)
    seen = Seen()
    client.with_options(middleware=[seen]).request("GET", "/api/v1/new/7/")
    assert seen.seen == [("seen", "", "GET", "", 1)]


class Chunks:
    """The pieces of a stream, which keep in mind whether they are closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


class AsyncChunks(Chunks):
    async def close(self) -> None:  # type: ignore[override]
        self.closed = True


async def fail_after(request: Request, call_next: AsyncNext) -> Response:
    await call_next(request)
    raise Unrelated


def test_a_stream_is_closed_if_middleware_raises_after_it_began() -> None:
    chunks, async_chunks = Chunks(), AsyncChunks()

    def fail(request: Request, call_next: Next) -> Response:
        call_next(request)
        raise Unrelated

    async def answer(request: Request) -> Response:
        return Response(200, {}, b"", async_chunks)

    with pytest.raises(Unrelated):
        send_through([fail], Send(Request("GET", "/")), lambda _: Response(200, {}, b"", chunks))
    with pytest.raises(Unrelated):
        asyncio.run(async_send_through([fail_after], Send(Request("GET", "/")), answer))
    assert chunks.closed
    assert async_chunks.closed


async def coroutine(request: Request, call_next: Any) -> Any:
    return None


def nothing(request: Request, call_next: Any) -> Any:
    return None


@pytest.mark.parametrize("given", [coroutine, nothing])
def test_middleware_that_gives_no_response_is_named(server: Server, given: Any) -> None:
    async def main() -> None:
        async with AsyncUnpuzzle(base_url=server.url, middleware=[given]) as client:
            await client.system.health()

    with (
        Unpuzzle(base_url=server.url, middleware=[given]) as client,
        pytest.raises(TypeError, match=f"the middleware {given.__name__} must give a Response"),
    ):
        client.system.health()
    with pytest.raises(TypeError, match=f"the middleware {given.__name__} must give a Response"):
        asyncio.run(main())


def test_a_header_that_it_sets_is_sent_once_whatever_its_case(server: Server, examples: dict[str, Any]) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])

    def name(request: Request, call_next: Next) -> Response:
        request.headers["user-agent"] = "mine"
        return call_next(request)

    sent: list[httpx.Request] = []
    with (
        httpx.Client(event_hooks={"request": [sent.append]}) as pool,
        Unpuzzle(base_url=server.url, http_client=pool, middleware=[name]) as client,
    ):
        client.system.health()
    assert sent[0].headers.get_list("user-agent") == ["mine"]
