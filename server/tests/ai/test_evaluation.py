"""How well the embedded tutor finds what a question is about: fifty questions that learners have, on the demo's lessons."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from server_fixtures import open_folder

from classroom import ask, without_limit
from harness import Api, Person, Server, running_server
from unpuzzle_server.kernel.embedded_postgres import EmbeddedPostgres
from unpuzzle_server.seed import loader

EVALUATION = yaml.safe_load(Path(__file__).with_name("evaluation.yaml").read_text())
PAIRS = [
    (course, lesson, each["question"], each["sentence"])
    for course, lessons in EVALUATION.items()
    for lesson, pairs in lessons.items()
    for each in pairs
]
FOUND_AT_LEAST = 45
LESSON = """
    SELECT l.id::text FROM lessons l JOIN sections x ON x.id = l.section_id JOIN courses c ON c.id = l.course_id
     WHERE c.slug = %s ORDER BY x.position, l.position OFFSET %s LIMIT 1
"""
# Nothing of this is said in these lessons.
FOREIGN = [
    "What is the capital of France?",
    "How do I bake sourdough bread?",
    "Who won the world cup?",
    "Which planet is the largest?",
    "How does photosynthesis store energy?",
    "What did Napoleon do in Russia?",
    "How do vaccines train the immune system?",
    "What is quantum entanglement?",
]


@pytest.fixture(scope="module")
def demo() -> Iterator[Server]:
    with open_folder() as home, EmbeddedPostgres(home) as embedded, running_server(embedded.url) as server:
        loader.load(embedded.url)
        yield server


@pytest.fixture(scope="module")
def reader(demo: Server) -> Iterator[Person]:
    """An admin, who may read every lesson."""
    with Api(demo) as api:
        person = api.sign_up_admin()
        person.tokens = api.post("/api/v1/auth/signin/", json={"email": person.email, "password": "correct horse battery"}).json()
        without_limit(person)
        yield person


def lesson_of(reader: Person, course: str, number: int) -> str:
    return str(reader.api.server.sql(LESSON, course, number - 1)[0][0])


def references(reader: Person, course: str, lesson: int, question: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(reader, question, lesson=lesson_of(reader, course, lesson)).json()["references"]
    return found


def test_there_are_fifty_pairs() -> None:
    assert len(PAIRS) == len({question for _, _, question, _ in PAIRS}) == 50


def test_the_right_segment_is_among_the_first_three_nearly_always(reader: Person) -> None:
    missed = []
    for course, lesson, question, number in PAIRS:
        said = "SELECT text FROM transcript_segments WHERE lesson_id = %s AND position = %s"
        right = reader.api.server.sql(said, lesson_of(reader, course, lesson), number)[0][0]
        found = [reference["content"] for reference in references(reader, course, lesson, question)]
        if right not in found[:3]:
            missed.append((question, right, found))
    assert len(PAIRS) - len(missed) >= FOUND_AT_LEAST, missed


def test_every_reference_is_a_segment_that_is_there_with_its_words(reader: Person) -> None:
    for course, lesson, question, _ in PAIRS[::5]:
        for reference in references(reader, course, lesson, question):
            if reference["type"] == "transcript":
                there = "SELECT text FROM transcript_segments WHERE lesson_id = %s AND start_ms = %s"
                rows = reader.api.server.sql(there, reference["lesson_id"], round(reference["timestamp"] * 1000))
                assert rows == [(reference["content"],)]
            else:
                body = reader.api.server.sql("SELECT body FROM lesson_texts WHERE lesson_id = %s", reference["lesson_id"])[0][0]
                assert reference["content"].split()[0] in body


def test_nothing_is_quoted_on_what_no_lesson_says(reader: Person) -> None:
    answered = [question for question in FOREIGN if references(reader, "introduction-to-python-programming", 1, question)]
    assert answered == []
