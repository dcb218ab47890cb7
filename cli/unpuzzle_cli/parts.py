"""Files fetched by ranges, so that one sees how far they are; what broke off goes on where it was."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from unpuzzle_cli import progress
from unpuzzle_cli.errors import STOPS, CommandError, stopped

BYTES = 8 * 1024 * 1024
WHOLE, RANGE, ELSEWHERE = 200, 206, 302
AGAIN = "Go on: the same command again"


@dataclass(frozen=True)
class Piece:
    """What came, and whether it is the range that was asked for or all there is."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def version(self) -> str:
        """What tells this file from what it may be changed to."""
        return self.headers.get("etag") or self.headers.get("last-modified", "")

    @property
    def total(self) -> int:
        total = self.headers.get("content-range", "").rpartition("/")[2]
        if not total.isdecimal():
            raise CommandError("The server does not say how long the file is.", "Fetch it whole: the same command, `> FILE`")
        return int(total)


@dataclass
class Source:
    """A file at the server, or in storage where that leads on to it."""

    client: Any
    method: Any
    """The operation, which answers whole responses."""
    arguments: dict[str, Any]
    address: str = ""

    def ask(self, first: int, version: str = "") -> Piece:
        wanted = {"range": f"bytes={first}-{first + BYTES - 1}", **({"if_range": version} if version else {})}
        if not self.address:
            answer = self.method(**self.arguments, **wanted)
            if answer.status_code != ELSEWHERE:
                return Piece(answer.status_code, answer.headers, answer.content)
            self.address = answer.headers["location"]
        headers = {name.replace("_", "-"): value for name, value in wanted.items()}
        found = self.client.send_elsewhere("GET", self.address, headers, b"")
        found.raise_for_status()
        return Piece(found.status, found.headers, found.content)


def fetch(source: Source, file: Path) -> None:
    """Writes a file from its ranges; until it is whole, they are kept beside it."""
    first = source.ask(0)
    if first.status == WHOLE:
        write(file, first.content)
        return
    kept = file.with_name(f".{file.name}.{sha256(first.version.encode()).hexdigest()[:8]}.part")
    try:
        _fill(kept, source, first, file.name)
    except STOPS as stop:
        raise stopped(stop, f"Stopped. What has come is kept in {kept}.", AGAIN) from None
    except OSError as error:
        raise CommandError(f"{file} can't be written: {error.strerror}.", AGAIN) from None
    kept.replace(file)


def _fill(kept: Path, source: Source, first: Piece, name: str) -> None:
    with progress.shown(name, in_bytes=True) as tell, kept.open("ab") as out:
        if out.tell() < len(first.content):
            out.truncate(0)
            out.write(first.content)
        while (done := out.tell()) < first.total:
            tell(done, first.total)
            piece = source.ask(done, first.version)
            if piece.status != RANGE:
                kept.unlink()
                raise CommandError("The file has changed meanwhile.", "Begin anew: the same command again")
            if not piece.content:
                raise CommandError(f"The server sends nothing behind {done:,} bytes of {first.total:,}.", AGAIN)
            out.write(piece.content)


def write(file: Path, content: bytes) -> None:
    """Writes a file whole, or not at all; what is no file, such as a device, is written to."""
    part = file if file.exists() and not file.is_file() else file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    except OSError as error:  # said of the file that was asked for
        raise CommandError(f"{file} can't be written: {error.strerror}.") from None
    finally:
        if part != file:
            part.unlink(missing_ok=True)
