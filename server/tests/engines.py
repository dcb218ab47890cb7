"""Servers whose files are kept by one engine or the other."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import b2_simulator

from harness import PASSWORD, Person, Server, running_server
from unpuzzle_server.kernel.runner import Runner
from workplace import Workplace

CHUNK = 1000


@dataclass
class Engine:
    name: str
    server: Server
    kept: Callable[[], list[str]]
    """What storage holds, whole or not."""
    simulator: Any = None
    """Of Backblaze, where files are there."""
    keys: dict[str, str] = field(default_factory=dict)
    """Those of uploads that were asked for before, as their rows go first."""

    def kept_of(self, upload_id: str) -> list[str]:
        """What storage holds of an upload, and of the file that it became."""
        found = "SELECT storage_key FROM uploads WHERE id = %s UNION SELECT storage_key FROM media WHERE id = %s"
        keys = [key for (key,) in self.server.sql(found, upload_id, upload_id)]
        self.keys[upload_id] = self.keys.get(upload_id) or keys[0]
        ending = self.keys[upload_id].rpartition("/")[2]
        return [name for name in self.kept() if ending in name]

    def do(self, task: str) -> None:
        """Does the tasks of a name that wait."""
        waiting = self.server.sql("UPDATE tasks SET state = 'sent' WHERE name = %s RETURNING id::text", task)

        async def performed(runner: Runner) -> None:
            for (task_id,) in waiting:
                await runner.perform(task_id)

        Workplace(self.server).run(performed)

    def expire(self) -> None:
        """The periodic task comes round, at the server's time."""
        Workplace(self.server).enqueue("media.expire_uploads")
        self.do("media.expire_uploads")


def signed_in_again(person: Person) -> Person:
    """Tokens live for an hour."""
    tokens = person.api.post("/api/v1/auth/signin/", json={"email": person.email, "password": PASSWORD}).json()
    return Person(person.api, person.id, person.email, tokens)


def engine_of(name: str, postgres: str, stack: ExitStack) -> Engine:
    settings = {"media_chunk_bytes": CHUNK, "media_max_bytes": 20 * CHUNK, "media_quota_bytes": 30 * CHUNK}
    settings |= {"media_student_quota_bytes": 3 * CHUNK}
    if name == "b2":
        simulator = stack.enter_context(b2_simulator.running())
        at_b2 = {"b2_key_id": simulator.key_id, "b2_application_key": simulator.key, "b2_bucket": simulator.bucket}
        server = stack.enter_context(running_server(postgres, **settings, **at_b2, b2_realm=simulator.url))
        return Engine(name, server, lambda: [name for name, _ in simulator.files], simulator)
    server = stack.enter_context(running_server(postgres, **settings))
    folder = Path(server.settings.media_dir)
    return Engine(name, server, lambda: [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()])
