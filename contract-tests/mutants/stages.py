"""In which order the contract tests are run on a mutant: those of its operations, then the rest, cheap ones first."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mutants.catalogue import Mutant
from mutants.tree import Tree

OF_THE_SERVER = ("access", "errors", "requests", "examples", "wire")
OF_THE_CLIENTS = ("equivalence", "clients", "parity")
WITHOUT_THE_GATE = ("lint", "laws", *OF_THE_SERVER, *OF_THE_CLIENTS)
CALLED = "contract-tests/gate/test_gate.py::test_the_server_keeps_the_contract"
DRIFT = (
    "contract-tests/parity/test_parity.py::test_the_contract_is_what_its_parts_make",
    "contract-tests/parity/test_parity.py::test_the_sdk_and_the_commands_are_what_the_contract_makes",
)
"""They would find whatever is not generated anew: no merit of theirs."""
PASSED = (0, 5)
"""What pytest ends with where nothing failed: all has passed, or nothing was selected."""
UNUSED = ("cacheprovider", "schemathesis", "hypothesispytest", "xdist", "xdist.looponfail", "anyio")
"""Plugins of pytest that take longer to load than a fault takes to be found."""
FAILED = re.compile(r"^(?:FAILED|ERROR) (?:contract-tests/)?(\S+)", re.MULTILINE)
BROKEN = re.compile(r"^\s*- (.+?)\s*$", re.MULTILINE)
"""How Schemathesis says which check has found something."""
Environment = dict[str, str]


@dataclass(frozen=True)
class Stage:
    name: str
    tests: Sequence[str]
    seconds: int
    chosen: str = ""
    """What pytest selects by."""
    operations: str = ""
    """Those that the gate is asked to look at; all if empty."""
    clients: bool = False
    """Whether the clients have to follow from the contract."""


def folders(*names: str) -> list[str]:
    return [f"contract-tests/{name}" for name in names]


def stages_of(mutant: Mutant) -> Iterator[Stage]:
    """None is run once one has found the fault."""
    chosen = " or ".join(f"[{name}{end}" for name in mutant.operations for end in "]-")
    if mutant.kind in ("SDK", "CLI"):
        yield Stage("clients of its operations", folders(*OF_THE_CLIENTS), 300, chosen)
        yield Stage("clients", folders(*OF_THE_CLIENTS), 900)
        return
    if mutant.kind == "spec":
        yield Stage("lint", folders("lint"), 120)
    yield Stage("tests of its operations", folders(*OF_THE_SERVER), 300, chosen)
    yield Stage("laws", folders("laws"), 300)
    yield Stage("gate of its operations", [CALLED], 600, operations=",".join(mutant.operations))
    yield from everything()


def everything() -> Iterator[Stage]:
    yield Stage("tests", folders(*WITHOUT_THE_GATE), 1800, clients=True)
    yield Stage("gate", folders("gate"), 1800)


def without_any_fault() -> Iterator[Stage]:
    """What has to pass on the tree as it is; of the parts of the gate one, whose operation has no links."""
    yield Stage("gate of one operation", [CALLED], 600, operations="courses.update")
    yield from everything()


@dataclass(frozen=True)
class Outcome:
    found_by: str | None
    """The test that fails, or None."""
    output: str
    is_over: bool = True
    """False where the time was up, or the tests did not start: then nobody knows."""


def run(tree: Tree, stage: Stage, environment: Environment) -> Outcome:
    """Ends with the first test that fails."""
    if stage.clients:
        tree.generate()
    selected = ["-k", stage.chosen] if stage.chosen else []
    dropped = [word for test in DRIFT for word in ("--deselect", test)]
    tests = [test for test in stage.tests if (tree.folder / test.partition("::")[0]).exists()]
    quietly = ["-q", "-x", "-rfE", "--no-header", "--tb=short"]
    plain = [word for plugin in UNUSED for word in ("-p", f"no:{plugin}")]
    command = [sys.executable, "-m", "pytest", *quietly, *plain, *selected, *dropped, *tests]
    variables = {**environment, **({"GATE_OPERATIONS": stage.operations} if stage.operations else {})}
    process = subprocess.Popen(
        command,
        cwd=tree.folder,
        env=tree.environment(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=stage.seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
        return Outcome(None, process.communicate()[0], is_over=False)
    if process.returncode in PASSED:
        return Outcome(None, output)
    found = _named(output)
    return Outcome(found, output, is_over=found is not None)


def _named(output: str) -> str | None:
    """The test that failed first, and what Schemathesis says of it; None where no test was run."""
    found = FAILED.search(output)
    if found is None:
        return None
    name = found[1]
    said = BROKEN.search(output) if CALLED.removeprefix("contract-tests/") in name else None
    return f"{name}: {said[1]}" if said else name
