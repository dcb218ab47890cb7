"""Notifications as they happen: each once, in order, whoever writes them, and however often the line breaks."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from harness import Api, Person, Server, code_of, running_server, wait_for
from line import Line
from unpuzzle_sdk import Unpuzzle
from unpuzzle_server.kernel import errors, listening
from unpuzzle_server.notifications import live

STREAM, LIST = "/api/v1/notifications/stream/", "/api/v1/notifications/"
TELL = "INSERT INTO notifications (user_id, type, title, message, icon) VALUES (%s, 'system', %s, 'x', 'x')"
TELL_MANY = """INSERT INTO notifications (user_id, type, title, message, icon)
               SELECT %s, 'system', 'n' || n, 'x', 'x' FROM generate_series(1, %s) n"""


@contextmanager
def following(person: Person, server: Server | None = None, **settings: Any) -> Iterator[Any]:
    """The person's stream, which has begun, from any server of the deployment."""
    base_url = (server or person.api.server).base_url
    with (
        Unpuzzle(base_url=base_url, token=person.tokens["access_token"]) as client,
        client.notifications.stream(**settings) as it,
    ):
        yield Following(it)


class Following:
    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.events = iter(stream)

    def titles(self, count: int) -> list[str]:
        return [next(self.events).data.title for _ in range(count)]

    def begin(self) -> None:
        """Waits until the server has said where it begins."""
        self.chunks = iter(self.stream.answer.chunks)  # kept, for what is dropped is closed
        assert next(self.chunks).startswith(b"id: ")


def tell(person: Person, title: str) -> None:
    person.api.server.sql(TELL, person.id, title)


def test_a_notification_arrives_when_it_happens(learner: Person, instructor: Person) -> None:
    course = instructor.published_course(title="Tea")
    with following(learner) as follower:
        learner.post(f"/api/v1/courses/{course['id']}/enroll/")
        event = next(follower.events)
    assert (event.event, event.data.message, event.data.is_read) == ("notification", "You are enrolled in 'Tea'", False)
    assert event.data.to_dict()["id"] == learner.get(LIST).json()["results"][0]["id"]


def test_it_begins_now_and_goes_on_after_any_of_its_ids(learner: Person) -> None:
    tell(learner, "before")
    with following(learner) as follower:
        for title in ("a", "b", "c"):
            tell(learner, title)
        ids = [next(follower.events).id for _ in range(3)]
    assert sorted(map(int, ids)) == [*map(int, ids)]
    for number in range(3):
        tell(learner, str(number))
    with following(learner, last_event_id=ids[0]) as follower:
        assert follower.titles(5) == ["b", "c", "0", "1", "2"]
    with following(learner, last_event_id="0") as follower:
        assert follower.titles(2) == ["before", "a"]


def test_nobody_sees_what_is_told_to_others(learner: Person, instructor: Person) -> None:
    with following(learner) as follower:
        tell(instructor, "not yours")
        tell(learner, "yours")
        assert follower.titles(1) == ["yours"]


def test_more_than_one_batch_comes_at_once(learner: Person) -> None:
    with following(learner) as follower:
        learner.api.server.sql(TELL_MANY, learner.id, 2 * live.BATCH + 7)
        assert len(follower.titles(2 * live.BATCH + 7)) == 2 * live.BATCH + 7


def test_what_was_written_first_and_committed_last_comes_last_and_is_not_lost(learner: Person) -> None:
    server = learner.api.server
    with following(learner) as follower, psycopg.connect(server.owner_url) as slow:
        slow.execute(TELL, (learner.id, "slow"))
        tell(learner, "quick")
        (quick,) = [next(follower.events)]
        slow.commit()
        assert (quick.data.title, follower.titles(1)) == ("quick", ["slow"])
    with following(learner, last_event_id=quick.id) as follower:
        assert follower.titles(1) == ["slow"]


class Cutting(httpx.BaseTransport):
    """Breaks each answer off after some bytes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.inner = httpx.HTTPTransport()
        self.cuts = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        return httpx.Response(response.status_code, headers=response.headers, stream=Cut(self, response.stream))

    def close(self) -> None:
        self.inner.close()


class Cut(httpx.SyncByteStream):
    def __init__(self, owner: Cutting, stream: Any) -> None:
        self.owner, self.stream = owner, stream

    def __iter__(self) -> Iterator[bytes]:
        left = self.owner.chance.randrange(1, 1500)
        for chunk in self.stream:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                self.owner.cuts += 1
                raise httpx.ReadError("cut")

    def close(self) -> None:
        self.stream.close()


def write(server: Server, person: Person, who: str, count: int, chance: random.Random) -> None:
    """Many transactions, each of which commits when it likes."""
    with psycopg.connect(server.owner_url) as connection:
        for number in range(count):
            connection.execute(TELL, (person.id, f"{who}{number}"))
            time.sleep(chance.random() / 100)
            connection.commit()


def test_a_stream_that_is_cut_anywhere_tells_everything_once_and_in_order(
    learner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = 1
    monkeypatch.setattr("unpuzzle_sdk._core.events._FIRST_BOUND", 0.01)
    server, chance, transport = learner.api.server, random.Random(seed), Cutting(seed)
    writers = [threading.Thread(target=write, args=(server, learner, who, 60, random.Random(who))) for who in "abc"]
    seen: list[tuple[int, str]] = []
    with Unpuzzle(base_url=server.base_url, token=learner.tokens["access_token"], transport=transport) as client:
        stream = client.notifications.stream(last_event_id="0")
        for writer in writers:
            writer.start()
        while len(seen) < 180:
            for event in stream:
                seen.append((int(event.id or ""), event.data.title))
                if chance.random() < 0.05 or len(seen) == 180:
                    break  # whoever leaves and comes back goes on, too
    for writer in writers:
        writer.join()
    assert [number for number, _ in seen] == sorted({number for number, _ in seen})
    for who in "abc":
        assert [title for _, title in seen if title.startswith(who)] == [f"{who}{number}" for number in range(60)]
    assert transport.cuts > 10


def test_what_one_server_writes_another_s_readers_see(learner: Person, server: Server) -> None:
    with running_server(server.owner_url) as other, following(learner, other) as there, following(learner) as here:
        learner.put("/api/v1/auth/profile/update/", json={"bio": "x"})
        tell(learner, "hello")
        assert (there.titles(1), here.titles(1)) == (["hello"], ["hello"])


def test_whoever_does_not_read_keeps_nobody_waiting(learner: Person, other_instructor: Person) -> None:
    server = learner.api.server
    with following(learner) as asleep, following(learner) as awake:
        began = time.monotonic()
        server.sql(TELL_MANY, learner.id, 2_000)
        assert time.monotonic() - began < 2
        assert len(awake.titles(2_000)) == 2_000
        assert other_instructor.get(LIST).status_code == 200
        assert len(asleep.titles(2_000)) == 2_000


def test_what_happens_while_the_database_is_lost_comes_when_it_is_back(learner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(errors, "BUSY_SECONDS", 0)
    monkeypatch.setattr("unpuzzle_sdk._core.events._FIRST_BOUND", 0.1)
    with Line(learner.api.server.owner_url) as line, running_server(line.url) as far, following(learner, far) as follower:
        tell(learner, "before")
        assert follower.titles(1) == ["before"]
        line.cut()
        tell(learner, "meanwhile")
        threading.Timer(0.5, line.mend).start()
        assert follower.titles(1) == ["meanwhile"]


def test_a_stream_ends_after_its_time_and_is_gone_on_with(learner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LIFE_SECONDS", 0.2)
    monkeypatch.setattr("unpuzzle_sdk._core.events._FIRST_BOUND", 0.01)
    with following(learner) as follower:
        began = time.monotonic()
        tell(learner, "a")
        assert follower.titles(1) == ["a"]
        threading.Timer(0.5, tell, (learner, "b")).start()
        assert follower.titles(1) == ["b"]
    assert time.monotonic() - began > 0.4


def test_one_user_keeps_no_more_than_twenty_streams_open(learner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 2)
    with following(learner) as one, following(learner) as two:
        one.begin()
        two.begin()
        refused = learner.get(STREAM)
        assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMIT_EXCEEDED")
        assert refused.headers["retry-after"] == "60"
    wait_for(lambda: learner.get(STREAM).status_code == 200)


def test_whoever_leaves_before_their_stream_begins_keeps_none_open(learner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(live, "MOST_STREAMS", 1)
    database = learner.api.server.owner_url
    with Line(database) as line, running_server(database, database_listen_url=line.url) as far, Api(far) as caller:
        line.cut()
        with pytest.raises(httpx.ReadTimeout):
            caller.get(STREAM, headers=learner.headers, timeout=0.5)
        line.mend()
        wait_for(lambda: caller.get(STREAM, headers=learner.headers).status_code == 200)


def test_an_id_is_a_number(api: Api, learner: Person) -> None:
    assert learner.get(STREAM, headers={"Last-Event-ID": "x"}).status_code == 422
    assert api.get(STREAM).status_code == 401
