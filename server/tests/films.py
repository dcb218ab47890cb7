"""Files of every kind for tests: real ones, and ones made to break, to occupy or to deceive whoever reads them."""

import functools
import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

FAST = {"libx264": {"preset": "ultrafast"}, "libvpx": {"deadline": "realtime", "cpu-used": "8"}}
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def film(
    path: Path,
    seconds: float = 3,
    *,
    size: tuple[int, int] = (320, 180),
    codec: str = "libx264",
    rotated: int = 0,
    **options: str,
) -> Path:
    """Red for its first twentieth, green to the half, then blue."""
    frames = round(seconds * 25)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = FAST.get(codec, {})
        stream.gop_size = 25
        if rotated:
            stream.set_display_rotation(rotated)
        for number in range(frames):
            color = RED if number < frames / 20 else GREEN if number < frames / 2 else BLUE
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", size, color))))
        container.mux(stream.encode(None))
    return path


def sound(path: Path, seconds: float = 3, codec: str = "pcm_s16le", rate: int = 16000) -> Path:
    """A quiet hum."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        left, pts = round(seconds * rate), 0
        while left > 0:
            count = min(left, 1024)
            frame = av.AudioFrame(format="s16", layout="mono", samples=count)
            frame.planes[0].update(b"".join(struct.pack("<h", 900 * (n // 20 % 2)) for n in range(count)))
            frame.sample_rate, frame.pts, frame.time_base = rate, pts, Fraction(1, rate)
            container.mux(stream.encode(frame))
            left, pts = left - count, pts + count
        container.mux(stream.encode(None))
    return path


def talk(path: Path, seconds: float) -> Path:
    """One green picture, and a voice to it."""
    with av.open(str(sound(path.with_suffix(".flac"), seconds, codec="flac"))) as voice, av.open(str(path), "w") as container:
        spoken = voice.streams.audio[0]
        shown, heard = container.add_stream("libx264", rate=25), container.add_stream_from_template(spoken)
        shown.width, shown.height, shown.pix_fmt = 320, 180, "yuv420p"
        container.mux([*shown.encode(av.VideoFrame.from_image(Image.new("RGB", (320, 180), GREEN))), *shown.encode(None)])
        for packet in voice.demux(spoken):
            if packet.dts is not None:
                packet.stream = heard
                container.mux(packet)
    return path


def picture(form: str, size: tuple[int, int] = (800, 600), **options: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, GREEN).save(written, form, **options)
    return written.getvalue()


def png(size: tuple[int, int], *chunks: bytes) -> bytes:
    """With the size that is told, and whatever chunks follow."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def box(name: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    """Of an MP4 file; `size` is what it tells of itself."""
    return struct.pack(">I", len(content) + 8 if size is None else size) + name + content


def pdf(*objects: bytes, trailer: bytes = b"") -> bytes:
    """Objects are numbered from 1; the first is the catalogue."""
    written, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    root = b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(written))
    return written + head + table + root


def pages(count: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % number for number in range(3, count + 3))
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>"
    return pdf(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count %d /Kids [%b] >>" % (count, kids), *[page] * count)


def hostile(folder: Path) -> dict[str, tuple[str, bytes]]:
    """By what is wrong with them: the content type that they claim, and their bytes."""
    whole = film(folder / "whole.mp4", 10).read_bytes()
    fast = film(folder / "fast.mp4", 10, movflags="faststart").read_bytes()
    matroska = film(folder / "whole.mkv").read_bytes()
    wave = sound(folder / "whole.wav", 10).read_bytes()
    flac = sound(folder / "whole.flac", 10, codec="flac").read_bytes()
    webm = film(folder / "whole.webm", 1, codec="libvpx").read_bytes()
    vast = webm.replace(b"\x9d\x01\x2a\x40\x01\xb4\x00", b"\x9d\x01\x2a\xff\x3f\xff\x3f")  # each whole picture tells its size
    told = matroska.index(b"\x44\x89\x88") + 3
    head = box(b"ftyp", b"isom\0\0\0\0isom")
    inline = b"<< /Type /Catalog /Pages 2 0 R >>"
    nested = [b"<< /Type /Pages /Parent %d 0 R /Count 1 /Kids [%d 0 R] >>" % (n + 1, n + 3) for n in range(5000)]
    zeros = zlib.compress(b"\0" * 120_000_000, 1)
    films = {
        "a film without its end": whole[: len(whole) // 2],
        "a film of which half is there": fast[: len(fast) // 2],
        "a film that is a list of others": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "a film that joins others": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "a film that is text": b"GIF87a; rm -rf /",
        "a film with nothing in it": head,
        "a film of a box without an end": head + box(b"moov", b"\0" * 64, size=2**31),
        "a film of boxes in boxes": head + functools.reduce(lambda inner, _: box(b"moov", inner), range(1000), b""),
        "a film of noise": head + bytes(n * 7 % 251 for n in range(100_000)),
        "a film that is a sound": wave,
    }
    found = {name: ("video/mp4", content) for name, content in films.items()}
    lasts_for_ten_hours = matroska[:told] + struct.pack(">d", 36_000_000.0) + matroska[told + 8 :]
    found["a film that tells ten hours"] = ("video/x-matroska", lasts_for_ten_hours)
    found["a film of vast pictures"] = ("video/webm", vast)
    found["a sound of which half is there"] = ("audio/flac", flac[: len(flac) // 2])
    found["a sound of noise"] = ("audio/mpeg", b"ID3" + bytes(n * 11 % 256 for n in range(50_000)))
    bomb = png((30_000, 30_000), chunk(b"IDAT", zlib.compress(b"\0" * 90_001 * 300, 1)))
    texts = [chunk(b"zTXt", b"a\0\0" + zeros[:1_000_000])] * 2
    images = {
        "a picture that becomes 2.7 GB": ("image/png", bomb),
        "a picture with less in it than it tells": ("image/png", png((5000, 5000), chunk(b"IDAT", zlib.compress(b"\0" * 999)))),
        "a picture with gigabytes of remarks": ("image/png", png((9, 9), *texts, chunk(b"IDAT", zlib.compress(b"\0" * 252)))),
        "a picture of another kind": ("image/png", picture("JPEG")),
        "a picture without its end": ("image/jpeg", picture("JPEG", quality=95)[:900]),
        "a picture that is a page": ("image/gif", b"GIF89a<script>alert(1)</script>"),
    }
    found |= images
    stream = b"<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n" % len(zeros)
    documents = {
        "a document without its end": pages(3)[:200],
        "a document of noise": b"%PDF-1.7\n" + bytes(n * 13 % 256 for n in range(5000)),
        "a document whose pages lead in a circle": pdf(inline, b"<< /Type /Pages /Count 1 /Kids [2 0 R] >>"),
        "a document of pages in pages": pdf(inline, *nested, b"<< /Type /Page >>"),
        "a document without pages": pdf(inline, b"<< /Type /Pages /Count 999999999 /Kids [] >>"),
        "a document that becomes gigabytes": _packed(stream, zeros),
    }
    return found | {name: ("application/pdf", content) for name, content in documents.items()}


def _packed(stream: bytes, zeros: bytes) -> bytes:
    """Its catalogue stands in a stream that is hundreds of times as large as it looks."""
    written = b"%PDF-1.7\n2 0 obj\n" + stream + zeros + b"\nendstream\nendobj\n"
    entries = zlib.compress(bytes([0, 0, 0, 0]) + bytes([2, 0, 2, 0]) + bytes([1, 0, 9, 0]))
    table = b"<< /Type /XRef /Size 3 /W [1 2 1] /Root 1 0 R /Filter /FlateDecode /Length %d >>\nstream\n" % len(entries)
    return written + b"3 0 obj\n" + table + entries + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(written)
