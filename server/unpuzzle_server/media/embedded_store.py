"""Storage on this machine's disk.

    files/<key>                  whole files
    uploads/<key>/00001-<sha1>   parts, as they came
    incoming/<random>            what is still coming; nobody looks there

Everything is written in `incoming`, fsynced, and renamed to where it belongs: what has a name is whole. Which parts have come
is what the folder of an upload lists; there is nothing beside it that could say otherwise after a crash.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from unpuzzle_server.media.spool import BLOCK, fsync_folder, make_folder, sha1_of, spooled, sweep
from unpuzzle_server.media.storage import Part, StorageError, Stored, Target, Upload


class EmbeddedStore:
    """An engine of one folder, which all processes of a server share, and all machines of a deployment if they can."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def begin(self, upload: Upload) -> str:
        await asyncio.to_thread(make_folder, self._uploads(upload.key))
        return upload.id

    async def targets(self, upload: Upload, count: int) -> list[Target]:
        return []

    async def put_part(self, upload: Upload, number: int, source: AsyncIterator[bytes], sha1: str | None) -> Part:
        await asyncio.to_thread(make_folder, self._incoming)
        async with spooled(self._incoming, source) as came:
            came.check(upload, number, sha1)
            await asyncio.to_thread(self._name, self._uploads(upload.key), number, came.path, came.sha1)
            return Part(number, came.size, came.sha1)

    def _name(self, folder: Path, number: int, path: Path, sha1: str) -> None:
        with _locked(folder):
            os.replace(path, folder / f"{number:05}-{sha1}")
            for other in folder.glob(f"{number:05}-*"):
                if other.name[6:] != sha1:
                    other.unlink()
            fsync_folder(folder)

    async def parts(self, upload: Upload) -> list[Part]:
        return await asyncio.to_thread(self._list, self._uploads(upload.key))

    def _list(self, folder: Path) -> list[Part]:
        with _locked(folder):
            found = [(path.name.partition("-"), path.stat().st_size) for path in sorted(folder.iterdir())]
        return [Part(int(number), size, sha1) for (number, _, sha1), size in found]

    async def finished(self, upload: Upload) -> Stored | None:
        path = self._file(upload.key)
        if not await asyncio.to_thread(path.exists):
            return None
        return Stored(upload.id, path.stat().st_size, await self.sha1(upload.key))

    async def finish(self, upload: Upload, parts: list[Part]) -> Stored:
        return await asyncio.to_thread(self._finish, upload, parts)

    def _finish(self, upload: Upload, parts: list[Part]) -> Stored:
        folder = self._uploads(upload.key)
        sources = [folder / f"{part.number:05}-{part.sha1}" for part in parts]
        with self._writing(upload.key) as whole:
            sha1 = _join(sources, whole)
        size = self._file(upload.key).stat().st_size
        shutil.rmtree(folder, ignore_errors=True)
        return Stored(upload.id, size, sha1)

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        await asyncio.to_thread(self._put, key, content)

    def _put(self, key: str, content: bytes) -> None:
        with self._writing(key) as path:
            path.write_bytes(content)

    @contextmanager
    def _writing(self, key: str) -> Iterator[Path]:
        """A file that gets its key when all of it is on the disk."""
        make_folder(self._incoming)
        path, target = self._incoming / uuid4().hex, self._file(key)
        try:
            yield path
            with path.open("rb+") as file:
                os.fsync(file.fileno())
            make_folder(target.parent)
            os.replace(path, target)
            fsync_folder(target.parent)
        except FileNotFoundError:
            raise StorageError("A part was replaced or removed meanwhile.") from None
        finally:
            path.unlink(missing_ok=True)

    async def read(self, key: str, count: int) -> bytes:
        return await asyncio.to_thread(self._read, key, count)

    def _read(self, key: str, count: int) -> bytes:
        with self._existing(key).open("rb") as file:
            return file.read(count)

    async def sha1(self, key: str) -> str:
        return await asyncio.to_thread(sha1_of, self._existing(key))

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        yield self._existing(key)

    async def locate(self, key: str, life: timedelta) -> Path | str:
        return self._existing(key)

    async def discard(self, key: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self._uploads(key), ignore_errors=True)
        await asyncio.to_thread(self._file(key).unlink, missing_ok=True)

    async def sweep(self, age: timedelta) -> None:
        await asyncio.to_thread(sweep, self._incoming, age)

    @property
    def _incoming(self) -> Path:
        return self.root / "incoming"

    def _uploads(self, key: str) -> Path:
        return self.root / "uploads" / key.replace("/", "-")

    def _file(self, key: str) -> Path:
        return self.root / "files" / key

    def _existing(self, key: str) -> Path:
        path = self._file(key)
        if not path.is_file():
            raise StorageError("The file is gone.")
        return path


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone in the folder of an upload, among all processes."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        raise StorageError("This upload is over.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    except FileNotFoundError:
        raise StorageError("This upload is over.") from None
    finally:
        os.close(descriptor)


def _join(sources: list[Path], target: Path) -> str:
    """Copies parts one after another; answers the SHA-1 of the whole."""
    digest = hashlib.sha1(usedforsecurity=False)
    with target.open("xb") as whole:
        for source in sources:
            with source.open("rb", buffering=0) as part:
                while block := part.read(BLOCK):
                    digest.update(block)
                    whole.write(block)
    return digest.hexdigest()
