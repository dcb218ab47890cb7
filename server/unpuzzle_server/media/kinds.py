"""The kinds of files that are taken, and how each is known by its first bytes."""

from dataclasses import dataclass

SNIFFED_BYTES = 4096
"""How much of the beginning of a file `fits` looks at."""

MARKS = {
    "image/jpeg": [(0, b"\xff\xd8\xff")],
    "image/png": [(0, b"\x89PNG\r\n\x1a\n")],
    "image/gif": [(0, b"GIF87a"), (0, b"GIF89a")],
    "application/pdf": [(0, b"%PDF-")],
    "audio/ogg": [(0, b"OggS")],
    "audio/flac": [(0, b"fLaC")],
}
"""Bytes, and where they stand; one of them is enough."""

QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip"}
"""What a QuickTime file may begin with that is older than `ftyp`."""


@dataclass(frozen=True)
class Kind:
    name: str
    extension: str


KINDS = {
    "video/mp4": Kind("video", "mp4"),
    "video/quicktime": Kind("video", "mov"),
    "video/webm": Kind("video", "webm"),
    "video/x-matroska": Kind("video", "mkv"),
    "audio/mpeg": Kind("audio", "mp3"),
    "audio/mp4": Kind("audio", "m4a"),
    "audio/ogg": Kind("audio", "ogg"),
    "audio/flac": Kind("audio", "flac"),
    "audio/wav": Kind("audio", "wav"),
    "image/jpeg": Kind("image", "jpg"),
    "image/png": Kind("image", "png"),
    "image/gif": Kind("image", "gif"),
    "image/webp": Kind("image", "webp"),
    "application/pdf": Kind("document", "pdf"),
}
"""The content types that are taken; none of them is ever a page, or a program."""


def fits(content_type: str, start: bytes) -> bool:
    """Whether a file that starts so is what its content type says."""
    match content_type:
        case "video/mp4" | "audio/mp4":
            return start[4:8] == b"ftyp" and start[8:12] != b"qt  "
        case "video/quicktime":
            return start[4:12] == b"ftypqt  " or start[4:8] in QUICKTIME_BOXES
        case "video/webm" | "video/x-matroska":
            return start.startswith(b"\x1a\x45\xdf\xa3") and (b"webm" if content_type == "video/webm" else b"matroska") in start
        case "audio/mpeg":
            return start.startswith(b"ID3") or _is_mpeg_frame(start)
        case "audio/wav" | "image/webp":
            return start.startswith(b"RIFF") and start[8:12] == (b"WAVE" if content_type == "audio/wav" else b"WEBP")
        case _:
            return any(start[place:].startswith(mark) for place, mark in MARKS[content_type])


def _is_mpeg_frame(start: bytes) -> bool:
    """Eleven bits of ones, then a version and a layer that are in use."""
    return len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0 and start[1] & 0x18 != 0x08 and start[1] & 0x06 == 0x02
