"""Files for tests: their first bytes are real, the rest is random."""

import hashlib
import random
from typing import Any

import httpx

from harness import Api, Person

STARTS = {
    "video/mp4": b"\0\0\0\x20ftypisom",
    "video/quicktime": b"\0\0\0\x14ftypqt  ",
    "video/webm": b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm",
    "video/x-matroska": b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska",
    "audio/mpeg": b"\xff\xfb\x90\x00",
    "audio/mp4": b"\0\0\0\x20ftypM4A ",
    "audio/ogg": b"OggS",
    "audio/flac": b"fLaC",
    "audio/wav": b"RIFF\x24\0\0\0WAVE",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\x24\0\0\0WEBP",
    "application/pdf": b"%PDF-1.7",
}
FILENAME = "lesson-01.mp4"
UPLOADS = "/api/v1/media/uploads/"
LIBRARY = "/api/v1/media/library/"


def made(size: int, content_type: str = "video/mp4") -> bytes:
    """A file that begins as its type does."""
    start = STARTS[content_type]
    return start + random.randbytes(size - len(start))


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def initiate(person: Person, size: int, content_type: str = "video/mp4", **fields: Any) -> httpx.Response:
    body = {"filename": FILENAME, "file_size": size, "content_type": content_type, **fields}
    answer: httpx.Response = person.post("/api/v1/media/upload/initiate/", json=body)
    return answer


def begin(person: Person, size: int, content_type: str = "video/mp4", **fields: Any) -> dict[str, Any]:
    answer = initiate(person, size, content_type, **fields)
    assert answer.status_code == 200, answer.text
    target: dict[str, Any] = answer.json()
    return target


def chunk(target: dict[str, Any], data: bytes, number: int) -> tuple[bytes, dict[str, str]]:
    """A chunk and the headers that go with it: those of the answer as they are, and where it belongs."""
    first = (number - 1) * target["chunk_size"]
    content = data[first : first + target["chunk_size"]]
    place = f"bytes {first}-{first + len(content) - 1}/{len(data)}"
    return content, {**target["headers"], "Content-Range": place}


def send(api: Api, target: dict[str, Any], data: bytes, number: int, **changes: str) -> httpx.Response:
    """As a client does it that knows no more than the API document says."""
    content, headers = chunk(target, data, number)
    return api.put(target["upload_url"], content=content, headers={**headers, **changes})


def send_all(api: Api, target: dict[str, Any], data: bytes) -> None:
    for number in range(1, target["total_chunks"] + 1):
        answer = send(api, target, data, number)
        assert answer.status_code == 200, answer.text


def complete(person: Person, target: dict[str, Any], **fields: Any) -> httpx.Response:
    body = {"upload_id": target["upload_id"], **fields}
    answer: httpx.Response = person.post("/api/v1/media/upload/complete/", json=body)
    return answer


def uploaded(person: Person, data: bytes, content_type: str = "video/mp4", **fields: Any) -> dict[str, Any]:
    """A file in somebody's library."""
    target = begin(person, len(data), content_type, **fields)
    send_all(person.api, target, data)
    answer = complete(person, target)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fetched(api: Api, url: str, **headers: str) -> httpx.Response:
    """What is at an address, wherever it leads to."""
    answer = api.get(url, headers=headers)
    return httpx.get(answer.headers["location"], headers=headers) if answer.status_code == 302 else answer
