"""The worlds that the contract's requests are sent to."""

from collections.abc import Iterator

import pytest

from harness import Api, Server
from unpuzzle_server.kernel.spec import Operation
from world import World, is_open


@pytest.fixture(scope="session")
def nobody(server: Server) -> Iterator[Api]:
    with Api(server) as found:
        yield found


class Worlds:
    """To make a world takes some eighty requests, so what changes nothing shares one; a write has one of its own."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._shared: dict[bool, World] = {}

    def of(self, operation: Operation) -> World:
        """One in which the operation succeeds; where it reads, with one of everything, so that no list is empty."""
        if operation.method == "GET":
            return self.shared(published=is_open(operation))
        return World(self._api, published=is_open(operation))

    def shared(self, *, published: bool = False) -> World:
        """For requests that change nothing: those that read, and those that are refused."""
        if published not in self._shared:
            self._shared[published] = World(self._api, published=published).populated()
        return self._shared[published]


@pytest.fixture(scope="session")
def worlds(nobody: Api) -> Worlds:
    return Worlds(nobody)
