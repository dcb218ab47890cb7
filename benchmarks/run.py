"""What the speed claims rest on: ours beside its peers, all in one run.

    python benchmarks/run.py [--rounds 5] [--seconds 3] [--out docs/performance.md]

Fails when a goal is not met.
"""

import argparse
import sys
import time
from pathlib import Path

import catalogue
import servers
import stack
import start
import traffic
from report import Findings, goals, markdown

from unpuzzle_server.kernel import schema
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres

SECRET = "a key for benchmarks only, 32 or more"
LIMITS = {f"RATE_LIMIT_{name}": "1000000000" for name in ("ANONYMOUS", "AUTHENTICATED", "SIGN_IN", "SIGN_UP")}
SETTINGS = {"SECRET_KEY": SECRET, "DATABASE_PREPARED_STATEMENTS": "true", **LIMITS}
PUBLIC_URL = {"PUBLIC_URL": "http://127.0.0.1:8000"}
REQUESTS_IN_PROCESS = 2000
STARTS = 3


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


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


def findings(rounds: int, seconds: float) -> Findings:
    return Findings(
        rounds=rounds,
        stack=stack.measure(rounds, REQUESTS_IN_PROCESS, say),
        token_microseconds=stack.token_microseconds(REQUESTS_IN_PROCESS),
        traffic=over_a_socket(rounds, seconds),
        starts=start.measure(STARTS, SETTINGS, say),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="how long each load lasts")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "performance.md")
    options = parser.parse_args()
    found = findings(options.rounds, options.seconds)
    text = markdown(found)
    options.out.write_text(text, encoding="utf-8")
    print(text)
    return 0 if all(goal.met for goal in goals(found)) else 1


if __name__ == "__main__":
    sys.exit(main())
