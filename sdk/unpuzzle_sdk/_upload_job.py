"""One upload under way: what is read, where its parts go, which are left, and when to try again."""

from __future__ import annotations

import hashlib
import inspect
import io
import os
import random
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from attrs import frozen

from ._core.errors import (
    APIConnectionError,
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnpuzzleError,
    UploadInterrupted,
)
from ._core.unset import UNSET

if TYPE_CHECKING:
    from . import models
    from ._core.options import Options

Source: TypeAlias = str | os.PathLike[str] | bytes | IO[bytes]

ATTEMPTS = 10
"""How often each part is tried, by a client that tries again."""
PATIENCE = 2
"""For how many times the client's `max_retry_time`: what is lost with an upload is more than with a call."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
DIRECT_ATTEMPTS = 3
"""After how many a part goes through the API's own address: some networks do not let one reach storage."""
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

AWAY = (APIConnectionError, ServerError, RateLimitError)
BROKE_OFF = (APIConnectionError, ServerError)
ADDRESS_IS_SPENT = (AuthenticationError, NotFoundError)
WORTH_ANOTHER_TRY = (*AWAY, *ADDRESS_IS_SPENT, ConflictError)


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


class File:
    """What is uploaded, read in pieces by any thread."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.file = file
        self.name = name
        if not _gives_bytes(file):
            raise TypeError(f"open {name} for reading bytes, as by mode='rb'")
        # Not what `seek` gives: that of a memory map gives nothing.
        file.seek(0, os.SEEK_END)
        self.size = file.tell()
        self._lock = threading.Lock()
        self._state = self._stat()
        if not self.size:
            raise ValueError("an empty file can't be uploaded")

    @classmethod
    @contextmanager
    def of(cls, source: Source, filename: str | None) -> Iterator[File]:
        if isinstance(source, (str, os.PathLike)):
            with Path(source).open("rb") as file:
                yield cls(file, filename or Path(source).name)
            return
        opened = io.BytesIO(source) if isinstance(source, bytes) else source
        if not hasattr(opened, "seek"):
            raise TypeError(f"give a path, bytes, or a file that is open for reading bytes, no {type(source).__name__}")
        name = filename or Path(str(getattr(opened, "name", ""))).name
        if not name:
            raise ValueError("give a filename: this file has none")
        yield cls(opened, name)

    def read(self, start: int, size: int) -> bytes:
        with self._lock:
            self.file.seek(start)
            data = _filled(self.file, size)
        if len(data) != size:
            raise ValueError("the file has become shorter while it was uploaded")
        return data

    def check_unchanged(self) -> None:
        """Fail if parts of it may be those of another state."""
        if self._stat() != self._state:
            raise ValueError("the file has changed while it was uploaded")

    def _stat(self) -> tuple[int, int] | None:
        """Give what changes with a file; None for one that is only in memory."""
        try:
            found = os.fstat(self.file.fileno())
        except (AttributeError, OSError):
            return None
        return found.st_size, found.st_mtime_ns


class Job:
    """One upload under way: where its parts go, and which are left."""

    def __init__(self, file: File, target: models.UploadTarget, received: Sequence[models.UploadPart] = ()) -> None:
        if target.total_chunks != -(-file.size // target.chunk_size):
            parts = f"{target.total_chunks} parts of {target.chunk_size} bytes"
            raise InvalidResponseError(f"the API asks for {parts}, and the file has {file.size} bytes")
        self.file = file
        self.target = target
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        there = {part.part_number for part in received if part.sha1 == sha1_of(self.read(part.part_number))}
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
        return interrupted(self.upload_id, error, f" after {self.sent} of {self.file.size} bytes")


class Patience:
    """For how long one part, or the completion, is tried again."""

    def __init__(self, options: Options) -> None:
        self._tries_again = options.max_retries > 0
        self._left = PATIENCE * options.max_retry_time
        self._failures = 0

    def pause(self, error: UnpuzzleError, may_pass: tuple[type[Exception], ...] = WORTH_ANOTHER_TRY) -> float:
        """Give the seconds before another attempt, or raise the error if there must be none."""
        self._failures += 1
        if not isinstance(error, may_pass) or isinstance(error, InvalidRequestError) or self._failures >= ATTEMPTS:
            raise error
        if isinstance(error, ADDRESS_IS_SPENT):
            # To send it to another address is no second attempt.
            return 0.0
        asked: float | None = getattr(error, "retry_after", None)
        pause = asked or random.uniform(0.5, 1) * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1))
        # Pauses count, not the time that a part takes, which over a slow line is long.
        self._left -= pause
        if not self._tries_again or self._left < 0:
            raise error
        return pause


def _gives_bytes(file: IO[Any]) -> bool:
    try:
        return isinstance(file.read(0), bytes)
    except io.UnsupportedOperation:
        return False


def _filled(file: IO[bytes], size: int) -> bytes:
    """Read so many bytes, or to the end: a raw file may give fewer at a time."""
    data = file.read(size)
    while 0 < len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def direct(
    lane: models.UploadPartTarget, number: int, data: bytes, sha1: str
) -> tuple[str, str, dict[str, str], bytes]:
    """Give the request that brings a part to storage: method, address, headers and body."""
    headers = {**lane.headers.to_dict(), lane.part_number_header: str(number), lane.sha1_header: sha1}
    return lane.method, lane.url, headers, data


def sha1_of(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def metadata_of(title: Any, description: Any, duration_seconds: Any, course_id: Any) -> Any:
    from .models import UploadMetadata

    given = {"title": title, "description": description, "duration_seconds": duration_seconds, "course_id": course_id}
    return UploadMetadata.from_dict({name: value for name, value in given.items() if value is not UNSET})


def content_type_of(name: str, given: str | None) -> Any:
    found = given or CONTENT_TYPES.get(Path(name).suffix.lower())
    if found is None:
        raise ValueError(f"give a content_type: what {name} is can't be told by its name")
    return found


def interrupted(upload_id: str, error: BaseException, how_far: str = "") -> UploadInterrupted:
    return UploadInterrupted(f"The upload broke off{how_far}: {error}", upload_id=upload_id)


def check_parallel(parallel: int) -> None:
    if parallel < 1:
        raise ValueError("parallel must be 1 or more")


def check_progress(tell: object) -> None:
    """Refuse what nobody would wait for."""
    if inspect.iscoroutinefunction(tell):
        raise TypeError("on_progress must be a plain function: it is called, not awaited")


def check_size(file: File, found: models.Upload) -> None:
    if found.file_size != file.size:
        raise ValueError(f"this is another file: the upload is of one with {found.file_size} bytes, not {file.size}")
