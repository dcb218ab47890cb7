"""Talking with the tutor from the command line, on the real server."""

import json
from typing import Any

import pytest

from classroom import SPOKEN, TUTOR, Classroom, limited
from harness import Api, Person, Server, running_server
from vendor import TEXT, Reply, Vendor

QUESTION = "Which values are spilled to the stack?"
ANSWER = f"At 1:20 the lesson says: “{SPOKEN[8]}”"


@pytest.fixture(scope="module")
def classroom(server: Server) -> Any:
    with Api(server) as api:
        yield Classroom.of(api.sign_up_instructor())


@pytest.fixture
def student(classroom: Classroom, learner: Person) -> Person:
    return classroom.joined_by(learner)


@pytest.fixture
def environment(environment: dict[str, str], server: Server, student: Person) -> dict[str, str]:
    return {**environment, "UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_TOKEN": student.tokens["access_token"]}


def test_a_message_has_one_answer_and_where_to_go_on_stands_beside_it(unpuzzle: Any, classroom: Classroom) -> None:
    told = unpuzzle("ai", "chat", "--lesson", classroom.spoken, QUESTION)
    assert (told.returncode, told.stdout.startswith(ANSWER)) == (0, True)
    assert "  Watch “From source to tokens” from 1:20\n" in told.stderr
    assert told.stdout.count("\n") == 1


def test_so_has_a_pipe(unpuzzle: Any, classroom: Classroom) -> None:
    told = unpuzzle("ai", "chat", "--lesson", classroom.spoken, "--quiet", stdin=QUESTION)
    assert (told.returncode, told.stdout.startswith(ANSWER), told.stderr) == (0, True, "")
    nothing = unpuzzle("ai", "chat", "--lesson", classroom.spoken, stdin=" \n")
    assert (nothing.returncode, "There is no question" in nothing.stderr) == (2, True)


def test_the_whole_answer_is_json(unpuzzle: Any, classroom: Classroom) -> None:
    told = json.loads(unpuzzle("ai", "chat", "--lesson", classroom.spoken, "--json", QUESTION).stdout)
    assert (told["references"][0]["content"], told["model"]) == (SPOKEN[8], "unpuzzle-extractive-1")
    again = json.loads(unpuzzle("ai", "chat", "--session", told["session_id"], "--json", "And the scope?").stdout)
    assert again["session_id"] == told["session_id"]


def test_a_moment_is_written_as_players_show_it(unpuzzle: Any, classroom: Classroom) -> None:
    told = unpuzzle("ai", "chat", "--lesson", classroom.spoken, "--at", "1:05", "What does that mean?")
    assert SPOKEN[6] in told.stdout
    assert told.stdout == unpuzzle("ai", "chat", "--lesson", classroom.spoken, "--at", "65", "What does that mean?").stdout
    wrong = unpuzzle("ai", "chat", "--lesson", classroom.spoken, "--at", "noon", "What?")
    assert (wrong.returncode, "4:05" in wrong.stderr) == (2, True)


def test_on_a_terminal_it_is_one_conversation_until_somebody_leaves(terminal: Any, classroom: Classroom, student: Person) -> None:
    answers = {"> ": QUESTION, "from 1:20": "And what is a symbol table?", "from 1:00": "exit"}
    seen, code = terminal("ai", "chat", "--lesson", classroom.spoken, answers=answers, columns=300)
    assert code == 0
    assert SPOKEN[8] in seen
    assert SPOKEN[6] in seen
    (session,) = student.get(f"{TUTOR}/chat/sessions/").json()["results"]
    assert (session["messages_count"], session["lesson_id"]) == (4, classroom.spoken)


def test_a_question_that_failed_is_asked_again_about_the_same_lesson(
    terminal: Any, environment: dict[str, str], postgres: str
) -> None:
    replies = iter([Reply(cut=True), Reply()])
    with Vendor() as vendor, running_server(postgres, **vendor.settings) as server, Api(server) as api:
        vendor.reply = lambda _: next(replies)
        classroom = Classroom.of(api.sign_up_instructor())
        student = classroom.joined_by(api.sign_up())
        environment |= {"UNPUZZLE_BASE_URL": server.base_url, "UNPUZZLE_TOKEN": student.tokens["access_token"]}
        answers = {"> ": QUESTION, "Ask again in a moment.": QUESTION, "the grammar.": "exit"}
        seen, code = terminal("ai", "chat", "--lesson", classroom.spoken, answers=answers, columns=300)
        assert (code, seen.count(TEXT)) == (0, 1)
        (session,) = student.get(f"{TUTOR}/chat/sessions/").json()["results"]
        assert session["lesson_id"] == classroom.spoken


def test_what_is_refused_ends_it_with_the_reason(unpuzzle: Any, classroom: Classroom, student: Person) -> None:
    limited(student, 0, 0)
    refused = unpuzzle("ai", "chat", "--lesson", classroom.spoken, QUESTION)
    assert (refused.returncode, "AI_LIMIT_EXCEEDED" in refused.stderr) == (6, True)
    assert refused.stdout == ""


def test_the_operation_itself_streams_too(unpuzzle: Any, classroom: Classroom) -> None:
    told = unpuzzle(
        "ai", "send-message", "--message", QUESTION, "--context", f"lesson_id={classroom.spoken}", "--stream", "--json"
    )
    events = [json.loads(line) for line in told.stdout.splitlines()]
    assert (events[0]["event"], events[-1]["event"]) == ("message.start", "message.done")
