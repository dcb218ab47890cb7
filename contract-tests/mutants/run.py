"""Plants each fault of the catalogue and asks the contract tests for it: `nox -s mutants`.

nox -s mutants -- --only courses-search-ignored      one of them; its name may end in `*`
nox -s mutants -- --resume                           goes on with a run that was stopped: what was found is not asked for again

Ends with 1 where fewer than 95 % are found, or where the tests fail without any fault.
"""

import argparse
import json
import os
import queue
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path

from server_fixtures import open_folder

from harness import TEST_SETTINGS
from mutants.catalogue import ROOT, MisfitError, Mutant, load
from mutants.stages import Environment, run, stages_of, without_any_fault
from mutants.tree import Tree, scratch_tree
from unpuzzle_server.kernel import schema
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres

RESULTS = ROOT / "build" / "mutants.json"
WANTED_PERCENT = 95
SURVIVED = "SURVIVED"
SCHEMA = "server/unpuzzle_server/migrations/"


@dataclass(frozen=True)
class Result:
    name: str
    kind: str
    mark: str
    found_by: str | None
    seconds: float

    @property
    def verdict(self) -> str:
        return self.found_by or SURVIVED


@contextmanager
def prepared_database() -> Iterator[Environment]:
    """A cluster with the newest schema, which every server of the tests starts from; one that fits the tree without a fault."""
    with open_folder() as home:
        with EmbeddedPostgres(home) as embedded:
            schema.prepare(embedded.url, TEST_SETTINGS.secret_key)
        yield {"TEST_POSTGRES": str(home)}


def hunt(mutant: Mutant, tree: Tree, environment: Environment, stages: int | None) -> Result:
    """The fault is planted, looked for stage by stage until it is found, and taken out."""
    start, found = time.monotonic(), None
    with tree.with_fault(mutant):
        for stage in islice(stages_of(mutant), stages):
            outcome = run(tree, stage, {} if mutant.file.startswith(SCHEMA) else environment)
            if not outcome.is_over:
                say(f"{mutant.name}: nobody knows what the stage '{stage.name}' would find: {outcome.output[-1000:]}")
            if found := outcome.found_by:
                break
    return Result(mutant.name, mutant.kind, mutant.mark, found, round(time.monotonic() - start, 1))


def is_green(tree: Tree, environment: Environment) -> bool:
    """Whether the tests pass where nothing is wrong: else what they find says nothing."""
    for stage in without_any_fault():
        outcome = run(tree, stage, environment)
        if outcome.found_by or not outcome.is_over:
            say(f"{outcome.output[-5000:]}\nWithout any fault the tests fail or take too long: {outcome.found_by or stage.name}")
            return False
        say(f"{stage.name}: green without any fault")
    return True


def say(text: str) -> None:
    print(text, flush=True)


def hunt_all(
    mutants: Sequence[Mutant], asked: argparse.Namespace, known: dict[str, Result], environment: Environment
) -> dict[str, Result]:
    """Each job has a tree of its own. What was found is kept after each, so that a run that is stopped can go on."""
    results, start = dict(known), time.monotonic()
    with ExitStack() as stack, ThreadPoolExecutor(asked.jobs) as pool:
        trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
        for _ in range(asked.jobs):
            trees.put(stack.enter_context(scratch_tree()))

        def one(mutant: Mutant) -> Result:
            tree = trees.get()
            try:
                return hunt(mutant, tree, environment, asked.stages)
            finally:
                trees.put(tree)

        for number, done in enumerate(as_completed([pool.submit(one, mutant) for mutant in mutants]), 1):
            result = done.result()
            results[result.name] = result
            keep(results)
            left = (time.monotonic() - start) / number * (len(mutants) - number)
            say(f"{number}/{len(mutants)} {line(result)}   about {left / 60:.0f} min left")
    return results


def keep(results: dict[str, Result]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(result) for result in results.values()], indent=1))


def kept() -> dict[str, Result]:
    """What earlier runs have found, of faults as they are now."""
    marks = {mutant.name: mutant.mark for mutant in load()}
    found = [Result(**entry) for entry in json.loads(RESULTS.read_text())] if RESULTS.exists() else []
    return {result.name: result for result in found if result.found_by and marks.get(result.name) == result.mark}


def line(result: Result) -> str:
    return f"{result.name:<44} {result.kind:<12} {result.seconds:>6.0f} s  {result.verdict}"


def summary(results: Sequence[Result]) -> int:
    """Prints the table; the exit status."""
    say("\n" + "\n".join(line(result) for result in sorted(results, key=lambda result: (result.kind, result.name))))
    found = sum(result.found_by is not None for result in results)
    percent = 100 * found / len(results)
    say(f"\n{found} of {len(results)} found: {percent:.1f} %, wanted {WANTED_PERCENT} %")
    return 0 if percent >= WANTED_PERCENT else 1


def asked_for(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=["*"], metavar="NAME", help="these faults alone")
    parser.add_argument("--jobs", type=int, default=1, help="how many faults at a time")
    parser.add_argument("--seed", type=int, help="in an order of chance, the same for the same number")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier run has found")
    parser.add_argument("--stages", type=int, metavar="N", help="give a fault up after so many, the cheapest first")
    parser.add_argument("--unchecked", action="store_true", help="do not run the tests without a fault first")
    return parser.parse_args(arguments)


def chosen(asked: argparse.Namespace) -> list[Mutant]:
    found = [mutant for mutant in load() if any(fnmatch(mutant.name, name) for name in asked.only)]
    for mutant in found:
        mutant.applied_to((ROOT / mutant.file).read_text(encoding="utf-8"))
    if asked.seed is not None:
        random.Random(asked.seed).shuffle(found)
    return found


def main(arguments: Sequence[str] = ()) -> int:
    asked = asked_for(arguments or sys.argv[1:])
    try:
        mutants = chosen(asked)
    except MisfitError as misfit:
        say(str(misfit))
        return 1
    if not mutants:
        say(f"There is no fault named {' or '.join(asked.only)}: see contract-tests/mutants/catalogue")
        return 1
    known = kept()
    wanted = [mutant for mutant in mutants if not asked.resume or mutant.name not in known]
    with prepared_database() as environment:
        if not asked.unchecked:
            with scratch_tree() as tree:
                if not is_green(tree, environment):
                    return 1
        results = hunt_all(wanted, asked, known, environment)
    return summary([results[mutant.name] for mutant in mutants])


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    sys.exit(main())
