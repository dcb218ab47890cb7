"""One server on a real socket and a real PostgreSQL for all tests; every answer is held against the spec."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import Api, Person, Server, running_server
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The owner's URL of a fresh database: embedded, or TEST_DATABASE_URL to try another PostgreSQL."""
    if external := os.environ.get("TEST_DATABASE_URL"):
        yield external
        return
    home = tmp_path_factory.mktemp("data")
    for parent in (home, *home.parents[:3]):
        _let_postgres_in(parent)
    embedded = EmbeddedPostgres(home)
    yield embedded.start()
    embedded.stop()


def _let_postgres_in(folder: Path) -> None:
    """pytest keeps its folders to root, but PostgreSQL refuses to run as root."""
    if folder.name.startswith(("pytest-", "data")):
        folder.chmod(0o755)


@pytest.fixture(scope="session")
def server(postgres: str) -> Iterator[Server]:
    with running_server(postgres) as found:
        yield found


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    """An anonymous caller."""
    with Api(server) as found:
        yield found


@pytest.fixture
def learner(api: Api) -> Person:
    return api.sign_up()


@pytest.fixture
def instructor(api: Api) -> Person:
    return api.sign_up_instructor()


@pytest.fixture
def other_instructor(api: Api) -> Person:
    return api.sign_up_instructor()


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[Person]:
    with Api(server) as found:
        yield found.sign_up_admin()
