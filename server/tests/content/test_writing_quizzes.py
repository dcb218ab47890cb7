"""Quizzes as instructors write them: a question has what its type needs, and keeps its id while it is there."""

from typing import Any
from uuid import uuid4

import pytest

from harness import CHOICE, Api, Person, code_of, fields_of

STATEMENT = {"type": "true_false", "question": "So?", "is_true": False}
WORDS = {"type": "short_text", "question": "What?", "accepted_answers": ["this"]}
NUMBER = {"type": "numeric", "question": "How many?", "number": 0}
SELECT = {**CHOICE, "type": "multi_select"}


def quiz_path(quiz: dict[str, Any]) -> str:
    return f"/api/v1/content/quizzes/{quiz['id']}/"


@pytest.fixture
def lesson(instructor: Person) -> dict[str, Any]:
    return instructor.lesson(instructor.section(instructor.course()))


def test_a_quiz_is_answered_as_it_was_written(instructor: Person, lesson: dict[str, Any]) -> None:
    body = {"description": "Short", "passing_percentage": 55, "time_limit_minutes": 5, "max_attempts": 2, "shuffle_options": True}
    quiz = instructor.quiz(lesson, {**CHOICE, "points": 3, "explanation": "See"}, STATEMENT, WORDS, NUMBER, SELECT, **body)
    assert body.items() <= quiz.items()
    assert (quiz["questions_count"], quiz["total_points"], quiz["passing_score"]) == (5, 7, 3.85)
    choice, statement, words, number, select = quiz["questions"]
    assert (choice["points"], choice["explanation"], choice["partial_credit"], select["partial_credit"]) == (
        3,
        "See",
        False,
        True,
    )
    assert [(option["text"], option["is_correct"]) for option in choice["options"]] == [("this", True), ("that", False)]
    assert (statement["is_true"], words["accepted_answers"], number["number"], number["tolerance"]) == (False, ["this"], 0, None)
    assert instructor.get(quiz_path(quiz)).json() == quiz
    assert instructor.get(f"/api/v1/content/lessons/{lesson['id']}/").json()["quizzes"] == [
        {"id": quiz["id"], "title": quiz["title"], "is_required": True}
    ]


@pytest.mark.parametrize(
    ("question", "fields"),
    [
        ({**CHOICE, "options": [{"text": "one", "is_correct": True}]}, {"options"}),
        ({**CHOICE, "options": [{"text": "one"}, {"text": "two"}]}, {"options"}),
        ({**CHOICE, "options": [{"text": "one", "is_correct": True}] * 2}, {"options"}),
        ({**CHOICE, "is_true": True, "number": 0, "accepted_answers": ["x"]}, {"is_true", "number", "accepted_answers"}),
        ({**SELECT, "options": [{"text": "one"}, {"text": "two"}]}, {"options"}),
        ({**STATEMENT, "is_true": None}, {"is_true"}),
        ({**STATEMENT, "partial_credit": True, "tolerance": 0}, {"partial_credit", "tolerance"}),
        ({**WORDS, "accepted_answers": []}, {"accepted_answers"}),
        ({**NUMBER, "number": None}, {"number"}),
        ({**NUMBER, "id": str(uuid4())}, {"id"}),
        ({**CHOICE, "options": [{**CHOICE["options"][0], "id": str(uuid4())}, *CHOICE["options"][1:]]}, {"options.0.id"}),  # type: ignore[dict-item]
    ],
)
def test_a_question_that_does_not_fit_its_type_is_refused(
    instructor: Person, lesson: dict[str, Any], question: dict[str, Any], fields: set[str]
) -> None:
    body = {"title": "Quiz", "questions": [NUMBER, question]}
    refused = instructor.post(f"/api/v1/content/lessons/{lesson['id']}/quizzes/", json=body)
    assert (refused.status_code, code_of(refused)) == (422, "QUESTION_INVALID")
    assert fields_of(refused) == {f"questions.1.{field}" for field in fields}


def test_questions_keep_their_ids_and_those_left_out_are_gone(instructor: Person, lesson: dict[str, Any]) -> None:
    quiz = instructor.quiz(lesson, CHOICE, WORDS, STATEMENT)
    first, _, last = quiz["questions"]
    first["options"].reverse()
    changed = instructor.patch(quiz_path(quiz), json={"questions": [last, first, NUMBER]}).json()
    assert [item["id"] for item in changed["questions"][:2]] == [last["id"], first["id"]]
    assert changed["questions"][:2] == [last, first]
    assert changed["total_points"] == 3
    twice = instructor.patch(quiz_path(quiz), json={"questions": [last, last]})
    assert (code_of(twice), fields_of(twice)) == ("QUESTION_INVALID", {"questions.1.id"})


def test_what_is_not_sent_stays(instructor: Person, lesson: dict[str, Any]) -> None:
    quiz = instructor.quiz(lesson, time_limit_minutes=5)
    changed = instructor.patch(quiz_path(quiz), json={"title": "Another", "time_limit_minutes": None}).json()
    assert changed == quiz | {"title": "Another", "time_limit_minutes": None, "updated_at": changed["updated_at"]}


def test_an_edit_knows_whether_somebody_else_was_there_first(instructor: Person, lesson: dict[str, Any]) -> None:
    quiz = instructor.quiz(lesson)
    tag = instructor.get(quiz_path(quiz)).headers["etag"]
    assert instructor.patch(quiz_path(quiz), json={"questions": [NUMBER]}, headers={"If-Match": tag}).status_code == 200
    for refused in (
        instructor.patch(quiz_path(quiz), json={"title": "Mine"}, headers={"If-Match": tag}),
        instructor.delete(quiz_path(quiz), headers={"If-Match": tag}),
    ):
        assert (refused.status_code, code_of(refused)) == (412, "PRECONDITION_FAILED")


def test_a_deleted_quiz_is_gone(instructor: Person, lesson: dict[str, Any]) -> None:
    quiz = instructor.quiz(lesson)
    assert instructor.delete(quiz_path(quiz)).status_code == 204
    assert instructor.get(quiz_path(quiz)).status_code == 404


def test_a_lesson_has_at_most_twenty_quizzes(instructor: Person, lesson: dict[str, Any]) -> None:
    for _ in range(20):
        instructor.quiz(lesson)
    body = {"title": "One more", "questions": [CHOICE]}
    refused = instructor.post(f"/api/v1/content/lessons/{lesson['id']}/quizzes/", json=body)
    assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")


def test_a_quiz_of_somebody_else_is_not_there(instructor: Person, other_instructor: Person, lesson: dict[str, Any]) -> None:
    path = quiz_path(instructor.quiz(lesson))
    answers = [other_instructor.get(path), other_instructor.patch(path, json={"title": "Mine"}), other_instructor.delete(path)]
    body = {"title": "Mine", "questions": [CHOICE]}
    answers.append(other_instructor.post(f"/api/v1/content/lessons/{lesson['id']}/quizzes/", json=body))
    assert {(answer.status_code, code_of(answer)) for answer in answers} == {(404, "NOT_FOUND")}


def test_who_takes_a_course_reads_nothing_of_how_its_quizzes_are_written(api: Api, instructor: Person) -> None:
    course = instructor.published_course()
    quiz = instructor.quiz(instructor.lesson(instructor.section(course, is_published=True)))
    student = api.sign_up_instructor()
    student.post(f"/api/v1/courses/{course['id']}/enroll/")
    assert student.get(quiz_path(quiz)).status_code == 404


def test_a_copy_of_a_course_has_its_quizzes(instructor: Person) -> None:
    course = instructor.course()
    quiz = instructor.quiz(instructor.lesson(instructor.section(course)), CHOICE, WORDS, max_attempts=3)
    copy = instructor.post(f"/api/v1/instructor/courses/{course['id']}/duplicate/").json()
    section = instructor.get(f"/api/v1/content/courses/{copy['id']}/sections/").json()["results"][0]
    lesson = instructor.get(f"/api/v1/content/sections/{section['id']}/lessons/").json()["results"][0]
    copied = instructor.get(quiz_path(lesson["quizzes"][0])).json()
    own = {name: copied[name] for name in ("id", "course_id", "lesson_id", "created_at", "updated_at")}
    assert copied == quiz | own
    assert copied["id"] != quiz["id"]
