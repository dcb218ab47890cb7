"""The figures as `docs/performance.md` shows them: one table, and how they were taken."""

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path

from clients import CALLS_A_TURN, INTERPRETERS, STARTS, TURNS, Clients
from figures import Rounds, Spread, ratio, table
from start import REQUESTS, Starts
from traffic import CONNECTIONS, Figures

NAMES = {"Connexion": "stock Connexion"}
PACKAGES = (
    "connexion", "fastapi", "pydantic", "sqlalchemy", "psycopg", "uvicorn", "uvloop", "openai", "anthropic", "stripe",
    "githubkit", "httpx", "httpx2", "requests",
)  # fmt: skip
HEAD = ["", "ours", "beside", "theirs", "ours is better by", "goal", "met"]


@dataclass(frozen=True)
class Findings:
    rounds: int
    quick: bool
    clients: Clients
    stack: dict[str, Rounds]
    token_microseconds: float
    traffic: dict[str, dict[str, Figures]]
    starts: Starts


@dataclass(frozen=True)
class Goal:
    """What was promised of the median."""

    text: str
    met_by: Callable[["Row"], bool]


@dataclass(frozen=True)
class Row:
    """One thing that was measured, alone or beside a peer."""

    what: str
    ours: Spread
    goal: Goal | None = None
    peer: str = ""
    theirs: Spread | None = None
    better: Spread | None = None
    """How many times, whether better means more or less."""

    @property
    def missed(self) -> bool:
        return self.goal is not None and not self.goal.met_by(self)

    def cells(self) -> list[str]:
        better = f"{self.better} ×" if self.better else ""
        goal = [self.goal.text, "**no**" if self.missed else "yes"] if self.goal else ["", ""]
        return [self.what, str(self.ours), self.peer, str(self.theirs or ""), better, *goal]


def at_most(most: float) -> Goal:
    return Goal(f"≤ {most:g}", lambda row: row.ours.middle <= most)


def better_by(times: float) -> Goal:
    return Goal(f"≥ {times:g} ×", lambda row: row.better is not None and row.better.middle >= times)


def alone(what: str, ours: list[float], goal: Goal | None = None) -> Row:
    return Row(what, Spread.of(ours), goal)


def beside(what: str, found: Rounds, goal: Goal | None = None, more_is_better: bool = False) -> Iterator[Row]:
    """A row for each peer; the goal is that of the first."""
    ours = found["ours"]
    for peer, theirs in found.items():
        if peer == "ours":
            continue
        better = ratio(ours, theirs) if more_is_better else ratio(theirs, ours)
        yield Row(what, Spread.of(ours), goal, NAMES.get(peer, peer), Spread.of(theirs), better)
        goal = None


def rows(findings: Findings) -> list[Row]:
    parts = [stack(findings.stack), traffic(findings.traffic), starts(findings.starts), clients(findings.clients)]
    return list(chain.from_iterable(parts))


def stack(found: dict[str, Rounds]) -> Iterator[Row]:
    for call, costs in found.items():
        yield from beside(f"{call} before any database, µs of CPU", costs, better_by(1))


def traffic(found: dict[str, dict[str, Figures]]) -> Iterator[Row]:
    goals = {"courses.list": better_by(3)}
    for call, servers in found.items():
        rates, costs, waits = (
            {name: getattr(figures, kind) for name, figures in servers.items()} for kind in ("per_second", "cpu_ms", "p99_ms")
        )
        yield from beside(f"{call}, requests a second", rates, goals.get(call), more_is_better=True)
        yield from beside(f"{call}, ms of CPU in server and PostgreSQL", costs)
        yield from beside(f"{call}, ms until 99 of 100 are answered", waits)


def starts(found: Starts) -> Iterator[Row]:
    yield alone("`unpuzzle-server serve`, s until ready, first start", found.first_seconds)
    yield alone("`unpuzzle-server serve`, s until ready, later start", found.second_seconds, at_most(3))
    yield alone("`unpuzzle-server serve`, one worker, MB resident", found.megabytes, at_most(150))


def clients(found: Clients) -> Iterator[Row]:
    goals = {"import": at_most(5), "first resource": at_most(50)}
    for step, costs in found.cpu_ms.items():
        yield from beside(f"SDK, {step}, ms of CPU", costs, goals.get(step))
        yield from beside(f"SDK, {step}, MB resident thereafter", found.megabytes[step])
    yield from beside("SDK, a call, µs of CPU on top of its HTTP library", found.overhead_us(), at_most(60))
    yield from beside("SDK, a call, µs of CPU in all", {name: found.call_us[name] for name in found.overhead_us()})
    yield alone("`unpuzzle --version`, CPU in bare starts of Python", found.version_starts, at_most(7))


def missed(findings: Findings) -> list[str]:
    return [f"{row.what}: {row.ours}, {row.goal.text}" for row in rows(findings) if row.goal and row.missed]


def markdown(findings: Findings) -> str:
    shown = rows(findings)
    goals = [row for row in shown if row.goal]
    return TEXT.format(
        quick=QUICK if findings.quick else "",
        rounds=findings.rounds,
        machine=_machine(),
        met=sum(not row.missed for row in goals),
        goals=len(goals),
        table=table(HEAD, [row.cells() for row in shown]),
        token=findings.token_microseconds,
        connections=CONNECTIONS,
        requests=f"{REQUESTS:,}",
        start_rounds=len(findings.starts.megabytes),
        interpreters=INTERPRETERS,
        calls=f"{TURNS * CALLS_A_TURN:,}",
        turn=CALLS_A_TURN,
        starts=STARTS,
    )


QUICK = """**A quick run, to try the benchmark: too short to rest a claim on.**

"""
TEXT = """# How fast it is

{quick}Written by `nox -s bench`, which runs ours beside its peers and fails when a goal is missed. A figure is the median of the
rounds ({rounds}; {start_rounds} of the starts of a server), with the least and the most. Peers take turns within a round, and
ratios are taken round by round, so that what disturbs a round disturbs both sides of it. Goals are held against the median.
What does not stand in the table has not been compared.

{machine}

{met} of {goals} goals are met.

{table}

## Before any database

CPU time in one process, called as ASGI without a socket, among all operations of the contract; the handlers answer
with the contract's examples.

- Ours: routing, a JWT, the role, rate-limit counters in memory, the request and the answer held against the contract, ETag,
  request id, error envelope, CORS.
- FastAPI: routing, a JWT, the role, pydantic models for parameters, body and answer; no middleware.
- Stock Connexion: its own validation of requests and of answers switched on.

{token:.0f} µs of the peers' figures is PyJWT reading the token. Ours reads each token once and remembers what it says.

## Over a socket, with 10,000 courses

One process each on uvicorn with uvloop and httptools, {connections} connections, the client in a process of its own,
all on one machine with one PostgreSQL.

- Ours does what it always does: exact rate limits in PostgreSQL (switched on, set too high to refuse), checked requests and
  answers, ETags, a line of log. It serves as the role under row level security. The list, however, reads the view of published
  courses, which belongs to the owner's role and is exempt from row level security; so are the view of instructors and the
  function that sums up what they teach. All else of the detail, enrolling and signing in run under it.
- The peers do none of that. They are the database's owner and use SQLAlchemy's ORM, with what an answer needs loaded in as few
  statements as that takes; ours has PostgreSQL build the JSON of lists and details. Tables, indexes and triggers are the same,
  and all read the number of courses from the count that a trigger keeps.
- With an `Idempotency-Key`, as the SDK sends it, ours also stores the answer in the same transaction; the peers ignore the key.

Lists and details are the same JSON from all, or the run fails; enrolments and sign-ins, with ids and tokens of their own, have
the same fields and types. Signing in is Argon2id, the same for all.

## Starting, and memory

`unpuzzle-server serve` with an empty data directory (cluster, schema and demo catalogue), then again with the same; resident
memory is that of the one worker after {requests} requests, without PostgreSQL's.

## The SDK and the CLI

- Import, first resource (`Unpuzzle(…).courses`, `OpenAI(…).models`, `Anthropic(…).models`, `StripeClient(…).v1.customers`,
  `GitHub(…).rest.licenses`) and first answer (a call over a loopback socket)
  each count from the start of the import, in interpreters of their own, {interpreters} a round. Ours
  loads its HTTP library with the first call only: what it saves before, a program that calls still pays, as the first answer
  shows. All are compiled to bytecode beforehand, as pip does when it installs.
- A call gets one small object by its id, with a token, over a connection kept open, from the same server in a process of its
  own: `content.get_section` for ours, `files.retrieve`, `models.retrieve`, `customers.retrieve` and `licenses.get` for the peers,
  {calls} a round in turns of {turn}. Each is held against its own HTTP library alone, which gets the same address and decodes the
  same JSON: httpx below ours and GitHubKit, httpx2 below openai-python and anthropic, requests below stripe-python. The objects
  differ (12 fields, two of them times, for ours).
- `unpuzzle --version` counts its whole process, as the CPU of `python -c pass`, {starts} of each a round.
"""


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"This run: {os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}, PostgreSQL 18, {packages}."


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
