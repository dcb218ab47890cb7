"""A server whose time can pass."""

from collections.abc import Iterator

import pytest
from subscribers import Subscriber

from harness import Api, Server, running_server


@pytest.fixture(scope="module")
def travelling(postgres: str) -> Iterator[Server]:
    with running_server(postgres) as found:
        yield found


@pytest.fixture
def api(travelling: Server) -> Iterator[Api]:
    with Api(travelling) as found:
        yield found


@pytest.fixture
def subscriber(api: Api) -> Subscriber:
    return Subscriber(api.sign_up())
