"""A lesson is heard by whoever speaks as OpenAI does, through its own library, and its teacher is told how that went."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import films
from harness import Api, Person, Server, code_of, running_server
from library import Library
from listener import KEY, Listener, listening
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.media import inspection
from unpuzzle_server.media.transcription import Transcriber


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


@pytest.fixture(scope="module")
def hearing(postgres: str, listener: Listener) -> Iterator[Server]:
    """A server that has a key."""
    with running_server(postgres, transcription_api_key="", openai_api_key=KEY, openai_base_url=listener.base_url) as server:
        yield server


@pytest.fixture
def teacher(hearing: Server) -> Iterator[Person]:
    with Api(hearing) as api:
        yield api.sign_up_instructor()


def lesson_of(library: Library, teacher: Person, content: bytes | None, content_type: str = "audio/wav") -> dict[str, Any]:
    """A lesson that shows a file."""
    section = teacher.section(teacher.course(), is_published=True)
    media_id = library.add(teacher, content, content_type, title="Hooks")
    assigned = teacher.post(f"/api/v1/content/sections/{section['id']}/media/", json={"media_ids": [media_id]})
    assert assigned.status_code == 200, assigned.text
    lesson: dict[str, Any] = assigned.json()["lessons"][0]
    return lesson


def path_of(lesson: dict[str, Any]) -> str:
    return f"/api/v1/content/lessons/{lesson['id']}/transcript/"


def request(teacher: Person, lesson: dict[str, Any]) -> dict[str, Any]:
    asked = teacher.post(f"{path_of(lesson)}generate/")
    assert asked.status_code == 202, asked.text
    answer: dict[str, Any] = asked.json()
    return answer


def told(teacher: Person) -> list[tuple[str, str]]:
    notifications = teacher.get("/api/v1/notifications/").json()["results"]
    return [(item["title"], item["message"]) for item in notifications if item["icon"] == "transcript"]


def test_what_is_said_becomes_the_transcript(hearing: Server, listener: Listener, teacher: Person, tmp_path: Path) -> None:
    library = Library(hearing)
    lesson = lesson_of(library, teacher, films.sound(tmp_path / "a.wav", 3).read_bytes())
    request(teacher, lesson)
    assert library.postman.deliver(lesson["id"]) == ["content.transcribe"]
    found = teacher.get(path_of(lesson)).json()
    assert (found["source"], found["language"]) == ("generated", "de")
    assert found["segments"] == [
        {"start": 0, "end": 1.25, "text": "Two components need the same state."},
        {"start": 1.5, "end": 2.75, "text": "Then their parent keeps it."},
    ]
    heard = listener.heard[-1]
    assert (heard["model"], heard["response_format"], round(heard["seconds"])) == ("whisper-1", "verbose_json", 3)
    assert told(teacher) == [("Transcript ready", "'Hooks' can be read along")]


def test_a_long_lesson_is_heard_in_pieces_whose_times_follow_each_other(
    hearing: Server, listener: Listener, teacher: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = tmp_path / "program.py"
    shorter.write_text(Path(inspection.__file__).read_text().replace("= 1200, ", "= 2, "))
    monkeypatch.setattr("unpuzzle_server.media.processing.PROGRAM", shorter)
    library = Library(hearing)
    lesson = lesson_of(library, teacher, films.sound(tmp_path / "a.wav", 5, rate=48000).read_bytes())
    request(teacher, lesson)
    library.postman.deliver(lesson["id"])
    starts = [segment["start"] for segment in teacher.get(path_of(lesson)).json()["segments"]]
    assert starts == [0, 1.5, 2, 3.5, 4, 5.5]
    assert [round(heard["seconds"]) for heard in listener.heard[-3:]] == [2, 2, 1]


def test_to_ask_again_meanwhile_asks_nobody(hearing: Server, teacher: Person, tmp_path: Path) -> None:
    library = Library(hearing)
    lesson = lesson_of(library, teacher, films.sound(tmp_path / "a.wav").read_bytes())
    assert request(teacher, lesson) == request(teacher, lesson)
    assert library.postman.deliver(lesson["id"]) == ["content.transcribe"]
    request(teacher, lesson)
    assert library.postman.deliver(lesson["id"]) == ["content.transcribe"]


def test_an_admin_may_ask_for_whoever_teaches(hearing: Server, teacher: Person, tmp_path: Path) -> None:
    library = Library(hearing)
    lesson = lesson_of(library, teacher, films.sound(tmp_path / "a.wav").read_bytes())
    with Api(hearing) as api:
        request(api.sign_up_admin(), lesson)
    library.postman.deliver(lesson["id"])
    assert teacher.get(path_of(lesson)).json()["source"] == "generated"
    assert told(teacher) == [("Transcript ready", "'Hooks' can be read along")]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "What is said in it can't be made out."), (403, "This server is not let in where it has sounds transcribed.")],
)
def test_what_is_refused_for_good_is_told_without_the_key(
    hearing: Server,
    listener: Listener,
    teacher: Person,
    tmp_path: Path,
    status: int,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    library = Library(hearing)
    lesson = lesson_of(library, teacher, films.sound(tmp_path / "a.wav").read_bytes())
    request(teacher, lesson)
    listener.refusals = [status]
    library.postman.deliver(lesson["id"])
    assert told(teacher) == [("No transcript", f"'Hooks' was not transcribed. {reason}")]
    assert library.postman.waiting(lesson["id"]) == []
    assert KEY not in caplog.text
    assert code_of(teacher.get(path_of(lesson))) == "NOT_FOUND"


def test_who_is_busy_is_asked_again(hearing: Server, listener: Listener, teacher: Person, tmp_path: Path) -> None:
    library = Library(hearing)
    lesson = lesson_of(library, teacher, films.sound(tmp_path / "a.wav").read_bytes())
    request(teacher, lesson)
    listener.refusals = [500] * 3  # once more than the library asks again by itself
    library.postman.deliver(lesson["id"])
    error = hearing.sql("SELECT error FROM tasks WHERE args ->> 'lesson_id' = %s", lesson["id"])
    assert error
    assert KEY not in error[0][0]
    library.postman.deliver(lesson["id"])
    assert told(teacher) == [("Transcript ready", "'Hooks' can be read along")]


def test_what_holds_no_sound_or_is_gone_is_told(hearing: Server, teacher: Person, tmp_path: Path) -> None:
    library = Library(hearing)
    silent, lost = films.film(tmp_path / "a.mp4", 1).read_bytes(), None
    for content, reason in ((silent, "There is no sound in it."), (lost, "Its file is no longer in storage.")):
        lesson = lesson_of(library, teacher, content, "video/mp4")
        request(teacher, lesson)
        library.postman.deliver(lesson["id"])
        assert told(teacher)[0] == ("No transcript", f"'Hooks' was not transcribed. {reason}")


def test_only_what_can_be_heard_is_transcribed(hearing: Server, teacher: Person, instructor: Person) -> None:
    library = Library(hearing)
    text = teacher.lesson(teacher.section(teacher.course()))
    document = lesson_of(library, teacher, films.pages(1), "application/pdf")
    for lesson in (text, document):
        refused = teacher.post(f"{path_of(lesson)}generate/")
        assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")
    assert code_of(instructor.post(f"{path_of(text)}generate/")) == "NOT_FOUND"


def test_without_a_key_nobody_transcribes(postgres: str) -> None:
    with running_server(postgres, transcription_api_key="") as deaf, Api(deaf) as api:
        teacher = api.sign_up_instructor()
        refused = teacher.post(f"{path_of(teacher.lesson(teacher.section(teacher.course())))}generate/")
        assert (refused.status_code, code_of(refused)) == (409, "NOT_CONFIGURED")


def test_a_key_of_its_own_wins_and_none_is_shown() -> None:
    of_openai = Settings(openai_api_key=KEY, openai_base_url="https://api.example.com/v1")
    own = replace(of_openai, transcription_api_key="sk-own", transcription_base_url="https://whisper.example.com/v1")
    found = [Transcriber.of(settings) for settings in (Settings(), of_openai, own)]
    assert found == [
        None,
        Transcriber(KEY, "https://api.example.com/v1", "whisper-1"),
        Transcriber("sk-own", "https://whisper.example.com/v1", "whisper-1"),
    ]
    assert not any(key in f"{found} {of_openai} {own}" for key in (KEY, "sk-own"))
