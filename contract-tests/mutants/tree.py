"""A copy of the repository in which a fault is planted, tested and taken out again."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from mutants.catalogue import ROOT, Mutant

PACKAGES = {"unpuzzle_server": "server", "unpuzzle_sdk": "sdk", "unpuzzle_cli": "cli"}
CONTRACT = "openapi/src/"
TEMPLATES = "sdk/codegen/"
BUNDLE = ("openapi/bundle.py",)
GENERATORS = ("sdk/codegen/generate.py", "cli/codegen/generate.py")
MADE = ("openapi/unpuzzle.yaml", "server/unpuzzle_server/contract.json", "sdk/unpuzzle_sdk", "cli/unpuzzle_cli/commands")


class Tree:
    """Its packages come before those that are installed, in every process that it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.generated = True
        """Whether the clients are what the contract of the tree makes."""

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        paths = os.pathsep.join(str(self.folder / part) for part in PACKAGES.values())
        compiled = {"PYTHONPYCACHEPREFIX": str(self.folder / "build" / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
        return {**os.environ, **compiled, **more, "PYTHONPATH": paths}

    def python(self, *arguments: str) -> None:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment({}), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} fails: {done.stdout}{done.stderr}")

    def check_imports(self) -> None:
        """Raises where a package would come from anywhere else: every mutant would seem to survive."""
        for package in PACKAGES:
            self.python("-c", f"import {package}; assert {package}.__file__.startswith({str(self.folder)!r}), {package}.__file__")

    def generate(self) -> None:
        """The clients that follow from the contract as it is now."""
        if not self.generated:
            for script in GENERATORS:
                self.python(script)
            self.generated = True

    @contextmanager
    def with_fault(self, mutant: Mutant) -> Iterator[None]:
        """With what follows from it at once: the joined contract, or the SDK that a template makes."""
        file = self.folder / mutant.file
        file.write_text(mutant.applied_to(file.read_text(encoding="utf-8")), encoding="utf-8")
        self.generated = not mutant.file.startswith((CONTRACT, TEMPLATES))
        try:
            if mutant.file.startswith(CONTRACT):
                self.python(*BUNDLE)
            elif mutant.file.startswith(TEMPLATES):
                self.generate()
            yield
        finally:
            copied(mutant.file, self.folder)
            if mutant.file.startswith((CONTRACT, TEMPLATES)):
                for place in MADE:
                    copied(place, self.folder)
            self.generated = True


def copied(place: str, folder: Path) -> None:
    """A file or a folder as it is in the repository."""
    source, target = ROOT / place, folder / place
    if source.is_dir():
        shutil.rmtree(target)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


@contextmanager
def scratch_tree() -> Iterator[Tree]:
    """Of the files that are tracked or about to be: what stands around in the working tree is no part of it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    with TemporaryDirectory(prefix="unpuzzle-mutants-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as somebody else
        for place in listed.stdout.decode().rstrip("\0").split("\0"):
            if (ROOT / place).is_file():
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / place, folder / place)
        tree = Tree(folder)
        tree.check_imports()
        yield tree
