"""The figures as `docs/performance.md` shows them."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from figures import Spread, ratio, table
from start import REQUESTS, Starts
from traffic import CONNECTIONS, Figures

PEERS = ("FastAPI", "Connexion")
NAMES = {"ours": "ours", "FastAPI": "FastAPI", "Connexion": "stock Connexion"}
PACKAGES = ("connexion", "fastapi", "pydantic", "sqlalchemy", "psycopg", "uvicorn", "uvloop")


@dataclass(frozen=True)
class Findings:
    rounds: int
    stack: dict[str, dict[str, list[float]]]
    token_microseconds: float
    traffic: dict[str, dict[str, Figures]]
    starts: Starts


@dataclass(frozen=True)
class Goal:
    claim: str
    found: Spread
    unit: str
    met: bool


def goals(findings: Findings) -> list[Goal]:
    """What was promised, each held against the median."""
    found = [
        _at_least(f"{call} costs less CPU than in FastAPI", ratio(costs["FastAPI"], costs["ours"]), 1)
        for call, costs in findings.stack.items()
    ]
    listed, starts = findings.traffic["courses.list"], findings.starts
    rates = ratio(listed["ours"].per_second, listed["FastAPI"].per_second)
    return [
        *found,
        _at_least("`courses.list` answers at least 3 times as often as FastAPI", rates, 3),
        _less("one worker holds less than 150 MB", Spread.of(starts.megabytes), 150, " MB"),
        _less("a start that is not the first takes less than 3 s", Spread.of(starts.second_seconds), 3, " s"),
    ]


def _at_least(claim: str, found: Spread, least: float) -> Goal:
    return Goal(claim, found, " ×", found.middle >= least)


def _less(claim: str, found: Spread, most: float, unit: str) -> Goal:
    return Goal(claim, found, unit, found.middle < most)


def markdown(findings: Findings) -> str:
    parts = [
        "# How fast it is",
        INTRODUCTION.format(rounds=findings.rounds, machine=_machine()),
        "## The goals",
        _goals(findings),
        "## A request before any database",
        BEFORE.format(token=findings.token_microseconds),
        _stack(findings.stack),
        "## Over a socket, with 10,000 courses",
        SOCKET.format(connections=CONNECTIONS),
        _rates(findings.traffic),
        COSTS,
        _costs(findings.traffic),
        "## Starting, and memory",
        _starts(findings.starts),
    ]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = """Written by `nox -s bench`, which runs ours beside the same contract in FastAPI and in Connexion as it comes. A
figure is the median of {rounds} rounds by turns, with the least and the most. Ratios are taken round by round, so that what
disturbs a round disturbs both sides of it.

{machine}"""
BEFORE = """CPU time in one process, called as ASGI without a socket, among all operations of the contract; the handlers answer
with the contract's examples.

- Ours: routing, a JWT, the role, rate-limit counters in memory, the request and the answer held against the contract, ETag,
  request id, error envelope, CORS.
- FastAPI: routing, a JWT, the role, pydantic models for parameters, body and answer; no middleware.
- Stock Connexion: its own validation of requests and of answers switched on.

{token:.0f} µs of the peers' figures is PyJWT reading the token. Ours reads each token once and remembers what it says."""
SOCKET = """One process each on uvicorn with uvloop and httptools, {connections} connections, the client in a process of its own,
all on one machine with one PostgreSQL.

- Ours does what it always does: row level security (but the list reads the view of published courses, which is exempt), exact
  rate limits in PostgreSQL, checked answers, ETags, a line of log.
- The peers do none of that. They are the database's owner and use SQLAlchemy's ORM, with what an answer needs loaded in as few
  statements as that takes.

Lists and details are the same JSON from all, or the run fails; enrolments and sign-ins, with ids and tokens of their own, have
the same fields and types. Signing in is Argon2id, the same for all."""
COSTS = "What such a request costs in CPU, and how long it waits under that load (medians):"


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"This run: {os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}, PostgreSQL 18, {packages}."


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _goals(findings: Findings) -> str:
    rows = [[goal.claim, goal.found.shown(1, goal.unit), "yes" if goal.met else "**no**"] for goal in goals(findings)]
    return table(["goal", "measured", "met"], rows)


def _stack(found: dict[str, dict[str, list[float]]]) -> str:
    head = ["CPU, µs", *NAMES.values(), "FastAPI : ours", "Connexion : ours"]
    rows = [
        [call, *(Spread.of(costs[name]).shown(0) for name in NAMES), *(_times(costs[peer], costs["ours"]) for peer in PEERS)]
        for call, costs in found.items()
    ]
    return table(head, rows)


def _rates(found: dict[str, dict[str, Figures]]) -> str:
    head = ["requests a second", *NAMES.values(), "ours : FastAPI", "ours : Connexion"]
    rows = []
    for name, by_server in found.items():
        rates = {server: figures.per_second for server, figures in by_server.items()}
        shown = [Spread.of(rates[server]).shown(0) for server in NAMES]
        rows.append([f"`{name}`", *shown, *(_times(rates["ours"], rates[peer]) for peer in PEERS)])
    return table(head, rows)


def _costs(found: dict[str, dict[str, Figures]]) -> str:
    head = ["", "", "server, ms", "PostgreSQL, ms", "median wait, ms", "99 of 100 within, ms"]
    rows = [
        [f"`{name}`", NAMES[server], *(f"{Spread.of(values).middle:.2f}" for values in _columns(figures))]
        for name, by_server in found.items()
        for server, figures in by_server.items()
    ]
    return table(head, rows)


def _columns(figures: Figures) -> list[list[float]]:
    return [figures.server_ms, figures.postgres_ms, figures.median_ms, figures.p99_ms]


def _starts(found: Starts) -> str:
    rows = [
        ["first start: cluster, schema, demo catalogue", Spread.of(found.first_seconds).shown(1, " s")],
        ["second start", Spread.of(found.second_seconds).shown(1, " s")],
        [
            f"resident memory after {REQUESTS:,} requests, without PostgreSQL's",
            Spread.of(found.megabytes).shown(0, " MB"),
        ],
    ]
    return table(["`unpuzzle-server serve`, one worker", "measured"], rows)


def _times(over: list[float], under: list[float]) -> str:
    return ratio(over, under).shown(1, " ×")
