"""What storage does, whichever engine it is: `embedded_store` on this machine's disk, or `b2` at Backblaze.

An engine keeps the parts of uploads and knows alone which have come; nothing that it says stands anywhere else. A part that is
sent twice replaces the first. Whatever was begun can be discarded by its key, however far it came.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Upload:
    """What an engine needs to know of a file that is coming."""

    id: str
    key: str
    """Its name in storage; nobody else's ever."""
    storage_id: str | None
    """The engine's own name for it, where it has one before the file is whole."""
    file_size: int
    chunk_size: int
    content_type: str

    @property
    def total_chunks(self) -> int:
        return -(-self.file_size // self.chunk_size)

    def size_of(self, number: int) -> int:
        """How many bytes a part has; they are numbered from 1."""
        return min(self.chunk_size, self.file_size - (number - 1) * self.chunk_size)


@dataclass(frozen=True)
class Part:
    """A part that has come."""

    number: int
    size: int
    sha1: str


@dataclass(frozen=True)
class Target:
    """Where a client sends parts by itself."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Stored:
    """A whole file."""

    storage_id: str
    size: int
    sha1: str | None
    """None where the engine has put it together without reading it."""


class StorageError(Exception):
    """Storage refuses what was asked for, and would again."""


class StorageAway(Exception):
    """Storage can't be reached, or is busy: another time."""


class Storage(Protocol):
    """An engine. What is not there raises StorageError; what can't be known now, StorageAway."""

    async def begin(self, upload: Upload) -> str | None:
        """Makes room for the parts of an upload; answers the id by which the engine knows the file, where there is one yet."""

    async def targets(self, upload: Upload, count: int) -> list[Target]:
        """Where a client may send parts by itself, one at a time to each; none where they go through this server."""

    async def put_part(self, upload: Upload, number: int, source: AsyncIterator[bytes], sha1: str | None) -> Part:
        """Keeps a part, once all of it has come and is what its SHA-1 says."""

    async def parts(self, upload: Upload) -> list[Part]:
        """The parts that have come, in order."""

    async def finished(self, upload: Upload) -> Stored | None:
        """The whole file, if `finish` was done before."""

    async def finish(self, upload: Upload, parts: list[Part]) -> Stored:
        """Makes the file of its parts; may be done twice."""

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        """Keeps a small file of the server's own, such as a thumbnail; one that is there is replaced."""

    async def read(self, key: str, count: int) -> bytes:
        """The first bytes of a file, which has as many."""

    async def sha1(self, key: str) -> str:
        """Of a whole file, which is read for it."""

    def local(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A file as one of this machine, to be read and not changed, while the context lasts."""

    async def locate(self, key: str, life: timedelta) -> Path | str:
        """Where a file is read: here, or at an address that ends after a while."""

    async def discard(self, key: str) -> None:
        """Deletes the file of this key, and what has come of one; nothing where there is none."""

    async def sweep(self, age: timedelta) -> None:
        """Removes what was left behind by what broke off longer ago than that."""
