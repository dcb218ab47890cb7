"""The three distributions: one version, and in the SDK's wheel what belongs there; `nox -s release` installs and runs them."""

import re
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement

import unpuzzle_sdk
from distributions import LARGEST_SDK, size_of, strangers
from unpuzzle_cli import main as cli
from unpuzzle_sdk._core.options import default_headers
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.validation import MAJOR_VERSION

ROOT = Path(__file__).parents[2]
VERSION = spec.document()["info"]["version"]


def metadata(part: str) -> ProjectMetadata:
    """What a distribution would say of itself if it were built now."""
    return ProjectMetadata(str(ROOT / part), PluginManager())


@pytest.mark.parametrize("part", ["server", "sdk", "cli"])
def test_a_distribution_has_the_version_of_the_contract(part: str) -> None:
    assert metadata(part).version == VERSION


def test_the_command_line_needs_the_sdk_of_its_own_version() -> None:
    assert f"unpuzzle-sdk=={VERSION}" in metadata("cli").core.dependencies


def test_the_sdk_needs_two_packages() -> None:
    assert [Requirement(need).name for need in metadata("sdk").core.dependencies] == ["attrs", "httpx"]


def test_whoever_is_asked_tells_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["unpuzzle", "--version"])
    cli.run()
    assert capsys.readouterr().out == f"unpuzzle {VERSION}\n"
    assert unpuzzle_sdk.__version__ == VERSION
    assert default_headers()["User-Agent"] == f"unpuzzle-sdk-python/{VERSION}"


def test_the_server_takes_the_version_that_its_clients_send() -> None:
    taken = spec.document()["components"]["parameters"]["ApiVersion"]["schema"]["pattern"]
    assert re.search(taken, default_headers()["X-API-Version"])
    assert VERSION.split(".")[0] == MAJOR_VERSION


def test_the_wheel_of_the_sdk_is_small_and_holds_the_package_alone(tmp_path: Path) -> None:
    (built,) = WheelBuilder(str(ROOT / "sdk")).build(directory=str(tmp_path), versions=["standard"])
    names = ZipFile(built).namelist()
    assert not [*strangers(names, "unpuzzle_sdk")]
    source = ROOT / "sdk"
    modules = {path.relative_to(source).as_posix() for path in source.glob("unpuzzle_sdk/**/*.py")}
    data = {"unpuzzle_sdk/py.typed", "unpuzzle_sdk/testing/contract.json"}
    assert modules | data == {name for name in names if name.startswith("unpuzzle_sdk/")}
    assert all(size <= LARGEST_SDK[what] for what, size in size_of(Path(built)).items())
