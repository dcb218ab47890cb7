"""Fixtures that the server's tests, the contract tests and the clients' tests share: a running server and what was seen of it."""

import gc
import os
import signal

import pytest

# Every client reads the certificates that it trusts, for 20 ms, and no test talks to anybody outside this machine.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull

# Tests start hundreds of processes, and each would compile the whole server anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell lets what it starts in the background ignore Ctrl-C, and so would every command that tests start and stop.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Thousands of tests are found, and all stay: to look for garbage among them took a third of the time, and of each look after it.
gc.disable()

pytest_plugins = ["server_fixtures", "matrix", "worlds"]

LONGEST = (
    "test_gate.py",
    "test_same_requests.py",
    "test_serve_command.py",
    "test_embedded_postgres.py",
    "test_workers.py",
    "test_crashes.py",
)
"""Begun first, so that the processes of a whole run end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000)  # a server and its callers in one process make much in little time, and little of it is garbage
