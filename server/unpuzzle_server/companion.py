"""The worker process that `serve` runs beside its web processes."""

import logging
import os
import subprocess
import sys
import threading
import time

from unpuzzle_server.kernel.settings import Settings

log = logging.getLogger(__name__)

SUPERVISOR = "UNPUZZLE_WORKER_SUPERVISOR_PID"
"""Where the worker reads whose end is its own."""
STOP_SECONDS = 15
LONGEST_PAUSE_SECONDS = 30


class Companion:
    """Starts a worker, and another where one has ended, until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = threading.Event()
        self.started = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Takes a thread that lives as long as the process: the system ends the worker with the thread that started it."""
        pause = 1
        while self._start():
            assert self.process is not None
            began = time.monotonic()
            code = self.process.wait()
            if time.monotonic() - began > LONGEST_PAUSE_SECONDS:
                pause = 1
            if not self.stopping.is_set():
                level = logging.ERROR if code else logging.INFO
                log.log(level, "the worker has ended: starting another", extra={"exit_code": code, "pause_seconds": pause})
                self.stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def restart(self) -> None:
        """For changed code: `run` starts another."""
        if self.process is not None:
            self.process.terminate()

    def stop(self) -> None:
        with self.started:
            self.stopping.set()
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()  # its tasks are done by the next
            self.process.wait()

    def _start(self) -> bool:
        with self.started:
            if self.stopping.is_set():
                return False
            environment = {"DATABASE_WORKER_URL": self.settings.database_worker_url, SUPERVISOR: str(os.getpid())}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "unpuzzle_server.worker"],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # Celery says good-bye there, and the server's is for the line that it is ready
                start_new_session=True,  # Ctrl+C is for the server, which then stops it in order
            )
            return True
