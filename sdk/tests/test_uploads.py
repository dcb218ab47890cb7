"""Uploads of whole files: what is taken, for how long it is tried, and how they end."""

from __future__ import annotations

import asyncio
import io
import mmap
import os
import tempfile
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from unpuzzle_sdk import errors, uploads
from unpuzzle_sdk.testing import MockUnpuzzle
from unpuzzle_sdk.types import Next, Request, Response

PART = "media.upload_content"
CHUNK = 5 * 2**20
UPLOAD = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lecture.mp4"
    path.write_bytes(b"a lecture")
    return path


@pytest.fixture(params=["a client", "an asynchronous client"])
def upload(request: pytest.FixtureRequest, mock: MockUnpuzzle) -> Callable[..., Any]:
    """Uploads with either client."""

    def act(file: Any, options: dict[str, Any] | None = None, **arguments: Any) -> Any:
        if request.param == "a client":
            return mock.client(**(options or {})).media.upload(file, **arguments)
        client = mock.async_client(**(options or {}))
        return asyncio.run(client.media.upload(file, **arguments))

    return act


def lengths(mock: MockUnpuzzle) -> list[int]:
    return sorted(len(request.body) for request in mock.calls(PART))


def test_a_file_goes_up_to_a_mock_as_it_comes(mock: MockUnpuzzle, upload: Any, tmp_path: Path) -> None:
    path = tmp_path / "lecture.mp4"
    path.write_bytes(bytes(2 * CHUNK + 1))
    assert upload(path).media_id
    assert lengths(mock) == [1, CHUNK, CHUNK]


@pytest.mark.parametrize("made", [lambda data: data, io.BytesIO])
def test_bytes_and_files_in_memory_go_up(mock: MockUnpuzzle, upload: Any, made: Any) -> None:
    assert upload(made(b"a lecture"), filename="lecture.mp4").media_id
    assert lengths(mock) == [9]
    with pytest.raises(ValueError, match="give a filename"):
        upload(made(b"a lecture"))


class Slow(io.RawIOBase):
    """Gives fewer bytes than it is asked for, as raw files may."""

    def __init__(self, data: bytes) -> None:
        self.whole = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.whole.seek(offset, whence)

    def tell(self) -> int:
        return self.whole.tell()

    def readinto(self, buffer: Any) -> int:
        data = self.whole.read(min(len(buffer), 2**16))
        buffer[: len(data)] = data
        return len(data)


def test_a_raw_file_and_a_memory_map_go_up_whole(mock: MockUnpuzzle, upload: Any) -> None:
    mapped = mmap.mmap(-1, CHUNK + 1)
    for source in (Slow(bytes(CHUNK + 1)), mapped):
        mock.reset()
        upload(source, filename="lecture.mp4")
        assert lengths(mock) == [1, CHUNK]


def test_a_temporary_file_goes_up(mock: MockUnpuzzle, upload: Any) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"a lecture")
        upload(file, filename="lecture.mp4")
    assert lengths(mock) == [9]


def test_what_is_open_for_writing_only_is_no_file_to_upload(mock: MockUnpuzzle, upload: Any, file: Path) -> None:
    for mode in ("r+", "a", "ab"):
        with file.open(mode) as opened, pytest.raises(TypeError, match="for reading bytes"):
            upload(opened)
    assert mock.requests == []


def test_parts_are_sent_in_the_context_of_the_caller(mock: MockUnpuzzle) -> None:
    tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
    seen = []

    def note(request: Request, call_next: Next) -> Response:
        seen.append(tenant.get())
        return call_next(request)

    tenant.set("jane")
    mock.client(middleware=[note]).media.upload(bytes(2 * CHUNK), filename="lecture.mp4")
    assert seen == ["jane"] * 4


@pytest.mark.parametrize(
    ("source", "arguments", "kind", "message"),
    [
        (io.StringIO("a lecture"), {}, TypeError, "for reading bytes"),
        ((piece for piece in [b"a", b"b"]), {}, TypeError, "no generator"),
        (b"a lecture", {"parallel": 0}, ValueError, "parallel must be 1 or more"),
        (b"a lecture", {"on_progress": asyncio.sleep}, TypeError, "on_progress must be a plain function"),
        (b"", {}, ValueError, "empty"),
    ],
)
def test_what_can_not_be_uploaded_is_said_before_anything_is_sent(
    mock: MockUnpuzzle, upload: Any, source: Any, arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        upload(source, filename="lecture.mp4", **arguments)
    assert mock.requests == []


def test_parts_that_do_not_fit_the_file_are_refused(mock: MockUnpuzzle, upload: Any, file: Path) -> None:
    mock.on("media.initiate_upload").reply(chunk_size=4, total_chunks=2, parts=[])
    with pytest.raises(errors.InvalidResponseError, match="2 parts of 4 bytes, and the file has 9 bytes"):
        upload(file)


def test_an_upload_waits_as_its_client_does(mock: MockUnpuzzle, upload: Any, file: Path) -> None:
    mock.fail_next(ConnectionError, operation=PART, times=3)
    mock.fail_next(503, operation="media.complete_upload", times=3, retry_after=9)
    assert upload(file).media_id
    assert len(mock.waits) == 6
    assert sum(wait >= 9 for wait in mock.waits) == 3


def test_a_client_that_does_not_try_again_uploads_no_part_twice(mock: MockUnpuzzle, upload: Any, file: Path) -> None:
    mock.fail_next(503, operation=PART)
    with pytest.raises(errors.UploadInterrupted):
        upload(file, {"max_retries": 0})
    assert (len(mock.calls(PART)), mock.waits) == (1, [])


def test_an_address_that_is_spent_is_replaced_by_a_client_that_does_not_try_again_too(
    mock: MockUnpuzzle, upload: Any, file: Path
) -> None:
    mock.fail_next(404, operation=PART, times=2)
    assert upload(file, {"max_retries": 0, "max_retry_time": 0}).media_id
    mock.assert_called("media.renew_upload", times=2)
    assert mock.waits == []


def test_an_upload_is_patient_for_twice_what_its_client_allows_a_call(
    mock: MockUnpuzzle, upload: Any, file: Path
) -> None:
    mock.on(PART).fail(503)
    with pytest.raises(errors.UploadInterrupted):
        upload(file, {"max_retry_time": 3.0})
    assert 1 < sum(mock.waits) < 6.1


@pytest.mark.parametrize("operation", [PART, "media.complete_upload"])
def test_nobody_waits_an_hour_because_a_server_says_so(
    mock: MockUnpuzzle, upload: Any, file: Path, operation: Any
) -> None:
    mock.fail_next(503, operation=operation, retry_after=3600)
    with pytest.raises(errors.UploadInterrupted):
        upload(file)
    assert mock.waits == []


@pytest.mark.parametrize("written", [b"another", b"a lecturf", b"a lecture that is longer"])
def test_a_file_that_changes_while_it_is_uploaded_is_not_completed(
    mock: MockUnpuzzle, upload: Any, file: Path, written: bytes
) -> None:
    def change(step: uploads.Progress) -> None:
        if step.sent:
            file.write_bytes(written)
            os.utime(file, ns=(0, 0))

    with pytest.raises(ValueError, match="has changed while it was uploaded"):
        upload(file, on_progress=change)
    assert mock.calls("media.complete_upload") == []


def test_that_an_upload_can_not_be_given_up_does_not_hide_why_it_broke_off(
    mock: MockUnpuzzle, upload: Any, file: Path
) -> None:
    def stop(_: uploads.Progress) -> None:
        raise KeyError("the reason")

    mock.on("media.abort_upload").fail(ConnectionError)
    with pytest.raises(KeyError, match="the reason"):
        upload(file, on_progress=stop, keep=False)
    assert mock.calls("media.abort_upload")


@pytest.mark.parametrize("operation", ["media.get_upload", "media.renew_upload"])
def test_to_go_on_without_a_connection_tells_what_it_takes_to_go_on(
    mock: MockUnpuzzle, upload: Any, file: Path, operation: Any
) -> None:
    upload(file)
    mock.on(operation).fail(ConnectionError)
    with pytest.raises(errors.UploadInterrupted) as broke_off:
        upload(file, resume=UPLOAD)
    assert broke_off.value.upload_id == UPLOAD


def test_an_upload_goes_on_at_a_mock(mock: MockUnpuzzle, upload: Any, file: Path) -> None:
    mock.client().media.initiate_upload(filename="lecture.mp4", file_size=9, content_type="video/mp4")
    assert upload(file, resume=UPLOAD).media_id
    assert lengths(mock) == [9]
