"""The right to leave: everything that is kept of somebody can be had, and goes when they go."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from harness import PASSWORD, Api, Person, Server, code_of
from postman import Postman
from unpuzzle_server import recounting
from unpuzzle_server.auth import personal

EXPORT, ACCOUNT, RESTORE = "/api/v1/auth/account/export/", "/api/v1/auth/account/", "/api/v1/auth/account/restore/"
PROFILE, SIGN_IN, UPDATE = "/api/v1/auth/profile/", "/api/v1/auth/signin/", "/api/v1/auth/profile/update/"
WORD = "xyzzy"


@pytest.fixture
def postman(server: Server) -> Postman:
    return Postman(server)


class Life:
    """Somebody who has left a word of theirs wherever one can."""

    def __init__(self, api: Api, postman: Postman) -> None:
        self.api, self.server, self.postman = api, api.server, postman
        self.word = f"{WORD}{uuid4().hex[:8]}"
        self.person = api.sign_up(email=f"{self.word}@example.com", full_name=f"Name {self.word}", metadata={"note": self.word})
        teacher = api.sign_up_instructor()
        self.course = teacher.published_course()
        lesson = teacher.lesson(teacher.section(self.course, is_published=True), type="video", duration_seconds=100)
        post, put = self.person.post, self.person.put
        put(UPDATE, json={"bio": self.word, "avatar_url": f"https://example.com/{self.word}.png"})
        api.post(SIGN_IN, json={"email": self.person.email, "password": PASSWORD}, headers={"User-Agent": self.word})
        post("/api/v1/auth/api-keys/", json={"name": self.word, "scopes": ["profile:read"]})
        self.server.sql(
            "INSERT INTO instructor_applications (user_id, motivation, status) VALUES (%s, %s, 'rejected')",
            self.person.id,
            self.word,
        )
        post(f"/api/v1/courses/{self.course['id']}/enroll/")
        put(f"/api/v1/student/lessons/{lesson['id']}/progress/", json={"watched": [{"start": 0, "end": 100}]})
        quiz = teacher.quiz(lesson, {"type": "short_text", "question": "What?", "accepted_answers": ["this"]})
        attempt = post(f"/api/v1/student/quizzes/{quiz['id']}/attempts/").json()
        answers = [{"question_id": attempt["questions"][0]["id"], "text": self.word}]
        post(f"/api/v1/student/quizzes/{quiz['id']}/attempts/{attempt['id']}/submit/", json={"answers": answers})
        post(f"/api/v1/student/courses/{self.course['id']}/review/", json={"rating": 5, "comment": self.word})
        priced = teacher.published_course(price=20)
        post("/api/v1/payments/intents/", json={"course_id": priced["id"], "metadata": {"note": self.word}})
        self.server.sql("INSERT INTO coupons (user_id, code, percentage) VALUES (%s, %s, 5)", self.person.id, self.word)
        body = {"lesson_id": lesson["id"], "content": self.word, "tags": [self.word]}
        post("/api/v1/reflections/", json=body, headers={"Idempotency-Key": self.word})
        api.post("/api/v1/auth/password/reset/", json={"email": self.person.email})
        postman.deliver(self.person.email)
        api.post("/api/v1/auth/password/reset/", json={"email": self.person.email})  # still waits

    def places(self) -> set[str]:
        """Every table in which the word, or the id in a place of its own, stands: every column of every row is looked at."""
        tables = self.server.sql("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'pgmq')")
        found = set()
        for (table,) in tables:
            if self.server.sql(f"SELECT 1 FROM {table} t WHERE position(%s in t::text) > 0 LIMIT 1", self.word):
                found.add(table.removeprefix("public."))
        return found

    def sign_in_anew(self) -> Person:
        body = {"email": self.person.email, "password": PASSWORD}
        return Person(self.api, self.person.id, self.person.email, self.api.post(SIGN_IN, json=body).json())

    def leave(self) -> None:
        """To the end of the grace period."""
        assert self.person.delete(ACCOUNT).status_code == 204
        self.postman.deliver(self.person.id)
        self.server.sql("UPDATE users SET deletes_at = now() - interval '1 second' WHERE id = %s", self.person.id)
        self.postman.place.perform(self.sent("auth.erase_leavers"))

    def sent(self, name: str) -> str:
        task_id = self.postman.place.enqueue(name)
        self.server.sql("UPDATE tasks SET state = 'sent' WHERE id = %s", task_id)
        return task_id


@pytest.fixture
def life(api: Api, postman: Postman) -> Life:
    return Life(api, postman)


def archive_of(life: Life) -> dict[str, Any]:
    """The files of an export, asked for, made and fetched as its owner would."""
    asked = life.person.post(EXPORT)
    assert (asked.status_code, asked.json()["status"]) == (202, "pending")
    life.postman.deliver(asked.json()["export_id"])
    ready = life.person.get(asked.headers["location"]).json()
    assert ready["status"] == "ready"
    path = ready["download_url"].removeprefix(life.server.base_url)
    content = life.api.get(path).content
    assert len(content) == ready["size_bytes"]
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name.removesuffix(".json"): json.loads(file.read(name)) for name in file.namelist()}


def test_an_export_holds_every_table_that_holds_its_owner(life: Life) -> None:
    before = life.places()
    files = archive_of(life)
    assert set(files) == set(personal.EXPORTED)
    holding = {name for name, rows in files.items() if life.word in json.dumps(rows)}
    named = {"users": "profile"}
    assert {named.get(table, table) for table in before - personal.NOT_EXPORTED.keys()} == holding
    for name in ("enrollments", "lesson_progress", "study_time", "notifications", "sessions"):
        assert files[name], name
    assert "hash" not in str(files)


def test_nobody_elses_is_in_it(life: Life) -> None:
    other = life.api.sign_up()
    assert other.id not in json.dumps(archive_of(life))
    assert other.get(EXPORT + f"{uuid4()}/").status_code == 404


def test_an_export_is_made_once_a_day(life: Life) -> None:
    first, second = (life.person.post(EXPORT).json()["export_id"] for _ in range(2))
    assert first == second


def test_the_link_is_good_for_an_hour_at_least_and_only_as_it_was_signed(life: Life) -> None:
    archive_of(life)
    link = life.person.post(EXPORT).json()["download_url"].removeprefix(life.server.base_url)
    assert life.api.get(link).status_code == 200
    for forged in (link[:-1] + ("0" if link[-1] != "0" else "1"), link.replace("expires=1", "expires=2")):
        assert life.api.get(forged).status_code == 404
    try:
        life.server.clock.offset = timedelta(minutes=59)
        assert life.api.get(link).status_code == 200
        life.server.clock.offset = timedelta(hours=2, seconds=5)
        assert life.api.get(link).status_code == 404
    finally:
        life.server.clock.offset = timedelta()


def test_somebody_elses_export_is_not_there(life: Life, learner: Person) -> None:
    export = life.person.post(EXPORT).json()["export_id"]
    assert learner.get(f"{EXPORT}{export}/").status_code == 404


def test_after_the_grace_period_no_word_of_theirs_is_anywhere(life: Life) -> None:
    """Every column of every table is looked at; what others rely on is still there."""
    archive_of(life)
    assert life.places() >= {"users", "reviews", "reflections", "sessions", "outbox_mails", "tasks", "api_keys"}
    before = life.api.get(f"/api/v1/courses/{life.course['id']}/").json()
    life.leave()
    assert life.places() == set()
    after = life.api.get(f"/api/v1/courses/{life.course['id']}/").json()
    assert [after[name] for name in ("students_count", "reviews_count", "rating")] == [
        before[name] for name in ("students_count", "reviews_count", "rating")
    ]
    review = life.api.get(f"/api/v1/courses/{life.course['id']}/reviews/").json()["results"][0]
    assert (review["comment"], review["user"]["name"]) == (None, "Somebody who left")
    assert life.api.post(SIGN_IN, json={"email": life.person.email, "password": PASSWORD}).status_code == 401
    assert life.api.sign_up(email=life.person.email).id != life.person.id


def test_who_has_left_is_not_counted_again(life: Life) -> None:
    life.leave()
    recounting.rebuild(life.server.owner_url)
    for table in ("learner_totals", "learner_courses", "learner_days", "achievements"):
        assert life.server.sql(f"SELECT 1 FROM {table} WHERE user_id = %s", life.person.id) == [], table


def test_whoever_deletes_their_account_is_out_everywhere_and_told(life: Life) -> None:
    other = life.sign_in_anew()
    assert life.person.delete(ACCOUNT).status_code == 204
    assert [who.get(PROFILE).status_code for who in (life.person, other)] == [401, 401]
    assert life.server.sql("SELECT 1 FROM api_keys WHERE user_id = %s", life.person.id) == []
    assert life.postman.mail_to(life.person).subject == "Your account will be deleted"


def test_within_the_grace_period_an_account_can_be_kept(life: Life) -> None:
    life.person.delete(ACCOUNT)
    back = life.sign_in_anew()
    assert back.post(RESTORE).json()["id"] == life.person.id
    assert life.server.sql("SELECT deletes_at FROM users WHERE id = %s", life.person.id) == [(None,)]
    life.postman.place.perform(life.sent("auth.erase_leavers"))
    assert back.get(PROFILE).json()["bio"] == life.word


def test_an_account_is_deleted_by_a_fresh_session_only(life: Life) -> None:
    life.server.sql("UPDATE sessions SET created_at = now() - interval '16 minutes' WHERE user_id = %s", life.person.id)
    refused = life.person.delete(ACCOUNT)
    assert (refused.status_code, code_of(refused)) == (403, "REAUTHENTICATION_REQUIRED")
    assert life.person.get(PROFILE).status_code == 200
    assert life.sign_in_anew().delete(ACCOUNT).status_code == 204


def test_an_instructors_courses_stay_for_those_who_take_them(api: Api, postman: Postman) -> None:
    life = Life(api, postman)
    life.server.sql("UPDATE users SET roles = '{student,instructor}' WHERE id = %s", life.person.id)
    course = life.person.published_course(title="Stays")
    learner = api.sign_up()
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    life.leave()
    assert learner.get(f"/api/v1/student/courses/{course['id']}/learn/").json()["instructor_name"] == "Somebody who left"
    assert life.places() == set()


def test_every_table_has_a_rule_for_exports_and_erasure(server: Server) -> None:
    tables = {row[0] for row in server.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    exported = {"users" if name == "profile" else name for name in personal.EXPORTED} | {"lesson_texts", "quiz_questions"}
    erased = {table for names in personal.ERASED.values() for table in names}
    assert exported | personal.NOT_EXPORTED.keys() | personal.NOBODYS.keys() == tables
    assert erased | personal.NOBODYS.keys() == tables
