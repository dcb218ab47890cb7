"""What is found out about a file by a process of its own, which may take no more time and memory than it is given.

A file can be made to break, to occupy or to blow up whoever reads it. Then that process ends, and the file is `failed`.
"""

import asyncio
import base64
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("inspection.py")
SECONDS = 180
"""On the clock; processor time and memory are limited by the program itself."""
LISTENING_SECONDS = 3600
ANSWER_BYTES = 4 * 1024 * 1024
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
"""Its whole environment: the server's holds secrets."""


@dataclass(frozen=True)
class Found:
    """What a file is, as far as its kind has it."""

    duration_seconds: float | None = None
    width: int | None = None
    height: int | None = None
    bitrate: int | None = None
    codec: str | None = None
    page_count: int | None = None
    thumbnail: bytes | None = None


@dataclass(frozen=True)
class Piece:
    """A part of a sound, as a file."""

    path: Path
    start_ms: int


class Unreadable(Exception):
    """The file can't be used; the message says why, for whoever uploaded it."""


async def inspect(path: Path, kind: str, content_type: str, seconds: float = SECONDS) -> Found:
    """Raises Unreadable."""
    with _understood():
        answer = json.loads(await run(PROGRAM, [kind, content_type, str(path)], seconds))
        thumbnail = _unless_refused(answer).pop("thumbnail", None)
        return Found(**answer, thumbnail=thumbnail and base64.b64decode(thumbnail, validate=True))


async def cut_sound(path: Path, content_type: str, folder: Path) -> list[Piece]:
    """The sound of a film or of a recording as small files in a folder, in order; raises Unreadable."""
    with _understood():
        answer = json.loads(await run(PROGRAM, ["pieces", content_type, str(path), str(folder)], LISTENING_SECONDS))
        length_ms = int(_unless_refused(answer)["seconds"]) * 1000
        return [Piece(folder / f"{number + 1}.mp3", number * length_ms) for number in range(answer["count"])]


def _unless_refused(answer: dict[str, Any]) -> dict[str, Any]:
    if "refused" in answer:
        raise Unreadable(answer["refused"])
    return answer


@contextmanager
def _understood() -> Iterator[None]:
    """What a program says that was taken over may be anything."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Unreadable("It can't be read.") from None


async def run(program: Path, arguments: list[str], seconds: float) -> bytes:
    """What a program that limits itself says; raises Unreadable when it comes to nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(program), *arguments, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=ENVIRONMENT
    )
    try:
        async with asyncio.timeout(seconds):
            said = await _all_of(process)
            ended = await process.wait()
    except TimeoutError:
        raise Unreadable("It takes too long to be read.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if ended in (-signal.SIGXCPU, -signal.SIGKILL):
        raise Unreadable("It takes too long to be read.")
    if ended:
        raise Unreadable("It can't be read.")
    return said


async def _all_of(process: Process) -> bytes:
    assert process.stdout is not None
    said = bytearray()
    while block := await process.stdout.read(65536):
        said += block
        if len(said) > ANSWER_BYTES:
            raise Unreadable("It can't be read.")
    return bytes(said)
