"""What the speed claims rest on: ours beside its peers, all in one run.

    python benchmarks/run.py [--quick] [--out docs/performance.md]

Fails when a goal is not met.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import catalogue
import servers
import stack
import start
import traffic
from preparing import compile_ours, of_clients, say
from report import Findings, markdown, missed

from unpuzzle_server.kernel import schema
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres

SECRET = "a key for benchmarks only, 32 or more"
LIMITS = {f"RATE_LIMIT_{name}": "1000000000" for name in ("ANONYMOUS", "AUTHENTICATED", "SIGN_IN", "SIGN_UP")}
SETTINGS = {"SECRET_KEY": SECRET, "DATABASE_PREPARED_STATEMENTS": "true", **LIMITS}
PUBLIC_URL = {"PUBLIC_URL": "http://127.0.0.1:8000"}
REQUESTS_IN_PROCESS = 2000
DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
END = "<!-- `nox -s bench` writes what stands above this line; below is what its other programs print. -->"


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds, seconds of each load, starts of a server."""

    rounds: int
    seconds: float
    starts: int


FULL, QUICK = Effort(5, 3, 3), Effort(1, 1, 1)


def over_a_socket(rounds: int, seconds: float) -> dict[str, dict[str, traffic.Figures]]:
    with start.data_dir() as home, EmbeddedPostgres(home) as postgres:
        app_url = schema.prepare(postgres.url, SECRET).app_url
        say("writing 10,000 courses")
        catalogue.fill(postgres.url)
        with servers.running({**SETTINGS, **PUBLIC_URL}, {"owner": postgres.url, "app": app_url}, home) as running:
            return {
                scenario.name: traffic.measure(scenario, running, postgres.pid, rounds, seconds, say)
                for scenario in traffic.scenarios(postgres.url, running[0])
            }


def findings(effort: Effort) -> Findings:
    compile_ours()
    return Findings(
        rounds=effort.rounds,
        quick=effort is QUICK,
        clients=of_clients(effort.rounds),
        stack=stack.measure(effort.rounds, REQUESTS_IN_PROCESS, say),
        token_microseconds=stack.token_microseconds(REQUESTS_IN_PROCESS),
        traffic=over_a_socket(effort.rounds, effort.seconds),
        starts=start.measure(effort.starts, SETTINGS, say),
    )


def write(out: Path, text: str) -> None:
    """Leaves what stands below the end of an earlier run."""
    _, end, rest = out.read_text(encoding="utf-8").partition(END) if out.exists() else ("", "", "")
    out.write_text(f"{text.rstrip()}\n\n{end}{rest}".rstrip() + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, to try; printed, and not written to the docs")
    parser.add_argument("--out", type=Path, help="where to write, instead of docs/performance.md")
    options = parser.parse_args()
    out = options.out or (None if options.quick else DOCUMENT)
    found = findings(QUICK if options.quick else FULL)
    text = markdown(found)
    if out:
        write(out, text)
    print(text)
    for goal in missed(found):
        say(f"missed: {goal}")
    return 1 if missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
