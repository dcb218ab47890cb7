"""Somebody who has signed up at the server that is held to the contract."""

from collections.abc import Iterator

import pytest

from harness import Api, Person, Server


@pytest.fixture(scope="module")
def caller(server: Server) -> Iterator[Person]:
    with Api(server) as api:
        yield api.sign_up()
