"""The task that looks into files: what it notes, what it tells, and what a worker that dies leaves."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import films
from harness import Person, Server
from library import Library
from unpuzzle_server.media.embedded_store import EmbeddedStore
from unpuzzle_server.media.storage import StorageError

SHOW = """
    SELECT processing_status, processing_error, duration_seconds::float8, width, height, codec, page_count, thumbnail_key
      FROM media WHERE id = %s
"""
DAMAGED = "It is damaged, or is not what its name says."


@pytest.fixture
def library(server: Server) -> Library:
    return Library(server)


def shown(library: Library, media_id: str) -> tuple[Any, ...]:
    return library.server.sql(SHOW, media_id)[0]


def told(owner: Person) -> list[tuple[str, str]]:
    notifications = owner.get("/api/v1/notifications/").json()["results"]
    return [(item["title"], item["message"]) for item in notifications if item["icon"] == "media"]


def test_a_film_becomes_ready_with_what_was_found_and_its_owner_hears_of_it(
    library: Library, instructor: Person, tmp_path: Path
) -> None:
    media_id = library.add(instructor, films.film(tmp_path / "a.mp4", 2).read_bytes(), ready=False)
    assert shown(library, media_id)[0] == "pending"
    library.process(media_id)
    found = shown(library, media_id)
    assert found == ("ready", None, 2, 320, 180, "h264", None, f"thumbnails/{media_id}.jpg")
    assert library.storage("read", found[-1], 1_000_000).startswith(b"\xff\xd8\xff")
    assert told(instructor) == [("Your file is ready", "'A lecture' can be used now")]


def test_a_document_has_pages_and_no_thumbnail(library: Library, instructor: Person) -> None:
    media_id = library.add(instructor, films.pages(12), "application/pdf", seconds=None, ready=False)
    library.process(media_id)
    assert shown(library, media_id) == ("ready", None, None, None, None, None, 12, None)


@pytest.mark.parametrize(("content", "reason"), [(b"<html>", DAMAGED), (None, "It is no longer in storage.")])
def test_a_file_that_cannot_be_read_fails_for_good_with_a_reason(
    library: Library, instructor: Person, content: bytes | None, reason: str
) -> None:
    media_id = library.add(instructor, content, ready=False)
    library.process(media_id)
    assert shown(library, media_id)[:2] == ("failed", reason)
    assert library.postman.waiting(media_id) == []
    assert told(instructor) == [("Your file can't be used", f"'A lecture': {reason}")]


def test_what_a_worker_died_with_is_begun_again_and_told_once(library: Library, instructor: Person) -> None:
    media_id = library.add(instructor, films.picture("PNG"), "image/png", ready=False)
    library.server.sql("UPDATE media SET processing_status = 'processing' WHERE id = %s", media_id)
    for _ in range(2):
        library.process(media_id)
    assert shown(library, media_id)[0] == "ready"
    assert len(told(instructor)) == 1


def test_a_file_that_was_deleted_meanwhile_is_nobodys_business(library: Library) -> None:
    gone = str(uuid4())
    assert library.process(gone) == ["media.process"]
    assert library.postman.waiting(gone) == []


@pytest.mark.parametrize(
    ("meanwhile", "is_kept"),
    [
        ("DELETE FROM media WHERE id = %s", False),
        ("UPDATE media SET processing_status = 'ready', thumbnail_key = 'thumbnails/' || id || '.jpg' WHERE id = %s", True),
    ],
    ids=["deleted", "done by another worker"],
)
def test_a_thumbnail_is_kept_just_as_long_as_its_file(
    library: Library, instructor: Person, monkeypatch: pytest.MonkeyPatch, meanwhile: str, is_kept: bool
) -> None:
    media_id = library.add(instructor, films.picture("PNG"), "image/png", ready=False)
    put = EmbeddedStore.put

    async def put_and_lose(store: EmbeddedStore, key: str, content: bytes, content_type: str) -> None:
        await put(store, key, content, content_type)
        library.server.sql(meanwhile, media_id)

    monkeypatch.setattr(EmbeddedStore, "put", put_and_lose)
    library.process(media_id)
    with nullcontext() if is_kept else pytest.raises(StorageError):
        library.storage("read", f"thumbnails/{media_id}.jpg", 1)
