"""Rate limits: exact over servers, told in four headers, and counted on what they are meant to be counted on."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import cycle

import httpx
import pytest

from harness import PASSWORD, Api, Person, Server, code_of, running_server
from unpuzzle_server.kernel.database import Database
from unpuzzle_server.kernel.ratelimit import FLUSHES_BETWEEN_PURGES, HOUR, PostgresCounters

LIST, HEALTH, PROFILE = "/api/v1/courses/", "/health/", "/api/v1/auth/profile/"
SIGN_IN, SIGN_UP, REFRESH = "/api/v1/auth/signin/", "/api/v1/auth/signup/", "/api/v1/auth/refresh/"
HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-reset-after")


@pytest.fixture(scope="module")
def small(server: Server) -> Iterator[Server]:
    """A server with small limits."""
    limits = {"rate_limit_anonymous": 5, "rate_limit_authenticated": 8, "rate_limit_sign_in": 3, "rate_limit_sign_up": 2}
    with running_server(server.owner_url, **limits) as found:
        yield found


@pytest.fixture(autouse=True)
def fresh(small: Server) -> Iterator[None]:
    """Nobody has used anything yet, and it is now."""
    small.sql("DELETE FROM rate_limits")
    yield
    small.clock.offset = timedelta()
    small.sql("DELETE FROM rate_limits")  # later tests come from this address too


@pytest.fixture
def caller(small: Server) -> Iterator[Api]:
    with Api(small) as found:
        yield found


def numbers(response: httpx.Response) -> tuple[int, int]:
    return int(response.headers["x-ratelimit-limit"]), int(response.headers["x-ratelimit-remaining"])


def at(caller: Api, person: Person) -> Person:
    """Somebody who has signed up at the other server, so that nothing is used up here."""
    caller.server.sql("DELETE FROM rate_limits")
    return Person(caller, person.id, person.email, person.tokens)


def test_each_request_is_counted_and_the_one_too_many_is_refused(caller: Api) -> None:
    assert [numbers(caller.get(LIST)) for _ in range(5)] == [(5, 4), (5, 3), (5, 2), (5, 1), (5, 0)]
    refused = caller.get(LIST)
    assert (refused.status_code, code_of(refused), numbers(refused)) == (429, "RATE_LIMIT_EXCEEDED", (5, 0))
    assert refused.json()["error"]["message"] == "Too many requests. Please try again later."


def test_an_answer_tells_when_the_period_ends(caller: Api) -> None:
    for _ in range(6):
        response = caller.get(LIST)
        after = int(response.headers["x-ratelimit-reset-after"])
        assert 3595 <= after <= 3600
        assert abs(int(response.headers["x-ratelimit-reset"]) - (time.time() + after)) <= 2
    assert response.status_code == 429
    assert response.json()["error"]["retry_after"] == int(response.headers["retry-after"]) == after


def test_a_period_begins_with_its_first_request_and_ends_after_an_hour(small: Server, caller: Api) -> None:
    for _ in range(6):
        caller.get(LIST)
    small.clock.offset = timedelta(minutes=59, seconds=58)
    late = caller.get(LIST)
    assert late.status_code == 429
    assert 0 <= int(late.headers["retry-after"]) <= 2
    small.clock.offset = timedelta(hours=1, seconds=1)
    assert numbers(caller.get(LIST)) == (5, 4)
    assert 3595 <= int(caller.get(LIST).headers["x-ratelimit-reset-after"]) <= 3600


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{LIST}?page=0", 422),
        ("GET", f"{LIST}nothing/", 404),
        ("POST", REFRESH, 401),
        ("GET", "/api/v1/openapi.json", 200),
        ("GET", "/api/v1/", 200),
    ],
)
def test_a_refusal_costs_as_much_as_an_answer(caller: Api, method: str, path: str, status: int) -> None:
    statuses = [caller.request(method, path).status_code for _ in range(6)]
    assert statuses == [status] * 5 + [429]


def test_a_304_is_counted_too(caller: Api) -> None:
    tag = caller.get(LIST).headers["etag"]
    assert numbers(caller.get(LIST, headers={"If-None-Match": tag})) == (5, 3)


def test_head_is_counted_as_get(caller: Api) -> None:
    assert [caller.client.head(LIST).status_code for _ in range(6)] == [200] * 5 + [429]


@pytest.mark.parametrize(("method", "path"), [("GET", "/no/"), ("PUT", LIST), ("OPTIONS", LIST), ("GET", PROFILE)])
def test_what_no_operation_takes_costs_nothing(caller: Api, method: str, path: str) -> None:
    for _ in range(7):
        response = caller.request(method, path)
        assert response.status_code != 429
        assert not any(name in response.headers for name in HEADERS)
    assert numbers(caller.get(LIST)) == (5, 4)


def test_health_is_not_limited(caller: Api) -> None:
    for _ in range(8):
        response = caller.get(HEALTH)
        assert response.status_code == 200
        assert not any(name in response.headers for name in HEADERS)
    assert numbers(caller.get(LIST)) == (5, 4)


def test_users_have_limits_of_their_own_whatever_their_address(caller: Api, api: Api) -> None:
    one, other = at(caller, api.sign_up()), at(caller, api.sign_up())
    assert [one.get(LIST).status_code for _ in range(9)] == [200] * 8 + [429]
    assert numbers(other.get(PROFILE)) == (8, 7)
    assert numbers(caller.get(LIST)) == (5, 4)
    cookie = {"Cookie": f"unpuzzle_access={one.tokens['access_token']}"}
    assert caller.get(LIST, headers=cookie).status_code == 429  # the user's, not the address's


def test_a_forged_token_is_counted_on_nobody(caller: Api) -> None:
    for _ in range(7):
        assert caller.get(LIST, headers={"Authorization": "Bearer x"}).status_code == 401
    assert numbers(caller.get(LIST)) == (5, 4)


def test_sign_in_counts_by_account_within_a_minute(small: Server, caller: Api, api: Api) -> None:
    person = at(caller, api.sign_up())

    def tries(email: str, password: str = "wrong password") -> httpx.Response:
        return caller.post(SIGN_IN, json={"email": email, "password": password})

    assert [numbers(tries(spelt)) for spelt in (person.email, person.email.upper(), person.email.title())] == [
        (3, 2),
        (3, 1),
        (3, 0),
    ]
    refused = tries(person.email, PASSWORD)
    assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMIT_EXCEEDED")
    assert 55 <= int(refused.headers["retry-after"]) <= 60
    assert tries("another@example.com").status_code == 401
    assert numbers(caller.get(LIST)) == (5, 4)
    small.clock.offset = timedelta(seconds=61)
    assert tries(person.email, PASSWORD).status_code == 200


def test_an_unknown_account_runs_out_of_tries_as_a_known_one_does(caller: Api) -> None:
    body = {"email": "nobody@example.com", "password": "wrong password"}
    assert [caller.post(SIGN_IN, json=body).status_code for _ in range(4)] == [401, 401, 401, 429]


def test_sign_up_counts_by_address_good_or_bad(small: Server, caller: Api) -> None:
    assert numbers(caller.post(SIGN_UP, json={})) == (2, 1)
    caller.sign_up()
    refused = caller.post(SIGN_UP, json={"email": "late@example.com", "password": PASSWORD, "full_name": "Late"})
    assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMIT_EXCEEDED")
    assert small.sql("SELECT count(*) FROM users WHERE email = 'late@example.com'") == [(0,)]
    assert numbers(caller.get(LIST)) == (5, 4)
    small.clock.offset = timedelta(hours=1, seconds=1)
    caller.sign_up()


def test_forty_requests_at_once_over_two_servers_are_counted_exactly(small: Server) -> None:
    with running_server(small.owner_url, rate_limit_anonymous=5) as second, ThreadPoolExecutor(40) as pool:
        targets = [url for url, _ in zip(cycle((small.base_url, second.base_url)), range(40), strict=False)]
        answers = list(pool.map(lambda url: httpx.get(f"{url}{LIST}", timeout=30), targets))
    assert Counter(answer.status_code for answer in answers) == {200: 5, 429: 35}
    remaining = sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in answers if answer.status_code == 200)
    assert remaining == [0, 1, 2, 3, 4]
    assert small.sql("SELECT used FROM rate_limits WHERE key LIKE 'address:%%'") == [(40,)]


def test_a_user_at_two_servers_has_one_limit(small: Server, caller: Api, api: Api) -> None:
    person = at(caller, api.sign_up())
    with running_server(small.owner_url, rate_limit_authenticated=8) as second, Api(second) as there:
        assert numbers(person.get(PROFILE)) == (8, 7)
        assert numbers(there.get(PROFILE, headers=person.headers)) == (8, 6)


async def hits(server: Server, keys: list[str], *, together: bool) -> list[int]:
    """What the counters of one process say, asked one after another or all at once."""
    database = Database(server.settings, server.clock)
    counters = PostgresCounters(database, server.clock)
    try:
        if together:
            return [count.used for count in await asyncio.gather(*(counters.hit(key, HOUR) for key in keys))]
        return [(await counters.hit(key, HOUR)).used for key in keys]
    finally:
        await counters.close()
        await database.close()


def test_what_is_counted_together_is_counted_one_by_one(small: Server) -> None:
    used = asyncio.run(hits(small, ["a", "b", "b"] * 100, together=True))
    assert sorted(used[0::3]) == list(range(1, 101))
    assert sorted(used[1::3] + used[2::3]) == list(range(1, 201))


def test_counters_of_past_periods_are_thrown_away(small: Server) -> None:
    small.sql("INSERT INTO rate_limits SELECT 'old:' || n, 1, now() - interval '1 day' FROM generate_series(1, 50) n")
    asyncio.run(hits(small, ["new"] * FLUSHES_BETWEEN_PURGES, together=False))
    assert small.sql("SELECT key, used FROM rate_limits") == [("new", FLUSHES_BETWEEN_PURGES)]
