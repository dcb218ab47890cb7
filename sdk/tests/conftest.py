"""A server on the loopback interface and a mock in memory, and clients of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from accounts import Accounts
from loopback import Server, load_contract

from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle
from unpuzzle_sdk.testing import MockUnpuzzle


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def client(server: Server) -> Iterator[Unpuzzle]:
    with Unpuzzle(base_url=server.url) as client:
        yield client


@pytest.fixture
def async_client(server: Server) -> AsyncUnpuzzle:
    return AsyncUnpuzzle(base_url=server.url)


@pytest.fixture
def accounts(server: Server, examples: dict[str, Any]) -> Accounts:
    accounts = Accounts(examples)
    server.respond = accounts
    return accounts


@pytest.fixture
def mock() -> Iterator[MockUnpuzzle]:
    with MockUnpuzzle() as mock:
        yield mock


@pytest.fixture
def mocked(mock: MockUnpuzzle) -> Unpuzzle:
    return mock.client()


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unpuzzle_sdk._core.retry._FIRST_BOUND", 0.001)
    monkeypatch.setattr("unpuzzle_sdk._core.events._FIRST_BOUND", 0.001)


@pytest.fixture(scope="session")
def contract() -> dict[str, Any]:
    return load_contract()


@pytest.fixture(scope="session")
def examples(contract: dict[str, Any]) -> dict[str, Any]:
    """The example of each schema of the contract, as JSON has it."""
    schemas = contract["components"]["schemas"]
    return {name: schema["example"] for name, schema in schemas.items() if "example" in schema}
