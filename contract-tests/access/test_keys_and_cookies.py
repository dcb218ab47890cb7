"""What else proves who somebody is: an API key may do what its scopes say, a cookie needs a token beside it, a link is signed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from harness import CONTRACT, Api, Person, Server, answer, code_of
from unpuzzle_cli.conformance.laws.sums import moment
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.exchange import ACCESS_COOKIE
from unpuzzle_server.kernel.security import SAFE_METHODS
from unpuzzle_server.kernel.spec import Operation
from world import SIGNED, World, in_path, named, signature

OPERATIONS = list(CONTRACT.operations.values())
SIGNED_IN = [item for item in OPERATIONS if item.role != "public" and CONTRACT.raw[item.id]["security"]]
SCOPED = [item for item in OPERATIONS if item.scopes]
UNSAFE = [item for item in SIGNED_IN if item.method not in SAFE_METHODS]
TOO_LATE = timedelta(minutes=6)
OF_OTHERS = [
    item for item in SIGNED_IN if in_path(item) and item.role == "instructor" and item.id.partition(".")[0] != "payments"
]


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[Api]:
    with Api(server) as found:
        yield found


@pytest.fixture(scope="module")
def world(api: Api) -> World:
    return World(api, published=True)


@pytest.mark.parametrize("operation", [item for item in SCOPED if item.method == "GET"], ids=named)
def test_a_key_of_just_its_scopes_may(world: World, operation: Operation) -> None:
    assert world.send(operation, world.with_key(world.owner, operation.scopes)).status_code == operation.success


@pytest.mark.parametrize("operation", UNSAFE, ids=named)
def test_a_cookie_alone_changes_nothing(world: World, operation: Operation) -> None:
    """A foreign page can have it sent, and can't know the token."""
    path = operation.path.format(**world.ids(operation))
    cookie = {"Cookie": f"{ACCESS_COOKIE}={world.owner.tokens['access_token']}"}
    for headers in (cookie, {**cookie, "X-CSRF-Token": "0" * 64}):
        refused = answer(world.api.client, operation.method, path, headers=headers)
        assert (refused.status_code, code_of(refused)) == (403, "CSRF_FAILED")


@pytest.mark.parametrize("operation", [CONTRACT.operations["notifications.list"]], ids=named)
def test_the_key_of_somebody_suspended_is_no_good(api: Api, operation: Operation) -> None:
    person = api.sign_up()
    key = person.post("/api/v1/auth/api-keys/", json={"name": "a key", "scopes": ["notifications:read"]}).json()["key"]
    api.server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", person.id)
    refused = api.get(operation.path, headers={"Authorization": f"Bearer {key}"})
    assert (refused.status_code, code_of(refused)) == (403, "ACCOUNT_SUSPENDED")


@pytest.mark.parametrize("operation", [CONTRACT.operations["auth.create_api_key"]], ids=named)
def test_a_key_ends_when_it_says(api: Api, operation: Operation) -> None:
    made = api.sign_up().post(operation.path, json={"name": "k", "scopes": ["ai:read"], "expires_in_days": 7}).json()
    assert moment(made["expires_at"]) - moment(made["created_at"]) == pytest.approx(timedelta(days=7), abs=timedelta(seconds=5))


@pytest.mark.parametrize("operation", [CONTRACT.operations[name] for name in sorted(SIGNED)], ids=named)
def test_a_link_whose_signature_is_another_leads_nowhere(world: World, operation: Operation) -> None:
    right = world.query(operation)
    ids = world.ids(operation)
    altered = right["signature"][:-2] + ("00" if right["signature"][-2:] != "00" else "11")
    refused = world.send(operation, world.api, path=operation.path.format(**ids), params={**right, "signature": altered})
    assert refused.status_code in (401, 403, 404)


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.role == "service"], ids=named)
def test_what_was_signed_long_ago_is_not_taken(api: Api, world: World, operation: Operation) -> None:
    """Whoever has overheard it can't say it again."""
    body = world.body(operation)
    signed = {"json": body, "headers": signature(operation, body)}
    api.server.clock.offset = TOO_LATE
    try:
        refused = world.send(operation, **signed)
        assert (refused.status_code, code_of(refused)) == (400, "INVALID_SIGNATURE")
    finally:
        api.server.clock.offset = timedelta()
    assert world.send(operation, **signed).status_code == operation.success


@pytest.mark.parametrize("operation", OF_OTHERS, ids=named)
def test_what_is_published_is_still_its_owners(world: World, api: Api, stranger: Person, operation: Operation) -> None:
    """Everybody sees a published course; nobody else sees or changes what its instructor does."""
    hidden = {code for code in operation.errors if spec.statuses()[code] == 404}
    refused = world.send(operation, stranger)
    assert (refused.status_code, code_of(refused)) in {(404, code) for code in hidden}


@pytest.fixture(scope="module")
def stranger(api: Api) -> Person:
    return api.sign_up_instructor()
