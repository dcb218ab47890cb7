"""Builds the three distributions, each wheel from its sdist, and looks at them before anybody installs them.

python release/distributions.py [FOLDER]     FOLDER is `dist` by default, and emptied first
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PARTS = {"server": "unpuzzle_server", "sdk": "unpuzzle_sdk", "cli": "unpuzzle_cli"}
"""The folders, each with the package that it distributes."""
NEEDED = {"sdk": "unpuzzle_sdk/py.typed", "cli": "unpuzzle_cli/conformance/unpuzzle.yaml"}
"""What is no module, and without which a wheel is not whole: types, and the contract that `unpuzzle conformance` reads."""
MEGABYTE = 1024 * 1024
LARGEST_SDK = {"wheel": MEGABYTE, "installed": 4 * MEGABYTE}


def wheel_of(part: str, folder: Path) -> Path:
    (found,) = folder.glob(f"{PARTS[part]}-*.whl")
    return found


def sdist_of(part: str, folder: Path) -> Path:
    (found,) = folder.glob(f"{PARTS[part]}-*.tar.gz")
    return found


def size_of(wheel: Path) -> dict[str, int]:
    """How many bytes a wheel has, and how many its files have once they are installed."""
    return {"wheel": wheel.stat().st_size, "installed": sum(file.file_size for file in ZipFile(wheel).infolist())}


def strangers(names: Iterable[str], package: str) -> Iterator[str]:
    """The files of a wheel that do not belong there: outside of the package and its metadata, or tests."""
    for name in names:
        top, *rest = name.split("/")
        mine = top == package or (top.startswith(f"{package}-") and top.endswith(".dist-info"))
        if not mine or "tests" in rest or rest[-1].startswith(("test_", "conftest")):
            yield name


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with what was built."""
    for part, package in PARTS.items():
        for name in strangers(ZipFile(wheel_of(part, folder)).namelist(), package):
            yield f"{wheel_of(part, folder).name} holds {name}"
    for part, name in NEEDED.items():
        if name not in ZipFile(wheel_of(part, folder)).namelist():
            yield f"{wheel_of(part, folder).name} lacks {name}"
    for what, size in size_of(wheel_of("sdk", folder)).items():
        if size > LARGEST_SDK[what]:
            yield f"the SDK has {size} bytes ({what}), more than {LARGEST_SDK[what]}"


def main() -> int:
    folder = Path(*sys.argv[1:2] or ["dist"]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    for part in PARTS:
        build = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT / part)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, folder.iterdir())], check=True)
    for part in PARTS:
        sizes = ", ".join(f"{what} {size / MEGABYTE:.2f} MB" for what, size in size_of(wheel_of(part, folder)).items())
        print(f"{part}: {sizes}")
    found = [*faults(folder)]
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
