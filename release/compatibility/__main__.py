"""Holds the contract and the SDK against the last release: `nox -s compat`, for another repository `-- FOLDER`.

Without a tag `vX.Y.Z` nothing has been released, and nothing can break. A new major version may break what it likes.
"""

import io
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

from compatibility import contract, sdk
from compatibility.schemas import Node

CONTRACT, SDK = "openapi/unpuzzle.yaml", "sdk/unpuzzle_sdk"
RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


def git(repository: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(repository), *arguments], check=True, capture_output=True).stdout


def last_release(repository: Path) -> str | None:
    """The tag of the newest version; None before the first, and where there is no history to look at."""
    try:
        tags = git(repository, "tag", "--list").decode().split()
    except (subprocess.CalledProcessError, FileNotFoundError):
        return None
    releases = [found for tag in tags if (found := RELEASE.fullmatch(tag))]
    newest = max(releases, key=lambda found: tuple(map(int, found.groups())), default=None)
    return newest[0] if newest else None


def contract_of(tree: Path) -> Node:
    document: Node = yaml.load((tree / CONTRACT).read_bytes(), Loader=yaml.CSafeLoader)
    return document


def breaks(released: Path, present: Path) -> list[str]:
    """What was released and does not work any more."""
    of_contract = contract.breaking_changes(contract_of(released), contract_of(present))
    return of_contract + sdk.breaking_changes(released / "sdk", present / "sdk")


def major(version: str) -> int:
    return int(version.removeprefix("v").partition(".")[0])


def main() -> int:
    repository = Path(*sys.argv[1:2] or [str(Path(__file__).parents[2])])
    tag = last_release(repository)
    if tag is None:
        print("There is no release yet, so nothing that could break.")
        return 0
    version: str = contract_of(repository)["info"]["version"]
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(git(repository, "archive", tag, CONTRACT, SDK))) as archive:
            archive.extractall(folder, filter="data")
        found = breaks(Path(folder), repository)
    print(*found, sep="\n", end="\n" if found else "")
    if not found:
        print(f"Nothing that {tag} has is broken by {version}.")
    elif major(version) > major(tag):
        print(f"That breaks {tag}, as {version} may.")
    else:
        instead = f"{version} must be {major(tag) + 1}.0.0, or better, keep it: docs/releasing.md"
        print(f"That breaks {tag}: {instead}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
