"""Which of a file's chunks has come."""

import re

from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.media.storage import Upload


class Place:
    """Where in the file a chunk belongs, as its headers say."""

    def __init__(self, content_range: str | None, part_number: str | None) -> None:
        self.range = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", content_range) if content_range else None
        self.part_number = int(part_number) if part_number else None

    def number(self, upload: Upload) -> int:
        """Raises MEDIA_MISMATCH where there is no such chunk."""
        number = self.part_number or (self._by_range(upload) if self.range else 1)
        if not (self.part_number or self.range or upload.total_chunks == 1):
            raise Problem("MEDIA_MISMATCH", "Say which chunk this is: by Content-Range or X-Part-Number.")
        if number > upload.total_chunks:
            raise Problem("MEDIA_MISMATCH", f"There are {upload.total_chunks} chunks.")
        if self.range and self._bounds(upload, number) != self.range.groups():
            raise Problem("MEDIA_MISMATCH", f"Chunk {number} is bytes {'-'.join(self._bounds(upload, number)[:2])}.")
        return number

    def _by_range(self, upload: Upload) -> int:
        assert self.range is not None
        return int(self.range[1]) // upload.chunk_size + 1

    def _bounds(self, upload: Upload, number: int) -> tuple[str, str, str]:
        assert self.range is not None
        first = (number - 1) * upload.chunk_size
        whole = "*" if self.range[3] == "*" else str(upload.file_size)
        return str(first), str(first + upload.size_of(number) - 1), whole
