"""What holds under threads, tasks, forks, signals and lost answers, over a real socket."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from loopback import HANG, Received, Reply, Server, client_of, get_email

from unpuzzle_sdk import AsyncUnpuzzle, FileTokenStore, MemoryTokenStore, Tokens, Unpuzzle
from unpuzzle_sdk._core.events import StreamOperation
from unpuzzle_sdk._core.operation import Arguments

POSTS = 1000
WATCH: StreamOperation[Any, Any] = StreamOperation("a.watch", "GET", "/watch/", answers={}, events={"said": dict})
SAID = b"event: said\ndata: {}\n\n"


class Ledger:
    """Does what a request says once for each key, as the server does, and loses the first answer, or the first two."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.done: dict[str, bytes] = {}
        self.lost = 0
        self._answer = answer
        self._asked: dict[str, int] = {}
        self._lock = threading.Lock()

    def __call__(self, request: Received) -> Reply:
        key = request.headers["idempotency-key"]
        with self._lock:
            self._asked[key] = self._asked.get(key, 0) + 1
            assert self.done.setdefault(key, request.body) == request.body
            if self._asked[key] <= 1 + (len(self.done) % 3 == 0):
                self.lost += 1
                return Reply(drop=True)
        return Reply(201, {**self._answer, "title": request.json["title"]})

    def check(self, titles: list[str]) -> None:
        assert titles == [str(number) for number in range(POSTS)]
        assert sorted(self.done.values()) == sorted(b'{"title":"%d"}' % number for number in range(POSTS))
        assert self.lost >= POSTS


@pytest.fixture
def ledger(server: Server, examples: dict[str, Any]) -> Ledger:
    server.respond = ledger = Ledger(examples["OwnCourseResult"])
    return ledger


def test_of_a_thousand_posts_whose_answers_are_lost_none_is_done_twice(client: Unpuzzle, ledger: Ledger) -> None:
    with ThreadPoolExecutor(16) as pool:
        courses = pool.map(lambda number: client.courses.create(title=str(number)), range(POSTS))
        ledger.check([course.title for course in courses])


def test_of_a_thousand_asynchronous_posts_none_is_done_twice(async_client: AsyncUnpuzzle, ledger: Ledger) -> None:
    async def main() -> list[str]:
        turns = asyncio.Semaphore(16)

        async def create(number: int) -> str:
            async with turns:
                return (await client.courses.create(title=str(number))).title

        async with async_client as client:
            return await asyncio.gather(*map(create, range(POSTS)))

    ledger.check(asyncio.run(main()))


def echo(examples: dict[str, Any]) -> Callable[[Received], Reply]:
    return lambda request: Reply(json={**examples["Course"], "title": request.path.split("/")[-2]})


def test_in_thirty_two_threads_everyone_gets_their_own_answer(
    client: Unpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = echo(examples)
    with ThreadPoolExecutor(32) as pool:
        titles = list(pool.map(lambda number: client.courses.get(str(number)).title, range(640)))
    assert titles == [str(number) for number in range(640)]
    assert len({request.port for request in server.received}) <= 32


@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_a_forked_process_has_connections_of_its_own(
    client: Unpuzzle, server: Server, examples: dict[str, Any]
) -> None:
    server.respond = echo(examples)
    client.courses.get("before")
    forked = os.fork()
    if forked == 0:
        os._exit(0 if client.courses.get("child").title == "child" else 1)
    assert client.courses.get("parent").title == "parent"
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    ports = {request.path.split("/")[-2]: request.port for request in server.received}
    assert ports["before"] == ports["parent"] != ports["child"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_a_forked_process_is_not_locked_out_by_a_thread_of_its_parent() -> None:
    store = MemoryTokenStore()
    with store.lock():
        forked = os.fork()
        if forked == 0:
            os._exit(0 if store.lock().acquire(timeout=2) else 1)  # type: ignore[attr-defined]
        assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_workers_that_are_forked_go_on_with_a_client_that_was_used(
    server: Server, examples: dict[str, Any], tmp_path: Path
) -> None:
    server.respond = lambda _: Reply(json=examples["User"])
    FileTokenStore(tmp_path / "tokens.json").save(Tokens("a", "r"))
    arguments = (server.url, tmp_path / "tokens.json")
    get_email(*arguments)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        emails = pool.starmap(get_email, [arguments] * 6)
    assert [*emails, get_email(*arguments)] == [examples["User"]["email"]] * 7
    client_of(*arguments).close()
    first, *others, last = [request.port for request in server.received]
    assert first == last
    assert first not in others


@pytest.fixture
def lonely(server: Server) -> Iterator[Unpuzzle]:
    """A client with a single connection, so that one that is lost would be missed."""
    with (
        httpx.Client(limits=httpx.Limits(max_connections=1), timeout=2) as pool,
        Unpuzzle(base_url=server.url, http_client=pool, token_store=MemoryTokenStore(Tokens("a", "r"))) as client,
    ):
        yield client


@pytest.fixture
def interrupt() -> Iterator[Callable[[float], None]]:
    """Sends this process what Ctrl-C does, after some seconds."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda seconds: threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("slow", ["/api/v1/auth/profile/", "/api/v1/auth/refresh/"])
def test_after_an_interrupt_amid_a_call_or_a_refresh_the_client_goes_on(
    lonely: Unpuzzle, server: Server, examples: dict[str, Any], interrupt: Callable[[float], None], slow: str
) -> None:
    waits = iter([0.3])

    def respond(request: Received) -> Reply:
        if request.path == slow:
            time.sleep(next(waits, 0))
        if request.path.endswith("/refresh/"):
            return Reply(json=examples["Tokens"])
        return Reply(401 if request.headers["authorization"] == "Bearer a" else 200, json=examples["User"])

    server.respond = respond
    interrupt(0.15)
    with pytest.raises(KeyboardInterrupt):
        lonely.auth.get_profile()
    assert lonely.auth.get_profile().email


def test_after_an_interrupt_amid_a_stream_the_client_goes_on(
    lonely: Unpuzzle, server: Server, examples: dict[str, Any], interrupt: Callable[[float], None]
) -> None:
    server.respond = lambda request: (
        Reply(pieces=[SAID, HANG]) if request.path == "/watch/" else Reply(json=examples["User"])
    )
    interrupt(0.15)
    with pytest.raises(KeyboardInterrupt):
        list(lonely.stream(WATCH, Arguments()))
    assert lonely.auth.get_profile().email


def rotating(examples: dict[str, Any], seconds: float) -> tuple[Callable[[Received], Reply], Callable[[], int]]:
    """An API that takes a while to exchange a token, and how often it did."""
    numbers = count()
    refreshes: list[int] = []

    def respond(request: Received) -> Reply:
        if request.path.endswith("/refresh/"):
            time.sleep(seconds)
            refreshes.append(next(numbers))
            return Reply(json={**examples["Tokens"], "access_token": "new"})
        return Reply(200 if request.headers["authorization"] == "Bearer new" else 401, json=examples["User"])

    return respond, lambda: len(refreshes)


def test_those_who_are_cancelled_amid_a_refresh_do_not_take_it_from_the_others(
    server: Server, examples: dict[str, Any]
) -> None:
    server.respond, refreshes = rotating(examples, 0.1)

    async def main() -> list[Any]:
        store = MemoryTokenStore(Tokens("old", "r"))
        async with AsyncUnpuzzle(base_url=server.url, token_store=store) as client:
            tasks = [asyncio.create_task(client.auth.get_profile()) for _ in range(40)]
            await asyncio.sleep(0.05)
            for task in tasks[::2]:
                task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(asyncio.wait_for(main(), 10))
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
    assert all(outcome.email for outcome in outcomes[1::2])
    assert refreshes() == 1


def test_a_loop_that_ends_while_it_waits_for_the_lock_does_not_keep_it(
    server: Server, examples: dict[str, Any]
) -> None:
    server.respond, refreshes = rotating(examples, 0)
    store = MemoryTokenStore(Tokens("old", "r"))

    async def give_up() -> None:
        client = AsyncUnpuzzle(base_url=server.url, token_store=store)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.auth.get_profile(), 0.1)
        await client.close()

    with store.lock():
        asyncio.run(give_up())
    with Unpuzzle(base_url=server.url, token_store=store) as client, ThreadPoolExecutor(1) as pool:
        assert pool.submit(client.auth.get_profile).result(5).email
    assert refreshes() == 1
