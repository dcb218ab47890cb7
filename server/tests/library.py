"""Files in somebody's media library, as a complete upload leaves them, and the worker that looks into them."""

from typing import Any
from uuid import uuid4

from harness import Person, Server
from postman import Postman
from unpuzzle_server.kernel.operations import Kernel

ADD = """
    INSERT INTO media (id, user_id, filename, title, content_type, kind, file_size, storage_key, storage_id, duration_seconds)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'x', %s)
"""
READY = "UPDATE media SET processing_status = 'ready' WHERE id = %s"


class Library:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.postman = Postman(server)

    def add(
        self,
        owner: Person,
        content: bytes | None = b"a film",
        content_type: str = "video/mp4",
        *,
        title: str = "A lecture",
        seconds: float | None = 600,
        ready: bool = True,
    ) -> str:
        """A file that was found fit, or is yet to be looked into; without content storage has lost it."""
        media_id, key = str(uuid4()), f"{owner.id}/{uuid4()}"
        kind = {"application": "document"}.get(content_type.partition("/")[0], content_type.partition("/")[0])
        size = len(content or b"x")
        self.server.sql(ADD, media_id, owner.id, "lecture.mp4", title, content_type, kind, size, key, seconds)
        if content is not None:
            self.storage("put", key, content, content_type)
        if ready:
            self.server.sql(READY, media_id)
        return media_id

    def storage(self, method: str, *args: Any) -> Any:
        """What the engine answers to a call."""

        async def acting(kernel: Kernel) -> Any:
            return await getattr(kernel.gateways["media"].storage, method)(*args)

        return self.postman.place._with_kernel(self.server.settings.database_app_url, acting)

    def process(self, media_id: str) -> list[str]:
        """Does what waits for a file; answers the names of the tasks."""
        self.postman.place.enqueue("media.process", media_id=media_id)
        return self.postman.deliver(media_id)
