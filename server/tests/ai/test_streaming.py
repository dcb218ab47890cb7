"""The tutor's answers as events: the same answer, and what becomes of one that breaks off."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from classroom import SPOKEN, TUTOR, Classroom, ask, limited, used
from harness import CONTRACT, Api, Person, Server, code_of, wait_for
from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors, models
from vendor import TEXT, Vendor

SEND = f"{TUTOR}/chat/send/"


def asks(lesson: str, message: str = "What is a parser?") -> dict[str, Any]:
    return {"message": message, "context": {"lesson_id": lesson}, "stream": True}


def events_of(text: str) -> list[tuple[str, Any]]:
    """The events of an answer, without comments."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def streamed(person: Person, lesson: str, message: str = "What is a parser?", **headers: str) -> list[tuple[str, Any]]:
    return events_of(whole(person, lesson, message, **headers).text)


def whole(person: Person, lesson: str, message: str = "What is a parser?", **headers: str) -> httpx.Response:
    """The answer to its end."""
    told = person.api.client.post(SEND, json=asks(lesson, message), headers={**person.headers, **headers})
    CONTRACT.check(told)
    assert (told.status_code, told.headers["content-type"]) == (200, "text/event-stream")
    return told


@contextmanager
def listening(person: Person, lesson: str, **headers: str) -> Iterator[Any]:
    """The lines of a stream as they come."""
    with person.api.client.stream("POST", SEND, json=asks(lesson), headers={**person.headers, **headers}) as answer:
        yield answer.iter_lines()


@pytest.fixture
def model(vendor: Vendor) -> Vendor:
    vendor.reset()
    return vendor


@pytest.fixture(scope="module")
def modelled_room(modelled: Server) -> Iterator[Classroom]:
    with Api(modelled) as api:
        yield Classroom.of(api.sign_up_instructor())


@pytest.fixture
def modelled_student(modelled_room: Classroom, modelled: Server, model: Vendor) -> Iterator[Person]:
    with Api(modelled) as api:
        yield modelled_room.joined_by(api.sign_up())


class TestBothEngines:
    """By the tutor that finds and quotes, and by a language model."""

    @pytest.fixture(params=["quoting", "modelled"])
    def place(self, request: pytest.FixtureRequest) -> tuple[Person, str]:
        names = ("student", "classroom") if request.param == "quoting" else ("modelled_student", "modelled_room")
        person, room = (request.getfixturevalue(name) for name in names)
        return person, room.spoken

    def test_joined_deltas_are_the_answer_without_streaming(self, place: tuple[Person, str]) -> None:
        person, lesson = place
        plain = ask(person, "What is a parser?", lesson=lesson).json()
        told = streamed(person, lesson)
        text = "".join(data["text"] for name, data in told if name == "message.delta")
        assert text == plain["response"] == told[-1][1]["response"]
        for same in ("references", "suggested_actions", "usage", "model"):
            assert told[-1][1][same] == plain[same]

    def test_events_come_in_their_order(self, place: tuple[Person, str]) -> None:
        person, lesson = place
        told = streamed(person, lesson)
        names = [name for name, _ in told]
        assert names == ["message.start", *["message.delta"] * (len(names) - 3), "message.references", "message.done"]
        assert len(names) > 6
        start, done = told[0][1], told[-1][1]
        assert {name: done[name] for name in start} == start
        assert told[-2][1] == {name: done[name] for name in ("references", "suggested_actions")}

    def test_what_was_streamed_is_kept_and_counted(self, place: tuple[Person, str]) -> None:
        person, lesson = place
        done = streamed(person, lesson)[-1][1]
        history = person.get(f"{TUTOR}/chat/history/{done['session_id']}/").json()
        assert [message["content"] for message in history["messages"]] == ["What is a parser?", done["response"]]
        assert used(person) == 1

    def test_the_same_key_answers_the_same_as_its_last_event(self, place: tuple[Person, str]) -> None:
        person, lesson = place
        key = {"Idempotency-Key": uuid4().hex}
        first = streamed(person, lesson, **key)
        again = whole(person, lesson, **key)
        assert events_of(again.text) == [first[-1]]
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers["location"] == f"{TUTOR}/chat/history/{first[-1][1]['session_id']}/"
        assert used(person) == 1


class TestRefusals:
    def test_what_is_known_before_is_refused_as_anything_else(self, classroom: Classroom, student: Person) -> None:
        limited(student, 0, 0)
        refused = student.post(SEND, json=asks(classroom.spoken))
        assert (refused.status_code, code_of(refused)) == (429, "AI_LIMIT_EXCEEDED")
        assert student.post(SEND, json=asks(str(uuid4()))).status_code == 404

    @pytest.mark.parametrize("reply", [{"status": 500}, {"refusal": "No.", "text": ""}, {"text": ""}], ids=str)
    def test_a_vendor_that_fails_before_it_speaks_is_503(
        self, model: Vendor, modelled_room: Classroom, modelled_student: Person, reply: dict[str, Any]
    ) -> None:
        model.says(**reply)
        refused = modelled_student.post(SEND, json=asks(modelled_room.spoken))
        assert (refused.status_code, code_of(refused), used(modelled_student)) == (503, "AI_SERVICE_ERROR", 0)

    @pytest.mark.parametrize("reply", [{"cut": True}, {"finish": "content_filter"}, {"refusal": "No."}], ids=str)
    def test_one_that_fails_in_the_middle_ends_with_an_error_and_costs_nothing(
        self, model: Vendor, modelled_room: Classroom, modelled_student: Person, reply: dict[str, Any]
    ) -> None:
        model.says(**reply)
        told = streamed(modelled_student, modelled_room.spoken)
        assert told[0][0] == "message.start"
        name, envelope = told[-1]
        assert (name, envelope["error"]["code"], envelope["error"]["retry_after"]) == ("error", "AI_SERVICE_ERROR", 10)
        assert used(modelled_student) == 0
        assert modelled_student.get(f"{TUTOR}/chat/sessions/").json()["count"] == 0


class TestLeaving:
    def test_a_client_that_leaves_stops_the_vendor_and_has_used_what_it_read(
        self, model: Vendor, modelled_room: Classroom, modelled_student: Person
    ) -> None:
        model.says(hangs=True)
        with listening(modelled_student, modelled_room.spoken) as lines:
            while "message.delta" not in next(lines):
                pass
            assert not model.left.is_set()
        assert model.left.wait(5)
        wait_for(lambda: modelled_student.get(f"{TUTOR}/user/usage/").json()["total"]["requests"] == 1)
        assert used(modelled_student) == 1

    def test_what_was_left_can_be_asked_for_again_with_the_same_key(
        self, model: Vendor, modelled_room: Classroom, modelled_student: Person
    ) -> None:
        model.says(hangs=True)
        key = {"Idempotency-Key": uuid4().hex}
        with listening(modelled_student, modelled_room.spoken, **key) as lines:
            while "message.delta" not in next(lines):
                pass
        usage = lambda: modelled_student.get(f"{TUTOR}/user/usage/").json()["total"]  # noqa: E731
        wait_for(lambda: usage()["requests"] == 1)
        assert usage()["prompt_tokens"] > 100  # the rules and the material were sent too
        model.says()
        assert streamed(modelled_student, modelled_room.spoken, **key)[-1][0] == "message.done"
        assert used(modelled_student) == 2

    def test_one_that_leaves_before_anything_came_has_used_nothing(
        self, model: Vendor, modelled_room: Classroom, modelled_student: Person
    ) -> None:
        model.says(pause=0.5)
        for stream in (True, False):
            body = {**asks(modelled_room.spoken), "stream": stream}
            with pytest.raises(Exception, match="timed out"):
                modelled_student.api.client.post(SEND, json=body, headers=modelled_student.headers, timeout=0.2)
        wait_for(lambda: used(modelled_student) == 0)

    def test_a_server_that_stops_in_the_middle_charges_nothing(
        self, model: Vendor, modelled_room: Classroom, modelled_student: Person, postgres: str
    ) -> None:
        from harness import running_server

        model.says(hangs=True)
        with running_server(postgres, **model.settings) as server, Api(server) as api:
            elsewhere = Person(api, modelled_student.id, modelled_student.email, modelled_student.tokens)
            with listening(elsewhere, modelled_room.spoken) as lines:
                while "message.delta" not in next(lines):
                    pass
                server.stop()
                assert "message.done" not in "".join(lines)
        wait_for(lambda: used(modelled_student) == 0)


class TestTheSdk:
    @pytest.fixture
    def client(self, student: Person) -> Iterator[Unpuzzle]:
        with Unpuzzle(base_url=student.api.server.base_url, token=student.tokens["access_token"]) as found:
            yield found

    def test_it_gives_text_as_it_comes_and_then_the_whole(self, client: Unpuzzle, classroom: Classroom) -> None:
        with client.ai.stream_message(message="What is a parser?", context={"lesson_id": classroom.spoken}) as stream:
            text = "".join(stream.text_deltas())
            done = stream.final()
        assert isinstance(done, models.ChatAnswer)
        assert text == done.response
        assert done.references[0].content in SPOKEN

    def test_or_typed_events(self, client: Unpuzzle, classroom: Classroom) -> None:
        kinds = [
            type(event.data) for event in client.ai.stream_message(message="A lexer?", context={"lesson_id": classroom.spoken})
        ]
        assert list(dict.fromkeys(kinds)) == [models.ChatStart, models.ChatDelta, models.ChatSources, models.ChatAnswer]

    def test_final_alone_reads_to_the_end(self, client: Unpuzzle, classroom: Classroom) -> None:
        stream = client.ai.stream_message(message="What is a parser?", context={"lesson_id": classroom.spoken})
        done = stream.final()
        assert done.response == client.ai.send_message(message="What is a parser?", session_id=done.session_id).response

    def test_what_goes_wrong_is_the_exception_of_its_code(
        self, model: Vendor, modelled_room: Classroom, modelled_student: Person
    ) -> None:
        server, token = modelled_student.api.server, modelled_student.tokens["access_token"]
        model.says(cut=True)
        context = {"lesson_id": modelled_room.spoken}
        with Unpuzzle(base_url=server.base_url, token=token, max_retries=0) as client:
            stream = client.ai.stream_message(message="What is a parser?", context=context)
            with pytest.raises(errors.AiServiceError):
                list(stream.text_deltas())
            limited(modelled_student, 0, 0)
            with pytest.raises(errors.AiLimitExceeded):
                client.ai.stream_message(message="What is a parser?", context=context).final()

    def test_leaving_the_loop_frees_the_connection(
        self, model: Vendor, modelled_room: Classroom, modelled_student: Person
    ) -> None:
        model.says(hangs=True)
        server, token = modelled_student.api.server, modelled_student.tokens["access_token"]
        with Unpuzzle(base_url=server.base_url, token=token) as client:
            stream = client.ai.stream_message(message="What is a parser?", context={"lesson_id": modelled_room.spoken})
            for piece in stream.text_deltas():
                assert piece == TEXT.split()[0]
                break
            stream.close()
            assert model.left.wait(5)

    def test_and_all_of_it_without_blocking(self, student: Person, classroom: Classroom) -> None:
        async def talk() -> tuple[str, Any]:
            base_url, token = student.api.server.base_url, student.tokens["access_token"]
            async with AsyncUnpuzzle(base_url=base_url, token=token) as client:
                context = {"lesson_id": classroom.spoken}
                async with client.ai.stream_message(message="What is a parser?", context=context) as stream:
                    text = "".join([piece async for piece in stream.text_deltas()])
                    return text, await stream.final()

        text, done = asyncio.run(talk())
        assert text == done.response
