"""Fixtures for pytest, which finds them by itself where this SDK is installed.

Nothing of the SDK is loaded before a test asks for one of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle
    from unpuzzle_sdk.testing import LocalServer, MockUnpuzzle


_BROKE_OFF = pytest.StashKey[bool]()


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Remember which tests did not come to their ends."""
    if call.excinfo is not None:
        item.stash[_BROKE_OFF] = True


@pytest.fixture
def unpuzzle(request: pytest.FixtureRequest) -> Iterator[MockUnpuzzle]:
    """A mock of the Unpuzzle API, new for each test."""
    from unpuzzle_sdk.testing import MockUnpuzzle

    with MockUnpuzzle() as mock:
        yield mock
        if request.node.stash.get(_BROKE_OFF, False):
            # What was still to go wrong would be a second error, which hides the first.
            mock.reset()


@pytest.fixture
def unpuzzle_client(unpuzzle: MockUnpuzzle) -> Unpuzzle:
    """A client of the mock `unpuzzle`."""
    return unpuzzle.client()


@pytest.fixture
def async_unpuzzle_client(unpuzzle: MockUnpuzzle) -> AsyncUnpuzzle:
    """A client of the mock `unpuzzle` for asyncio."""
    return unpuzzle.async_client()


@pytest.fixture(scope="session")
def unpuzzle_server() -> Iterator[LocalServer]:
    """The real server in this process, with the demo data, started once for all tests."""
    from unpuzzle_sdk.testing import local_server

    with local_server() as server:
        yield server
