"""Hints, practice quizzes, prompts to reflect on and learning paths."""

from typing import Any
from uuid import uuid4

import pytest

from classroom import SPOKEN, TUTOR, Classroom, used
from harness import Api, Person, code_of, fields_of


def hint(person: Person, lesson: str, concept: str, **body: Any) -> Any:
    return person.post(f"{TUTOR}/agents/hint/", json={"lesson_id": lesson, "concept": concept, **body})


def quiz(person: Person, lesson: str, **body: Any) -> Any:
    return person.post(f"{TUTOR}/agents/quiz/", json={"lesson_id": lesson, **body})


def path(person: Person, **body: Any) -> Any:
    return person.post(f"{TUTOR}/agents/path/", json=body).json()


class TestHints:
    def test_they_rise_from_vague_to_near_with_those_before(self, classroom: Classroom, student: Person) -> None:
        given: list[dict[str, Any]] = []
        for level, more in (("basic", True), ("intermediate", True), ("detailed", False)):
            before = [each["hint_id"] for each in given]
            made = hint(student, classroom.spoken, "symbol table", previous_hints=before).json()
            assert (made["level"], made["next_hint_available"]) == (level, more)
            given.append(made)
        vague, nearer, near = (each["hint"] for each in given)
        assert "1:00" in vague
        assert SPOKEN[6] not in vague + nearer
        assert "The _____ _____ remembers each name with its type and its scope." in nearer
        assert SPOKEN[6] in near

    def test_the_vague_and_the_nearer_show_nothing_that_tells(self, classroom: Classroom, student: Person) -> None:
        vague = hint(student, classroom.spoken, "symbol table").json()
        nearer = hint(student, classroom.spoken, "symbol table", previous_hints=["Look again."]).json()
        near = hint(student, classroom.spoken, "symbol table", previous_hints=["Look again.", "A gap."]).json()
        assert vague["references"] == nearer["references"] == vague["related_examples"] == []
        assert near["references"][0]["content"] == SPOKEN[6]

    def test_whoever_struggles_gets_more_of_it(self, classroom: Classroom, student: Person) -> None:
        said = {
            level: hint(student, classroom.spoken, "symbol table", difficulty_level=level).json()["hint"]
            for level in ("struggling", "comfortable", "advanced")
        }
        assert len(set(said.values())) == 3
        assert "name" in said["struggling"]

    def test_code_of_the_lesson_goes_with_a_nearer_one(self, classroom: Classroom, student: Person) -> None:
        made = hint(student, classroom.written, "linker of a program", previous_hints=["Look again."]).json()
        assert made["related_examples"] == [{"code": "ld main.o list.o -o program", "explanation": "This is how it is called:"}]

    def test_there_is_none_on_what_the_lesson_does_not_speak_of(self, classroom: Classroom, student: Person) -> None:
        made = hint(student, classroom.spoken, "photosynthesis").json()
        assert (made["next_hint_available"], made["references"]) == (False, [])
        assert "does not speak of “photosynthesis”" in made["hint"]


class TestQuizzes:
    def test_questions_are_made_of_what_is_said_and_have_the_right_key(self, classroom: Classroom, student: Person) -> None:
        made = quiz(student, classroom.spoken, question_count=6).json()
        assert len(made["questions"]) == 6
        for question in made["questions"]:
            sentence = next(text for text in SPOKEN if text in question["explanation"])
            right = question["options"][question["correct_answer"]]
            shown = question["question"].split("“")[1].rstrip("”")
            if question["type"] == "multiple_choice":
                assert shown.replace("_____", right) == sentence
                wrong = [each for each in question["options"] if each != right]
                assert not any(shown.replace("_____", each) in SPOKEN for each in wrong)
            else:
                assert (shown in SPOKEN) == (right == "True")

    def test_wrong_options_are_words_of_the_same_course(self, classroom: Classroom, student: Person) -> None:
        made = quiz(student, classroom.spoken, question_types=["multiple_choice"]).json()
        said = " ".join(SPOKEN)
        for question in made["questions"]:
            assert len(set(question["options"])) == len(question["options"]) >= 2
            assert all(option in said for option in question["options"])

    def test_points_time_and_what_passes_follow_from_the_questions(self, classroom: Classroom, student: Person) -> None:
        for difficulty, points in {"beginner": 5, "intermediate": 10, "advanced": 15}.items():
            made = quiz(student, classroom.spoken, difficulty=difficulty, question_count=5).json()
            assert [question["points"] for question in made["questions"]] == [points] * 5
            assert (made["total_points"], made["time_limit_minutes"]) == (5 * points, 10)
            assert made["passing_score"] == -(-5 * points * 7 // 10)

    def test_equal_wishes_have_equal_quizzes(self, classroom: Classroom, student: Person) -> None:
        made = [quiz(student, classroom.spoken).json()["questions"] for _ in range(2)]
        without = [[{**question, "id": None} for question in questions] for questions in made]
        assert without[0] == without[1]

    def test_topics_come_first(self, classroom: Classroom, student: Person) -> None:
        made = quiz(student, classroom.spoken, topics=["registers"], question_count=2).json()
        assert all("regist" in question["explanation"] for question in made["questions"])

    def test_some_that_are_true_and_some_that_are_not(self, classroom: Classroom, student: Person) -> None:
        made = quiz(student, classroom.spoken, question_types=["true_false"], question_count=8).json()
        keys = [question["correct_answer"] for question in made["questions"]]
        assert {keys.count(0), keys.count(1)} <= {3, 4, 5}

    def test_a_lesson_that_gives_fewer_has_fewer(self, classroom: Classroom, student: Person) -> None:
        made = quiz(student, classroom.spoken, question_count=20).json()
        assert 5 <= len(made["questions"]) <= len(SPOKEN)

    def test_a_lesson_that_says_too_little_has_none_and_costs_nothing(self, own_classroom: Classroom, learner: Person) -> None:
        own_classroom.joined_by(learner)
        own_classroom.say(["Yes.", "No."])
        refused = quiz(learner, own_classroom.spoken)
        assert (refused.status_code, code_of(refused)) == (409, "LESSON_EMPTY")
        assert used(learner) == 0

    def test_it_is_kept_for_whoever_made_it(self, classroom: Classroom, student: Person, api: Api) -> None:
        made = quiz(student, classroom.spoken)
        address = made.headers["location"]
        assert student.get(address).json() == made.json()
        assert api.sign_up().get(address).status_code == 404


class TestGrading:
    @pytest.fixture
    def made(self, classroom: Classroom, student: Person) -> dict[str, Any]:
        found: dict[str, Any] = quiz(student, classroom.spoken, question_count=4).json()
        return found

    def grade(self, student: Person, made: dict[str, Any], answers: list[tuple[str, int]]) -> Any:
        body = {"answers": [{"question_id": question, "answer": answer} for question, answer in answers]}
        return student.post(f"{TUTOR}/quizzes/{made['quiz_id']}/answers/", json=body)

    def test_right_answers_have_their_points(self, student: Person, made: dict[str, Any]) -> None:
        right = [(question["id"], question["correct_answer"]) for question in made["questions"]]
        found = self.grade(student, made, right).json()
        assert (found["score"], found["percentage"], found["passed"]) == (made["total_points"], 100, True)
        assert all(result["is_correct"] for result in found["results"])

    def test_wrong_ones_and_those_that_are_missing_have_none(self, student: Person, made: dict[str, Any]) -> None:
        first, second, *_ = made["questions"]
        wrong = (first["correct_answer"] + 1) % len(first["options"])
        found = self.grade(student, made, [(first["id"], wrong), (second["id"].upper(), second["correct_answer"])]).json()
        assert [result["points"] for result in found["results"]] == [0, 10, 0, 0]
        assert [result["answer"] for result in found["results"]] == [wrong, second["correct_answer"], None, None]
        assert (found["score"], found["percentage"], found["passed"]) == (10, 25, False)
        assert found["results"][0]["correct_answer"] == first["correct_answer"]

    def test_it_can_be_graded_again_and_costs_nothing(self, student: Person, made: dict[str, Any]) -> None:
        before = used(student)
        assert self.grade(student, made, []).json()["percentage"] == 0
        right = [(question["id"], question["correct_answer"]) for question in made["questions"]]
        assert self.grade(student, made, right).json()["passed"]
        assert used(student) == before

    def test_what_answers_no_question_is_said_at_once(self, student: Person, made: dict[str, Any]) -> None:
        first, second, *_ = (question["id"] for question in made["questions"])
        refused = self.grade(student, made, [(str(uuid4()), 0), (first, 0), (first, 1), (second, 99)])
        assert (refused.status_code, code_of(refused)) == (422, "ANSWER_INVALID")
        assert fields_of(refused) == {"answers.0.question_id", "answers.2.question_id", "answers.3.answer"}

    def test_it_is_nobody_elses(self, student: Person, made: dict[str, Any], api: Api) -> None:
        assert self.grade(api.sign_up(), made, []).status_code == 404


class TestReflecting:
    def test_prompts_are_about_the_moment(self, classroom: Classroom, student: Person) -> None:
        body = {"lesson_id": classroom.spoken, "timestamp_seconds": 52, "count": 1}
        (prompt,) = student.post(f"{TUTOR}/agents/reflection/", json=body).json()["prompts"]
        assert (prompt["type"], prompt["timestamp"]) == ("note", 50)
        assert SPOKEN[5] in prompt["prompt"]

    def test_and_about_what_matters_without_one(self, classroom: Classroom, student: Person) -> None:
        made = student.post(f"{TUTOR}/agents/reflection/", json={"lesson_id": classroom.spoken}).json()
        assert len(made["prompts"]) == 3
        assert len({prompt["prompt"] for prompt in made["prompts"]}) == 3

    def test_what_comes_of_one_can_be_kept(self, classroom: Classroom, student: Person) -> None:
        body = {"lesson_id": classroom.spoken, "count": 5}
        for prompt in student.post(f"{TUTOR}/agents/reflection/", json=body).json()["prompts"]:
            kept = {"lesson_id": classroom.spoken, "type": prompt["type"], "content": prompt["prompt"]}
            assert student.post("/api/v1/reflections/", json=kept).status_code == 201


class TestPaths:
    def test_it_goes_on_with_what_is_open(self, classroom: Classroom, student: Person) -> None:
        student.put(f"/api/v1/student/lessons/{classroom.written}/progress/", json={"position_seconds": 30})
        student.post(f"/api/v1/student/lessons/{classroom.spoken}/complete/")
        steps = path(student, course_id=classroom.course)["steps"]
        assert [(step["lesson_id"], step["type"], step["timestamp"]) for step in steps] == [
            (classroom.written, "continue", 30),
            (classroom.empty, "continue", None),
        ]
        assert [step["order"] for step in steps] == [1, 2]

    def test_first_with_what_went_badly_and_where_one_got_stuck(self, classroom: Classroom, student: Person) -> None:
        made = quiz(student, classroom.spoken).json()
        student.post(f"{TUTOR}/quizzes/{made['quiz_id']}/answers/", json={"answers": []})
        reflection = {"lesson_id": classroom.written, "content": "Why?", "timestamp_seconds": 12}
        student.post("/api/v1/reflections/", json=reflection)
        first, second, _ = path(student, course_id=classroom.course)["steps"]
        assert (first["lesson_id"], first["type"], first["reason"]) == (
            classroom.spoken, "practise", "Your last practice quiz on it reached 0 %.",
        )  # fmt: skip
        assert (second["lesson_id"], second["type"], second["timestamp"]) == (classroom.written, "revisit", 12)

    def test_and_with_a_goal_first_with_what_speaks_of_it(self, classroom: Classroom, student: Person) -> None:
        first = path(student, goal="allocate registers")["steps"][0]
        assert (first["lesson_id"], first["type"], first["timestamp"]) == (classroom.spoken, "towards_goal", 70)
        named = path(student, goal="linking")["steps"][0]
        assert (named["lesson_id"], named["type"]) == (classroom.written, "towards_goal")

    def test_only_what_one_takes_is_in_it(self, classroom: Classroom, learner: Person) -> None:
        made = path(learner, goal="allocate registers")
        assert made["steps"] == []
        assert "nothing open" in made["summary"]

    def test_a_course_that_is_not_there_is_not_found(self, student: Person) -> None:
        refused = student.post(f"{TUTOR}/agents/path/", json={"course_id": str(uuid4())})
        assert (refused.status_code, code_of(refused)) == (404, "COURSE_NOT_FOUND")


@pytest.mark.parametrize("agent", ["hint", "quiz", "reflection"])
def test_an_empty_lesson_gives_nothing_to_any_agent(classroom: Classroom, student: Person, agent: str) -> None:
    body = {"lesson_id": classroom.empty, **({"concept": "parser"} if agent == "hint" else {})}
    refused = student.post(f"{TUTOR}/agents/{agent}/", json=body)
    assert (refused.status_code, code_of(refused)) == (409, "LESSON_EMPTY")


@pytest.mark.parametrize("agent", ["hint", "quiz", "reflection"])
def test_no_agent_speaks_of_a_lesson_that_one_may_not_see(classroom: Classroom, learner: Person, agent: str) -> None:
    body = {"lesson_id": classroom.spoken, **({"concept": "parser"} if agent == "hint" else {})}
    refused = learner.post(f"{TUTOR}/agents/{agent}/", json=body)
    assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")


def test_a_practice_quiz_is_the_start_of_one_in_the_course(own_classroom: Classroom, api: Api) -> None:
    teacher, written = own_classroom.teacher, f"/api/v1/content/lessons/{own_classroom.spoken}/quizzes/"
    made = quiz(teacher, own_classroom.spoken, question_count=2, question_types=["multiple_choice", "true_false"]).json()
    own = {"type": "numeric", "question": "How many passes?", "number": 2}
    asked = {"title": "Compilers", "source_ai_quiz_id": made["quiz_id"], "questions": [own]}
    taken_over = teacher.post(written, json=asked).json()["questions"]
    assert [question["question"] for question in taken_over] == [
        *(each["question"] for each in made["questions"]),
        own["question"],
    ]
    for question, each in zip(taken_over, made["questions"], strict=False):
        assert (question["type"], question["points"], question["explanation"]) == (
            each["type"],
            each["points"],
            each["explanation"],
        )
        if each["type"] == "true_false":
            assert question["is_true"] == (each["options"][each["correct_answer"]] == "True")
        else:
            right = [option["text"] for option in question["options"] if option["is_correct"]]
            assert right == [each["options"][each["correct_answer"]]]
    wrong = teacher.post(written, json={**asked, "questions": [own, {**own, "number": None}]})
    assert (code_of(wrong), fields_of(wrong)) == ("QUESTION_INVALID", {"questions.1.number"})
    nobodys = quiz(own_classroom.joined_by(api.sign_up()), own_classroom.spoken).json()["quiz_id"]
    assert code_of(teacher.post(written, json={"title": "Theirs", "source_ai_quiz_id": nobodys})) == "NOT_FOUND"
    nothing = teacher.post(written, json={"title": "Nothing"})
    assert (code_of(nothing), fields_of(nothing)) == ("QUESTION_INVALID", {"questions"})
