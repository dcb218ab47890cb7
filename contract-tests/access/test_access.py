"""The access matrix: what each operation answers to each caller follows from its role and its `security`."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from harness import CONTRACT, Api, Person, code_of
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import World, in_path, named
from worlds import Worlds

ROLES = ["user", "instructor", "admin"]
STRANGERS = {"enrollments.enroll": {(409, "COURSE_NOT_PUBLISHED")}}
"""What strangers get from an operation on somebody else's object that does not hide it; (200, "") if it is for everybody."""
CHALLENGES = {"AUTH_REQUIRED": 'Bearer realm="unpuzzle"', "AUTH_INVALID_TOKEN": 'error="invalid_token"'}
BAD_TOKENS = {
    "malformed": (401, "AUTH_INVALID_TOKEN"),
    "forged": (401, "AUTH_INVALID_TOKEN"),
    "expired": (401, "AUTH_INVALID_TOKEN"),
    "signed out": (401, "AUTH_INVALID_TOKEN"),
    "deleted": (401, "AUTH_USER_NOT_FOUND"),
    "suspended": (403, "ACCOUNT_SUSPENDED"),
}

OPERATIONS = list(CONTRACT.operations.values())
PUBLIC = [item for item in OPERATIONS if item.role == "public"]
READING_TOKENS = [item for item in OPERATIONS if CONTRACT.raw[item.id]["security"]]
GUARDED = [item for item in OPERATIONS if item.role not in ("public", "service")]
OF_KEYS = [item for item in OPERATIONS if item in GUARDED or item.scopes]
"""Where a key is asked for its scopes: some are for everybody, and yet no key may do more there than it is for."""
SCOPES = spec.document()["components"]["schemas"]["Scope"]["enum"]
IGNORING_TOKENS = [item for item in OPERATIONS if not CONTRACT.raw[item.id]["security"]]

Outcomes = dict[str, set[tuple[int, str]]]
Matrix = dict[str, dict[str, int]]


def refusals(operation: Operation) -> Outcomes:
    """What the contract says of each caller whom an operation that reads tokens turns away."""
    found = {who: {outcome} for who, outcome in BAD_TOKENS.items()}
    if operation.role == "public":
        return found
    rank = ROLES.index(operation.role)
    found["nobody"] = {(401, "AUTH_REQUIRED")}
    found |= {role: {(403, "PERMISSION_DENIED")} for role in ROLES[:rank]}
    if in_path(operation):
        hidden = {(404, code) for code in operation.errors if spec.statuses()[code] == 404}
        # Admins may do everything, and what only they may do is nobody's own.
        found |= {role: STRANGERS.get(operation.id, hidden) for role in ROLES[rank:-1]}
    return found


@pytest.fixture(scope="module")
def callers(nobody: Api) -> dict[str, Any]:
    """Somebody of each role, none of whom owns anything, and admins with whom nothing but the token is wrong."""
    people = {"user": nobody.sign_up(), "instructor": nobody.sign_up_instructor(), "admin": nobody.sign_up_admin()}
    server = nobody.server
    server.clock.offset = timedelta(hours=-2)
    expired = nobody.sign_up_admin()
    server.clock.offset = timedelta()
    signed_out, suspended, deleted = (nobody.sign_up_admin() for _ in range(3))
    signed_out.post("/api/v1/auth/signout/")
    server.sql("UPDATE users SET suspended_at = now() WHERE id = %s", suspended.id)
    server.sql("DELETE FROM users WHERE id = %s", deleted.id)
    claims, other = (people[role].tokens["access_token"].split(".") for role in ("admin", "user"))
    forged = bearing(nobody, ".".join([*claims[:2], other[2]]))
    ended = {"expired": expired, "signed out": signed_out, "suspended": suspended, "deleted": deleted}
    return {"nobody": nobody, "malformed": bearing(nobody, "x.y.z"), "forged": forged, **ended, **people}


def bearing(api: Api, token: str) -> Person:
    return Person(api, "", "", {"access_token": token})


@pytest.fixture(scope="module")
def published(nobody: Api) -> World:
    """One of their own: what is public is done, again and again."""
    return World(nobody, published=True)


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest) -> Iterator[Matrix]:
    """Who got which status from which operation; printed with -v or on failure, a line for all operations that are alike."""
    found: Matrix = defaultdict(dict)
    failed_before = request.session.testsfailed
    yield found
    if request.config.get_verbosity() > 0 or request.session.testsfailed > failed_before:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{shown(found)}")


def shown(matrix: Matrix) -> str:
    alike: dict[str, list[str]] = defaultdict(list)
    for operation_id, row in matrix.items():
        alike[", ".join(f"{who} {status}" for who, status in row.items())].append(operation_id)
    return "\n".join(f"{row}: {' '.join(operation_ids)}" for row, operation_ids in alike.items())


@pytest.mark.parametrize("operation", READING_TOKENS, ids=named)
def test_whom_the_contract_turns_away_gets_nothing_done(
    matrix: Matrix, worlds: Worlds, callers: dict[str, Any], operation: Operation
) -> None:
    """Each gets the contract's refusal; the owner finds everything as it was."""
    expected, draft = refusals(operation), worlds.shared()
    before = draft.seen(in_path(operation))
    answers = {who: draft.send(operation, callers[who]) for who in expected}
    matrix[operation.id].update({who: answer.status_code for who, answer in answers.items()})
    outcomes = {who: (answer.status_code, code_of(answer)) for who, answer in answers.items() if answer.status_code >= 400}
    assert {who: outcomes.get(who) for who in expected if outcomes.get(who, (200, "")) not in expected[who]} == {}
    assert draft.seen(in_path(operation)) == before
    for who, (_, code) in outcomes.items():
        assert CHALLENGES.get(code, "") in answers[who].headers.get("www-authenticate", "")


@pytest.mark.parametrize("operation", OF_KEYS, ids=named)
def test_a_key_is_told_the_scope_that_it_lacks(worlds: Worlds, operation: Operation) -> None:
    """One that an operation needs; where it has none, no key gets in. That its own scopes are enough shows in the parity."""
    world = worlds.shared()
    before = world.seen(in_path(operation))
    refused = world.send(operation, world.with_key(world.owner, frozenset(SCOPES) - operation.scopes))
    assert (refused.status_code, code_of(refused)) == (403, "PERMISSION_DENIED")
    assert next(iter(operation.scopes), "sign in") in refused.json()["error"]["message"]
    assert world.seen(in_path(operation)) == before


@pytest.mark.parametrize("operation", PUBLIC, ids=named)
def test_what_is_public_answers_everybody(
    matrix: Matrix, published: World, callers: dict[str, Any], operation: Operation
) -> None:
    answers = {who: published.send(operation, callers[who]).status_code for who in ("nobody", *ROLES)}
    matrix[operation.id].update(answers)
    assert set(answers.values()) == {operation.success}


@pytest.mark.parametrize("operation", IGNORING_TOKENS, ids=named)
def test_what_reads_no_token_minds_no_bad_one(
    matrix: Matrix, published: World, callers: dict[str, Any], operation: Operation
) -> None:
    """A browser may still be sending a token that has ended when its user signs in again."""
    answers = {who: published.send(operation, callers[who]).status_code for who in BAD_TOKENS}
    matrix[operation.id].update(answers)
    assert set(answers.values()) == {operation.success}
