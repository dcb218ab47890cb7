"""Server-sent events as they come over the wire, read as the HTML standard says."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from attrs import frozen

from .errors import InvalidResponseError

_LINE = re.compile(r"\r\n|\n|\r")
_BOM = "\ufeff"
# More than any event that the API sends; whoever sends one without an end gets no memory for it.
_LONGEST = 16 * 1024 * 1024


@frozen
class ServerSentEvent:
    """One event, not yet decoded."""

    event: str
    data: str
    id: str


class Parser:
    """Turns pieces of a stream, cut anywhere, into events."""

    def __init__(self) -> None:
        """Begin a stream."""
        self.last_id = ""
        self.retry: float | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = False
        self._after_cr = False
        self._line: list[str] = []
        self._length = 0
        self._id = ""
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Give the events that are complete with this piece; what is left when a stream ends was none."""
        text = self._decoder.decode(chunk)
        self._length += len(text)
        for line in self._lines(text):
            if line:
                self._field(line)
            elif found := self._dispatched():
                yield found
        if self._length > _LONGEST:
            raise InvalidResponseError("An event of the stream has no end")

    def _lines(self, text: str) -> Iterator[str]:
        """Give the lines that end in this text. Only it is searched: a long line comes in many pieces."""
        if not text:
            return
        if not self._begun:
            self._begun = True
            text = text.removeprefix(_BOM)
        # An LF that comes first belongs to a CR that has ended its line already: nobody waits for it to see an event.
        if self._after_cr:
            text = text.removeprefix("\n")
        self._after_cr = text.endswith("\r")
        *ends, rest = _LINE.split(text)
        for end in ends:
            line = "".join([*self._line, end])
            self._line = []
            yield line
        self._line.append(rest)

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            # Python makes no whole number of too many digits; a float may be infinite.
            self.retry = float(value) / 1000

    def _dispatched(self) -> ServerSentEvent | None:
        # An id counts once its lines are whole, also without an event: it may say where to go on before there is one.
        self.last_id = self._id
        event, data = self._event, self._data
        self._event, self._data, self._length = "", [], 0
        return ServerSentEvent(event or "message", "\n".join(data), self.last_id) if data else None
