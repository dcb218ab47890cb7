"""From what is typed to what is sent."""

from pathlib import Path
from typing import Any

import pytest
from loopback import Reply

from unpuzzle_cli import values


@pytest.fixture
def sent(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> Any:
    """Runs a command and gives the request that it sent."""
    stand_in.respond = lambda received: Reply(
        200, examples["ProfileUpdated" if "profile" in received.path else "OwnCourseResult"]
    )

    def run(*arguments: str, stdin: str = "") -> Any:
        outcome = unpuzzle(*arguments, stdin=stdin)
        assert outcome.returncode == 0, outcome.stderr
        return stand_in.received[-1]

    return run


def test_every_kind_of_option_becomes_its_kind_of_value(sent: Any) -> None:
    arguments = ["--title", "T", "--price", "9.90", "--tags", "a", "--tags", "b, c", "--difficulty", "beginner"]
    body = {"title": "T", "price": 9.9, "tags": ["a", "b, c"], "difficulty": "beginner"}
    assert sent("courses", "create", *arguments).json == body


def test_null_clears_what_may_be_null_and_is_a_word_elsewhere(sent: Any) -> None:
    request = sent("courses", "update", "x", "--price", "null", "--description", "null", "--title", "null", "--tags", "")
    assert request.json == {"price": None, "description": None, "title": "null", "tags": []}


def test_long_texts_come_from_files_and_stdin(sent: Any, tmp_path: Path) -> None:
    (tmp_path / "text.html").write_text("<p>Größe</p>")
    arguments = ["--detailed-description", f"@{tmp_path}/text.html", "--description", "-"]
    assert sent("courses", "update", "x", *arguments, stdin="From stdin").json == {
        "detailed_description": "<p>Größe</p>",
        "description": "From stdin",
    }


def test_objects_are_pairs_or_json(sent: Any) -> None:
    change = ["auth", "update-profile", "--preferences"]
    pairs = sent(*change, "learning_reminders=false", "--preferences", "timezone=null")
    assert pairs.json == {"preferences": {"learning_reminders": False, "timezone": "null"}}
    assert sent(*change, '{"timezone": "UTC"}').json == {"preferences": {"timezone": "UTC"}}


@pytest.mark.parametrize(
    "typed",
    [
        ["start=0,end=42.5", "start=60, end=90"],
        ["start=0,end=42.5", '{"start": 60, "end": 90}'],
        ['[{"start": 0, "end": 42.5}, {"start": 60, "end": 90}]'],
        ["-"],
    ],
)
def test_a_list_of_objects_is_typed_as_pairs_or_json(
    unpuzzle: Any, stand_in: Any, examples: dict[str, Any], typed: list[str]
) -> None:
    stand_in.respond = lambda _: Reply(200, examples["LessonProgress"])
    watched = [word for value in typed for word in ("--watched", value)]
    stdin = '[{"start": 0, "end": 42.5}, {"start": 60, "end": 90}]'
    outcome = unpuzzle("learning", "record-progress", "3b0f6c1d-2a4e-4f7b-8c9d-0e1f2a3b4c5d", *watched, stdin=stdin)
    assert outcome.returncode == 0, outcome.stderr
    assert stand_in.received[-1].json == {"watched": [{"start": 0, "end": 42.5}, {"start": 60, "end": 90}]}


def test_an_empty_text_is_an_empty_list_of_objects(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(200, examples["LessonProgress"])
    unpuzzle("learning", "record-progress", "3b0f6c1d-2a4e-4f7b-8c9d-0e1f2a3b4c5d", "--watched", "")
    assert stand_in.received[-1].json == {"watched": []}


def test_a_comma_belongs_to_a_text_unless_a_field_comes_behind_it() -> None:
    found = values.objects(["text=one, two=2,right=true"], fields=("text", "right"), strings=("text",))
    assert found == [{"text": "one, two=2", "right": True}]


def test_what_is_neither_pairs_nor_json_is_told(unpuzzle: Any) -> None:
    outcome = unpuzzle("learning", "record-progress", "x", "--watched", "0-30")
    assert outcome.returncode == 2
    assert "0-30 is not of the form key=value." in outcome.stderr


def test_headers_of_the_contract_are_options(sent: Any) -> None:
    headers = sent("courses", "update", "x", "--title", "T", "--if-match", '"3"', "--idempotency-key", "mine").headers
    assert (headers["if-match"], headers["idempotency-key"]) == ('"3"', "mine")


def test_a_path_is_one_segment_whatever_is_typed(unpuzzle: Any, stand_in: Any, examples: dict[str, Any]) -> None:
    stand_in.respond = lambda _: Reply(200, examples["Course"])
    unpuzzle("courses", "get", "..b?c")
    assert stand_in.received[0].path == "/api/v1/courses/..b%3Fc/"
    # Servers take an encoded slash for one: it would be another path.
    outcome = unpuzzle("courses", "get", "a/../b")
    assert (outcome.returncode, "course_id must not be" in outcome.stderr) == (2, True)
    assert len(stand_in.received) == 1


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_json_has_no_number_for_is_none(unpuzzle: Any, stand_in: Any, word: str) -> None:
    refused = unpuzzle("courses", "create", "--title", "x", f"--price={word}")
    assert (refused.returncode, refused.stderr) == (2, f"unpuzzle: {word} is not a number, true, false or null.\n")
    assert unpuzzle("api", "POST", "x/", "--input", "-", stdin=f"[{word}]").returncode == 2
    assert unpuzzle("learning", "record-progress", "x", f"--position-seconds={word}").returncode == 2
    assert stand_in.received == []
    unpuzzle("api", "POST", "x/", "-F", f"a={word}")
    assert stand_in.received[0].json == {"a": word}


def test_how_a_text_that_begins_like_a_file_is_sent_is_told(unpuzzle: Any) -> None:
    refused = unpuzzle("reflections", "create", "--lesson-id", "x", "--content", "@everyone")
    assert (
        refused.stderr
        == "unpuzzle: everyone can't be read: No such file or directory\nA text that begins with @ comes from stdin: -\n"
    )
