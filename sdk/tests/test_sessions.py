"""Signing in, and staying so: one refresh for all who need it."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from loopback import Received, Reply, Server, error, get_email

from unpuzzle_sdk import AsyncUnpuzzle, FileTokenStore, MemoryTokenStore, Tokens, TokenStore, Unpuzzle, errors

REFRESH = "/api/v1/auth/refresh/"


class Accounts:
    """A server that rotates tokens: access tokens `a1`, `a2`, …, each good until the next."""

    def __init__(self, examples: dict[str, Any]) -> None:
        self._examples = examples
        self._lock = threading.Lock()
        self.generation = 1
        self.refreshes = 0
        self.lifetime = 3600
        self.drop_answers = 0

    def tokens(self) -> dict[str, Any]:
        names = {"access_token": f"a{self.generation}", "refresh_token": f"r{self.generation}"}
        return {**self._examples["Tokens"], **names, "expires_in": self.lifetime}

    def __call__(self, request: Received) -> Reply:
        if request.path == REFRESH:
            return self._refresh(request.json.get("refresh_token"))
        if request.path.endswith(("signin/", "signup/")):
            return Reply(200, {**self._examples["AuthSession"], **self.tokens()})
        if request.headers.get("authorization") != f"Bearer a{self.generation}":
            return error(401, "AUTH_INVALID_TOKEN")
        return Reply(json=self._examples["Message" if request.path.endswith("signout/") else "User"])

    def _refresh(self, token: str | None) -> Reply:
        time.sleep(0.05)
        with self._lock:
            self.refreshes += 1
            if token == f"r{self.generation}":
                self.generation += 1
            elif not (self.refreshes > 1 and token == f"r{self.generation - 1}"):
                return error(401, "AUTH_INVALID_TOKEN")
            if self.drop_answers:
                self.drop_answers -= 1
                return Reply(drop=True)
            return Reply(json=self.tokens())


@pytest.fixture
def accounts(server: Server, examples: dict[str, Any]) -> Accounts:
    accounts = Accounts(examples)
    server.respond = accounts
    return accounts


def stale(refresh_token: str | None = "r1") -> MemoryTokenStore:
    return MemoryTokenStore(Tokens("a0", refresh_token))


def test_sign_in_and_out(client: Unpuzzle, server: Server, accounts: Accounts) -> None:
    client.auth.sign_in(email="a@b.c", password="x")
    assert client.auth.get_profile().email
    client.auth.sign_out()
    with pytest.raises(errors.AuthenticationError):
        client.auth.get_profile()
    sent = [request.headers.get("authorization") for request in server.received]
    assert sent == [None, "Bearer a1", "Bearer a1", None]


def test_cookies_are_not_kept(client: Unpuzzle, server: Server, accounts: Accounts, examples: dict[str, Any]) -> None:
    cookie = {"Set-Cookie": "unpuzzle_access=x; Path=/"}
    server.script = [Reply(200, {**examples["AuthSession"], **accounts.tokens()}, cookie)]
    client.auth.sign_in(email="a@b.c", password="x")
    client.auth.get_profile()
    assert "cookie" not in server.received[1].headers


def test_explicit_refresh_uses_the_stored_token(client: Unpuzzle, accounts: Accounts) -> None:
    client.auth.sign_in(email="a@b.c", password="x")
    assert client.auth.refresh().access_token == "a2"
    client.auth.get_profile()
    assert accounts.refreshes == 1


def test_tokens_about_to_end_are_exchanged_first(client: Unpuzzle, server: Server, accounts: Accounts) -> None:
    accounts.lifetime = 10
    client.auth.sign_in(email="a@b.c", password="x")
    accounts.lifetime = 3600
    client.auth.get_profile()
    assert [request.path for request in server.received][1:] == [REFRESH, "/api/v1/auth/profile/"]


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
        await client._wire.transport._pool().aclose()

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


def test_a_lost_answer_of_a_refresh_is_asked_for_again(server: Server, accounts: Accounts) -> None:
    accounts.drop_answers = 1
    with Unpuzzle(base_url=server.url, token_store=stale()) as client:
        assert client.auth.get_profile().email
    assert accounts.refreshes == 2


def test_a_refresh_that_can_not_be_read_is_a_typed_error(server: Server, accounts: Accounts) -> None:
    bodies = iter([b"<html>", b"[]", b'{"access_token": "a", "expires_in": "soon"}'])
    server.respond = lambda request: Reply(content=next(bodies)) if request.path == REFRESH else accounts(request)
    for _ in range(3):
        with Unpuzzle(base_url=server.url, token_store=stale()) as client, pytest.raises(errors.InvalidResponseError):
            client.auth.get_profile()


def test_a_refused_refresh_ends_the_session(server: Server, accounts: Accounts) -> None:
    store = stale("spent")
    with Unpuzzle(base_url=server.url, token_store=store) as client, pytest.raises(errors.AuthInvalidToken):
        client.auth.get_profile()
    assert store.load() is None


def test_a_token_without_refresh_is_just_refused(server: Server, accounts: Accounts) -> None:
    with Unpuzzle(base_url=server.url, token="old") as client, pytest.raises(errors.AuthInvalidToken):
        client.auth.get_profile()
    assert accounts.refreshes == 0


@pytest.mark.parametrize("make", [lambda _: MemoryTokenStore(), lambda path: FileTokenStore(path / "tokens.json")])
def test_stores(tmp_path: Path, make: Callable[[Path], TokenStore]) -> None:
    store = make(tmp_path)
    assert store.load() is None
    with store.lock():
        store.save(Tokens("a", "r", 1.5))
    assert store.load() == Tokens("a", "r", 1.5)
    store.clear()
    store.clear()
    assert store.load() is None


def test_the_file_is_private_and_may_be_broken(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    store = FileTokenStore(path)
    store.save(Tokens("a"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("{")
    assert store.load() is None


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


@pytest.mark.parametrize("code", ["AUTH_INVALID_CREDENTIALS", "AUTH_USER_NOT_FOUND"])
def test_a_wrong_password_is_no_reason_for_a_new_token(server: Server, accounts: Accounts, code: str) -> None:
    server.script = [error(401, code)]
    with (
        Unpuzzle(base_url=server.url, token_store=stale()) as client,
        pytest.raises(errors.AuthenticationError),
    ):
        client.auth.change_password(current_password="wrong", new_password="right")
    assert len(server.received) == 1


@pytest.mark.parametrize("refusal", [error(401, "AUTH_REQUIRED"), Reply(401, content=b"<html>")])
def test_a_401_that_speaks_of_no_password_is_a_reason(server: Server, accounts: Accounts, refusal: Reply) -> None:
    server.script = [refusal]
    with Unpuzzle(base_url=server.url, token_store=stale()) as client:
        assert client.auth.get_profile().email
    assert accounts.refreshes == 1


class Full(MemoryTokenStore):
    """A store that takes nothing."""

    def save(self, tokens: Tokens) -> None:
        raise OSError("no space left")

    def clear(self) -> None:
        raise OSError("no space left")


def test_a_store_that_fails_does_not_lose_the_session(server: Server, accounts: Accounts) -> None:
    with Unpuzzle(base_url=server.url, token_store=Full(Tokens("a0", "r1"))) as client:
        with pytest.raises(OSError, match="no space"):
            client.auth.get_profile()
        assert client.auth.get_profile().email
        assert accounts.refreshes == 1
        with pytest.raises(OSError, match="no space"):
            client.auth.sign_out()
        with pytest.raises(errors.AuthenticationError):
            client.auth.get_profile()
        with pytest.raises(OSError, match="no space"):
            client.auth.sign_in(email="a@b.c", password="x")
        assert client.auth.get_profile().email


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


def test_a_view_may_have_a_session_of_its_own(server: Server, accounts: Accounts) -> None:
    with Unpuzzle(base_url=server.url, token_store=MemoryTokenStore()) as client:
        assert client.with_options(token="a1").auth.get_profile().email
        assert client.with_options(api_key="a1").auth.get_profile().email
        with pytest.raises(errors.AuthenticationError):
            client.auth.get_profile()
        with pytest.raises(ValueError, match="only one of them"):
            client.with_options(token="a", api_key="b")
        with pytest.raises(ValueError, match="token must not be empty"):
            client.with_options(token="")


def test_a_file_of_a_later_version_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text('{"access_token": "a", "brand_new": 1}')
    assert FileTokenStore(path).load() == Tokens("a")


def test_a_file_is_read_again_when_it_has_changed_and_always_within_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    mine, other = FileTokenStore(path), FileTokenStore(path)
    for name in ("a", "bb", "ccc"):
        other.save(Tokens(name))
        assert mine.load() == Tokens(name)
    stamp = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace("ccc", "ddd"))
    os.utime(path, ns=(stamp, stamp))
    with mine.lock():
        assert mine.load() == Tokens("ddd")
    other.clear()
    assert mine.load() is None


def test_the_home_directory_may_be_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    FileTokenStore("~/tokens.json").save(Tokens("a"))
    assert (tmp_path / "tokens.json").exists()


def test_without_file_locks_there_is_no_store_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(NotImplementedError, match="POSIX"):
        FileTokenStore("tokens.json")


def test_a_forked_process_leaves_the_lock_of_a_file_open(tmp_path: Path) -> None:
    """The child has the open file of its parent's lock, as long as it lives."""
    store = FileTokenStore(tmp_path / "tokens.json")
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock():
            held.set()
            go_on.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    child.start()
    go_on.set()
    holder.join()
    taken = threading.Event()

    def take() -> None:
        with store.lock():
            taken.set()

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    try:
        assert taken.wait(10)
    finally:
        child.terminate()
        child.join()
        taker.join(10)


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
