"""Installs what was built into fresh environments, as its users do, and uses it there.

python release/trial.py [FOLDER]     FOLDER holds what `distributions.py` built, `dist` by default

wheels        all three with the newest dependencies that they allow; the server of this environment serves the others too
sdists        the clients, built where there is no repository
lowest        the SDK with the lowest dependencies that it allows, under which its tests pass too
conformance   the command line with its extra
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement

from distributions import PARTS, ROOT, sdist_of, wheel_of

SMOKE = ROOT / "release" / "smoke.py"
TESTING = {"pytest", "pytest-timeout", "hypothesis", "pyyaml"}
NOT_OF_USERS = ["test_codegen.py", "test_budgets.py"]
"""Tests of the generator, and of what it costs to run, which are no question of dependencies."""


class Environment:
    """A virtual environment with nothing but pip and what is installed here."""

    def __init__(self, home: Path, name: str) -> None:
        self.folder = home / name
        venv.create(self.folder, with_pip=True)
        self.bin = self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    def run(self, *command: str | Path) -> None:
        """Run one of its programs where nothing of the repository can be imported."""
        program, *arguments = map(str, command)
        subprocess.run([str(self.bin / program), *arguments], check=True, cwd=self.folder)

    def install(self, *needs: str | Path) -> None:
        self.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needs)
        self.run("python", "-m", "pip", "check")


def lowest(wheel: Path) -> list[str]:
    """The lowest versions of the dependencies that a wheel allows, as requirements."""
    archive = ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    needs = map(Requirement, Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", []))
    bounds = [(need.name, bound) for need in needs for bound in need.specifier if bound.operator in (">=", "==", "~=")]
    return [f"{name}=={bound.version}" for name, bound in bounds]


def testing() -> list[str]:
    """What the SDK's tests need, in the versions that this repository tests with; OpenTelemetry's SDK as its API asks for it."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    pinned = [need for need in groups["test"] + groups["compat"] if Requirement(need).name in TESTING]
    return [*pinned, "opentelemetry-sdk"]


@contextmanager
def serving(environment: Environment) -> Iterator[str]:
    """The address of the server that an environment has, with the demo catalogue."""
    data = environment.folder / "data"
    command = [str(environment.bin / "unpuzzle-server"), "serve", "--port", "0", "--json", "--data-dir", str(data)]
    unlimited = {**os.environ, "RATE_LIMIT_ANONYMOUS": "1000000"}  # the trial asks for more than anybody may in an hour
    with (environment.folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=environment.folder, env=unlimited)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            raise SystemExit("The server did not start:\n" + (environment.folder / "server.log").read_text())
        yield json.loads(ready)["base_url"]
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    built = Path(*sys.argv[1:2] or ["dist"]).resolve()
    with tempfile.TemporaryDirectory(prefix="unpuzzle-release-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # PostgreSQL does not run as root: as another user it must get in
        wheels = Environment(home, "wheels")
        wheels.install(*(wheel_of(part, built) for part in PARTS))
        with serving(wheels) as address:
            wheels.run("python", "-I", SMOKE, address, "--cli")
            print("the three wheels with their newest dependencies: they work")
            sdists = Environment(home, "sdists")
            sdists.install(sdist_of("sdk", built), sdist_of("cli", built))
            sdists.run("python", "-I", SMOKE, address, "--cli")
            print("the sdists of the clients: they work")
            try_lowest(Environment(home, "lowest"), wheel_of("sdk", built), address)
            conformance = Environment(home, "conformance")
            conformance.install(wheel_of("sdk", built), f"{wheel_of('cli', built)}[conformance]")
            conformance.run("python", "-I", SMOKE, address, "--conformance")
            print("the command line with its extra: unpuzzle conformance works, and the server conforms where it was asked")


def try_lowest(environment: Environment, wheel: Path, address: str) -> None:
    bounds = lowest(wheel)
    environment.install(wheel, *bounds)
    environment.run("python", "-I", SMOKE, address)
    environment.install(*bounds, *testing())
    tests = ROOT / "sdk/tests"
    left_out = [f"--ignore={tests / name}" for name in NOT_OF_USERS]
    apart: list[str | Path] = [
        "--rootdir",
        tests,
        "--confcutdir",
        tests,
        "-o",
        f"pythonpath={tests}",
        "-p",
        "no:cacheprovider",
        "--timeout",
        "120",
    ]
    environment.run("python", "-m", "pytest", "-q", "-c", ROOT / "sdk/pyproject.toml", *apart, *left_out, tests)
    print(f"the SDK with {', '.join(bounds)}: works, and its tests pass")


if __name__ == "__main__":
    main()
