"""The same tests run on both engines."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from engines import Engine, engine_of

from harness import Api, Person


@pytest.fixture(scope="session", params=["embedded", "b2"])
def engine(request: pytest.FixtureRequest, postgres: str) -> Iterator[Engine]:
    with ExitStack() as stack:
        yield engine_of(request.param, postgres, stack)


@pytest.fixture
def api(engine: Engine) -> Iterator[Api]:
    engine.server.clock.offset *= 0
    with Api(engine.server) as found:
        yield found


@pytest.fixture
def other(api: Api) -> Person:
    """Another instructor."""
    return api.sign_up_instructor()
