"""One server on a real socket and a real PostgreSQL for all tests; every answer is held against the spec."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from harness import Api, Person, Server, running_server
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that any user can enter: pytest keeps its own to root, and as root PostgreSQL refuses to run."""
    with TemporaryDirectory(prefix="unpuzzle-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def open_database() -> Iterator[str]:
    """The owner's URL of a fresh one. TEST_POSTGRES names a cluster to begin with: one that has its schema saves seconds."""
    with open_folder() as home:
        if prepared := os.environ.get("TEST_POSTGRES"):
            subprocess.run(["cp", "-a", f"{prepared}/.", home], check=True)  # with its owner, who is not who runs the tests
        with EmbeddedPostgres(home) as embedded:
            yield embedded.url


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as found:
        yield found


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The owner's URL of a fresh database: embedded, or TEST_DATABASE_URL to try another PostgreSQL."""
    if external := os.environ.get("TEST_DATABASE_URL"):
        yield external
        return
    with open_database() as url:
        yield url


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
