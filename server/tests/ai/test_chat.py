"""Conversations with the tutor: what it answers from, for whom, and what is kept."""

from datetime import timedelta
from uuid import uuid4

import pytest

from classroom import SPOKEN, TUTOR, Classroom, ask, used, without_limit
from harness import PASSWORD, Api, Person, Server, code_of

EXTRACTIVE = "unpuzzle-extractive-1"


def said(answer: dict, number: int) -> None:  # type: ignore[type-arg]
    """The answer's first reference is a sentence of the spoken lesson, and its words are quoted."""
    first = answer["references"][0]
    assert (first["content"], first["timestamp"], first["type"]) == (SPOKEN[number], 10 * number, "transcript")
    assert f"“{SPOKEN[number]}”" in answer["response"]


class TestFinding:
    def test_it_quotes_what_the_lesson_says(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, "Which values are spilled to the stack?", lesson=classroom.spoken).json()
        said(answer, 8)
        assert answer["model"] == EXTRACTIVE

    def test_what_is_said_around_the_moment_comes_first(self, own_classroom: Classroom, learner: Person) -> None:
        own_classroom.joined_by(learner)
        own_classroom.say(["Here is a heap, at the beginning.", *SPOKEN[1:9] * 2, "Here is a heap, at the end."])
        first = ask(learner, "What about the heap?", lesson=own_classroom.spoken, at=2).json()
        last = ask(learner, "What about the heap?", lesson=own_classroom.spoken, at=172).json()
        assert first["references"][0]["timestamp"] == 0
        assert last["references"][0]["timestamp"] == 170

    def test_a_question_without_words_of_its_own_is_about_the_moment(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, "What does this mean?", lesson=classroom.spoken, at=65).json()
        assert SPOKEN[6] in [reference["content"] for reference in answer["references"]]

    def test_and_without_a_moment_about_what_was_asked_before(self, classroom: Classroom, student: Person) -> None:
        first = ask(student, "What is a symbol table?", lesson=classroom.spoken).json()
        said(ask(student, "And why?", session_id=first["session_id"]).json(), 6)

    def test_it_finds_what_other_lessons_of_the_course_say(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, "What does a linker resolve?", lesson=classroom.spoken).json()
        first = answer["references"][0]
        assert (first["lesson_id"], first["type"], first["timestamp"]) == (classroom.written, "text", None)
        assert first["content"] == "It resolves each symbol to an address."
        said(ask(student, "What does a lexer split?", lesson=classroom.written).json(), 1)

    def test_and_without_a_lesson_what_any_says(self, classroom: Classroom, student: Person) -> None:
        said(ask(student, "Why does left recursion loop forever?").json(), 5)
        context = {"course_id": classroom.course}
        said(ask(student, "Why does left recursion loop forever?", context=context).json(), 5)

    @pytest.mark.parametrize(
        "question", ["What is the capital of France?", "How do I bake bread?", "Who won the world cup in 1998?", "Πού είναι;"]
    )
    def test_it_never_pretends_to_know_what_no_lesson_says(self, classroom: Classroom, student: Person, question: str) -> None:
        answer = ask(student, question, lesson=classroom.spoken).json()
        assert answer["references"] == answer["suggested_actions"] == []
        assert "find nothing" in answer["response"]

    def test_nothing_is_said_of_a_lesson_that_says_nothing(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, "What is this about?", lesson=classroom.empty).json()
        assert (answer["references"], answer["response"]) == ([], "This lesson has no transcript and no text that I could quote.")

    def test_without_transcripts_only_texts_count(self, classroom: Classroom, student: Person) -> None:
        question = "What happens with each symbol, and with its scope?"
        answer = ask(student, question, lesson=classroom.spoken, include_transcript=False).json()
        assert {reference["type"] for reference in answer["references"]} <= {"text"}

    def test_equal_questions_have_equal_answers(self, classroom: Classroom, student: Person) -> None:
        answers = [ask(student, "What is the grammar for?", lesson=classroom.spoken).json() for _ in range(3)]
        assert len({(answer["response"], str(answer["references"])) for answer in answers}) == 1

    def test_it_leads_to_the_moments_that_it_quotes(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, "What is a symbol table?", lesson=classroom.spoken).json()
        assert answer["suggested_actions"][0] == {
            "type": "watch_video",
            "lesson_id": classroom.spoken,
            "timestamp": 60,
            "label": "Watch “From source to tokens” from 1:00",
        }
        written = ask(student, "What does a loader do?", lesson=classroom.written).json()["suggested_actions"][0]
        assert (written["type"], written["timestamp"], written["label"]) == ("read_lesson", None, "Read “Linking”")


class TestWhoMaySee:
    def test_a_lesson_is_for_those_who_take_its_course(self, classroom: Classroom, api: Api, learner: Person) -> None:
        refused = ask(learner, "What is a lexer?", lesson=classroom.spoken)
        assert (refused.status_code, code_of(refused)) == (404, "NOT_FOUND")
        assert used(learner) == 0

    def test_nothing_of_a_course_that_one_does_not_take_is_quoted(self, own_classroom: Classroom, learner: Person) -> None:
        own_classroom.say(["A trampoline returns a thunk, and nobody else says so."])
        for context in ({}, {"context": {"course_id": own_classroom.course}}):
            assert "thunk" not in ask(learner, "What does a trampoline return?", **context).text

    def test_its_preview_is_for_everybody(self, own_classroom: Classroom, learner: Person) -> None:
        own_classroom.teacher.patch(f"/api/v1/content/lessons/{own_classroom.spoken}/", json={"is_preview": True})
        said(ask(learner, "What is a lexer?", lesson=own_classroom.spoken).json(), 1)

    def test_who_teaches_it_may_ask_too(self, classroom: Classroom) -> None:
        said(ask(classroom.teacher, "What is a lexer?", lesson=classroom.spoken).json(), 1)

    def test_what_is_hidden_is_not_quoted(self, own_classroom: Classroom, learner: Person) -> None:
        own_classroom.joined_by(learner)
        hidden = own_classroom.teacher.section({"id": own_classroom.course})
        lesson = own_classroom.teacher.lesson(hidden, type="video")["id"]
        own_classroom.say(["A peephole optimiser looks at a few instructions at once."], lesson)
        assert ask(learner, "What is a peephole optimiser?", lesson=own_classroom.spoken).json()["references"] == []
        assert ask(learner, "What is a peephole optimiser?").json()["references"] == []
        assert ask(learner, "What is it?", lesson=lesson).status_code == 404

    def test_a_course_that_is_not_there_is_not_found(self, student: Person) -> None:
        assert code_of(ask(student, "Why?", context={"course_id": str(uuid4())})) == "NOT_FOUND"


class TestConversations:
    def test_a_conversation_is_kept_with_both_sides(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, "What is a symbol table?", lesson=classroom.spoken)
        told = answer.json()
        history = student.get(answer.headers["location"]).json()
        assert (history["title"], history["lesson_id"]) == ("What is a symbol table?", classroom.spoken)
        question, kept = history["messages"]
        assert (question["role"], question["content"], question["usage"], question["model"]) == (
            "user", "What is a symbol table?", None, None,
        )  # fmt: skip
        assert kept["id"] == told["message_id"]
        same = ("references", "suggested_actions", "usage", "model", "created_at")
        assert [kept[name] for name in same] == [told[name] for name in same]
        assert kept["content"] == told["response"]

    def test_it_goes_on_about_the_same_lesson(self, classroom: Classroom, student: Person) -> None:
        first = ask(student, "What is a symbol table?", lesson=classroom.spoken).json()
        again = ask(student, "And what is a grammar?", session_id=first["session_id"]).json()
        assert again["session_id"] == first["session_id"]
        history = student.get(f"{TUTOR}/chat/history/{first['session_id']}/").json()
        assert [message["role"] for message in history["messages"]] == ["user", "assistant"] * 2

    def test_a_long_first_message_is_a_short_title(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, f"What is a parser, {'and ' * 100} why?", lesson=classroom.spoken).json()
        title = student.get(f"{TUTOR}/chat/history/{answer['session_id']}/").json()["title"]
        assert title.startswith("What is a parser, and and")
        assert (len(title) <= 80, title[-1]) == (True, "…")

    def test_they_are_listed_with_the_latest_first_and_by_what_they_are_about(
        self, classroom: Classroom, student: Person
    ) -> None:
        first = ask(student, "What is a parser?", lesson=classroom.spoken).json()["session_id"]
        second = ask(student, "What is a linker?", lesson=classroom.written).json()["session_id"]
        third = ask(student, "What is anything?").json()["session_id"]
        ask(student, "And a lexer?", session_id=first)

        def listed(**filters: str) -> list[str]:
            return [each["id"] for each in student.get(f"{TUTOR}/chat/sessions/", params=filters).json()["results"]]

        assert listed() == [first, third, second]
        assert listed(lesson_id=classroom.written) == [second]
        assert listed(course_id=classroom.course) == [first, second]
        counts = [each["messages_count"] for each in student.get(f"{TUTOR}/chat/sessions/").json()["results"]]
        assert counts == [4, 2, 2]

    def test_one_that_is_deleted_is_gone_and_can_not_be_gone_on_with(self, classroom: Classroom, student: Person) -> None:
        session = ask(student, "What is a parser?", lesson=classroom.spoken).json()["session_id"]
        assert student.delete(f"{TUTOR}/chat/sessions/{session}/").status_code == 204
        assert student.delete(f"{TUTOR}/chat/sessions/{session}/").status_code == 404
        assert student.get(f"{TUTOR}/chat/history/{session}/").status_code == 404
        assert code_of(ask(student, "And?", session_id=session)) == "NOT_FOUND"

    def test_they_are_nobody_elses(self, classroom: Classroom, student: Person, api: Api) -> None:
        answer = ask(student, "What is a parser?", lesson=classroom.spoken).json()
        other = classroom.joined_by(api.sign_up())
        session, message = answer["session_id"], answer["message_id"]
        assert other.get(f"{TUTOR}/chat/history/{session}/").status_code == 404
        assert other.delete(f"{TUTOR}/chat/sessions/{session}/").status_code == 404
        assert ask(other, "And?", session_id=session).status_code == 404
        assert other.post(f"{TUTOR}/messages/{message}/feedback/", json={"rating": "helpful"}).status_code == 404
        assert other.get(f"{TUTOR}/chat/sessions/").json()["count"] == 0

    def test_they_outlive_what_they_are_about(self, own_classroom: Classroom, learner: Person) -> None:
        own_classroom.joined_by(learner)
        session = ask(learner, "What is a parser?", lesson=own_classroom.spoken).json()["session_id"]
        own_classroom.teacher.delete(f"/api/v1/content/lessons/{own_classroom.spoken}/")
        history = learner.get(f"{TUTOR}/chat/history/{session}/").json()
        assert (history["lesson_id"], len(history["messages"])) == (None, 2)

    def test_they_have_an_end(self, classroom: Classroom, student: Person) -> None:
        session = ask(student, "What is a parser?", lesson=classroom.spoken).json()["session_id"]
        fill = """INSERT INTO ai_messages (id, session_id, user_id, role, content)
                  SELECT gen_random_uuid(), %s, %s, 'user', 'again' FROM generate_series(1, 498)"""
        student.api.server.sql(fill, session, student.id)
        refused = ask(student, "And?", session_id=session)
        assert (refused.status_code, code_of(refused)) == (409, "CONFLICT")

    def test_the_same_key_asks_once(self, classroom: Classroom, student: Person) -> None:
        body = {"message": "What is a parser?", "context": {"lesson_id": classroom.spoken}}
        key = {"Idempotency-Key": uuid4().hex}
        first, again = [student.post(f"{TUTOR}/chat/send/", json=body, headers=key) for _ in range(2)]
        assert first.json() == again.json()
        assert first.headers["location"] == again.headers["location"]
        assert again.headers["idempotency-replayed"] == "true"
        assert used(student) == 1

    def test_and_a_key_that_is_a_day_old_is_a_new_one(self, server: Server, classroom: Classroom, student: Person) -> None:
        body = {"message": "What is a parser?", "context": {"lesson_id": classroom.spoken}}
        key = {"Idempotency-Key": uuid4().hex}
        first = student.post(f"{TUTOR}/chat/send/", json=body, headers=key).json()
        server.clock.offset = timedelta(hours=25)
        try:
            student.tokens = student.api.post("/api/v1/auth/signin/", json={"email": student.email, "password": PASSWORD}).json()
            again = student.post(f"{TUTOR}/chat/send/", json=body, headers=key).json()
        finally:
            server.clock.offset = timedelta()
        assert again["session_id"] != first["session_id"]


class TestFeedback:
    def test_an_answer_is_rated_and_rated_again(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, "What is a parser?", lesson=classroom.spoken).json()
        path = f"{TUTOR}/messages/{answer['message_id']}/feedback/"
        first = student.post(path, json={"rating": "helpful", "comment": "Just so."}).json()
        assert (first["rating"], first["comment"]) == ("helpful", "Just so.")
        assert student.post(path, json={"rating": "unhelpful"}).json()["comment"] is None
        history = student.get(f"{TUTOR}/chat/history/{answer['session_id']}/").json()
        assert [message["rating"] for message in history["messages"]] == [None, "unhelpful"]

    def test_a_question_is_not_rated(self, classroom: Classroom, student: Person) -> None:
        answer = ask(student, "What is a parser?", lesson=classroom.spoken).json()
        question = student.get(f"{TUTOR}/chat/history/{answer['session_id']}/").json()["messages"][0]["id"]
        refused = student.post(f"{TUTOR}/messages/{question}/feedback/", json={"rating": "helpful"})
        assert refused.status_code == 404


def test_a_message_has_words_and_no_more_than_4000_characters(student: Person) -> None:
    assert ask(student, "x" * 4000).status_code == 200
    for message in ("x" * 4001, "", "  \n"):
        assert code_of(ask(student, message)) == "VALIDATION_ERROR"


class TestSearching:
    def test_moments_are_found_by_the_words_that_are_said(self, classroom: Classroom, student: Person) -> None:
        found = student.get(f"{TUTOR}/transcript/search/", params={"q": "grammars", "course_id": classroom.course}).json()
        assert {item["content"] for item in found["results"]} == {SPOKEN[2], SPOKEN[3], SPOKEN[4]}
        assert {item["lesson_title"] for item in found["results"]} == {"From source to tokens"}
        only = student.get(f"{TUTOR}/transcript/search/", params={"q": "spilled stack"}).json()
        assert (only["results"][0]["content"], only["results"][0]["timestamp"]) == (SPOKEN[8], 80)

    def test_in_a_course_in_a_lesson_or_in_all(self, classroom: Classroom, student: Person) -> None:
        def count(**where: str) -> int:
            asked = {"q": "recursive descent", **where}
            return int(student.get(f"{TUTOR}/transcript/search/", params=asked).json()["count"])

        assert count(course_id=classroom.course) == count(lesson_id=classroom.spoken) == 2
        assert count(lesson_id=classroom.written) == count(course_id=str(uuid4())) == 0
        assert count() >= 2

    def test_pages_follow_each_other(self, classroom: Classroom, student: Person) -> None:
        asked = {"q": "grammar", "lesson_id": classroom.spoken, "page_size": 2}
        pages = [student.get(f"{TUTOR}/transcript/search/", params={**asked, "page": page}).json() for page in (1, 2, 3)]
        assert [len(page["results"]) for page in pages] == [2, 1, 0]
        assert len({item["timestamp"] for page in pages for item in page["results"]}) == 3

    def test_nothing_that_one_may_not_see(self, classroom: Classroom, learner: Person) -> None:
        without_limit(learner)
        for where in ({}, {"course_id": classroom.course}, {"lesson_id": classroom.spoken}):
            found = learner.get(f"{TUTOR}/transcript/search/", params={"q": "spilled", **where}).json()
            assert classroom.spoken not in [item["lesson_id"] for item in found["results"]]
