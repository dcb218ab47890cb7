"""One session of many: threads, tasks, loops, processes and clients share a refresh, and a store."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from accounts import Accounts, stale
from loopback import Received, Reply, Server, get_email

from unpuzzle_sdk import AsyncUnpuzzle, FileTokenStore, MemoryTokenStore, Tokens, TokenStore, Unpuzzle, errors


def test_threads_share_one_refresh(server: Server, accounts: Accounts) -> None:
    with (
        Unpuzzle(base_url=server.url, token_store=stale()) as client,
        ThreadPoolExecutor(200) as pool,
    ):
        emails = list(pool.map(lambda _: client.auth.get_profile().email, range(200)))
    assert len(emails) == 200
    assert accounts.refreshes == 1


def test_tasks_share_one_refresh(server: Server, accounts: Accounts) -> None:
    async def main() -> None:
        async with AsyncUnpuzzle(base_url=server.url, token_store=stale()) as client:
            await asyncio.gather(*(client.auth.get_profile() for _ in range(200)))

    asyncio.run(main())
    assert accounts.refreshes == 1


def test_many_tasks_may_sign_in_at_once(async_client: AsyncUnpuzzle, accounts: Accounts) -> None:
    async def main() -> None:
        async with async_client as client:
            await asyncio.gather(*(client.auth.sign_in(email="a@b.c", password="x") for _ in range(40)))
            await client.auth.get_profile()

    asyncio.run(asyncio.wait_for(main(), 10))


def test_loops_in_threads_share_one_refresh(server: Server, accounts: Accounts) -> None:
    client = AsyncUnpuzzle(base_url=server.url, token_store=stale())

    async def main() -> None:
        await asyncio.gather(*(client.auth.get_profile() for _ in range(5)))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert accounts.refreshes == 1


def test_a_cancelled_caller_does_not_lose_the_new_tokens(server: Server, accounts: Accounts) -> None:
    store = stale()

    async def main() -> None:
        async with AsyncUnpuzzle(base_url=server.url, token_store=store) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.auth.get_profile(), 0.03)
            await client.auth.get_profile()

    asyncio.run(main())
    assert accounts.refreshes == 1
    assert store.load() == Tokens("a2", "r2", pytest.approx(time.time() + 3600, abs=10))


def test_processes_share_one_refresh(server: Server, accounts: Accounts, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    FileTokenStore(path).save(Tokens("a0", "r1"))
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert len(pool.starmap(get_email, [(server.url, path)] * 6)) == 6
    assert accounts.refreshes == 1


def both(server: Server, store: TokenStore) -> tuple[Unpuzzle, Unpuzzle]:
    return Unpuzzle(base_url=server.url, token_store=store), Unpuzzle(base_url=server.url, token_store=store)


class OwnTokenStore(MemoryTokenStore):
    """A store of somebody else's making, of which nothing is known."""


@pytest.fixture(params=["memory", "file", "own"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    stores = {"memory": MemoryTokenStore, "own": OwnTokenStore, "file": lambda: FileTokenStore(tmp_path / "t.json")}
    return stores[request.param]()


def test_who_shares_a_store_is_signed_in_by_the_other(server: Server, accounts: Accounts, store: TokenStore) -> None:
    first, second = both(server, store)
    with first, second:
        with pytest.raises(errors.AuthenticationError):
            second.auth.get_profile()
        first.auth.sign_in(email="a@b.c", password="x")
        assert second.auth.get_profile().email
        accounts.generation = 7
        first.auth.sign_in(email="d@e.f", password="x")
        assert second.auth.get_profile().email
        first.auth.sign_out()
        with pytest.raises(errors.AuthenticationError):
            second.auth.get_profile()
    assert accounts.refreshes == 0
    assert server.received[-1].headers.get("authorization") is None


def test_who_shares_a_store_is_signed_in_by_the_other_in_asyncio(
    server: Server, accounts: Accounts, store: TokenStore
) -> None:
    async def main() -> None:
        async with (
            AsyncUnpuzzle(base_url=server.url, token_store=store) as first,
            AsyncUnpuzzle(base_url=server.url, token_store=store) as second,
        ):
            with pytest.raises(errors.AuthenticationError):
                await second.auth.get_profile()
            await first.auth.sign_in(email="a@b.c", password="x")
            assert (await second.auth.get_profile()).email

    asyncio.run(main())


def test_a_token_that_was_replaced_amid_a_call_is_tried_without_a_refresh(
    server: Server, accounts: Accounts, store: TokenStore
) -> None:
    store.save(Tokens("a0"))

    def respond(request: Received) -> Reply:
        store.save(Tokens("a1"))
        return accounts(request)

    server.respond = respond
    with Unpuzzle(base_url=server.url, token_store=store) as client:
        assert client.auth.get_profile().email
    assert accounts.refreshes == 0


def test_a_refresh_that_fails_after_all_are_gone_is_no_complaint_of_asyncio(server: Server, accounts: Accounts) -> None:
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with AsyncUnpuzzle(base_url=server.url, token_store=stale("spent")) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.auth.get_profile(), 0.03)
            await asyncio.sleep(0.1)
        gc.collect()

    asyncio.run(main())
    assert complaints == []


def test_what_was_forgotten_is_not_exchanged(server: Server, accounts: Accounts) -> None:
    """Somebody signs out while the client waits for the lock."""
    store = stale()
    with Unpuzzle(base_url=server.url, token_store=store) as client, ThreadPoolExecutor(1) as pool:
        with store.lock():
            call = pool.submit(client.auth.get_profile)
            while not server.received:
                time.sleep(0.01)
            store.clear()
        with pytest.raises(errors.AuthenticationError):
            call.result()
    assert (accounts.refreshes, store.load()) == (0, None)


def test_a_refused_token_is_not_given_to_whoever_was_refused_with_it(server: Server, accounts: Accounts) -> None:
    """Of two tasks that were refused with different tokens, each gets another than its own."""
    store = stale()

    async def both() -> None:
        async with AsyncUnpuzzle(base_url=server.url, token_store=store) as client:
            lock = store.lock()
            lock.__enter__()
            first = asyncio.create_task(client.auth.get_profile())
            while len(server.received) < 1:
                await asyncio.sleep(0.01)
            accounts.generation = 2
            store.save(Tokens("ax", "r2"))
            second = asyncio.create_task(client.auth.get_profile())
            while len(server.received) < 2:
                await asyncio.sleep(0.01)
            lock.__exit__(None, None, None)
            await second
            await asyncio.wait({first})

    asyncio.run(both())
