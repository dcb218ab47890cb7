"""The server refuses to start where the spec and the handlers do not fit together, and to answer what the spec does not say."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from harness import CONTRACT, TEST_SETTINGS, Api, Server, code_of, running_server
from unpuzzle_server.app import create_app
from unpuzzle_server.auth import handlers
from unpuzzle_server.kernel import logs, spec
from unpuzzle_server.kernel.errors import Problem, as_problem
from unpuzzle_server.kernel.operations import BindingError, check_signature, handler_of

UPDATE = CONTRACT.operations["auth.update_profile"]
PROFILE = "/api/v1/auth/profile/"


@pytest.fixture
def create(server: Server) -> Iterator[Callable[[], Any]]:
    """Starts a server that serves nobody; the logs are set back afterwards."""
    settings = replace(TEST_SETTINGS, database_app_url=server.settings.database_app_url)
    yield lambda: create_app(settings)
    logs.configure(TEST_SETTINGS)


async def fits(tx: Any, body: Any, if_match: Any) -> None: ...
async def in_another_order(tx: Any, if_match: Any, body: Any) -> None: ...
async def without_anything() -> None: ...
async def without_a_first(body: Any, if_match: Any) -> None: ...
async def without_the_body(tx: Any, if_match: Any) -> None: ...
async def with_one_too_many(tx: Any, body: Any, if_match: Any, user_id: Any = None) -> None: ...
async def with_a_header_of_the_kernel(tx: Any, body: Any, if_match: Any, idempotency_key: Any) -> None: ...
async def outside_of_a_transaction(ctx: Any, body: Any, if_match: Any) -> None: ...


@pytest.mark.parametrize("handler", [fits, in_another_order])
def test_a_handler_that_takes_what_the_spec_gives_fits(handler: Any) -> None:
    assert check_signature(UPDATE, handler) == "tx"


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (without_anything, "first argument must be tx or ctx"),
        (without_a_first, "first argument must be tx or ctx"),
        (without_the_body, "the handler takes .*, the spec gives .*'body'"),
        (with_one_too_many, "the handler takes .*'user_id'"),
        (with_a_header_of_the_kernel, "the handler takes .*'idempotency_key'"),
        (outside_of_a_transaction, "in the handler's own transaction"),
    ],
)
def test_a_handler_that_takes_anything_else_is_refused(handler: Any, reason: str) -> None:
    with pytest.raises(BindingError, match=rf"auth\.update_profile: .*{reason}"):
        check_signature(UPDATE, handler)


def test_an_operation_without_a_handler_is_refused_by_name() -> None:
    with pytest.raises(BindingError, match=r"auth\.no_such_thing: there is no function no_such_thing"):
        handler_of("auth.no_such_thing")


def test_every_operation_of_the_spec_has_the_handler_of_its_name() -> None:
    for operation in spec.operations():
        assert handler_of(operation.id).__name__ == operation.id.partition(".")[2]
        check_signature(operation, handler_of(operation.id))


def test_the_server_does_not_start_without_a_handler(create: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(handlers, "csrf_token")
    with pytest.raises(BindingError, match=r"auth\.csrf_token"):
        create()


def test_the_server_does_not_start_with_a_handler_that_does_not_fit(
    create: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "update_profile", without_the_body)
    with pytest.raises(BindingError, match=r"auth\.update_profile"):
        create()


async def without_an_id(tx: Any) -> dict[str, Any]:
    return {"id": "not a UUID", "password": "a secret that the answer must not tell"}


async def refusing_what_the_spec_does_not_name(tx: Any) -> dict[str, Any]:
    raise Problem("EMAIL_TAKEN", "No such refusal is declared here.")


@pytest.mark.parametrize("handler", [without_an_id, refusing_what_the_spec_does_not_name])
@pytest.mark.parametrize(("environment", "status"), [("development", 500), ("staging", 500), ("production", None)])
def test_an_answer_that_breaks_the_contract_is_a_fault_but_in_production(
    server: Server, monkeypatch: pytest.MonkeyPatch, handler: Any, environment: str, status: int | None
) -> None:
    monkeypatch.setattr(handlers, "get_profile", handler)
    with running_server(server.owner_url, environment=environment) as broken, Api(broken) as caller:
        person = caller.sign_up()
        response = caller.client.get(PROFILE, headers=person.headers)  # around the harness, which would not let it pass
    assert response.status_code == (status or {without_an_id: 200}.get(handler, 409))
    if status:
        assert code_of(response) == "INTERNAL_ERROR"
        assert "secret" not in response.text


def test_a_fault_tells_nobody_what_went_wrong() -> None:
    told = as_problem(KeyError("postgresql://user:password@host"))
    assert (told.code, told.status) == ("INTERNAL_ERROR", 500)
    assert "password" not in f"{told.message}{told.body()}"


def test_every_code_of_the_spec_has_a_status_and_every_status_is_an_answer() -> None:
    codes = spec.document()["components"]["schemas"]["ErrorCode"]["enum"]
    assert set(spec.statuses()) == set(codes)
    for operation in spec.operations():
        assert {spec.statuses()[code] for code in operation.errors} <= set(operation.responses)
