"""For tests of what uses this SDK: a mock of the API in memory, and the real server in this process.

    from unpuzzle_sdk.testing import MockUnpuzzle

    mock = MockUnpuzzle()
    mock.fail_next(429, retry_after=1)
    assert mock.client().courses.get("introduction-to-python-programming").title
    assert len(mock.requests) == 2

Nothing is loaded before it is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._answers import NoMoreEvents
    from ._local import Account, LocalServer, local_server
    from ._mock import MockUnpuzzle
    from ._replies import ImpossibleReply, Route
    from ._requests import RecordedRequest

_MODULES = {
    "Account": "._local",
    "ImpossibleReply": "._replies",
    "LocalServer": "._local",
    "MockUnpuzzle": "._mock",
    "NoMoreEvents": "._answers",
    "RecordedRequest": "._requests",
    "Route": "._replies",
    "local_server": "._local",
}

__all__ = [
    "Account",
    "ImpossibleReply",
    "LocalServer",
    "MockUnpuzzle",
    "NoMoreEvents",
    "RecordedRequest",
    "Route",
    "local_server",
]


def __getattr__(name: str) -> Any:
    from .._core.lazy import load

    return load(__name__, _MODULES, name)


def __dir__() -> list[str]:
    return __all__
