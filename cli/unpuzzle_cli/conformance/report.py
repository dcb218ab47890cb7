"""What a run has found, in the shape that all reports are written from. `docs/conformance.md` describes it."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from unpuzzle_cli.conformance.contract import Operation

TOO_MANY = 429
VERSION = 1
"""Of the report's shape: it grows when something is renamed or taken away."""


class Stop(StrEnum):
    """Why a run ended early."""

    NOT = ""
    FIRST_FINDING = "It was to end with the first finding."
    INTERRUPTED = "It was interrupted."
    TERMINATED = "It was terminated."
    LOST = "The server stopped answering."
    LIMITED = "What the server's limits allow was used up."
    BROKEN = "It could not go on."

    @classmethod
    def by(cls, stop: BaseException) -> "Stop":
        """Whether it was Ctrl-C or SIGTERM."""
        return cls.TERMINATED if isinstance(stop, SystemExit) else cls.INTERRUPTED


@dataclass
class Finding:
    """A rule that an answer breaks."""

    check: str
    rule: str
    """What the check is there for."""
    operation: str
    message: str
    curl: str
    status: int | None
    """None where no answer came."""
    request_id: str | None
    contract: str
    """What the contract says."""
    times: int = 1


@dataclass
class Count:
    passed: int = 0
    failed: int = 0


@dataclass
class Outcome:
    """What became of an operation."""

    id: str
    method: str
    path: str
    documented: list[int]
    seen: dict[int, int] = field(default_factory=dict)
    """How often it gave each status."""
    checks: dict[str, Count] = field(default_factory=dict)
    seconds: float = 0

    @classmethod
    def of(cls, operation: Operation) -> "Outcome":
        documented = sorted(int(answer.status) for answer in operation.answers)
        return cls(operation.id, operation.method.upper(), operation.path, documented)

    @property
    def unseen(self) -> list[int]:
        return [status for status in self.documented if status not in self.seen]

    @property
    def succeeded(self) -> bool:
        return any(200 <= status < 300 for status in self.seen)

    @property
    def hidden(self) -> bool:
        """Whether a limit hid what it does."""
        return TOO_MANY in self.seen and not self.succeeded

    @property
    def failed(self) -> int:
        return sum(count.failed for count in self.checks.values())


@dataclass
class Report:
    base_url: str
    profile: str
    seed: int
    max_examples: int
    contract: str
    """The version of the contract."""
    started: str
    seconds: float = 0
    requests: int = 0
    limited: int = 0
    """How many of them were refused by limits."""
    stopped: Stop = Stop.NOT
    """Why it ended early, if it did."""
    operations: list[Outcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What limits what this says, and what was left on the server."""

    @property
    def conforms(self) -> bool:
        return not self.findings and not self.stopped and not self.hidden

    @property
    def hidden(self) -> bool:
        """Whether limits hid most of it."""
        hidden = sum(outcome.hidden for outcome in self.operations)
        return self.stopped == Stop.LIMITED or 2 * hidden > len(self.operations)

    @property
    def unsucceeded(self) -> list[str]:
        """Operations that nobody saw do what they are there for."""
        return [outcome.id for outcome in self.operations if not outcome.succeeded]

    @property
    def verdict(self) -> str:
        if self.findings:
            return "does not conform"
        if self.hidden:
            return "was not held: limited"
        return "was not held to the end" if self.stopped else "conforms"

    @property
    def checks(self) -> dict[str, Count]:
        """Those of all operations together."""
        totals: dict[str, Count] = {}
        for outcome in self.operations:
            for name, count in outcome.checks.items():
                total = totals.setdefault(name, Count())
                total.passed += count.passed
                total.failed += count.failed
        return dict(sorted(totals.items()))

    @property
    def coverage(self) -> tuple[int, int]:
        """How many of the documented answers were seen, and how many there are."""
        return sum(len(o.documented) - len(o.unseen) for o in self.operations), sum(len(o.documented) for o in self.operations)

    def as_dict(self) -> dict[str, Any]:
        seen, documented = self.coverage
        checks = {name: asdict(count) for name, count in self.checks.items()}
        operations = [{**asdict(outcome), "unseen": outcome.unseen} for outcome in self.operations]
        coverage = {"seen": seen, "documented": documented}
        head = {"version": VERSION, "conforms": self.conforms}
        found = {"operations": operations, "checks": checks, "answers": coverage, "unsucceeded": self.unsucceeded}
        return {**head, **asdict(self), **found}


@dataclass
class Tally:
    """Counts checks and gathers findings: one for each rule, operation and status, told as it was first met."""

    outcomes: dict[str, Outcome]
    found: dict[tuple[str, str, int | None], Finding] = field(default_factory=dict)

    def passed(self, operation: str, check: str) -> None:
        self._count(operation, check).passed += 1

    def failed(self, finding: Finding) -> None:
        self._count(finding.operation, finding.check).failed += 1
        key = finding.check, finding.operation, finding.status
        if key in self.found:
            self.found[key].times += 1
        else:
            self.found[key] = finding

    def saw(self, statuses: Counter[tuple[str, int]]) -> None:
        for (operation, status), times in sorted(statuses.items()):
            if operation in self.outcomes:
                self.outcomes[operation].seen[status] = times

    def _count(self, operation: str, check: str) -> Count:
        return self.outcomes[operation].checks.setdefault(check, Count())
