"""Storage at Backblaze B2, by its native API; the only file that knows `b2sdk`.

A file of more than one part is a large file there. Its parts go to addresses that are good for this one file: from the client
itself, or through this server for clients that know no better. What B2 lists is what has come. A smaller file goes through this
server, for an address that takes whole files would take them under any name. It has its own name when it is finished: what comes
late does not replace it. The library is synchronous: threads call it.
"""

import asyncio
import hashlib
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

from b2sdk.v3 import B2Api, Bucket, FileVersion, InMemoryAccountInfo
from b2sdk.v3.exception import B2Error, FileNotPresent

from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.media.spool import Spooled, make_folder, spooled, sweep
from unpuzzle_server.media.storage import Part, StorageAway, StorageError, Stored, Target, Upload

Result = TypeVar("Result")
COMING = "incoming/"
"""Before the key of a small file that is not finished."""
LONGEST_LIFE = timedelta(days=7)
"""Of an address to read from, at B2."""

logging.getLogger("b2sdk").setLevel(logging.WARNING)  # its traces show tokens


class B2:
    """An engine of one bucket."""

    def __init__(self, key_id: str, application_key: str, bucket: str, realm: str, cdn_url: str, folder: Path) -> None:
        self._credentials = (key_id, application_key)
        self.bucket_name = bucket
        self.realm = realm
        self.cdn_url = cdn_url
        self.incoming = folder / "incoming"
        self._connecting = Lock()

    @classmethod
    def of(cls, settings: Settings) -> "B2":
        folder = Path(settings.media_dir or "media")
        key_id, key = settings.b2_key_id, settings.b2_application_key
        return cls(key_id, key, settings.b2_bucket, settings.b2_realm, settings.media_cdn_url, folder)

    @cached_property
    def _connected(self) -> Bucket:
        api = B2Api(InMemoryAccountInfo())
        api.authorize_account(*self._credentials, realm=self.realm)
        return api.get_bucket_by_name(self.bucket_name)

    @property
    def bucket(self) -> Bucket:
        with self._connecting:
            return self._connected

    @property
    def session(self) -> Any:
        return self.bucket.api.session

    async def begin(self, upload: Upload) -> str | None:
        return await _call(self._begin, upload) if upload.total_chunks > 1 else None

    def _begin(self, upload: Upload) -> str:
        begun = self.session.start_large_file(self.bucket.id_, upload.key, upload.content_type, {})
        return str(begun["fileId"])

    async def targets(self, upload: Upload, count: int) -> list[Target]:
        if upload.storage_id is None:
            return []
        return list(await asyncio.gather(*(_call(self._target, upload) for _ in range(count))))

    def _target(self, upload: Upload) -> Target:
        lane = self.session.get_upload_part_url(upload.storage_id)
        return Target(lane["uploadUrl"], {"Authorization": lane["authorizationToken"]})

    async def put_part(self, upload: Upload, number: int, source: AsyncIterator[bytes], sha1: str | None) -> Part:
        await asyncio.to_thread(make_folder, self.incoming)
        async with spooled(self.incoming, source) as came:
            came.check(upload, number, sha1)
            await _call(self._put_part, upload, number, came)
            return Part(number, came.size, came.sha1)

    def _put_part(self, upload: Upload, number: int, came: Spooled) -> None:
        with came.path.open("rb") as file:
            if upload.storage_id is not None:
                self.session.upload_part(upload.storage_id, number, came.size, came.sha1, file)
            else:
                self._put(_coming(upload), file, came.size, came.sha1, upload.content_type)

    def _put(self, key: str, file: Any, size: int, sha1: str, content_type: str) -> None:
        before = self._versions(key)
        self.session.upload_file(self.bucket.id_, key, size, content_type, sha1, {}, file)
        _delete(before)

    def _versions(self, key: str) -> list[FileVersion]:
        return [version for version in self.bucket.list_file_versions(key) if version.action == "upload"]

    async def parts(self, upload: Upload) -> list[Part]:
        return await _call(self._parts, upload)

    def _parts(self, upload: Upload) -> list[Part]:
        if upload.storage_id is None:
            return [Part(1, version.size, version.content_sha1) for version in self._versions(_coming(upload))[:1]]
        found = self.bucket.api.list_parts(upload.storage_id)
        return [Part(part.part_number, part.content_length, part.content_sha1) for part in found]

    async def finished(self, upload: Upload) -> Stored | None:
        return await _call(self._finished, upload)

    def _finished(self, upload: Upload) -> Stored | None:
        if upload.storage_id is None:
            return next((_whole(version) for version in reversed(self._versions(upload.key))), None)
        found = self.session.get_file_info_by_id(upload.storage_id)
        return Stored(upload.storage_id, found["contentLength"], None) if found["action"] == "upload" else None

    async def finish(self, upload: Upload, parts: list[Part]) -> Stored:
        return await _call(self._finish, upload, parts)

    def _finish(self, upload: Upload, parts: list[Part]) -> Stored:
        if upload.storage_id is None:
            return self._named(upload)
        made = self.session.finish_large_file(upload.storage_id, [part.sha1 for part in parts])
        return Stored(upload.storage_id, made["contentLength"], None)

    def _named(self, upload: Upload) -> Stored:
        """Of what two copy at once, both keep the first."""
        came = self._versions(_coming(upload))
        if not came:
            raise StorageError("The part was replaced or removed meanwhile.")
        self.session.copy_file(came[0].id_, upload.key)
        *others, first = self._versions(upload.key)
        _delete([*others, *came])
        return _whole(first)

    async def put(self, key: str, content: bytes, content_type: str) -> None:
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        await _call(self._put, key, io.BytesIO(content), len(content), sha1, content_type)

    async def read(self, key: str, count: int) -> bytes:
        start = io.BytesIO()
        await _call(self._download, key, start, (0, count - 1))
        return start.getvalue()

    async def sha1(self, key: str) -> str:
        digest = Digest()
        await _call(self._download, key, digest)
        return digest.sha1.hexdigest()

    @asynccontextmanager
    async def local(self, key: str) -> AsyncIterator[Path]:
        await asyncio.to_thread(make_folder, self.incoming)
        path = self.incoming / uuid4().hex
        try:
            with path.open("xb") as file:
                await _call(self._download, key, file)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _download(self, key: str, file: Any, between: tuple[int, int] | None = None) -> None:
        self.bucket.download_file_by_name(key, range_=between).save(file, allow_seeking=False)

    async def locate(self, key: str, life: timedelta) -> Path | str:
        return await _call(self._address, key, min(life, LONGEST_LIFE))

    def _address(self, key: str, life: timedelta) -> str:
        seconds = max(1, int(life.total_seconds()))
        allowed = self.session.get_download_authorization(self.bucket.id_, key, seconds)
        base = self.cdn_url or self.bucket.api.account_info.get_download_url()
        return f"{base}/file/{quote(self.bucket_name)}/{quote(key)}?Authorization={quote(allowed['authorizationToken'])}"

    async def discard(self, key: str) -> None:
        await _call(self._discard, key)

    def _discard(self, key: str) -> None:
        for unfinished in self.bucket.list_unfinished_large_files(prefix=key):
            self.bucket.api.cancel_large_file(unfinished.file_id)
        for name in (key, COMING + key):
            _delete(self.bucket.list_file_versions(name))

    async def sweep(self, age: timedelta) -> None:
        await asyncio.to_thread(sweep, self.incoming, age)


def _coming(upload: Upload) -> str:
    return COMING + upload.key


def _delete(versions: Iterable[FileVersion]) -> None:
    """Somebody else may do the same at this moment."""
    for version in versions:
        with suppress(FileNotPresent):
            version.delete()


def _whole(version: FileVersion) -> Stored:
    return Stored(version.id_, version.size, version.content_sha1)


class Digest(io.RawIOBase):
    """A file that keeps nothing but its SHA-1."""

    def __init__(self) -> None:
        self.sha1 = hashlib.sha1(usedforsecurity=False)

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        self.sha1.update(block)
        return len(block)


async def _call(function: Callable[..., Result], *args: Any) -> Result:
    """In a thread; what B2 refuses for good is told from what it may do another time."""
    try:
        return await asyncio.to_thread(function, *args)
    except B2Error as error:
        kind = StorageAway if error.should_retry_http() or error.should_retry_upload() else StorageError
        raise kind(type(error).__name__) from error
