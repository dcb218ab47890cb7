"""A database that is away, slow, or back again: 503 with a time to come back, and nobody becomes somebody else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from harness import PASSWORD, Api, Person, Server, code_of, in_parallel, running_server
from line import Line

HEALTH, LIST, PROFILE, INFO = "/health/", "/api/v1/courses/", "/api/v1/auth/profile/", "/api/v1/"


@pytest.fixture
def line(postgres: str) -> Iterator[Line]:
    with Line(postgres) as found:
        yield found


@pytest.fixture
def far(line: Line) -> Iterator[Server]:
    """A server that reaches its database over the line."""
    with running_server(line.url) as found:
        yield found


def one_of_each_kind(person: Person) -> list[tuple[str, str, Any]]:
    """A read, a write, and whatever makes somebody known."""
    newcomer = {"email": "nobody@example.com", "password": PASSWORD, "full_name": "Nobody"}
    return [
        *(("GET", path, None) for path in (HEALTH, LIST, INFO, PROFILE)),
        ("PUT", "/api/v1/auth/profile/update/", {}),
        ("POST", "/api/v1/auth/signout/", None),
        ("POST", "/api/v1/auth/signup/", newcomer),
        ("POST", "/api/v1/auth/signin/", {"email": person.email, "password": PASSWORD}),
        ("POST", "/api/v1/auth/refresh/", {"refresh_token": person.tokens["refresh_token"]}),
    ]


def test_every_operation_says_when_to_come_back_and_works_when_the_database_is_back(far: Server, line: Line) -> None:
    with Api(far) as caller:
        person = caller.sign_up()
        line.cut()
        for method, path, body in one_of_each_kind(person):
            response = caller.request(method, path, headers=person.headers, json=body)
            assert (path, response.status_code, code_of(response)) == (path, 503, "SERVICE_UNAVAILABLE")
            assert response.headers["retry-after"] == str(response.json()["error"]["retry_after"])
        assert caller.get("/nothing/").status_code == 404
        assert caller.get(PROFILE).status_code == 401
        line.mend()
        assert caller.get(HEALTH).status_code == 200
        assert person.get(PROFILE).status_code == 200


def test_connections_that_broke_while_nobody_looked_cost_one_refusal_each_at_most(far: Server, line: Line) -> None:
    with Api(far) as caller:
        in_parallel(far, [lambda one: one.get(LIST)] * 10)
        line.cut()
        line.mend()
        statuses = [caller.get(LIST).status_code for _ in range(4)]
    assert statuses[-1] == 200
    assert set(statuses) <= {200, 503}
    assert statuses.count(503) <= 1


@contextmanager
def locked(server: Server, table: str) -> Iterator[None]:
    with psycopg.connect(server.owner_url) as holding:
        holding.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        holding.rollback()


def test_a_caller_whom_the_database_can_not_tell_is_not_let_in_as_nobody(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=200ms")
    with running_server(server.owner_url) as impatient, Api(impatient) as caller:
        person = caller.sign_up()
        with locked(impatient, "users"):
            assert caller.get(INFO).status_code == 200
            assert person.get(INFO).status_code == 503
            by_cookie = {"Cookie": f"unpuzzle_access={person.tokens['access_token']}"}
            assert caller.get(INFO, headers=by_cookie).status_code == 503
            beside = {**by_cookie, **person.headers}
            assert caller.get(INFO, headers=beside).status_code == 503
        assert person.get(INFO).status_code == 200


def test_requests_wait_for_a_connection_in_a_small_pool(server: Server) -> None:
    with running_server(server.owner_url, database_pool_size=1) as narrow:
        with Api(narrow) as caller:
            person = caller.sign_up()
        statuses = in_parallel(narrow, [lambda one: one.get(PROFILE, headers=person.headers).status_code] * 20)
    assert statuses == [200] * 20
