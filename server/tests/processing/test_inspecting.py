"""What is found out about a file is true, and whoever reads it can do no more than that."""

import asyncio
import io
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from PIL import Image

import films
from unpuzzle_server.media import processing
from unpuzzle_server.media.processing import Found, Unreadable


def inspect(path: Path, kind: str, content_type: str) -> Found:
    return asyncio.run(processing.inspect(path, kind, content_type))


def color_of(thumbnail: bytes | None) -> tuple[int, ...]:
    """Of its middle: 0 and 255 where it is nearly so."""
    assert thumbnail
    image = Image.open(io.BytesIO(thumbnail))
    middle = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(middle, tuple)
    return tuple(round(value / 255) * 255 for value in middle)


def size_of(thumbnail: bytes | None) -> tuple[int, int]:
    assert thumbnail
    return Image.open(io.BytesIO(thumbnail)).size


@pytest.mark.parametrize(
    ("name", "content_type", "codec", "found"),
    [
        ("a.mp4", "video/mp4", "libx264", "h264"),
        ("a.mov", "video/quicktime", "libx264", "h264"),
        ("a.mkv", "video/x-matroska", "mpeg4", "mpeg4"),
        ("a.webm", "video/webm", "libvpx", "vp8"),
    ],
)
def test_a_film_is_measured_and_shown_as_it_is_after_a_tenth(
    tmp_path: Path, name: str, content_type: str, codec: str, found: str
) -> None:
    film = inspect(films.film(tmp_path / name, 2, codec=codec, size=(720, 404)), "video", content_type)
    assert film.duration_seconds == pytest.approx(2, abs=0.1)
    assert (film.width, film.height, film.codec, film.page_count) == (720, 404, found, None)
    assert film.bitrate == pytest.approx((tmp_path / name).stat().st_size * 8 / 2, rel=0.05)
    assert (size_of(film.thumbnail), color_of(film.thumbnail)) == ((640, 359), films.GREEN)


def test_a_film_on_its_side_is_shown_upright(tmp_path: Path) -> None:
    film = inspect(films.film(tmp_path / "a.mp4", rotated=90), "video", "video/mp4")
    assert (film.width, film.height, size_of(film.thumbnail)) == (180, 320, (180, 320))


def test_a_film_that_tells_no_length_is_measured(tmp_path: Path) -> None:
    """As browsers record them."""
    film = inspect(films.film(tmp_path / "a.webm", codec="libvpx", live="1"), "video", "video/webm")
    assert film.duration_seconds == pytest.approx(3, abs=0.1)


def test_a_talk_to_one_picture_is_as_long_as_the_talk(tmp_path: Path) -> None:
    talk = films.talk(tmp_path / "a.mkv", 8)
    found = inspect(talk, "video", "video/x-matroska")
    assert found.duration_seconds == pytest.approx(8, abs=0.1)
    assert color_of(found.thumbnail) == films.GREEN


@pytest.mark.parametrize(
    ("name", "content_type", "codec"),
    [
        ("a.wav", "audio/wav", "pcm_s16le"),
        ("a.flac", "audio/flac", "flac"),
        ("a.mp3", "audio/mpeg", "mp3"),
        ("a.ogg", "audio/ogg", "libopus"),
        ("a.m4a", "audio/mp4", "aac"),
    ],
)
def test_a_sound_is_measured(tmp_path: Path, name: str, content_type: str, codec: str) -> None:
    found = inspect(films.sound(tmp_path / name, 5, codec=codec), "audio", content_type)
    assert found.duration_seconds == pytest.approx(5, abs=0.2)
    assert (found.codec, found.thumbnail) == (codec.removeprefix("lib"), None)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_picture_is_made_small(tmp_path: Path, form: str) -> None:
    (tmp_path / "a").write_bytes(films.picture(form, (2000, 1000)))
    found = inspect(tmp_path / "a", "image", f"image/{form.lower()}")
    assert (found.width, found.height, found.duration_seconds) == (2000, 1000, None)
    assert (size_of(found.thumbnail), color_of(found.thumbnail)) == ((640, 320), films.GREEN)


def test_a_picture_is_turned_as_it_asks_and_tells_no_more_where_it_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "taken at home"
    (tmp_path / "a").write_bytes(films.picture("JPEG", (800, 400), exif=exif))
    found = inspect(tmp_path / "a", "image", "image/jpeg")
    assert (found.width, found.height, size_of(found.thumbnail)) == (400, 800, (180, 360))
    assert found.thumbnail
    assert b"taken at home" not in found.thumbnail


def test_the_pages_of_a_document_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(films.pages(37))
    assert inspect(tmp_path / "a", "document", "application/pdf") == Found(page_count=37)


@pytest.mark.parametrize(
    ("program", "seconds", "reason"),
    [
        ("import time; time.sleep(60)", 1, "It takes too long to be read."),
        ("while True: pass", 1, "It takes too long to be read."),
        ("limit(1)\nwhile True: pass", 60, "It takes too long to be read."),
        ("limit(); [bytes(2**20) for _ in range(2**20)]", 60, "It can't be read."),
        ("limit(); open(sys.argv[1], 'wb', 0).write(b'x')", 60, "It can't be read."),
        ("while True: print('x' * 1000)", 60, "It can't be read."),
        ("import ctypes; ctypes.string_at(0)", 60, "It can't be read."),
        ("import os; sys.exit(bool(set(os.environ) - {'PATH', 'LANG', 'LC_CTYPE'}))", 60, None),
    ],
)
def test_a_reader_that_was_taken_over_is_ended(tmp_path: Path, program: str, seconds: float, reason: str | None) -> None:
    """Whatever the process does: it has no more time, memory, files, words and secrets than it is given."""
    limited = processing.PROGRAM.read_text().partition("if __name__")[0]
    (tmp_path / "program.py").write_text(f"{limited}\n{program}\n")
    begun, expected = time.monotonic(), nullcontext() if reason is None else pytest.raises(Unreadable, match=f"^{reason}$")
    with expected:
        asyncio.run(processing.run(tmp_path / "program.py", [str(tmp_path / "written")], seconds))
    assert time.monotonic() - begun < 30
    assert not (tmp_path / "written").exists() or not (tmp_path / "written").read_bytes()


@pytest.mark.parametrize("said", ["", "{", "[]", '{"secret": 1}', '{"thumbnail": "%"}'])
def test_what_a_reader_says_that_was_taken_over_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"print({said!r})")
    monkeypatch.setattr(processing, "PROGRAM", program)
    with pytest.raises(Unreadable, match="It can't be read"):
        inspect(tmp_path / "a", "image", "image/png")
