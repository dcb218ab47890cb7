"""Attempts at quizzes: graded on the server, once, in time, and telling nothing before they are submitted."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import CHOICE, Api, Person, Server, code_of, fields_of, in_parallel

QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
Question = dict[str, Any]
SECRET = "xyzzy"
"""Stands in whatever nobody may read before they have submitted."""
SECRET_NUMBER = 271828
ALL_TYPES: list[Question] = [
    {**CHOICE, "points": 4, "explanation": SECRET},
    {
        "type": "multi_select", "question": "Which ones?", "points": 6, "explanation": SECRET,
        "options": [{"text": "a", "is_correct": True}, {"text": "b", "is_correct": True}, {"text": "c"}, {"text": "d"}],
    },
    {"type": "true_false", "question": "So?", "is_true": True, "explanation": SECRET},
    {"type": "short_text", "question": "What?", "points": 2, "accepted_answers": [f"Straße {SECRET}"], "explanation": SECRET},
    {"type": "numeric", "question": "How many?", "number": SECRET_NUMBER, "tolerance": 0.5, "explanation": SECRET},
]  # fmt: skip


class Class:
    """A course with a quiz, its instructor, and a learner who takes it."""

    def __init__(self, api: Api, *questions: Question, **fields: Any) -> None:
        self.instructor, self.learner = api.sign_up_instructor(), api.sign_up()
        self.course = self.instructor.published_course()
        self.section = self.instructor.section(self.course, is_published=True)
        self.lesson = self.instructor.lesson(self.section, type="quiz")
        self.quiz = self.instructor.quiz(self.lesson, *questions, **fields)
        self.learner.post(f"/api/v1/courses/{self.course['id']}/enroll/")

    @property
    def path(self) -> str:
        return f"/api/v1/student/quizzes/{self.quiz['id']}/attempts/"

    def start(self) -> dict[str, Any]:
        started = self.learner.post(self.path)
        assert started.status_code == 201, started.text
        attempt: dict[str, Any] = started.json()
        return attempt

    def submit(self, attempt: dict[str, Any], *answers: Any) -> Any:
        """Submits an answer for each question in the order of the quiz; None leaves one out."""
        asked = zip(self.quiz["questions"], answers, strict=False)
        body = {"answers": [as_answer(question, answer) for question, answer in asked if answer is not None]}
        return self.learner.post(f"{self.path}{attempt['id']}/submit/", json=body)

    def score(self, *answers: Any) -> tuple[list[float], float]:
        """The points for each question, in the order of the quiz, and the share of all."""
        graded = self.submit(self.start(), *answers).json()
        points = {question["id"]: question["result"]["points"] for question in graded["questions"]}
        return [points[question["id"]] for question in self.quiz["questions"]], graded["score"]


def as_answer(question: Question, answer: Any) -> dict[str, Any]:
    """Options are told by their texts."""
    field = {"true_false": "is_true", "short_text": "text", "numeric": "number"}.get(question["type"], "option_ids")
    options = {option["text"]: option["id"] for option in question["options"]}
    return {"question_id": question["id"], field: [options[text] for text in answer] if field == "option_ids" else answer}


RIGHT = (["this"], ["a", "b"], True, f"  STRASSE\t{SECRET.upper()} ", SECRET_NUMBER + 0.5)
WRONG = (["that"], ["c"], False, "this", SECRET_NUMBER + 0.51)


@pytest.fixture
def taken(api: Api) -> Class:
    return Class(api, *ALL_TYPES)


def test_answers_of_every_type_are_graded(taken: Class) -> None:
    assert taken.score(*RIGHT) == ([4, 6, 1, 2, 1], 100)
    assert taken.score(*WRONG) == ([0, 0, 0, 0, 0], 0)
    assert taken.score() == ([0, 0, 0, 0, 0], 0)
    assert taken.score([], [], None, "", None) == ([0, 0, 0, 0, 0], 0)
    assert taken.score(*RIGHT[:2]) == ([4, 6, 0, 0, 0], 71.4)


@pytest.mark.parametrize(
    ("chosen", "points"),
    [("a", 3), ("ab", 6), ("abc", 3), ("abcd", 0), ("ac", 0), ("cd", 0), ("bcd", 0)],
)
def test_of_several_options_each_right_one_earns_its_part_less_the_wrong_ones(taken: Class, chosen: str, points: float) -> None:
    assert taken.score(None, list(chosen))[0][1] == points


def test_without_partial_credit_all_is_right_or_nothing(api: Api) -> None:
    strict = Class(api, {**ALL_TYPES[1], "partial_credit": False})
    assert [strict.score(chosen)[1] for chosen in (["a"], ["a", "b", "c"], ["b", "a"])] == [0, 0, 100]


def test_parts_of_points_are_told_to_the_hundredth(api: Api) -> None:
    options = [{"text": text, "is_correct": True} for text in "abc"]
    thirds = Class(api, {"type": "multi_select", "question": "?", "options": options}, passing_percentage=67)
    graded = thirds.submit(thirds.start(), ["a", "b"]).json()
    assert (graded["points"], graded["score"], graded["is_passed"]) == (0.67, 67, True)


def test_passing_is_reaching_the_share(api: Api) -> None:
    halves = Class(api, CHOICE, CHOICE, passing_percentage=50)
    assert halves.submit(halves.start(), ["this"]).json()["is_passed"] is True
    assert halves.submit(halves.start(), ["that"]).json()["is_passed"] is False


def test_before_submission_no_answer_of_the_server_tells_the_answers(taken: Class) -> None:
    learner, course = taken.learner, taken.course["id"]
    attempt = taken.start()
    reads = [
        f"/api/v1/courses/{course}/", f"/api/v1/courses/{course}/curriculum/", f"/api/v1/student/courses/{course}/learn/",
        f"/api/v1/student/courses/{course}/progress/", "/api/v1/student/courses/", "/api/v1/enrollments/",
        "/api/v1/notifications/", taken.path, f"{taken.path}{attempt['id']}/",
    ]  # fmt: skip
    refused = [learner.get(f"/api/v1/content/quizzes/{taken.quiz['id']}/"), taken.submit(attempt, ["this", "that"])]
    seen = [learner.post(taken.path), *(learner.get(path) for path in reads)]
    assert {answer.status_code for answer in seen} == {200}
    for answer in seen + refused:
        told = answer.text
        assert not [word for word in (SECRET, str(SECRET_NUMBER), "is_correct", "accepted_answers") if word in told], told
        assert '"is_true":true' not in told
    assert {question["result"] for question in attempt["questions"]} == {None}
    graded = taken.submit(attempt, *RIGHT).json()
    assert [question["result"]["explanation"] for question in graded["questions"]] == [SECRET] * 5
    assert graded["questions"][4]["result"]["number"] == SECRET_NUMBER
    assert [len(question["result"]["option_ids"]) for question in graded["questions"]] == [1, 2, 0, 0, 0]


def test_the_role_that_serves_learners_can_read_no_key_and_write_no_grade(taken: Class, server: Server) -> None:
    taken.start()
    with psycopg.connect(server.settings.database_app_url) as connection:
        as_learner = "SELECT set_config('app.user_id', %s, true), set_config('app.roles', 'student', true)"
        connection.execute(as_learner, [taken.learner.id])
        assert connection.execute("SELECT count(*) FROM quiz_questions").fetchone() == (0,)
        for forbidden in (
            "SELECT keys FROM quiz_attempt_keys",
            "UPDATE quiz_attempts SET points = total_points",
            "INSERT INTO quiz_attempts (user_id) SELECT app.user_id()",
            "SELECT app.graded('{}', '{}')",
        ):
            connection.execute(as_learner, [taken.learner.id])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
            connection.rollback()


def test_submitting_twice_is_the_same_answer(taken: Class) -> None:
    attempt = taken.start()
    first = taken.submit(attempt, *RIGHT)
    again = [taken.submit(attempt, *RIGHT), taken.submit(attempt, *WRONG), taken.submit(attempt, ["this", "that"])]
    assert [answer.json() for answer in again] == [first.json()] * 3
    assert taken.learner.get(f"{taken.path}{attempt['id']}/").json() == first.json()


def test_of_ten_submissions_at_once_one_counts(api: Api, taken: Class) -> None:
    attempt = taken.start()
    path, headers = f"{taken.path}{attempt['id']}/submit/", taken.learner.headers
    bodies = [{"answers": [as_answer(taken.quiz["questions"][0], ["this" if n % 2 else "that"])]} for n in range(10)]
    acts = [lambda caller, body=body: caller.post(path, json=body, headers=headers).json() for body in bodies]
    answers = in_parallel(api.server, acts)
    assert all(answer == answers[0] for answer in answers)


def test_an_attempt_that_is_open_is_gone_on_with(api: Api, taken: Class) -> None:
    headers = taken.learner.headers
    begun = in_parallel(api.server, [lambda caller: caller.post(taken.path, headers=headers)] * 4)
    assert sorted(answer.status_code for answer in begun) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in begun}) == 1
    taken.submit(begun[0].json(), *RIGHT)
    assert taken.start()["number"] == 2
    page = taken.learner.get(taken.path).json()
    assert [(item["number"], item["status"]) for item in page["results"]] == [(2, "in_progress"), (1, "submitted")]


def test_what_comes_late_is_refused_and_counts_as_an_attempt(api: Api, server: Server) -> None:
    timed = Class(api, CHOICE, time_limit_minutes=1, max_attempts=2)
    in_time, late = timed.start(), timedelta(minutes=1)
    server.clock.offset += late - timedelta(seconds=20)
    try:
        assert timed.submit(in_time, ["this"]).json()["score"] == 100
        missed = timed.start()
        server.clock.offset += late
        refused = timed.submit(missed, ["this"])
        assert (refused.status_code, code_of(refused)) == (409, "ATTEMPT_CLOSED")
        assert timed.submit(missed, ["this", "that"]).status_code == 409  # whatever is sent
        shown = timed.learner.get(f"{timed.path}{missed['id']}/").json()
        assert (shown["status"], shown["score"], shown["questions"][0]["result"]) == ("expired", None, None)
        assert timed.submit(in_time, ["that"]).json()["score"] == 100  # what was in time stays so
        refused = timed.learner.post(timed.path)
        assert (refused.status_code, code_of(refused)) == (409, "ATTEMPT_LIMIT_REACHED")
    finally:
        server.clock.offset = timedelta()


def test_edits_do_not_change_attempts(taken: Class) -> None:
    before = taken.submit(taken.start(), *RIGHT).json()
    attempt = taken.start()
    changed = {"title": "Another", "passing_percentage": 100, "questions": [{"type": "numeric", "question": "New", "number": 1}]}
    assert taken.instructor.patch(f"/api/v1/content/quizzes/{taken.quiz['id']}/", json=changed).status_code == 200
    assert taken.learner.get(f"{taken.path}{before['id']}/").json() == before
    graded = taken.submit(attempt, *RIGHT).json()
    assert (graded["title"], graded["score"], graded["passing_percentage"]) == (taken.quiz["title"], 100, 70)
    after = taken.start()
    assert [question["question"] for question in after["questions"]] == ["New"]


@pytest.fixture(scope="module")
def shuffled(server: Server) -> Iterator[Class]:
    questions = [{**CHOICE, "options": [{"text": f"{n}", "is_correct": n == 0} for n in range(9)]} for _ in range(9)]
    with Api(server) as api:
        yield Class(api, *questions, shuffle_questions=True, shuffle_options=True)


def order(attempt: dict[str, Any]) -> tuple[list[str], list[str]]:
    questions = attempt["questions"]
    return [question["id"] for question in questions], [option["id"] for part in questions for option in part["options"]]


def test_each_attempt_has_an_order_of_its_own_and_keeps_it(shuffled: Class) -> None:
    first = shuffled.start()
    assert order(shuffled.learner.get(f"{shuffled.path}{first['id']}/").json()) == order(first)
    shuffled.submit(first)
    second = shuffled.start()
    written = order(shuffled.quiz)
    for one, other in zip(order(first), order(second), strict=True):
        assert one != other
        assert sorted(one) == sorted(other)
    assert order(first)[0] != written[0]
    shuffled.submit(second)


def test_without_shuffling_the_order_is_that_of_the_quiz(taken: Class) -> None:
    assert order(taken.start()) == order(taken.quiz)


@QUICK
@given(answers=st.lists(st.sampled_from([None, "0", "1", "8"]), min_size=9, max_size=9))
def test_the_score_is_that_of_the_answers_whatever_the_order(shuffled: Class, answers: list[str | None]) -> None:
    points, score = shuffled.score(*([answer] if answer else None for answer in answers))
    assert points == [int(answer == "0") for answer in answers]
    assert score == pytest.approx(100 * sum(points) / 9, abs=0.0501)


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({"option_ids": ["that", "this"]}, "option_ids"),
        ({"option_ids": ["this", "this"]}, "option_ids"),
        ({"text": "this"}, "text"),
        ({"number": 0}, "number"),
        ({"is_true": False}, "is_true"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(taken: Class, answer: dict[str, Any], field: str) -> None:
    question = taken.quiz["questions"][0]
    ids = {option["text"]: option["id"] for option in question["options"]}
    body = {name: [ids[text] for text in value] if name == "option_ids" else value for name, value in answer.items()}
    attempt = taken.start()
    path = f"{taken.path}{attempt['id']}/submit/"
    refused = taken.learner.post(path, json={"answers": [{"question_id": question["id"], **body}]})
    assert (refused.status_code, code_of(refused), fields_of(refused)) == (422, "ANSWER_INVALID", {f"answers.0.{field}"})


def test_answers_to_other_questions_or_with_other_options_are_refused(taken: Class) -> None:
    attempt, (first, second, *_) = taken.start(), taken.quiz["questions"]
    answers = [
        {"question_id": attempt["id"]},
        {"question_id": first["id"], "option_ids": [second["options"][0]["id"]]},
        {"question_id": second["id"]},
        {"question_id": second["id"]},
    ]
    refused = taken.learner.post(f"{taken.path}{attempt['id']}/submit/", json={"answers": answers})
    assert fields_of(refused) == {"answers.0.question_id", "answers.1.option_ids", "answers.3.question_id"}


def test_attempts_are_for_who_takes_the_course(api: Api, taken: Class) -> None:
    attempt, stranger = taken.start(), api.sign_up()
    path = f"{taken.path}{attempt['id']}/"
    for who, code in ((stranger, "NOT_FOUND"), (taken.instructor, "ENROLLMENT_NOT_FOUND")):
        answers = [who.get(taken.path), who.post(taken.path), who.post(f"{path}submit/", json={"answers": []})]
        assert {(answer.status_code, code_of(answer)) for answer in answers} == {(404, code)}
        assert who.get(path).status_code == 404
    stranger.post(f"/api/v1/courses/{taken.course['id']}/enroll/")
    for answer in (stranger.get(path), stranger.post(f"{path}submit/", json={"answers": []})):
        assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND")
    taken.learner.post(f"/api/v1/courses/{taken.course['id']}/unenroll/")
    refused = taken.submit(attempt, *RIGHT)
    assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")


def test_a_quiz_in_a_hidden_section_is_not_there_to_take(taken: Class) -> None:
    path = f"/api/v1/content/courses/{taken.course['id']}/sections/{taken.section['id']}/"
    taken.instructor.patch(path, json={"is_published": False})
    for who in (taken.learner, taken.instructor):
        answers = [who.get(taken.path), who.post(taken.path)]
        assert {(answer.status_code, code_of(answer)) for answer in answers} == {(404, "NOT_FOUND")}


def test_what_was_achieved_outlives_the_quiz(taken: Class, server: Server) -> None:
    taken.submit(taken.start(), *RIGHT)
    assert taken.instructor.delete(f"/api/v1/content/quizzes/{taken.quiz['id']}/").status_code == 204
    kept = server.sql("SELECT quiz_id, title, score FROM quiz_attempts WHERE user_id = %s", taken.learner.id)
    assert kept == [(None, taken.quiz["title"], 100)]


def test_who_learns_sees_the_quizzes_and_how_they_did(taken: Class) -> None:
    def shown() -> dict[str, Any]:
        tree = taken.learner.get(f"/api/v1/student/courses/{taken.course['id']}/learn/").json()
        quiz: dict[str, Any] = tree["sections"][1]["lessons"][0]["quizzes"][0]
        return quiz

    def standing() -> Any:
        return taken.learner.get(f"/api/v1/student/courses/{taken.course['id']}/progress/").json()["quizzes"]

    assert (shown()["attempts_count"], shown()["best_score"], shown()["is_passed"]) == (0, None, False)
    assert standing() == {"total": 1, "completed": 0, "average_score": None}
    taken.score(*RIGHT)
    taken.score(*WRONG)
    assert (shown()["attempts_count"], shown()["best_score"], shown()["is_passed"]) == (2, 100, True)
    assert standing() == {"total": 1, "completed": 1, "average_score": 100}
    other = taken.instructor.quiz(taken.lesson, is_required=False)
    attempt = taken.learner.post(f"/api/v1/student/quizzes/{other['id']}/attempts/").json()
    taken.learner.post(f"/api/v1/student/quizzes/{other['id']}/attempts/{attempt['id']}/submit/", json={"answers": []})
    assert standing() == {"total": 2, "completed": 1, "average_score": 50}


def completed_at(person: Person) -> Any:
    return person.get("/api/v1/enrollments/").json()["results"][0]["completed_at"]


def test_the_last_lesson_and_the_required_quizzes_complete_the_course(taken: Class) -> None:
    tree = taken.learner.get(f"/api/v1/student/courses/{taken.course['id']}/learn/").json()
    lessons = [lesson["id"] for section in tree["sections"] for lesson in section["lessons"]]
    taken.instructor.quiz(taken.lesson, is_required=False)
    for lesson in lessons:
        done = taken.learner.post(f"/api/v1/student/lessons/{lesson}/complete/").json()
    assert (done["progress_percentage"], completed_at(taken.learner)) == (100, None)
    taken.score(*WRONG)
    assert completed_at(taken.learner) is None
    taken.score(*RIGHT)
    assert completed_at(taken.learner) is not None


def test_passing_its_quizzes_completes_a_lesson_that_is_a_quiz(taken: Class) -> None:
    def is_completed() -> bool:
        progress = taken.learner.get(f"/api/v1/student/courses/{taken.course['id']}/progress/").json()
        completed: bool = progress["sections"][1]["lessons"][0]["is_completed"]
        return completed

    taken.score(*WRONG)
    assert not is_completed()
    taken.score(*RIGHT)
    assert is_completed()


def test_a_number_without_a_tolerance_is_exact(api: Api) -> None:
    exact = Class(api, {"type": "numeric", "question": "?", "number": 0.3})
    assert [exact.score(given)[1] for given in (0.3, 0.30000001, None)] == [100, 0, 0]
