"""Whole files go up through the SDK, over connections that break, to either engine."""

import asyncio
import io
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from engines import CHUNK, Engine, engine_of
from files import made, sha1

from harness import Api, Person
from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, _upload_job, errors, uploads

SIZE = 9 * CHUNK + 123


@pytest.fixture(scope="module", params=["embedded", "b2"])
def engine(request: pytest.FixtureRequest, postgres: str) -> Iterator[Engine]:
    with ExitStack() as stack:
        yield engine_of(request.param, postgres, stack)


@pytest.fixture
def teacher(engine: Engine) -> Iterator[Person]:
    with Api(engine.server) as api:
        yield api.sign_up_instructor()


@pytest.fixture(autouse=True)
def quick_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_upload_job, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(_upload_job, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lecture.mp4"
    path.write_bytes(made(SIZE))
    return path


class Line(httpx.HTTPTransport):
    """A way to the server on which parts may meet with something."""

    def __init__(self, meet: Callable[[httpx.Request, int], httpx.Response | None] = lambda *_: None) -> None:
        super().__init__()
        self.meet = meet
        self.parts = 0
        self.lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not is_part(request):
            return super().handle_request(request)
        with self.lock:
            self.parts += 1
            number = self.parts
        return self.meet(request, number) or super().handle_request(request)


def is_part(request: httpx.Request) -> bool:
    return request.method == "PUT" or request.url.path.endswith("/part")


def client_of(person: Person, line: httpx.BaseTransport | None = None) -> Unpuzzle:
    token = person.tokens["access_token"]
    return Unpuzzle(base_url=person.api.server.base_url, token=token, transport=line)


def fetched(url: str) -> bytes:
    return httpx.get(url, follow_redirects=True).content


def test_a_file_goes_up_and_tells_how_far_it_is(teacher: Person, file: Path) -> None:
    told: list[uploads.Progress] = []
    with client_of(teacher) as client:
        done = client.media.upload(file, title="Lesson 1", on_progress=told.append)
    assert fetched(done.cdn_url) == file.read_bytes()
    assert (done.filename, done.content_type, done.metadata.title) == ("lecture.mp4", "video/mp4", "Lesson 1")
    assert [step.sent for step in told] == sorted(step.sent for step in told)
    assert (told[0].sent, told[-1].sent, {step.total for step in told}) == (0, SIZE, {SIZE})


def test_a_file_goes_up_in_asyncio(teacher: Person, file: Path) -> None:
    data = file.read_bytes()

    async def act() -> Any:
        token = teacher.tokens["access_token"]
        async with AsyncUnpuzzle(base_url=teacher.api.server.base_url, token=token) as client:
            return await client.media.upload(io.BytesIO(data), filename="x.mp4", parallel=3)

    assert fetched(asyncio.run(act()).cdn_url) == data


def test_a_file_of_one_chunk_goes_up(teacher: Person) -> None:
    data = made(50, "image/png")
    with client_of(teacher) as client:
        assert fetched(client.media.upload(io.BytesIO(data), filename="x.png").cdn_url) == data


def test_connections_that_break_cost_a_part_each(teacher: Person, file: Path) -> None:
    """Some before the server has it, some after."""
    rng = random.Random(7)

    def meet(request: httpx.Request, number: int) -> httpx.Response | None:
        if (chance := rng.random()) < 0.4:
            if chance < 0.2:
                with httpx.Client() as other:
                    other.request(request.method, request.url, content=request.read(), headers=request.headers)
            raise httpx.ReadError("the train is in a tunnel")
        return None

    with client_of(teacher, Line(meet)) as client:
        assert fetched(client.media.upload(file).cdn_url) == file.read_bytes()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_is_busy_is_asked_again(teacher: Person, file: Path, status: int) -> None:
    line = Line(lambda _, number: httpx.Response(status, json={}) if number < 9 else None)
    with client_of(teacher, line) as client:
        assert fetched(client.media.upload(file).cdn_url) == file.read_bytes()


def test_a_completion_is_waited_for_too(teacher: Person, file: Path) -> None:
    class Busy(httpx.HTTPTransport):
        refused = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/complete/") and self.refused < 7:
                self.refused += 1
                return httpx.Response(503, json={})
            return super().handle_request(request)

    with client_of(teacher, Busy()).with_options(max_retries=1) as client:
        assert fetched(client.media.upload(file).cdn_url) == file.read_bytes()


def test_an_address_that_has_ended_is_renewed(engine: Engine, teacher: Person, file: Path) -> None:
    def meet(request: httpx.Request, number: int) -> httpx.Response | None:
        if number == 3 and engine.simulator:
            engine.simulator.tokens.clear()
        elif number == 3:
            return httpx.Response(404, json={"status": "error", "error": {"code": "NOT_FOUND", "message": "ended"}})
        return None

    with client_of(teacher, Line(meet)) as client:
        assert fetched(client.media.upload(file, parallel=1).cdn_url) == file.read_bytes()


def broken_off(teacher: Person, file: Path, after: int = 4, **kwargs: Any) -> str:
    """The id of an upload that was stopped on its way."""
    told: list[uploads.Progress] = []

    def stop(step: uploads.Progress) -> None:
        told.append(step)
        if step.sent >= after * CHUNK:
            raise KeyboardInterrupt

    with client_of(teacher) as client, pytest.raises(KeyboardInterrupt):
        client.media.upload(file, on_progress=stop, **kwargs)
    return told[0].upload_id


def test_what_the_server_has_is_not_sent_again(teacher: Person, file: Path) -> None:
    upload_id = broken_off(teacher, file)
    line = Line()
    with client_of(teacher, line) as client:
        had = len(client.media.get_upload(upload_id).received_parts)
        assert fetched(client.media.upload(file, resume=upload_id).cdn_url) == file.read_bytes()
        assert had >= 4
        assert line.parts <= 10 - 4
        assert client.media.upload(file, resume=upload_id).media_id == upload_id


def test_what_has_changed_meanwhile_is_sent_again(teacher: Person, file: Path) -> None:
    upload_id = broken_off(teacher, file)
    data = made(SIZE)
    file.write_bytes(data)
    with client_of(teacher) as client:
        done = client.media.upload(file, resume=upload_id)
        assert sha1(fetched(done.cdn_url)) == sha1(data)
        other = broken_off(teacher, file)
        with pytest.raises(ValueError, match="another file"):
            client.media.upload(io.BytesIO(data + b"more"), filename="x.mp4", resume=other)


def test_an_upload_that_is_not_kept_is_given_up(teacher: Person, file: Path) -> None:
    upload_id = broken_off(teacher, file, keep=False)
    with client_of(teacher) as client, pytest.raises(errors.NotFound):
        client.media.get_upload(upload_id)


@pytest.mark.parametrize("keep", [True, False])
def test_a_task_that_is_cancelled_stops(teacher: Person, file: Path, keep: bool) -> None:
    async def act() -> int:
        token = teacher.tokens["access_token"]
        async with AsyncUnpuzzle(base_url=teacher.api.server.base_url, token=token) as client:
            told: list[uploads.Progress] = []
            under_way = asyncio.Event()

            def tell(step: uploads.Progress) -> None:
                told.append(step)
                if step.sent >= 2 * CHUNK:
                    under_way.set()

            task = asyncio.create_task(client.media.upload(file, on_progress=tell, keep=keep, parallel=1))
            await under_way.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            try:
                return len((await client.media.get_upload(told[0].upload_id)).received_parts)
            except errors.NotFound:
                return 0

    assert (asyncio.run(act()) >= 2) == keep


def test_a_server_that_stays_away_ends_it_with_what_it_takes_to_go_on(teacher: Person, file: Path) -> None:
    def meet(request: httpx.Request, number: int) -> httpx.Response | None:
        if number > 3:
            raise httpx.ReadError("away")
        return None

    with client_of(teacher, Line(meet)) as client, pytest.raises(errors.UploadInterrupted) as broke:
        client.media.upload(file)
    with client_of(teacher) as client:
        done = client.media.upload(file, resume=broke.value.upload_id)
    assert fetched(done.cdn_url) == file.read_bytes()


def test_what_is_refused_is_not_tried_again(teacher: Person, file: Path) -> None:
    with client_of(teacher) as client:
        with pytest.raises(errors.MediaSizeExceeded):
            client.media.upload(io.BytesIO(made(30 * CHUNK)), filename="x.mp4")
        with pytest.raises(ValueError, match="content_type"):
            client.media.upload(io.BytesIO(made(30)), filename="x.exe")
        with pytest.raises(ValueError, match="empty"):
            client.media.upload(io.BytesIO(), filename="x.mp4")
        with pytest.raises(errors.MediaMismatch):
            client.media.upload(io.BytesIO(made(50, "image/png")), filename="x.mp4")
