"""Kill -9 in the middle of tasks, again and again: `nox -s crash` says what was lost, and fails if anything was.

A round asks for tasks, and rolls some back; waits until they are under way; kills the worker, the server, PostgreSQL, or Redis,
which keeps nothing. Then everything that was asked for must be done, what was rolled back must not, and a task that is one
transaction must be done exactly once.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import psutil
import psycopg
from server_fixtures import open_folder

import sample_tasks
from harness import wait_for
from redis_server import Redis
from unpuzzle_server.kernel.embedded_postgres import running_url

SERVE = [sys.executable, "-W", "ignore", "-c", "from unpuzzle_server.main import app; app()", "serve", "--port", "0", "--json"]
TASKS = 12
"""Asked for in one round, half of each kind."""
SECONDS = 0.15
"""How long a task takes; a worker does four at once."""
PATIENCE_SECONDS = 90
VICTIMS = {"pgmq": ["worker", "postgres", "server"], "redis": ["worker", "postgres", "redis", "server"]}
NUMBERS = count(1)


@dataclass
class Round:
    """What one kill has come to."""

    broker: str
    victim: str
    asked: int = 0
    begun: int = 0
    """Tasks that were under way at the kill."""
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Notes of what was rolled back, and of transactions that happened twice."""
    again: int = 0
    """Deeds that were done twice, as they may."""
    seconds: float = 0

    @property
    def is_whole(self) -> bool:
        return not self.lost and not self.wrong

    def __str__(self) -> str:
        figures = (
            f"{self.asked} asked, {self.begun} under way, {len(self.lost)} lost, {len(self.wrong)} wrong, {self.again} again"
        )
        return f"{self.broker:<6} kill -9 {self.victim:<9} {figures}, whole after {self.seconds:.1f} s"


class Deployment:
    """A server with its worker and its PostgreSQL, started anew where it has ended."""

    def __init__(self, data_dir: Path, redis: Redis | None) -> None:
        self.data_dir = data_dir
        self.redis = redis
        self.process: subprocess.Popen[bytes] | None = None
        self.connection: psycopg.Connection[Any] | None = None

    def start(self) -> None:
        """Until the server is ready and its worker has introduced itself."""
        settings = {"TASK_MODULES": "sample_tasks", "TASK_LEASE_SECONDS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        if self.redis:
            settings["CELERY_BROKER_URL"] = self.redis.url
        command = [*SERVE, "--seed", "none", "--data-dir", str(self.data_dir)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **settings}
        )
        assert self.process.stdout
        ready = json.loads(self.process.stdout.readline())
        assert ready["pid"] == self.process.pid
        self.base_url = ready["base_url"]
        self.sql(sample_tasks.NOTES)
        wait_for(lambda: self.family("unpuzzle_server.worker"), PATIENCE_SECONDS)

    def stop(self) -> None:
        self._hang_up()
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE_SECONDS)
            assert self.process.stdout
            self.process.stdout.close()

    def family(self, word: str) -> list[psutil.Process]:
        """Processes of this server whose command line holds a word."""
        assert self.process
        try:
            children = psutil.Process(self.process.pid).children()
            return [child for child in children if word in " ".join(child.cmdline())]
        except psutil.Error:
            return []

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        if self.connection is None:
            url = running_url(self.data_dir)
            assert url, "PostgreSQL runs"
            self.connection = psycopg.connect(url, autocommit=True)
        cursor = self.connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    def kill(self, victim: str) -> None:
        self._hang_up()
        if victim == "redis":
            assert self.redis
            self.redis.kill()
            self.redis.start()
        elif victim == "server":
            assert self.process
            self.process.kill()
        else:
            for process in self.family({"worker": "unpuzzle_server.worker", "postgres": "postgres"}[victim]):
                process.kill()
        if victim in ("server", "postgres"):  # a server ends with its PostgreSQL
            assert self.process
            self.process.wait(PATIENCE_SECONDS)
            assert self.process.stdout
            self.process.stdout.close()
            self.start()

    def _hang_up(self) -> None:
        if self.connection:
            self.connection.close()
            self.connection = None


@contextmanager
def deployment(broker: str) -> Iterator[Deployment]:
    with open_folder() as folder:
        redis = Redis(folder) if broker == "redis" else None
        if redis:
            redis.start()
        found = Deployment(folder / "data", redis)
        try:
            found.start()
            yield found
        finally:
            found.stop()
            if redis:
                redis.stop()


def play(site: Deployment, broker: str, victim: str) -> Round:
    played, number = Round(broker, victim), next(NUMBERS)
    kept, dropped = [f"{number}.{item}" for item in range(TASKS)], [f"{number}.rolled back {item}" for item in range(3)]
    for note in kept:
        ask(site, note)
    for note in dropped:
        ask(site, note, rolled_back=True)
    played.asked = len(kept)
    wait_for(lambda: under_way(site) >= 2, PATIENCE_SECONDS)
    played.begun = under_way(site)
    killed_at = time.monotonic()
    site.kill(victim)
    deadline = killed_at + PATIENCE_SECONDS
    while site.sql("SELECT 1 FROM tasks WHERE name LIKE 'tests.%%' LIMIT 1") and time.monotonic() < deadline:
        time.sleep(0.05)
    played.seconds = time.monotonic() - killed_at
    judge(site, played, kept, dropped)
    return played


def ask(site: Deployment, note: str, *, rolled_back: bool = False) -> None:
    """Every other task is one transaction, the others are deeds."""
    name = "tests.note" if int(note[-1]) % 2 else "tests.deed"
    args = json.dumps({"note": note, "seconds": SECONDS})
    site.sql("BEGIN")
    site.sql("SELECT app.enqueue(%s, %s::jsonb, '0', '1 second')", name, args)
    site.sql("ROLLBACK" if rolled_back else "COMMIT")


def under_way(site: Deployment) -> int:
    return int(site.sql("SELECT count(*) FROM tasks WHERE state = 'running' AND name LIKE 'tests.%%'")[0][0])


def judge(site: Deployment, played: Round, kept: list[str], dropped: list[str]) -> None:
    notes = dict(site.sql("SELECT note, count(*) FROM tests.notes GROUP BY note"))
    failed = {row[0] for row in site.sql("SELECT args->>'note' FROM failed_tasks")}
    played.lost = [note for note in kept if note not in notes or note in failed]
    played.wrong = [note for note in dropped if note in notes]
    for note in kept:
        is_transaction = int(note[-1]) % 2 == 1
        if notes.get(note, 0) > 1 and is_transaction:
            played.wrong.append(note)
        played.again += max(notes.get(note, 0) - 1, 0) if not is_transaction else 0


def rounds(broker: str, number: int) -> Iterator[Round]:
    with deployment(broker) as site:
        for victim in islice(cycle(VICTIMS[broker]), number):
            yield play(site, broker, victim)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, help="kills in total, half with each broker")
    parser.add_argument("--broker", choices=list(VICTIMS), help="one broker only")
    options = parser.parse_args()
    brokers = [options.broker] if options.broker else list(VICTIMS)
    played = []
    for broker in brokers:
        for item in rounds(broker, -(-options.runs // len(brokers))):
            played.append(item)
            print(f"{len(played):>3}/{options.runs} {item}", flush=True)
    lost, wrong = sum(len(item.lost) for item in played), sum(len(item.wrong) for item in played)
    asked, again = sum(item.asked for item in played), sum(item.again for item in played)
    longest = max(item.seconds for item in played)
    print(
        f"{len(played)} kills, {asked} tasks: {lost} lost, {wrong} wrong, {again} done again; whole after {longest:.1f} s at most"
    )
    return 0 if all(item.is_whole for item in played) else 1


if __name__ == "__main__":
    sys.exit(main())
