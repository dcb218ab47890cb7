"""Uploads of whole files: parts in parallel, again where a connection breaks, on from what the server already has.

`client.media.upload(…)` is written here and attached in `codegen/resources.py`. It names no address: parts go through
the generated `upload_content`, or to where the API says that storage takes them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

from attrs import frozen

from ._core.errors import (
    APIConnectionError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnpuzzleError,
    UploadInterrupted,
)
from ._core.unset import UNSET, Unset

if TYPE_CHECKING:
    from . import models
    from ._core.async_client import AsyncClient
    from ._core.sync_client import SyncClient
    from .resources.media import AsyncMedia, Media

T = TypeVar("T")
Source: TypeAlias = str | os.PathLike[str] | BinaryIO

ATTEMPTS = 10
"""How often each part is tried."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
DIRECT_ATTEMPTS = 3
"""After how many a part goes through the API's own address: some networks do not let one reach storage."""
GRACE = 5.0
"""Seconds for the parts on their way, where an upload is stopped."""
CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
}

_AWAY = (APIConnectionError, ServerError, RateLimitError)
_ADDRESS_IS_SPENT = (AuthenticationError, NotFoundError)
_WORTH_ANOTHER_TRY = (*_AWAY, *_ADDRESS_IS_SPENT, ConflictError)


@frozen
class Progress:
    """How far an upload is.

    Attributes:
        upload_id: What to give as `resume` to go on later.
        sent: How many bytes the server has.
        total: How many bytes there are.
    """

    upload_id: str
    sent: int
    total: int


class _File:
    """What is uploaded, read in pieces by any thread."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.file = file
        self.name = name
        self.size = file.seek(0, os.SEEK_END)
        self._lock = threading.Lock()
        if not self.size:
            raise ValueError("an empty file can't be uploaded")

    @classmethod
    @contextmanager
    def of(cls, source: Source, filename: str | None) -> Iterator[_File]:
        if isinstance(source, (str, os.PathLike)):
            with Path(source).open("rb") as file:
                yield cls(file, filename or Path(source).name)
            return
        name = filename or Path(str(getattr(source, "name", ""))).name
        if not name:
            raise ValueError("give a filename: this file has none")
        yield cls(source, name)

    def read(self, start: int, size: int) -> bytes:
        with self._lock:
            self.file.seek(start)
            data = self.file.read(size)
        if len(data) != size:
            raise ValueError("the file has become shorter while it was uploaded")
        return data


class _Job:
    """One upload under way: where its parts go, and which are left."""

    def __init__(self, file: _File, target: models.UploadTarget, received: Sequence[models.UploadPart] = ()) -> None:
        self.file = file
        self.target = target
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        there = {part.part_number for part in received if part.sha1 == _sha1(self.read(part.part_number))}
        self.waiting = deque(number for number in range(1, target.total_chunks + 1) if number not in there)
        self.left = len(self.waiting)
        self.sent = sum(self._size(number) for number in there)

    @property
    def upload_id(self) -> str:
        return str(self.target.upload_id)

    @property
    def progress(self) -> Progress:
        return Progress(self.upload_id, self.sent, self.file.size)

    def workers(self, parallel: int) -> int:
        """How many parts may go at a time: one to each address of storage."""
        if parallel < 1:
            raise ValueError("parallel must be 1 or more")
        return min(parallel, self.left, len(self.target.parts) or parallel)

    def take(self) -> int | None:
        """Give the number of a part that nobody has sent or is sending."""
        with self.lock:
            return self.waiting.popleft() if self.waiting and not self.stopping.is_set() else None

    def arrived(self, number: int) -> Progress:
        self.sent += self._size(number)
        return self.progress

    def read(self, number: int) -> bytes:
        return self.file.read(self._start(number), self._size(number))

    def _start(self, number: int) -> int:
        return (number - 1) * self.target.chunk_size

    def _size(self, number: int) -> int:
        return min(self.target.chunk_size, self.file.size - self._start(number))

    def lane(self, slot: int, attempt: int) -> models.UploadPartTarget | None:
        """Give the address of storage for a worker, if parts go there."""
        lanes = self.target.parts
        return lanes[slot % len(lanes)] if lanes and attempt <= DIRECT_ATTEMPTS else None

    def arguments(self, number: int, data: bytes, sha1: str) -> dict[str, Any]:
        """Give the arguments of `upload_content`."""
        query = parse_qs(urlsplit(self.target.upload_url).query)
        start = self._start(number)
        return {
            "upload_id": self.upload_id,
            "content": data,
            "expires": int(query["expires"][0]),
            "signature": query["signature"][0],
            "content_range": f"bytes {start}-{start + len(data) - 1}/{self.file.size}",
            "x_bz_content_sha_1": sha1,
        }

    def interrupted(self, error: BaseException) -> UploadInterrupted:
        return UploadInterrupted(
            f"The upload broke off after {self.sent} of {self.file.size} bytes: {error}", upload_id=self.upload_id
        )


def _direct(
    lane: models.UploadPartTarget, number: int, data: bytes, sha1: str
) -> tuple[str, str, dict[str, str], bytes]:
    """Give the request that brings a part to storage: method, address, headers and body."""
    headers = {**lane.headers.to_dict(), lane.part_number_header: str(number), lane.sha1_header: sha1}
    return lane.method, lane.url, headers, data


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _metadata(title: Any, description: Any, duration_seconds: Any, course_id: Any) -> Any:
    from .models import UploadMetadata

    given = {"title": title, "description": description, "duration_seconds": duration_seconds, "course_id": course_id}
    return UploadMetadata.from_dict({name: value for name, value in given.items() if value is not UNSET})


def _content_type(name: str, given: str | None) -> Any:
    found = given or CONTENT_TYPES.get(Path(name).suffix.lower())
    if found is None:
        raise ValueError(f"give a content_type: what {name} is can't be told by its name")
    return found


def _pause(attempt: int, error: UnpuzzleError, may_pass: tuple[type[Exception], ...] = _WORTH_ANOTHER_TRY) -> float:
    """Give the seconds before another attempt, or raise the error if there must be none."""
    if attempt >= ATTEMPTS or not isinstance(error, may_pass) or isinstance(error, InvalidRequestError):
        raise error
    asked: float | None = getattr(error, "retry_after", None)
    return asked or random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))


def _check_size(file: _File, found: models.Upload) -> None:
    if found.file_size != file.size:
        raise ValueError(f"this is another file: the upload is of one with {found.file_size} bytes, not {file.size}")


class Uploads:
    """What `client.media` can do besides the operations of the contract."""

    def upload(
        self,
        file: Source,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        title: str | Unset = UNSET,
        description: str | None | Unset = UNSET,
        duration_seconds: float | None | Unset = UNSET,
        course_id: str | None | Unset = UNSET,
        resume: str | None = None,
        parallel: int = 4,
        on_progress: Callable[[Progress], None] | None = None,
        keep: bool = True,
    ) -> models.CompletedUpload:
        """Upload a file.

        It is read and sent in parts, so that its size does not matter. Each part is tried again while the server or
        the network is away for less than about two minutes.

        Args:
            file: A path, or a file that is open for reading bytes and can be read from anywhere.
            filename: The name of the file, by default that of the path.
            content_type: What it is; by default what the name says.
            title: Its title, by default its name.
            description: What it is about.
            duration_seconds: How long it is.
            course_id: The course that it is for.
            resume: The id of an upload of this file that broke off: only what is missing is sent.
            parallel: How many parts go at a time.
            on_progress: Is told how far it is, in the thread of the caller; what it raises stops the upload.
            keep: Whether what has come is kept for `resume` when the upload breaks off; else it is given up.

        Raises:
            UploadInterrupted: The server or the network was away for too long.
        """
        media = cast("Media", self)
        with _File.of(file, filename) as opened:
            metadata = _metadata(title, description, duration_seconds, course_id)
            if resume is None:
                kind = _content_type(opened.name, content_type)
                target = media.initiate_upload(
                    filename=opened.name, file_size=opened.size, content_type=kind, metadata=metadata
                )
                job = _Job(opened, target)
            else:
                found = media.get_upload(resume)
                _check_size(opened, found)
                if found.status == "completed":
                    return self._complete(resume)
                job = _Job(opened, media.renew_upload(resume), found.received_parts)
            try:
                self._send_all(job, parallel, on_progress or _tell_nobody)
                return self._complete(job.upload_id)
            except BaseException as error:
                if not keep:
                    media.abort_upload(job.upload_id)
                elif isinstance(error, (APIConnectionError, ServerError)):
                    raise job.interrupted(error) from error
                raise

    def _send_all(self, job: _Job, parallel: int, tell: Callable[[Progress], None]) -> None:
        results: SimpleQueue[int | BaseException] = SimpleQueue()

        def work(slot: int) -> None:
            try:
                while (number := job.take()) is not None:
                    self._send(job, slot, number)
                    results.put(number)
            except BaseException as error:
                results.put(error)

        tell(job.progress)
        # As daemons they do not keep a program that was interrupted from ending.
        workers = [threading.Thread(target=work, args=(slot,), daemon=True) for slot in range(job.workers(parallel))]
        for worker in workers:
            worker.start()
        try:
            for _ in range(job.left):
                result = results.get()
                if isinstance(result, BaseException):
                    raise result
                tell(job.arrived(result))
        finally:
            job.stopping.set()
            until = time.monotonic() + GRACE
            for worker in workers:
                worker.join(max(0, until - time.monotonic()))

    def _send(self, job: _Job, slot: int, number: int) -> None:
        data = job.read(number)
        sha1 = _sha1(data)
        for attempt in range(1, ATTEMPTS + 1):
            target = job.target
            try:
                return self._send_once(job, job.lane(slot, attempt), number, data, sha1)
            except UnpuzzleError as error:
                pause = _pause(attempt, error)
                spent = isinstance(error, _ADDRESS_IS_SPENT)
            if job.stopping.wait(0 if spent else pause):
                return None
            if spent:
                self._renew(job, target)
        return None

    def _send_once(self, job: _Job, lane: models.UploadPartTarget | None, number: int, data: bytes, sha1: str) -> None:
        media = cast("Media", self)
        if lane is None:
            media.upload_content(**job.arguments(number, data, sha1))
        else:
            cast("SyncClient", media._client).send_elsewhere(*_direct(lane, number, data, sha1)).raise_for_status()

    def _complete(self, upload_id: str) -> models.CompletedUpload:
        for attempt in range(1, ATTEMPTS):
            try:
                return cast("Media", self).complete_upload(upload_id=upload_id)
            except UnpuzzleError as error:
                time.sleep(_pause(attempt, error, _AWAY))
        return cast("Media", self).complete_upload(upload_id=upload_id)

    def _renew(self, job: _Job, spent: models.UploadTarget) -> None:
        with job.lock:
            if job.target is spent:
                job.target = cast("Media", self).renew_upload(job.upload_id)


class AsyncUploads:
    """What `client.media` of an `AsyncUnpuzzle` can do besides the operations of the contract."""

    async def upload(
        self,
        file: Source,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        title: str | Unset = UNSET,
        description: str | None | Unset = UNSET,
        duration_seconds: float | None | Unset = UNSET,
        course_id: str | None | Unset = UNSET,
        resume: str | None = None,
        parallel: int = 4,
        on_progress: Callable[[Progress], None] | None = None,
        keep: bool = True,
    ) -> models.CompletedUpload:
        """Upload a file; see `Uploads.upload`. To cancel the task stops it."""
        media = cast("AsyncMedia", self)
        with _File.of(file, filename) as opened:
            metadata = _metadata(title, description, duration_seconds, course_id)
            if resume is None:
                kind = _content_type(opened.name, content_type)
                target = await media.initiate_upload(
                    filename=opened.name, file_size=opened.size, content_type=kind, metadata=metadata
                )
                job = _Job(opened, target)
            else:
                found = await media.get_upload(resume)
                _check_size(opened, found)
                if found.status == "completed":
                    return await self._complete(resume)
                target = await media.renew_upload(resume)
                job = await asyncio.to_thread(_Job, opened, target, found.received_parts)
            try:
                await self._send_all(job, parallel, on_progress or _tell_nobody)
                return await self._complete(job.upload_id)
            except BaseException as error:
                if not keep:
                    await asyncio.shield(media.abort_upload(job.upload_id))
                elif isinstance(error, (APIConnectionError, ServerError)):
                    raise job.interrupted(error) from error
                raise

    async def _send_all(self, job: _Job, parallel: int, tell: Callable[[Progress], None]) -> None:
        renewing = asyncio.Lock()

        async def work(slot: int) -> None:
            while (number := job.take()) is not None:
                await self._send(job, slot, number, renewing)
                tell(job.arrived(number))

        tell(job.progress)
        workers = [asyncio.create_task(work(slot)) for slot in range(job.workers(parallel))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _send(self, job: _Job, slot: int, number: int, renewing: asyncio.Lock) -> None:
        data = await asyncio.to_thread(job.read, number)
        sha1 = await asyncio.to_thread(_sha1, data)
        for attempt in range(1, ATTEMPTS + 1):
            target = job.target
            try:
                return await self._send_once(job, job.lane(slot, attempt), number, data, sha1)
            except UnpuzzleError as error:
                pause = _pause(attempt, error)
                spent = isinstance(error, _ADDRESS_IS_SPENT)
            if not spent:
                await asyncio.sleep(pause)
                continue
            async with renewing:
                if job.target is target:
                    job.target = await cast("AsyncMedia", self).renew_upload(job.upload_id)
        return None

    async def _complete(self, upload_id: str) -> models.CompletedUpload:
        for attempt in range(1, ATTEMPTS):
            try:
                return await cast("AsyncMedia", self).complete_upload(upload_id=upload_id)
            except UnpuzzleError as error:
                await asyncio.sleep(_pause(attempt, error, _AWAY))
        return await cast("AsyncMedia", self).complete_upload(upload_id=upload_id)

    async def _send_once(
        self, job: _Job, lane: models.UploadPartTarget | None, number: int, data: bytes, sha1: str
    ) -> None:
        media = cast("AsyncMedia", self)
        if lane is None:
            await media.upload_content(**job.arguments(number, data, sha1))
        else:
            client = cast("AsyncClient", media._client)
            (await client.send_elsewhere(*_direct(lane, number, data, sha1))).raise_for_status()


def _tell_nobody(_: Progress) -> None:
    pass
