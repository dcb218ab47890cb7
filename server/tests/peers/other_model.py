"""Asks a server that speaks as OpenAI does, and that nobody here wrote (npm's aimock): python other_model.py

Plain, streaming, by a schema, and erring; and the tokenizer that ships its vocabulary counts as it should.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from npm import NODE, installed
from server_fixtures import open_folder

from classroom import TUTOR, Classroom, ask, used
from harness import Api, Person, code_of, running_server
from unpuzzle_sdk import Unpuzzle, errors
from unpuzzle_server.ai import tokens
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from vendor import MADE, TEXT

QUESTION = "What is a parser?"


def says(question: str, content: str) -> dict[str, Any]:
    return {"match": {"userMessage": question}, "response": {"content": content}}


def errs(question: str, status: int) -> dict[str, Any]:
    return {"match": {"userMessage": question}, "response": {"error": {"message": "no", "type": "error"}, "status": status}}


FIXTURES = [
    errs("too much", 429),
    errs("broken", 500),
    errs("wrong key", 401),
    says("rubbish", "I would rather not."),
    says("wrapped", f"```json\n{json.dumps(MADE['hint'])}\n```"),
    says('"concept"', json.dumps(MADE["hint"])),
    says('"topics"', json.dumps(MADE["quiz"])),
    says('"prompts"', json.dumps(MADE["prompts"])),
    says('"goal"', json.dumps(MADE["path"])),
    says(QUESTION, TEXT),
]
"""The first that fits the last message answers; none is a 404."""


@contextmanager
def running_model() -> Iterator[str]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = int(found.getsockname()[1])
    script = installed() / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as fixtures:
        json.dump({"fixtures": FIXTURES}, fixtures)
        fixtures.flush()
        command = [str(NODE), str(script), "-p", str(port), "-h", "127.0.0.1", "-f", fixtures.name]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as model:
            try:
                listening(port, model)
                yield f"http://127.0.0.1:{port}/v1"
            finally:
                model.kill()


def listening(port: int, model: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert model.poll() is None, "the model has ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the model does not listen")


def check(api: Api) -> None:
    room = Classroom.of(api.sign_up_instructor())
    person = room.joined_by(api.sign_up())
    answers_plainly_and_streams(person, room)
    makes_by_a_schema(person, room)
    fails_in_every_way(person, room)


def answers_plainly_and_streams(person: Person, room: Classroom) -> None:
    plain = ask(person, QUESTION, lesson=room.spoken).json()
    assert (plain["response"], plain["model"]) == (TEXT, "gpt-4o")
    assert plain["usage"]["total_tokens"] > 0
    with Unpuzzle(base_url=person.api.server.base_url, token=person.tokens["access_token"], max_retries=0) as client:
        stream = client.ai.stream_message(message=QUESTION, context={"lesson_id": room.spoken})
        pieces = list(stream.text_deltas())
        assert len(pieces) > 1
        assert "".join(pieces) == stream.final().response == TEXT
        for question in ("broken", "too much", "wrong key", "nobody has an answer to this"):
            try:
                client.ai.stream_message(message=question).final()
                raise AssertionError(question)
            except errors.AiServiceError:
                pass
    assert used(person) == 2


def makes_by_a_schema(person: Person, room: Classroom) -> None:
    lesson = {"lesson_id": room.spoken}
    hint = person.post(f"{TUTOR}/agents/hint/", json={**lesson, "concept": "parser"}).json()
    assert hint["hint"] == MADE["hint"]["hint"]
    assert person.post(f"{TUTOR}/agents/hint/", json={**lesson, "concept": "wrapped"}).json()["hint"] == hint["hint"]
    assert len(person.post(f"{TUTOR}/agents/quiz/", json=lesson).json()["questions"]) == len(MADE["quiz"]["questions"])
    assert len(person.post(f"{TUTOR}/agents/reflection/", json=lesson).json()["prompts"]) == 1
    assert person.post(f"{TUTOR}/agents/path/", json={"goal": "compile"}).json()["summary"] == MADE["path"]["summary"]
    assert used(person) == 7


def fails_in_every_way(person: Person, room: Classroom) -> None:
    before = used(person)
    for question in ("broken", "too much", "wrong key", "nobody has an answer to this"):
        refused = ask(person, question, lesson=room.spoken)
        assert (refused.status_code, code_of(refused)) == (503, "AI_SERVICE_ERROR"), question
    rubbish = person.post(f"{TUTOR}/agents/hint/", json={"lesson_id": room.spoken, "concept": "rubbish"})
    assert (rubbish.status_code, code_of(rubbish)) == (503, "AI_SERVICE_ERROR")
    assert used(person) == before


def counts_as_openai_does() -> None:
    """The figures are those of OpenAI's own library."""
    import bpe_openai  # noqa: F401 - the estimate is not what is tried here

    assert [tokens.count(text) for text in ("hello world", "antidisestablishmentarianism", "", "<|endoftext|>")] == [2, 6, 0, 7]


def main() -> None:
    counts_as_openai_does()
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(stack.enter_context(open_folder())))
        model = stack.enter_context(running_model())
        settings: dict[str, Any] = {"openai_api_key": "sk-any", "openai_base_url": model, "ai_retries": 0}
        server = stack.enter_context(running_server(postgres.url, **settings))
        check(stack.enter_context(Api(server)))
    print("another model: plain, streamed, by four schemas, mended, and 503 without a charge for whatever fails")


if __name__ == "__main__":
    sys.exit(main())
