"""Reads what instructors send as a transcript: WebVTT and SRT files, and segments. Every fault is told with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from io import StringIO
from typing import Any

from unpuzzle_server.kernel.errors import Problem

LONGEST_TEXT = 2000
LATEST_MS = 86_400_000
"""A day, as for lessons."""
MOST_FAULTS = 100
NAMES = {"vtt": "WebVTT", "srt": "SRT"}

ARROW = "-->"
TIME = r"(\d+:)?[0-5]?\d:[0-5]?\d[.,]\d{1,3}"
TIMES = re.compile(rf"\s*{TIME}\s*-->\s*{TIME}(\s|$)")
OVERRIDES = re.compile(r"\{\\[^}]*\}")
"""Where on the picture a cue stands, as some editors write it into SRT."""

Fault = dict[str, str]


@dataclass(frozen=True)
class Segment:
    start_ms: int
    end_ms: int
    text: str


def read(body: dict[str, Any]) -> list[Segment]:
    """The segments of a request, in the order of their times; raises TRANSCRIPT_INVALID with every fault there is."""
    form = body["format"]
    field, other = ("segments", "text") if form == "segments" else ("text", "segments")
    if field not in body or other in body:
        raise invalid(f"The format {form} goes with the field {field} alone.", [{"field": field, "message": "is needed alone"}])
    found = _of_segments(body["segments"]) if form == "segments" else _of_file(body["text"], form)
    said = [segment for segment in found if segment.text]
    if not said:
        raise invalid("Nothing is said in this transcript.", [{"field": field, "message": "holds no words"}])
    return sorted(said, key=lambda segment: (segment.start_ms, segment.end_ms))


def invalid(message: str, faults: list[Fault]) -> Problem:
    return Problem("TRANSCRIPT_INVALID", message, details=faults[:MOST_FAULTS])


def _of_segments(items: list[dict[str, Any]]) -> list[Segment]:
    found = [Segment(round(item["start"] * 1000), round(item["end"] * 1000), _words(item["text"])) for item in items]
    faults = [
        {"field": f"segments.{number}.{field}", "message": message}
        for number, segment in enumerate(found)
        for field, message in _faults(segment)
    ]
    if faults:
        raise invalid("These segments have faults.", faults)
    return found


def _of_file(text: str, form: str) -> list[Segment]:
    lines = re.split(r"\r\n|\r|\n", text)
    places = [number for number, line in enumerate(lines, 1) if ARROW in line]
    cues = _cues(text, form)
    if len(cues) != len(places):
        raise _unreadable(form, *_broken(lines, places))
    faults = [_at(place, message) for place, cue in zip(places, cues, strict=True) for _, message in _faults(cue)]
    if faults:
        raise invalid(f"The cues of this {NAMES[form]} file have faults.", faults)
    return cues


def _cues(text: str, form: str) -> list[Segment]:
    """As the library reads them, which leaves out what it can't read."""
    from webvtt import WebVTT  # a late import, for few processes ever read a file
    from webvtt.errors import MalformedFileError

    try:
        captions = WebVTT.from_buffer(StringIO(text), format=form).captions
    except MalformedFileError:
        first = "a WebVTT file begins with WEBVTT" if form == "vtt" else "an SRT file begins with a number, and times below it"
        raise _unreadable(form, 1, first) from None
    return [
        Segment(item.start_time.in_milliseconds(), item.end_time.in_milliseconds(), _words(OVERRIDES.sub("", item.text)))
        for item in captions
    ]


def _words(text: str) -> str:
    return " ".join(unescape(text).split())


def _faults(segment: Segment) -> Iterator[tuple[str, str]]:
    if segment.end_ms <= segment.start_ms:
        yield "end", "it ends before it has started"
    if segment.end_ms > LATEST_MS:
        yield "end", "it ends after more than a day"
    if len(segment.text) > LONGEST_TEXT:
        yield "text", f"it has more than {LONGEST_TEXT} characters"


def _broken(lines: list[str], places: list[int]) -> tuple[int, str]:
    """The first cue that the library has left out."""
    for place in places:
        if not TIMES.match(lines[place - 1]):
            return place, "these are no times such as 00:01:02.500 --> 00:01:04.000"
    return places[0], "there are times here or below that belong to no cue"


def _unreadable(form: str, line: int, message: str) -> Problem:
    return invalid(f"This is no {NAMES[form]} file that can be read.", [_at(line, message)])


def _at(line: int, message: str) -> Fault:
    return {"field": "text", "message": f"line {line}: {message}"}
