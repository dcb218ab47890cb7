"""The fixtures for pytest, as a project that has this SDK installed sees them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

TESTS = """
from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle


def test_the_client_asks_the_mock(unpuzzle, unpuzzle_client):
    assert isinstance(unpuzzle_client, Unpuzzle)
    unpuzzle_client.courses.get("a-course")
    unpuzzle.assert_called("courses.get", times=1)


def test_each_test_has_its_own(unpuzzle):
    assert unpuzzle.requests == []


def test_a_client_for_asyncio(unpuzzle, async_unpuzzle_client):
    import asyncio

    assert isinstance(async_unpuzzle_client, AsyncUnpuzzle)
    asyncio.run(async_unpuzzle_client.courses.get("a-course"))
    unpuzzle.assert_called("courses.get")
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without the summary: under CI it repeats each reason, which a terminal's width cuts off.
    command = [sys.executable, "-m", "pytest", "-q", "-rN", "-p", "no:cacheprovider", "-W", "error", *arguments]
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, cwd=folder, env={**os.environ, **alone}, capture_output=True, text=True, check=False)


def plugin() -> str:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    name: str = tomllib.loads(text)["project"]["entry-points"]["pytest11"]["unpuzzle"]
    return name


def test_a_project_has_a_mock_and_clients_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_project.py").write_text(TESTS, encoding="utf-8")
    outcome = run(tmp_path, "-p", plugin())
    assert outcome.returncode == 0, outcome.stdout
    assert "3 passed" in outcome.stdout


BROKEN = """
import pytest


def test_that_fails(unpuzzle):
    unpuzzle.fail_next(503)
    raise AssertionError("the reason")


@pytest.mark.xfail
def test_that_is_known_to_fail(unpuzzle):
    unpuzzle.fail_next(503)
    raise AssertionError("the reason")


def test_that_would_pass(unpuzzle):
    unpuzzle.fail_next(503)
"""


def test_only_a_test_that_would_pass_is_failed_by_what_never_came_to_be(tmp_path: Path) -> None:
    (tmp_path / "test_project.py").write_text(BROKEN, encoding="utf-8")
    outcome = run(tmp_path, "-p", plugin())
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in outcome.stdout
    assert outcome.stdout.count("AssertionError: fail_next(503) for any operation never came to be") == 1


def test_what_is_not_used_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\n"
        "def test_other():\n"
        "    loaded = {name for name in sys.modules if name.startswith(('unpuzzle_sdk', 'httpx', 'attr'))}\n"
        "    assert loaded == {'unpuzzle_sdk', 'unpuzzle_sdk.testing', 'unpuzzle_sdk.testing.plugin'}\n",
        encoding="utf-8",
    )
    outcome = run(tmp_path, "-p", plugin())
    assert outcome.returncode == 0, outcome.stdout


def test_every_fixture_says_what_it_is() -> None:
    module = import_module(plugin())
    fixtures = [value for value in vars(module).values() if isinstance(value, type(module.unpuzzle))]
    assert [fixture.__doc__ is not None for fixture in fixtures] == [True] * 4


def test_without_the_server_it_is_said_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    from unpuzzle_sdk.testing import local_server

    monkeypatch.setitem(sys.modules, "unpuzzle_server", None)
    monkeypatch.delitem(sys.modules, "unpuzzle_server.testing", raising=False)
    with pytest.raises(ModuleNotFoundError, match="pip install unpuzzle-server"), local_server():
        pass
