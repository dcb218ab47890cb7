"""A worker: does tasks until it is told to stop. Wired as the server is."""

import asyncio
import logging
import os
import signal
import threading
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
from celery import signals
from celery.exceptions import SecurityWarning
from sqlalchemy import text

from unpuzzle_server.app import wire
from unpuzzle_server.companion import SUPERVISOR
from unpuzzle_server.kernel import broker, logs, schema, tasks
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.embedded_postgres import end_with, running_url
from unpuzzle_server.kernel.runner import Runner
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.serving import MEDIA, ServeError, kept_secret

log = logging.getLogger(__name__)

Result = TypeVar("Result")
GRACE_SECONDS = 10
"""How long tasks may take to end when the worker is told to stop; others then begin anew elsewhere."""

# What was sent over PostgreSQL, by those who did not know better, goes over the other broker.
FORGET_TEMPLATE = text("""
    WITH forgotten AS (DELETE FROM task_message RETURNING 1),
         unsent AS (DELETE FROM pgmq.q_unpuzzle WHERE EXISTS (SELECT FROM forgotten))
    UPDATE tasks SET state = 'waiting', due_at = clock_timestamp() WHERE state = 'sent' AND EXISTS (SELECT FROM forgotten)
""")
KEEP_TEMPLATE = text("""
    INSERT INTO task_message (template) VALUES (CAST(:template AS jsonb))
    ON CONFLICT (single) DO UPDATE SET template = excluded.template
""")


def main() -> None:
    """The worker that a server runs beside itself; it ends with the server."""
    end_with(int(os.environ[SUPERVISOR]), signal.SIGTERM)
    settings = Settings.from_environment()
    logs.configure(settings)
    run(settings)


def prepared(data_dir: Path, settings: Settings) -> Settings:
    """The settings of a worker that is started by itself: the owner's DATABASE_URL, or both roles' URLs, or beside a server."""
    settings = replace(settings, media_dir=settings.media_dir or str(data_dir / MEDIA))
    if settings.database_app_url and settings.database_worker_url:
        return settings
    owner_url = settings.database_url or running_url(data_dir)
    if owner_url is None:
        raise ServeError(f"No server runs in {data_dir}, and there is no DATABASE_URL: a worker needs the database of a server.")
    secret_key = settings.secret_key or kept_secret(data_dir)
    roles = schema.prepare(owner_url, secret_key, settings.database_app_url, settings.database_worker_url)
    return replace(settings, database_app_url=roles.app_url, database_worker_url=roles.worker_url, secret_key=secret_key)


def run(settings: Settings) -> None:
    """Does tasks until SIGINT or SIGTERM."""
    # It would warn of root because of pickle, which it does not take here.
    warnings.simplefilter("ignore", SecurityWarning)
    signals.worker_shutting_down.connect(lambda **_: _end_in_time(), weak=False)
    Worker(settings).run()


def _end_in_time() -> None:
    watchdog = threading.Timer(GRACE_SECONDS, os._exit, [0])
    watchdog.daemon = True
    watchdog.start()


class Worker:
    """Celery's worker, and beside it one event loop on which all tasks run."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        tasks.load(settings.task_modules)
        self.settings = settings
        self.kernel = wire(replace(settings, database_app_url=settings.database_worker_url), clock or Clock())
        self.celery = broker.connected(settings)
        self.runner = Runner(self.kernel, broker.publisher(self.celery))
        self.loop = asyncio.new_event_loop()
        broker.add_tasks(self.celery, lambda task_id: self._await(self.runner.perform(task_id)))

    def run(self) -> None:
        """Until the process is told to stop."""
        with self.tending():
            self.celery.Worker(
                pool="threads",
                concurrency=self.settings.worker_concurrency,
                quiet=True,
                without_gossip=True,
                without_heartbeat=True,
                without_mingle=True,
            ).start()

    @contextmanager
    def tending(self) -> Iterator[None]:
        """The loop, and on it what goes on beside the tasks."""
        thread = threading.Thread(target=self.loop.run_forever, name="tasks", daemon=True)
        thread.start()
        try:
            care = self._await(self._begin())
            yield
            self._await(self._end(care))
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join()

    async def _begin(self) -> asyncio.Task[None]:
        """Tells the database how a message to these workers looks; none where another broker carries them."""
        async with self.kernel.database.transaction(None) as tx:
            if self.settings.celery_broker_url:
                await tx.execute(FORGET_TEMPLATE)
            else:
                await tx.execute(KEEP_TEMPLATE, template=orjson.dumps(broker.template()).decode())
        return asyncio.create_task(self.runner.tend())

    async def _end(self, care: asyncio.Task[None]) -> None:
        care.cancel()
        await asyncio.wait([care])
        await self.kernel.close()

    def _await(self, act: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(act, self.loop).result()


if __name__ == "__main__":
    main()
