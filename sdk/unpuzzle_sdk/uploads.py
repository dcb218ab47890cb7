"""Uploads of whole files: parts in parallel, again where a connection breaks, on from what the server already has.

`client.media.upload(…)` is written here and attached in `codegen/resources.py`. It names no address: parts go through
the generated `upload_content`, or to where the API says that storage takes them.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING, cast

from ._core.errors import UnpuzzleError
from ._core.unset import UNSET, Unset
from ._upload_job import (
    ADDRESS_IS_SPENT,
    AWAY,
    BROKE_OFF,
    File,
    Job,
    Patience,
    Progress,
    Source,
    check_parallel,
    check_progress,
    check_size,
    content_type_of,
    direct,
    interrupted,
    metadata_of,
    sha1_of,
)

if TYPE_CHECKING:
    from . import models
    from ._core.async_client import AsyncClient
    from ._core.sync_client import SyncClient
    from .resources.media import AsyncMedia, Media

__all__ = ["AsyncUploads", "Progress", "Uploads"]

GRACE = 5.0
"""Seconds for the parts on their way, where an upload is stopped."""


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
        the network is away for less than about two minutes: twice the `max_retry_time` of the client, or not at all
        if it has no `max_retries`.

        Args:
            file: A path, bytes, or a file that is open for reading bytes and can be read from anywhere.
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

        Returns:
            The file as the library has it. Fields: see `models.CompletedUpload`.

        Raises:
            errors.UploadInterrupted: The server or the network was away for too long; its `upload_id` is for `resume`.
            errors.APIStatusError: As `initiate_upload`, `upload_content` and `complete_upload`.
            ValueError: The file is empty, has no name, or has changed while it was uploaded.
            TypeError: It is no file, or not open for reading bytes; `on_progress` is a coroutine function.

        Example:
            ```python
            def tell(progress):
                print(f"{progress.sent} of {progress.total} bytes")


            done = client.media.upload("lecture.mp4", title="Lesson 1", on_progress=tell)
            print(done.media_id)
            ```
        """
        media = cast("Media", self)
        check_parallel(parallel)
        check_progress(on_progress)
        with File.of(file, filename) as opened:
            if resume is None:
                metadata = metadata_of(title, description, duration_seconds, course_id)
                kind = content_type_of(opened.name, content_type)
                target = media.initiate_upload(
                    filename=opened.name, file_size=opened.size, content_type=kind, metadata=metadata
                )
                job = Job(opened, target)
            elif (found := self._left_of(resume, opened)) is None:
                return self._complete(resume)
            else:
                job = found
            try:
                self._send_all(job, parallel, on_progress or _tell_nobody)
                opened.check_unchanged()
                return self._complete(job.upload_id)
            except BaseException as error:
                if not keep:
                    # Why it broke off says more than that it can't be given up either.
                    with suppress(UnpuzzleError):
                        media.abort_upload(job.upload_id)
                elif isinstance(error, BROKE_OFF):
                    raise job.interrupted(error) from error
                raise

    @property
    def _own(self) -> SyncClient:
        return cast("SyncClient", cast("Media", self)._client)

    def _left_of(self, upload_id: str, file: File) -> Job | None:
        """Give what is left of an upload to do; None if it is completed."""
        media = cast("Media", self)
        try:
            found = media.get_upload(upload_id)
            check_size(file, found)
            is_done = found.status == "completed"
            return None if is_done else Job(file, media.renew_upload(upload_id), found.received_parts)
        except BROKE_OFF as error:
            raise interrupted(upload_id, error) from error

    def _send_all(self, job: Job, parallel: int, tell: Callable[[Progress], None]) -> None:
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
        # Each in a copy of the caller's context, where a span is, and what middleware looks for.
        workers = [
            threading.Thread(target=copy_context().run, args=(work, slot), daemon=True)
            for slot in range(job.workers(parallel))
        ]
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

    def _send(self, job: Job, slot: int, number: int) -> None:
        data = job.read(number)
        sha1 = sha1_of(data)
        patience = Patience(self._own._options)
        for attempt in count(1):
            target = job.target
            try:
                return self._send_once(job, job.lane(slot, attempt), number, data, sha1)
            except UnpuzzleError as error:
                pause = patience.pause(error)
                spent = isinstance(error, ADDRESS_IS_SPENT)
            if not spent:
                self._own._sleep(pause, job.stopping)
            if job.stopping.is_set():
                return None
            if spent:
                self._renew(job, target)
        return None

    def _send_once(self, job: Job, lane: models.UploadPartTarget | None, number: int, data: bytes, sha1: str) -> None:
        media = cast("Media", self)
        if lane is None:
            media.upload_content(**job.arguments(number, data, sha1))
        else:
            self._own.send_elsewhere(*direct(lane, number, data, sha1)).raise_for_status()

    def _complete(self, upload_id: str) -> models.CompletedUpload:
        patience = Patience(self._own._options)
        while True:
            try:
                return cast("Media", self).complete_upload(upload_id=upload_id)
            except UnpuzzleError as error:
                pause = patience.pause(error, AWAY)
            self._own._sleep(pause)

    def _renew(self, job: Job, spent: models.UploadTarget) -> None:
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
        """Upload a file.

        It is read and sent in parts, so that its size does not matter. Each part is tried again while the server or
        the network is away for less than about two minutes: twice the `max_retry_time` of the client, or not at all
        if it has no `max_retries`. To cancel the task stops it.

        Args:
            file: A path, bytes, or a file that is open for reading bytes and can be read from anywhere.
            filename: The name of the file, by default that of the path.
            content_type: What it is; by default what the name says.
            title: Its title, by default its name.
            description: What it is about.
            duration_seconds: How long it is.
            course_id: The course that it is for.
            resume: The id of an upload of this file that broke off: only what is missing is sent.
            parallel: How many parts go at a time.
            on_progress: Is told how far it is, in the event loop; what it raises stops the upload.
            keep: Whether what has come is kept for `resume` when the upload breaks off; else it is given up.

        Returns:
            The file as the library has it. Fields: see `models.CompletedUpload`.

        Raises:
            errors.UploadInterrupted: The server or the network was away for too long; its `upload_id` is for `resume`.
            errors.APIStatusError: As `initiate_upload`, `upload_content` and `complete_upload`.
            ValueError: The file is empty, has no name, or has changed while it was uploaded.
            TypeError: It is no file, or not open for reading bytes; `on_progress` is a coroutine function.

        Example:
            ```python
            def tell(progress):
                print(f"{progress.sent} of {progress.total} bytes")


            done = await client.media.upload("lecture.mp4", title="Lesson 1", on_progress=tell)
            print(done.media_id)
            ```
        """
        media = cast("AsyncMedia", self)
        check_parallel(parallel)
        check_progress(on_progress)
        with File.of(file, filename) as opened:
            if resume is None:
                metadata = metadata_of(title, description, duration_seconds, course_id)
                kind = content_type_of(opened.name, content_type)
                target = await media.initiate_upload(
                    filename=opened.name, file_size=opened.size, content_type=kind, metadata=metadata
                )
                job = Job(opened, target)
            elif (found := await self._left_of(resume, opened)) is None:
                return await self._complete(resume)
            else:
                job = found
            try:
                await self._send_all(job, parallel, on_progress or _tell_nobody)
                opened.check_unchanged()
                return await self._complete(job.upload_id)
            except BaseException as error:
                if not keep:
                    # Why it broke off says more than that it can't be given up either.
                    with suppress(UnpuzzleError):
                        await asyncio.shield(media.abort_upload(job.upload_id))
                elif isinstance(error, BROKE_OFF):
                    raise job.interrupted(error) from error
                raise

    @property
    def _own(self) -> AsyncClient:
        return cast("AsyncClient", cast("AsyncMedia", self)._client)

    async def _left_of(self, upload_id: str, file: File) -> Job | None:
        """Give what is left of an upload to do; None if it is completed."""
        media = cast("AsyncMedia", self)
        try:
            found = await media.get_upload(upload_id)
            check_size(file, found)
            if found.status == "completed":
                return None
            target = await media.renew_upload(upload_id)
        except BROKE_OFF as error:
            raise interrupted(upload_id, error) from error
        return await asyncio.to_thread(Job, file, target, found.received_parts)

    async def _send_all(self, job: Job, parallel: int, tell: Callable[[Progress], None]) -> None:
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

    async def _send(self, job: Job, slot: int, number: int, renewing: asyncio.Lock) -> None:
        data = await asyncio.to_thread(job.read, number)
        sha1 = await asyncio.to_thread(sha1_of, data)
        patience = Patience(self._own._options)
        for attempt in count(1):
            target = job.target
            try:
                return await self._send_once(job, job.lane(slot, attempt), number, data, sha1)
            except UnpuzzleError as error:
                pause = patience.pause(error)
                spent = isinstance(error, ADDRESS_IS_SPENT)
            if not spent:
                await self._own._sleep(pause)
                continue
            async with renewing:
                if job.target is target:
                    job.target = await cast("AsyncMedia", self).renew_upload(job.upload_id)
        return None

    async def _complete(self, upload_id: str) -> models.CompletedUpload:
        patience = Patience(self._own._options)
        while True:
            try:
                return await cast("AsyncMedia", self).complete_upload(upload_id=upload_id)
            except UnpuzzleError as error:
                pause = patience.pause(error, AWAY)
            await self._own._sleep(pause)

    async def _send_once(
        self, job: Job, lane: models.UploadPartTarget | None, number: int, data: bytes, sha1: str
    ) -> None:
        media = cast("AsyncMedia", self)
        if lane is None:
            await media.upload_content(**job.arguments(number, data, sha1))
        else:
            (await self._own.send_elsewhere(*direct(lane, number, data, sha1))).raise_for_status()


def _tell_nobody(_: Progress) -> None:
    pass
