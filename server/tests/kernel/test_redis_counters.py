"""Rate limits in Redis: the same numbers as in PostgreSQL, from a real redis-server."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from harness import Api, Server, code_of, running_server, wait_for
from redis_server import Redis
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.ratelimit import HOUR, Count, RedisCounters

LIST, HEALTH = "/api/v1/courses/", "/health/"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    found = Redis(tmp_path_factory.mktemp("redis"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def empty(store: Redis) -> Redis:
    store.run("FLUSHALL")
    return store


@pytest.fixture
def limited(server: Server, empty: Redis) -> Iterator[Server]:
    with running_server(server.owner_url, redis_url=empty.url, rate_limit_anonymous=5) as found:
        yield found


def hits(url: str, keys: list[str], period: timedelta = HOUR) -> list[Count]:
    async def all_at_once() -> list[Count]:
        counters = RedisCounters(url, Clock())
        try:
            return list(await asyncio.gather(*(counters.hit(key, period) for key in keys)))
        finally:
            await counters.close()

    return asyncio.run(all_at_once())


def test_each_key_is_counted_one_by_one(empty: Redis) -> None:
    counts = hits(empty.url, ["a", "b", "b"] * 50)
    assert sorted(count.used for count in counts[0::3]) == list(range(1, 51))
    assert sorted(count.used for count in counts[1::3] + counts[2::3]) == list(range(1, 101))
    assert {key.decode() for key in empty.run("KEYS", "*")} == {"unpuzzle:limit:a", "unpuzzle:limit:b"}


def test_a_period_is_not_made_longer_by_later_requests(empty: Redis) -> None:
    first = hits(empty.url, ["key"], timedelta(milliseconds=400))[0]
    again = hits(empty.url, ["key"], HOUR)[0]
    assert again.used == 2
    assert abs(again.resets_at - first.resets_at) < timedelta(milliseconds=100)
    wait_for(lambda: empty.run("EXISTS", "unpuzzle:limit:key") == 0, 2)
    assert hits(empty.url, ["key"])[0].used == 1


def test_requests_at_once_over_two_servers_are_counted_exactly(limited: Server, empty: Redis) -> None:
    with running_server(limited.owner_url, redis_url=empty.url, rate_limit_anonymous=5) as second:

        def status(number: int) -> int:
            with Api((limited, second)[number % 2]) as caller:
                return caller.get(LIST).status_code

        with ThreadPoolExecutor(20) as pool:
            statuses = list(pool.map(status, range(20)))
    assert sorted(statuses) == [200] * 5 + [429] * 15


def test_an_answer_tells_where_one_stands(limited: Server) -> None:
    with Api(limited) as caller:
        first = caller.get(LIST)
        assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("5", "4")
        assert 3590 <= int(first.headers["x-ratelimit-reset-after"]) <= 3600
        for _ in range(5):
            last = caller.get(LIST)
    assert (last.status_code, code_of(last)) == (429, "RATE_LIMIT_EXCEEDED")
    assert 3590 <= int(last.headers["retry-after"]) <= 3600
    assert limited.sql("SELECT count(*) FROM rate_limits WHERE used = 6 AND key LIKE 'address:%%'") == [(0,)]


def test_without_redis_requests_are_told_to_come_back_and_served_when_it_is_back(limited: Server, store: Redis) -> None:
    with Api(limited) as caller:
        assert caller.get(LIST).status_code == 200
        store.stop()
        try:
            refused = caller.get(LIST)
            assert (refused.status_code, code_of(refused)) == (503, "SERVICE_UNAVAILABLE")
            assert refused.headers["retry-after"] == str(refused.json()["error"]["retry_after"])
            assert caller.get(HEALTH).status_code == 200
        finally:
            store.start()
        assert caller.get(LIST).status_code == 200
