"""How long a session lasts, and what ends it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from harness import CONTRACT, PASSWORD, Api, Person, Server
from unpuzzle_cli.conformance.laws.exchange import CONTRACT as SCHEMAS
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS as DECLARED
from unpuzzle_cli.conformance.laws.sums import moment
from unpuzzle_server.kernel.spec import Operation
from world import World, named
from worlds import Worlds

LEAVING = {
    "auth.change_password": (True, False),
    "auth.revoke_other_sessions": (True, False),
    "auth.sign_out": (False, True),
    "auth.confirm_password_reset": (False, False),
}
"""Whether the session that says so goes on, and whether another one of the same account does."""
REUSED_TOO_LATE = timedelta(seconds=11)
BEGINNING = [
    item
    for item in CONTRACT.operations.values()
    if any("expires_in" in SCHEMAS.fields(answer.schema) for answer in DECLARED[item.method, item.path].successes)
]


@pytest.fixture
def world(server: Server) -> Iterator[World]:
    with Api(server) as api:
        yield World(api)


def signed_in(person: Person) -> Person:
    """The same account in another place."""
    tokens = person.api.post("/api/v1/auth/signin/", json={"email": person.email, "password": PASSWORD}).json()
    return Person(person.api, person.id, person.email, tokens)


def is_open(person: Person) -> bool:
    return bool(person.get("/api/v1/auth/profile/").status_code == 200)


@pytest.mark.parametrize("operation", [CONTRACT.operations[name] for name in LEAVING], ids=named)
def test_what_ends_sessions_ends_those_that_it_says(world: World, operation: Operation) -> None:
    person = world.caller if operation.id == "auth.confirm_password_reset" else world.owner
    other = signed_in(person)
    assert world.send(operation, person).status_code == operation.success
    assert (is_open(person), is_open(other)) == LEAVING[operation.id]


@pytest.mark.parametrize("operation", BEGINNING, ids=named)
def test_a_token_ends_when_it_says(worlds: Worlds, operation: Operation) -> None:
    answer = worlds.of(operation).send(operation).json()
    left = moment(answer["expires_at"]) - datetime.now(UTC)
    assert left == pytest.approx(timedelta(seconds=answer["expires_in"]), abs=timedelta(seconds=30))


@pytest.mark.parametrize("operation", [CONTRACT.operations["auth.refresh"]], ids=named)
def test_a_refresh_token_that_comes_again_later_ends_the_session_as_stolen(
    server: Server, world: World, operation: Operation
) -> None:
    person = world.api.sign_up()
    again = {"refresh_token": person.tokens["refresh_token"]}
    assert person.api.post(operation.path, json=again).status_code == 200
    server.clock.offset = REUSED_TOO_LATE
    try:
        assert person.api.post(operation.path, json=again).status_code == 401
        assert not is_open(person)
    finally:
        server.clock.offset = timedelta()
