"""Bytes from the network to the disk, a little at a time, whoever waits for whom."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from unpuzzle_server.media.storage import StorageError, Upload

BLOCK = 256 * 1024
"""How much is in memory of each part that is coming."""


@dataclass(frozen=True)
class Spooled:
    """What has come, on the disk for good."""

    path: Path
    size: int
    sha1: str

    def check(self, upload: Upload, number: int, sha1: str | None) -> None:
        """Raises StorageError unless it is the whole part, and what its sender says."""
        if self.size != upload.size_of(number):
            raise StorageError(f"Part {number} has {upload.size_of(number)} bytes; {self.size} have come.")
        if sha1 not in (None, self.sha1):
            raise StorageError(f"Part {number} has not come as it was sent: its SHA-1 is another one.")


@asynccontextmanager
async def spooled(folder: Path, source: AsyncIterator[bytes]) -> AsyncIterator[Spooled]:
    """Keeps what comes in a file of its own, which is gone after the context unless it was moved away."""
    path = folder / uuid4().hex
    try:
        yield await _spool(path, source)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def _spool(path: Path, source: AsyncIterator[bytes]) -> Spooled:
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    file = await asyncio.to_thread(path.open, "xb", buffering=0)
    try:
        async for block in _blocks(source):
            size += await asyncio.to_thread(_write, file, digest, block)
        await asyncio.to_thread(os.fsync, file.fileno())
    finally:
        await asyncio.to_thread(file.close)
    return Spooled(path, size, digest.hexdigest())


async def _blocks(source: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """As many chunks at once that the way to a thread and back does not count; none is copied."""
    block: list[bytes] = []
    size = 0
    async for chunk in source:
        block.append(chunk)
        size += len(chunk)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _write(file: BinaryIO, digest: "hashlib._Hash", block: list[bytes]) -> int:
    for chunk in block:
        digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) :]
    return sum(map(len, block))


def sha1_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest()


def make_folder(folder: Path) -> None:
    """For the server alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def sweep(folder: Path, age: timedelta) -> None:
    """Removes what was left by what broke off longer ago than that."""
    for path in folder.glob("*"):
        if path.stat().st_mtime < time.time() - age.total_seconds():
            path.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """So that a name that was given survives a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
