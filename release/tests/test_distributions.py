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
from distributions import LARGEST_SDK, NEEDED, PARTS, faults, size_of, strangers
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
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"unpuzzle {VERSION}\n"
    assert unpuzzle_sdk.__version__ == VERSION
    assert default_headers()["User-Agent"] == f"unpuzzle-sdk-python/{VERSION}"


def test_the_server_takes_the_version_that_its_clients_send() -> None:
    taken = spec.document()["components"]["parameters"]["ApiVersion"]["schema"]["pattern"]
    assert re.search(taken, default_headers()["X-API-Version"])
    assert VERSION.split(".")[0] == MAJOR_VERSION


def built(folder: Path, *lacking: str) -> Path:
    """A folder as if it had been built, with what each wheel needs but some."""
    for part, package in PARTS.items():
        with ZipFile(folder / f"{package}-{VERSION}-py3-none-any.whl", "w") as wheel:
            for name in {f"{package}/__init__.py", NEEDED.get(part, f"{package}/__init__.py")} - {*lacking}:
                wheel.writestr(name, "")
    return folder


@pytest.mark.parametrize("name", NEEDED.values())
def test_a_wheel_that_lacks_what_it_needs_is_not_released(name: str, tmp_path: Path) -> None:
    assert [*faults(built(tmp_path))] == []
    (fault,) = faults(built(tmp_path, name))
    assert fault.endswith(f"lacks {name}")


def test_the_command_line_comes_with_the_contract(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT / "cli")).build(directory=str(tmp_path), versions=["standard"])
    assert NEEDED["cli"] in ZipFile(wheel).namelist()


def test_the_wheel_of_the_sdk_is_small_and_holds_the_package_alone(tmp_path: Path) -> None:
    (built,) = WheelBuilder(str(ROOT / "sdk")).build(directory=str(tmp_path), versions=["standard"])
    names = ZipFile(built).namelist()
    assert not [*strangers(names, "unpuzzle_sdk")]
    source = ROOT / "sdk"
    modules = {path.relative_to(source).as_posix() for path in source.glob("unpuzzle_sdk/**/*.py")}
    data = {"unpuzzle_sdk/py.typed", "unpuzzle_sdk/testing/contract.json"}
    assert modules | data == {name for name in names if name.startswith("unpuzzle_sdk/")}
    assert all(size <= LARGEST_SDK[what] for what, size in size_of(Path(built)).items())
