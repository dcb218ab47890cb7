"""The seeded faults: small defects such as people make, each a text of a file and what stands in its place."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("catalogue")
ROOT = Path(__file__).parents[2]
KINDS = ("handler", "service", "query", "presentation", "kernel", "spec", "SDK", "CLI")


class MisfitError(Exception):
    """The text of a mutant does not stand in its file, or stands there more than once."""


@dataclass(frozen=True)
class Mutant:
    name: str
    kind: str
    file: str
    old: str
    new: str
    hurts: str
    """What somebody would suffer from it."""
    operations: tuple[str, ...]
    """Where it shows first: their tests are run before the rest."""

    @property
    def mark(self) -> str:
        """Differs when the mutant does."""
        return sha256(repr((self.file, self.old, self.new)).encode()).hexdigest()[:16]

    def applied_to(self, text: str) -> str:
        """The text with the fault; raises MisfitError unless there is just one place for it."""
        if (found := text.count(self.old)) != 1:
            raise MisfitError(f"{self.name}: its text stands {found} times in {self.file}")
        return text.replace(self.old, self.new)


def load() -> list[Mutant]:
    """Every mutant, in the order of the files."""
    entries: list[dict[str, Any]] = [
        entry for file in sorted(FOLDER.glob("*.yaml")) for entry in yaml.safe_load(file.read_text(encoding="utf-8"))
    ]
    return [Mutant(**{**entry, "operations": tuple(entry["operations"])}) for entry in entries]
