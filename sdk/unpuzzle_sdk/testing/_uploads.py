"""Uploads to a mock: what it answers about one fits the file that a client has announced."""

from __future__ import annotations

from typing import Any

from ._requests import RecordedRequest

_OF_AN_UPLOAD = {"chunk_size", "total_chunks"}


class Uploads:
    """What one mock knows of them."""

    def __init__(self) -> None:
        """Know of none."""
        self._file_size: int | None = None

    def fitted(self, request: RecordedRequest, answer: Any) -> Any:
        """Give an answer as it is, unless it tells of an upload: then for the file that was last announced."""
        if not isinstance(answer, dict) or not answer.keys() >= _OF_AN_UPLOAD:
            return answer
        announced = request.fields.get("file_size")
        if isinstance(announced, int):
            self._file_size = announced
        if self._file_size is None:
            return answer
        # Nothing has come yet, and all of it goes to the API: a mock has no storage that takes parts itself.
        told = {
            "file_size": self._file_size,
            "total_chunks": -(-self._file_size // answer["chunk_size"]),
            "parts": [],
            "received_parts": [],
            "received_bytes": 0,
        }
        return {**answer, **{name: value for name, value in told.items() if name in answer}}

    def clear(self) -> None:
        """Forget it."""
        self._file_size = None
