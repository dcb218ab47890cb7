"""Answers that are read as they go: files of this machine, whole or a range of them (RFC 9110, chapter 14).

A handler returns a `FileAnswer`, and declares `Range`, `If-Range` and `If-None-Match`, which are the kernel's to answer to.
"""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import Send

from unpuzzle_server.kernel.answers import Answer, not_modified, send_answer
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import Exchange

BLOCK = 256 * 1024
"""How much of a file is in memory while it goes."""
ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
DIGITS = 18
BEYOND_ALL = 10**DIGITS
"""No file is so long."""


@dataclass(frozen=True)
class FileAnswer:
    """A file as an answer; it never changes under its ETag."""

    path: Path
    media_type: str
    etag: str
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, exchange: Exchange, send: Send) -> None:
        """Answers 200, 206 or 304; raises RANGE_NOT_SATISFIABLE for a range that is not there."""
        size = (await asyncio.to_thread(self.path.stat)).st_size
        headers = {"ETag": self.etag, **self.headers}
        if not_modified(exchange.headers.get("if-none-match"), self.etag):
            await send_answer(send, Answer(304, b"", headers))
            return
        part = self._asked(exchange, size)
        start, end = part or (0, size)
        headers |= {"Content-Type": self.media_type, "Content-Length": str(end - start), "Accept-Ranges": "bytes"}
        if part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 206 if part else 200, "headers": lines})
        if exchange.scope["method"] == "HEAD":
            end = start
        await self._send_bytes(start, end, send)

    def _asked(self, exchange: Exchange, size: int) -> tuple[int, int] | None:
        """The range that is asked for; None for the whole, also where we can't tell or don't do what is asked for."""
        found = ONE_RANGE.fullmatch(exchange.headers.get("range", ""))
        if found is None or found[0] == "bytes=-" or exchange.headers.get("if-range", self.etag) != self.etag:
            return None
        first, last = found.groups()
        if not first:
            start, end = max(0, size - _octets(last)), size
        else:
            start, end = _octets(first), min(size, _octets(last) + 1) if last else size
            if last and _octets(last) < start:
                return None
        if start >= end:
            raise Problem("RANGE_NOT_SATISFIABLE", f"The file has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
        return start, end

    async def _send_bytes(self, start: int, end: int, send: Send) -> None:
        file = await asyncio.to_thread(self.path.open, "rb", buffering=0)
        try:
            await asyncio.to_thread(file.seek, start)
            while start < end:
                block = await asyncio.to_thread(file.read, min(BLOCK, end - start))
                if not block:
                    raise OSError("the file has become shorter")
                start += len(block)
                await send({"type": "http.response.body", "body": block, "more_body": True})
        finally:
            await asyncio.to_thread(file.close)
        await send({"type": "http.response.body", "body": b""})


def _octets(digits: str) -> int:
    """However many digits there are, of which Python reads no more than some thousands."""
    significant = digits.lstrip("0")
    return BEYOND_ALL if len(significant) > DIGITS else int(significant or 0)
