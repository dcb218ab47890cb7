"""What calls go over: a pool for each event loop, a transport or a client of one's own, and what views share."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from typing import Any

import httpx
import pytest
from loopback import Reply, Server

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors


def test_a_transport_of_ones_own_is_sent_over(examples: dict[str, Any]) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=examples["Health"], headers={"Set-Cookie": "a=b"})

    async def main() -> None:
        async with AsyncUnpuzzle(base_url="https://api.example", transport=httpx.MockTransport(respond)) as client:
            await client.system.health()

    with Unpuzzle(base_url="https://api.example", transport=httpx.MockTransport(respond)) as client:
        client.system.health()
        client.system.health()
    asyncio.run(main())
    assert [str(request.url) for request in seen] == ["https://api.example/health/"] * 3
    assert not [request for request in seen if "cookie" in request.headers]


def test_a_client_of_ones_own_stays_open(examples: dict[str, Any]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=examples["Health"]))
    with httpx.Client(transport=transport) as own:
        with Unpuzzle(base_url="https://api.example", http_client=own) as client:
            client.system.health()
        assert not own.is_closed
        with pytest.raises(ValueError, match="not both"):
            Unpuzzle(http_client=own, transport=transport)


def test_each_event_loop_has_one_pool_of_its_own(
    async_client: AsyncUnpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])
    pools: list[object] = []

    async def main() -> None:
        pool = async_client._wire.transport._pool
        found = set(await asyncio.gather(*(pool() for _ in range(3))))
        await asyncio.gather(*(async_client.with_options(timeout=9).system.health() for _ in range(5)))
        assert found == {await pool()}
        pools.extend(found)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pools)) == len(pools) == 3


def test_one_async_client_in_three_event_loops(
    async_client: AsyncUnpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])

    async def main() -> str:
        return (await async_client.system.health()).status

    assert [asyncio.run(main()) for _ in range(3)] == ["ok"] * 3


def test_the_connections_of_an_event_loop_end_with_it_and_nothing_of_it_stays(
    async_client: AsyncUnpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])
    loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()

    async def main() -> int:
        loops.add(asyncio.get_running_loop())
        await asyncio.gather(*(async_client.system.health() for _ in range(5)))
        return server.open_connections

    for _ in range(3):
        assert asyncio.run(main()) >= 1
        assert server.runs_out_of("open_connections")
    gc.collect()
    assert not loops


def test_a_client_that_is_let_go_closes_its_connections_while_the_loop_runs(
    server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])

    async def main() -> None:
        await AsyncUnpuzzle(base_url=server.url).system.health()
        gc.collect()
        assert await asyncio.to_thread(server.runs_out_of, "open_connections")

    asyncio.run(main())


def test_a_client_that_is_let_go_closes_its_connections(server: Server, examples: dict[str, Any]) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])
    Unpuzzle(base_url=server.url).system.health()
    gc.collect()
    assert server.runs_out_of("open_connections")


KEPT = """
import asyncio, sys
from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle
from unpuzzle_sdk._core import wire
kept, other = Unpuzzle(base_url=sys.argv[1]), AsyncUnpuzzle(base_url=sys.argv[1])
kept.system.health()
asyncio.run(other.system.health())
sys.kept = sys.modules["__main__"], wire
"""


def test_the_end_of_a_program_closes_in_silence(server: Server, examples: dict[str, Any]) -> None:
    """Whatever of it is gone first."""
    server.respond = lambda _: Reply(json=examples["Health"])
    ended = subprocess.run([sys.executable, "-c", KEPT, server.url], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("", "")


def test_a_transport_that_others_may_use_is_closed_by_hand_alone(examples: dict[str, Any]) -> None:
    closed: list[str] = []

    class Shared(httpx.MockTransport):
        def close(self) -> None:
            closed.append("sync")

        async def aclose(self) -> None:
            closed.append("async")

    shared = Shared(lambda _: httpx.Response(200, json=examples["Health"]))

    async def main() -> None:
        await AsyncUnpuzzle(base_url="http://api", transport=shared).system.health()
        gc.collect()
        await asyncio.sleep(0)
        assert not closed
        async with AsyncUnpuzzle(base_url="http://api", transport=shared) as client:
            await client.system.health()

    Unpuzzle(base_url="http://api", transport=shared).system.health()
    gc.collect()
    asyncio.run(main())
    with Unpuzzle(base_url="http://api", transport=shared) as client:
        client.system.health()
    assert closed[-1] == "sync"
    assert closed.count("sync") == 1


def test_a_client_may_be_closed_twice_at_once(
    async_client: AsyncUnpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])

    async def main() -> None:
        await async_client.system.health()
        await asyncio.gather(async_client.close(), async_client.close())
        with pytest.raises(errors.UnpuzzleError, match="closed"):
            await async_client.system.health()

    asyncio.run(main())
    assert server.runs_out_of("open_connections")


def test_with_options_shares_the_connections(client: Unpuzzle, server: Server, examples: dict[str, Any]) -> None:
    server.respond = lambda _: Reply(json=examples["Health"])
    view = client.with_options(timeout=5, max_retries=0)
    view.system.health()
    assert view._wire is client._wire
    assert view._session is client._session
    assert client._options.max_retries == 2


def test_a_function_that_makes_a_transport_is_called_in_each_event_loop_and_process(
    examples: dict[str, Any],
) -> None:
    made: list[httpx.MockTransport] = []

    def make() -> httpx.MockTransport:
        made.append(httpx.MockTransport(lambda _: httpx.Response(200, json=examples["Health"])))
        return made[-1]

    async def main(client: AsyncUnpuzzle) -> None:
        await client.system.health()
        await client.system.health()

    in_loops = AsyncUnpuzzle(base_url="http://api", transport=make)
    for _ in range(2):
        asyncio.run(main(in_loops))
    assert len(made) == 2
    with Unpuzzle(base_url="http://api", transport=make) as client:
        client.system.health()
        client.with_options(timeout=1).system.health()
        assert len(made) == 3
        client._wire.transport._after_fork()
        client.system.health()
    assert len(made) == 4


def test_a_client_of_ones_own_keeps_its_limits_of_time(examples: dict[str, Any]) -> None:
    limits: list[Any] = []

    def respond(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json=examples["Health"])

    with httpx.Client(transport=httpx.MockTransport(respond), timeout=7) as own:
        Unpuzzle(base_url="http://api", http_client=own).system.health()
        Unpuzzle(base_url="http://api", http_client=own, timeout=9).system.health()
        Unpuzzle(base_url="http://api", http_client=own).with_options(timeout=None).system.health()
    Unpuzzle(base_url="http://api", transport=httpx.MockTransport(respond)).system.health()
    assert limits == [7, 9, None, 30]


def test_a_client_of_the_other_kind_is_refused() -> None:
    with (
        httpx.Client() as own,
        pytest.raises(TypeError, match=r"http_client must be an httpx\.AsyncClient, not Client"),
    ):
        AsyncUnpuzzle(http_client=own)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"http_client must be an httpx\.Client, not AsyncClient"):
        Unpuzzle(http_client=httpx.AsyncClient())  # type: ignore[arg-type]


def test_a_client_of_ones_own_that_is_closed_is_an_error_of_the_sdk() -> None:
    own, asynchronous = httpx.Client(), httpx.AsyncClient()
    own.close()
    with pytest.raises(errors.UnpuzzleError, match="the http_client is closed"):
        Unpuzzle(base_url="http://api", http_client=own).system.health()

    async def main() -> None:
        await asynchronous.aclose()
        await AsyncUnpuzzle(base_url="http://api", http_client=asynchronous).system.health()

    with pytest.raises(errors.UnpuzzleError, match="the http_client is closed"):
        asyncio.run(main())
