"""The gate at random and at length: `nox -s fuzz`, or `nox -s fuzz -- --seed 123` to repeat a run.

The seed is printed first, the progress as it comes; it ends with 1 if any caller found a failure.
"""

import argparse
import secrets
import subprocess
import sys

from gate.run import CALLERS, fresh_server, run_of


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="repeats a run that printed it")
    parser.add_argument("--max-examples", type=int, default=200, help="of each operation, for each caller")
    parser.add_argument("--callers", nargs="+", choices=CALLERS, default=CALLERS, help="as whom")
    chosen = parser.parse_args()
    print(f"Repeat this with: nox -s fuzz -- --seed {chosen.seed} --max-examples {chosen.max_examples}", flush=True)
    failed = [caller for caller in chosen.callers if not holds(caller, chosen.seed, chosen.max_examples)]
    print(f"Seed {chosen.seed}: " + (f"failed as {', '.join(failed)}" if failed else "no failure"))
    return 1 if failed else 0


def holds(caller: str, seed: int, max_examples: int) -> bool:
    print(f"\nAs {caller}", flush=True)
    with fresh_server() as server:
        run = run_of(server, caller, "--seed", str(seed), "--max-examples", str(max_examples))
        return subprocess.run(run.command, env=run.environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
