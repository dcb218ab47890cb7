"""Server-sent events as they come over the wire, read as the HTML standard says."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from attrs import frozen

from .errors import InvalidResponseError

_LINE = re.compile(r"\r\n|\n|\r")
_BOM = "\ufeff"
# More than any event that the API sends; whoever sends lines without an end gets no memory for them.
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
        self._text = ""
        self._begun = False
        self._after_cr = False
        self._id = ""
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Give the events that are complete with this piece; what is left when a stream ends was none."""
        self._text += self._decoder.decode(chunk)
        if not self._begun and self._text:
            self._begun = True
            self._text = self._text.removeprefix(_BOM)
        if len(self._text) > _LONGEST:
            raise InvalidResponseError("A line of the event stream has no end")
        for line in self._lines():
            if line:
                self._field(line)
            elif found := self._dispatched():
                yield found

    def _lines(self) -> Iterator[str]:
        # An LF that comes first belongs to a CR that has ended its line already: nobody waits for it to see an event.
        if self._after_cr and self._text:
            self._text = self._text.removeprefix("\n")
            self._after_cr = False
        if not self._text:
            return
        self._after_cr = self._text.endswith("\r")
        *lines, self._text = _LINE.split(self._text)
        yield from lines

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
        self._event, self._data = "", []
        return ServerSentEvent(event or "message", "\n".join(data), self.last_id) if data else None
