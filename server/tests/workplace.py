"""Workers of the tests: as code in this process, and as processes of their own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from harness import Server
from unpuzzle_server import deadletters
from unpuzzle_server.app import wire
from unpuzzle_server.companion import SUPERVISOR
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.operations import Kernel
from unpuzzle_server.kernel.runner import Runner
from unpuzzle_server.kernel.settings import Settings

Result = TypeVar("Result")


class Workplace:
    """A deployment in which tasks are asked for and done."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.home = Path("not looked at where there is a DATABASE_URL")
        self.handed_over: list[tuple[str, str]] = []
        """What runners of this process have handed to their broker."""

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.server.sql(statement, *values)

    def enqueue(self, name: str, **args: Any) -> str:
        return self.in_transaction(lambda tx: tx.enqueue(name, **args))

    def in_transaction(self, act: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """As the application does it, in the web process."""

        async def acting(kernel: Kernel) -> Result:
            async with kernel.database.transaction(None) as tx:
                return await act(tx)

        return self._with_kernel(self.server.settings.database_app_url, acting)

    def run(self, act: Callable[[Runner], Awaitable[Result]]) -> Result:
        """As a worker does it."""
        return self._with_kernel(
            self.server.settings.database_worker_url, lambda kernel: act(Runner(kernel, self.handed_over.extend))
        )

    def perform(self, task_id: str) -> None:
        self.run(lambda runner: runner.perform(task_id))

    def make_due(self, task_id: str) -> None:
        """As if its time had come."""
        self.sql("UPDATE tasks SET due_at = now() - interval '1 second' WHERE id = %s", task_id)
        self.run(lambda runner: runner.send_due())

    def die_doing(self, task_id: str) -> None:
        """A worker begins and is never heard of again."""
        self.run(lambda runner: runner._claim(task_id))

    @property
    def owner_settings(self) -> Settings:
        return replace(self.server.settings, database_url=self.server.owner_url)

    def retry(self, task_id: str | None) -> str:
        return deadletters.retry(self.home, self.owner_settings, task_id)

    def notes(self, note: str) -> int:
        return int(self.sql("SELECT count(*) FROM tests.notes WHERE note = %s", note)[0][0])

    def states(self, task_id: str) -> list[str]:
        return [row[0] for row in self.sql("SELECT state FROM tasks WHERE id = %s", task_id)]

    def _with_kernel(self, database_url: str, act: Callable[[Kernel], Awaitable[Result]]) -> Result:
        async def acting() -> Result:
            kernel = wire(replace(self.server.settings, database_app_url=database_url), self.server.clock)
            try:
                return await act(kernel)
            finally:
                await kernel.close()

        return asyncio.run(acting())

    @contextmanager
    def worker(self, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "unpuzzle_server.worker"], env=self._environment(**settings)
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)

    def _environment(self, **settings: str) -> dict[str, str]:
        known = {
            "DATABASE_APP_URL": self.server.settings.database_app_url,
            "DATABASE_WORKER_URL": self.server.settings.database_worker_url,
            "SECRET_KEY": self.server.settings.secret_key,
            "TASK_MODULES": "sample_tasks",
            "TASK_LEASE_SECONDS": "1",
            SUPERVISOR: str(os.getpid()),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        return {**os.environ, **known, **settings}
