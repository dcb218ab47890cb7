"""Holds the contract, the SDK and the command line against the last release: `nox -s compat`, for another repository `-- FOLDER`.

Without a tag `vX.Y.Z` nothing has been released, and nothing can break. A new major version may break what it likes.
"""

import io
import json
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

from compatibility import commands, contract, sdk
from compatibility.schemas import Node

CONTRACT, SDK, COMMANDS = "openapi/unpuzzle.yaml", "sdk/unpuzzle_sdk", "cli/tests/golden/commands.json"
RELEASE = re.compile(r"v\d+\.\d+\.\d+")
SHALLOW = "A shallow clone has no tag of a release, whether there is one or not:"


def git(repository: Path, *arguments: str) -> bytes:
    """What git answers. What it refuses is no answer: a history that can't be read is not one without releases."""
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, check=False, capture_output=True)
    except FileNotFoundError:
        raise SystemExit("The last release is read by git, which is not installed here.") from None
    if done.returncode:
        raise SystemExit(
            f"{done.stderr.decode().strip()}\nThe last release can't be read until this works: {shlex.join(command)}"
        )
    return done.stdout


def last_release(repository: Path) -> str | None:
    """The tag of the newest version; None before the first, and where there is no repository at all."""
    if not (repository / ".git").exists():
        return None
    releases = [found for tag in git(repository, "tag", "--list").decode().split() if (found := RELEASE.fullmatch(tag))]
    if not releases and git(repository, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise SystemExit(f"{SHALLOW} git -C {shlex.quote(str(repository))} fetch --unshallow --tags")
    newest = max(releases, key=lambda found: numbers(found[0]), default=None)
    return newest[0] if newest else None


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removeprefix("v").split(".")))


def contract_of(tree: Path) -> Node:
    document: Node = yaml.load((tree / CONTRACT).read_bytes(), Loader=yaml.CSafeLoader)
    return document


def breaks(released: Path, present: Path) -> list[str]:
    """What was released and does not work any more."""
    of_contract = contract.breaking_changes(contract_of(released), contract_of(present))
    of_commands = commands.breaking_changes(*(json.loads((tree / COMMANDS).read_bytes()) for tree in (released, present)))
    return of_contract + sdk.breaking_changes(released / "sdk", present / "sdk") + of_commands


def main() -> int:
    repository = Path(*sys.argv[1:2] or [str(Path(__file__).parents[2])])
    tag = last_release(repository)
    if tag is None:
        print("There is no release yet, so nothing that could break.")
        return 0
    version: str = contract_of(repository)["info"]["version"]
    if numbers(version) < numbers(tag):
        raise SystemExit(f"{version} comes before {tag}, which has been released: raise info.version")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(git(repository, "archive", tag, CONTRACT, SDK, COMMANDS))) as archive:
            archive.extractall(folder, filter="data")
        found = breaks(Path(folder), repository)
    print(*found, sep="\n", end="\n" if found else "")
    if not found:
        print(f"Nothing that {tag} has is broken by {version}.")
    elif numbers(version)[0] > numbers(tag)[0]:
        print(f"That breaks {tag}, as {version} may.")
    else:
        instead = f"{version} must be {numbers(tag)[0] + 1}.0.0, or better, keep it: docs/releasing.md"
        print(f"That breaks {tag}: {instead}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
