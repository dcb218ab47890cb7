"""Looks into one file that somebody has uploaded. A program of its own, since the file may be made to break whoever reads it.

    python -I inspection.py <kind> <content type> <path>             what it is
    python -I inspection.py pieces <content type> <path> <folder>    its sound, in pieces, as files in a folder

It answers on stdout in JSON: what was found, or `refused` with the reason in words. It imports nothing of the server, is given
none of its settings, and limits itself before it opens the file: memory, processor time, and what it may write.
"""

import base64
import io
import itertools
import json
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, BinaryIO

MEMORY_BYTES = 1536 * 1024 * 1024
"""A film of 7680 by 4320 points takes 0.9 GB."""
PROCESSOR_SECONDS = 60
PIECES_PROCESSOR_SECONDS = 1800
PIECE_SECONDS, PIECE_BITRATE, SAMPLES_A_SECOND = 1200, 32_000, 16_000
PIECE_BYTES = 25_000_000
"""What audio APIs take at once, and what may be written of one piece; at this bitrate it has a fifth of that."""
OPEN_FILES = 32
MOST_PIXELS = 64_000_000
THUMBNAIL = (640, 360)
THUMBNAIL_AT = 0.1
"""Of the length of a video."""
END_AT = 0.9
"""How much of the length that its header tells a file must have: truncated ones and liars have less."""
JPEG_QUALITY = 80
MICROSECONDS = 1_000_000

CONTAINERS = {
    "video/mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    "audio/mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    "video/quicktime": "mov,mp4,m4a,3gp,3g2,mj2",
    "video/webm": "matroska,webm",
    "video/x-matroska": "matroska,webm",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/wav": "wav",
}
"""The one reader for each content type: none that takes a list of other files, wherever they are."""
PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
ESTIMATED = {"audio/mpeg"}
"""Their length is a guess until they have been read."""

Found = dict[str, Any]


class RefusedError(Exception):
    """The file is not what it should be; the message says why."""


def limit(seconds: int = PROCESSOR_SECONDS, written_bytes: int = 0) -> None:
    """From here on this process can do no more than this, whatever it is made to do."""
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: written_bytes,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for name, most in limits.items():
        with suppress(ValueError) if sys.platform == "darwin" else nullcontext():  # which can't limit memory
            resource.setrlimit(name, (most, most))


def video(file: BinaryIO, content_type: str) -> Found:
    with _opened(file, content_type) as container:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            raise RefusedError("It holds no video.")
        stream = streams[0]
        seconds = _checked_seconds(container, content_type)
        frame = _frame_at(container, stream, seconds * THUMBNAIL_AT)
        image = frame.to_image()
        if frame.rotation:
            image = image.rotate(frame.rotation, expand=True)
        size = image.size
        return {**_sound(container, stream, seconds), "width": size[0], "height": size[1], "thumbnail": _jpeg(image)}


def audio(file: BinaryIO, content_type: str) -> Found:
    with _opened(file, content_type) as container:
        if not container.streams.audio:
            raise RefusedError("It holds no sound.")
        stream = container.streams.audio[0]
        return _sound(container, stream, _checked_seconds(container, content_type))


@contextmanager
def _opened(file: BinaryIO, content_type: str) -> Iterator[Any]:
    import av

    # Read through a file that is open already, so that no name in it leads anywhere.
    options = {"format_whitelist": CONTAINERS[content_type], "protocol_whitelist": "none"}
    try:
        with av.open(file, metadata_errors="replace", options=options) as container:
            yield container
    except av.error.MemoryError:
        raise MemoryError from None
    except (av.error.FFmpegError, UnicodeError):
        raise RefusedError("It is damaged, or is not what its name says.") from None


def _is_cover(stream: Any) -> bool:
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _checked_seconds(container: Any, content_type: str) -> float:
    """How long it really is: what its header tells must be there, and where it tells nothing all is read."""
    told = float(container.duration or 0) / MICROSECONDS
    start = float(container.start_time or 0) / MICROSECONDS
    if told and content_type not in ESTIMATED:
        container.seek(int((start + told * END_AT) * MICROSECONDS))
        there = _end(container) - start
        if there < told * END_AT - 1:
            raise RefusedError(f"It ends after {max(there, 0):.0f} of the {told:.0f} seconds that it tells: it is damaged.")
        return told
    seconds = _end(container) - start
    if seconds <= 0:
        raise RefusedError("It holds nothing that can be played.")
    return seconds


def _end(container: Any) -> float:
    """When the last packet from here on ends, of pictures or of sound: a film may be one picture to a long talk."""
    ends = (
        float((packet.pts + (packet.duration or 0)) * packet.time_base)
        for packet in container.demux([*container.streams.video, *container.streams.audio])
        if packet.pts is not None and packet.size
    )
    return max(ends, default=0)


def _frame_at(container: Any, stream: Any, seconds: float) -> Any:
    """The picture at a moment, or the last one before it."""
    codec = stream.codec_context
    codec.thread_count = 1
    if codec.width * codec.height > MOST_PIXELS:
        raise RefusedError(f"Its pictures have {codec.width} by {codec.height} points, which is too many.")
    moment = float(container.start_time or 0) / MICROSECONDS + seconds
    container.seek(int(moment * MICROSECONDS))
    found = None
    for frame in container.decode(stream):
        if found is not None and frame.time is not None and frame.time > moment:
            break
        found = frame
    if found is None:
        raise RefusedError("None of its pictures can be shown.")
    return found


def _sound(container: Any, stream: Any, seconds: float) -> Found:
    bitrate = int(container.size * 8 / seconds)
    return {"duration_seconds": round(seconds, 3), "bitrate": bitrate, "codec": stream.codec_context.codec.canonical_name}


def image(file: BinaryIO, content_type: str) -> Found:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with Image.open(file, formats=[PICTURES[content_type]]) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise Image.DecompressionBombError  # the library warns of these, and raises at twice as many
            turned = picture.getexif().get(0x0112, 1) > 4  # on its side
            picture.draft("RGB", THUMBNAIL)
            picture.load()
            shown = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
            shown.thumbnail(THUMBNAIL)
            thumbnail = ImageOps.exif_transpose(shown)
    except Image.DecompressionBombError:
        raise RefusedError(f"It has more than {MOST_PIXELS // 1_000_000} million points, which is too many.") from None
    except (OSError, ValueError, SyntaxError, TypeError, EOFError):
        raise RefusedError("It is damaged, or is not what its name says.") from None
    return {
        "width": height if turned else width,
        "height": width if turned else height,
        "codec": content_type.removeprefix("image/"),
        "thumbnail": _jpeg(thumbnail),
    }


def _jpeg(picture: Any) -> str:
    """Small, on white, and without whatever else the picture carried."""
    from PIL import Image

    picture.thumbnail(THUMBNAIL)
    plain = Image.new("RGB", picture.size, "white")
    plain.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    written = io.BytesIO()
    plain.save(written, "JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(written.getvalue()).decode()


def document(file: BinaryIO, content_type: str) -> Found:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise RefusedError("It is protected by a password.")
        pages = sum(1 for _ in reader.pages)
    except RefusedError:
        raise
    except RecursionError:
        raise RefusedError("Its pages lead in a circle.") from None
    except (PyPdfError, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError):
        raise RefusedError("It is damaged, or is not what its name says.") from None
    if not pages:
        raise RefusedError("It has no pages.")
    return {"page_count": pages}


def pieces(file: BinaryIO, content_type: str, folder: str) -> Found:
    """The sound alone, small and in pieces, each as long as who listens to it takes at once."""
    import av

    with _opened(file, content_type) as container:
        if not container.streams.audio:
            raise RefusedError("There is no sound in it.")
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        count = 0
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLES_A_SECOND)
        decoded = itertools.chain(container.decode(stream), [None])  # None has the resampler give what it still holds
        heard = (piece for frame in decoded for piece in resampler.resample(frame))
        for count, frames in enumerate(_cut(heard), 1):
            _write(f"{folder}/{count}.mp3", frames)
        return {"count": count, "seconds": PIECE_SECONDS}


def _cut(frames: Iterator[Any]) -> Iterator[Iterator[Any]]:
    """Frames in groups of as many seconds, as near as frames are long."""
    samples = 0

    def number_of(frame: Any) -> int:
        nonlocal samples
        samples += int(frame.samples)
        return (samples - 1) // (PIECE_SECONDS * SAMPLES_A_SECOND)

    return (group for _, group in itertools.groupby(frames, number_of))


def _write(path: str, frames: Iterator[Any]) -> None:
    import av

    with av.open(path, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLES_A_SECOND, layout="mono", bit_rate=PIECE_BITRATE)
        for frame in frames:
            frame.pts = None
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


READERS: dict[str, Callable[..., Found]] = {
    "video": video,
    "audio": audio,
    "image": image,
    "document": document,
    "pieces": pieces,
}


def main(kind: str, content_type: str, path: str, *folder: str) -> None:
    limit(*((PIECES_PROCESSOR_SECONDS, PIECE_BYTES) if folder else ()))
    try:
        with open(path, "rb") as file:
            found = READERS[kind](file, content_type, *folder)
    except RefusedError as refused:
        found = {"refused": str(refused)}
    except MemoryError:
        found = {"refused": "It needs too much memory to be read."}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
