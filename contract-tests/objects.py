"""The objects that the paths and bodies of the contract name, each made when it is first asked for."""

from functools import cached_property
from typing import Any
from uuid import uuid4

import files
from browser import APP_URL, Browser, Visitor

from classroom import without_limit
from harness import NUMBERS, PASSWORD, Api, Person
from library import Library
from unpuzzle_sdk import PKCE
from unpuzzle_server.auth.recovery import token_hash

PICTURE = files.made(300, "image/png")
TEXT = "<p>A lexer splits the source into tokens. A parser arranges the tokens in a tree, which follows the grammar.</p>"
JOB = "INSERT INTO bulk_jobs (user_id, course_id, is_dry_run, finished_at) VALUES (%s, %s, false, now()) RETURNING id::text"
ROW = "INSERT INTO bulk_rows (job_id, position, email, outcome, message) VALUES (%s, 1, 'x', 'invalid', 'It is none.')"
INVITATION = """
    INSERT INTO invitations (course_id, user_id, email, hash, expires_at) VALUES (%s, %s, %s, %s, now() + interval '1 hour')
"""


class Objects:
    """What an admin owns who teaches a course, and takes another one: one object for each path parameter of the contract.

    A new path parameter is a property of the same name here.
    """

    def __init__(self, api: Api, *, published: bool = False) -> None:
        self.api = api
        self.published = published
        self.owner = api.sign_up_admin()
        without_limit(self.owner)

    @cached_property
    def _course(self) -> dict[str, str]:
        """One that the owner teaches: a draft that is ready to be published, or published."""
        return self._written_by(self.owner, published=self.published)

    @cached_property
    def _taken(self) -> dict[str, str]:
        """One that the owner takes."""
        made = self._written_by(self.api.sign_up_instructor(), published=True)
        enrolled = self.owner.post(f"/api/v1/courses/{made['course']}/enroll/").json()
        self.owner.put(f"/api/v1/student/lessons/{made['lesson']}/progress/", json={"watched": [{"start": 0, "end": 9.5}]})
        return {**made, "enrollment": enrolled["enrollment_id"]}

    def _written_by(self, instructor: Person, *, published: bool) -> dict[str, str]:
        """A course of one section with one lesson, which shows a film."""
        category = self.api.category()
        course = instructor.course(description="About it", price=0, category_id=category["id"], tags=["new"])
        section = instructor.section(course, is_published=True)
        lesson = instructor.lesson(section, body=TEXT, is_preview=True)
        shown = "UPDATE lessons SET media_id = %s WHERE id = %s"
        self.api.server.sql(shown, Library(self.api.server).add(instructor, None), lesson["id"])
        if published:
            instructor.post(f"/api/v1/instructor/courses/{course['id']}/publish/")
        quizzes = {"quiz": instructor.quiz(lesson)["id"], "tried": instructor.quiz(lesson)["id"]}
        return {"course": course["id"], "section": section["id"], "lesson": lesson["id"], **quizzes}

    @property
    def course_id(self) -> str:
        return self._course["course"]

    @property
    def section_id(self) -> str:
        return self._course["section"]

    @property
    def lesson_id(self) -> str:
        return self._course["lesson"]

    @property
    def quiz_id(self) -> str:
        return self._course["quiz"]

    @property
    def attempt_id(self) -> str:
        return self._attempt["id"]

    @cached_property
    def _attempt(self) -> dict[str, Any]:
        """The owner's at the quiz of the course that they take, still open."""
        made: dict[str, Any] = self.owner.post(f"/api/v1/student/quizzes/{self._taken['tried']}/attempts/").json()
        return made

    @property
    def achievement(self) -> str:
        """One that everybody may know of."""
        return "streak-7"

    @cached_property
    def code(self) -> str:
        """Of the owner's certificate for a course that they have completed."""
        made = self._written_by(self.api.sign_up_instructor(), published=True)
        self.owner.post(f"/api/v1/courses/{made['course']}/enroll/")
        self.api.server.sql("UPDATE quizzes SET is_required = false WHERE course_id = %s", made["course"])
        self.owner.post(f"/api/v1/student/lessons/{made['lesson']}/complete/")
        code: str = self.owner.get("/api/v1/student/certificates/").json()["results"][0]["code"]
        return code

    @cached_property
    def category_id(self) -> str:
        """A category without courses, so that it can be deleted."""
        category: str = self.api.category()["id"]
        return category

    @property
    def enrollment_id(self) -> str:
        return self._taken["enrollment"]

    @cached_property
    def notification_id(self) -> str:
        """Of what enrolling told."""
        assert self._taken
        notification: str = self.owner.get("/api/v1/notifications/").json()["results"][0]["id"]
        return notification

    @cached_property
    def reflection_id(self) -> str:
        """Shared with whoever teaches the course, and answered."""
        body = {"lesson_id": self.lesson_id, "content": "Why?", "tags": ["why"], "timestamp_seconds": 1.5, "visibility": "public"}
        reflection: str = self.owner.post("/api/v1/reflections/", json=body).json()["id"]
        for answer in ("Because.", "And so on."):
            self.owner.post(f"/api/v1/reflections/{reflection}/responses/", json={"content": answer})
        return reflection

    @cached_property
    def _answer(self) -> dict[str, str]:
        """Of the tutor, about the owner's lesson."""
        body = {"message": "What is a parser?", "context": {"lesson_id": self.lesson_id}}
        told: dict[str, str] = self.owner.post("/api/v1/ai-assistant/chat/send/", json=body).json()
        return told

    @property
    def _conversation(self) -> str:
        return self._answer["session_id"]

    @property
    def message_id(self) -> str:
        return self._answer["message_id"]

    @cached_property
    def _practice(self) -> str:
        quiz: str = self.owner.post("/api/v1/ai-assistant/agents/quiz/", json={"lesson_id": self.lesson_id}).json()["quiz_id"]
        return quiz

    @cached_property
    def session_id(self) -> str:
        """Another one of the owner's, so that ending it leaves them signed in."""
        there = self.owner.get("/api/v1/auth/sessions/").json()["results"]
        self.api.post("/api/v1/auth/signin/", json={"email": self.owner.email, "password": PASSWORD})
        now = self.owner.get("/api/v1/auth/sessions/").json()["results"]
        new: str = next(item["id"] for item in now if item not in there)
        return new

    @cached_property
    def key_id(self) -> str:
        body = {"name": "nightly export", "scopes": ["courses:read"]}
        key: str = self.owner.post("/api/v1/auth/api-keys/", json=body).json()["id"]
        return key

    def attempt(self) -> dict[str, str]:
        """Somebody has signed in at a provider, and come back."""
        pkce = PKCE.new()
        begun = self.begun(pkce)
        with Browser(self.api.server.base_url) as browser:
            back = browser.walk(begun["auth_url"], Visitor(f"person{next(NUMBERS)}-{uuid4().hex[:8]}@example.com"))
        return {**back, "code_verifier": pkce.verifier}

    def begun(self, pkce: PKCE) -> dict[str, str]:
        body = {"provider": "google", "redirect_url": APP_URL, "code_challenge": pkce.challenge}
        started: dict[str, str] = self.api.post("/api/v1/auth/oauth/signin/", json=body).json()
        return started

    @cached_property
    def identity_id(self) -> str:
        body = self.attempt()
        known = {name: body[name] for name in ("provider", "code", "state", "code_verifier")}
        identity: str = self.owner.post("/api/v1/auth/oauth/identities/", json=known).json()["id"]
        return identity

    @cached_property
    def export_id(self) -> str:
        """As a worker leaves it."""
        export: str = self.owner.post("/api/v1/auth/account/export/").json()["export_id"]
        ready = "UPDATE exports SET archive = 'PK', ready_at = now(), expires_at = now() + interval '7 days' WHERE id = %s"
        self.api.server.sql(ready, export)
        return export

    def token(self, purpose: str) -> str:
        """What a mail carries. Not to the owner: whoever resets a password is signed out everywhere."""
        token = uuid4().hex
        statement = """INSERT INTO one_time_tokens (hash, user_id, purpose, email, expires_at)
                       SELECT %s, id, %s, email, now() + interval '1 hour' FROM users WHERE id = %s"""
        self.api.server.sql(statement, token_hash(token), purpose, self.caller.id)
        return token

    @cached_property
    def user_id(self) -> str:
        """Somebody else's: admins don't lock themselves out."""
        return self.caller.id

    @cached_property
    def application_id(self) -> str:
        """Of a learner who still waits, as where a server does not decide at once."""
        statement = "INSERT INTO instructor_applications (user_id) VALUES (%s) RETURNING id::text"
        application: str = self.api.server.sql(statement, self.api.sign_up().id)[0][0]
        return application

    @cached_property
    def _sold(self) -> str:
        """A course of the owner's with a price."""
        course: str = self.owner.published_course(price=49.99)["id"]
        return course

    def _begun(self, buyer: Person, course: str) -> str:
        payment: str = buyer.post("/api/v1/payments/intents/", json={"course_id": course}).json()["payment_id"]
        return payment

    def _paid(self, buyer: Person, course: str) -> str:
        payment = self._begun(buyer, course)
        buyer.post(f"/api/v1/payments/intents/{payment}/confirm/", json={"payment_method_id": "pm_card_visa"})
        return payment

    @cached_property
    def payment_id(self) -> str:
        """The owner's own, still open."""
        return self._begun(self.owner, self.api.sign_up_instructor().published_course(price=49.99)["id"])

    @cached_property
    def _paid_payment(self) -> str:
        return self._paid(self.owner, self.api.sign_up_instructor().published_course(price=49.99)["id"])

    @cached_property
    def _refundable_payment(self) -> str:
        """Somebody's for a course of the owner's."""
        return self._paid(self.api.sign_up(), self._sold)

    @cached_property
    def coupon_id(self) -> str:
        return self._coupon["id"]

    @cached_property
    def _coupon(self) -> dict[str, str]:
        body = {"code": f"C{uuid4().hex[:10]}", "percentage": 20}
        made: dict[str, str] = self.owner.post("/api/v1/payments/coupons/", json=body).json()
        return made

    @cached_property
    def _subscribed(self) -> bool:
        body = {"plan": "premium", "payment_method_id": "pm_card_visa"}
        return bool(self.owner.post("/api/v1/subscriptions/", json=body).status_code == 201)

    @cached_property
    def _upload(self) -> dict[str, Any]:
        """Of a picture, all of which has come."""
        target = files.begin(self.owner, len(PICTURE), "image/png", filename="me.png")
        files.send_all(self.api, target, PICTURE)
        return target

    @property
    def upload_id(self) -> str:
        upload: str = self._upload["upload_id"]
        return upload

    @cached_property
    def media_id(self) -> str:
        """A video; in a lesson, so that it has a place to show."""
        media: str = files.uploaded(self.owner, files.made(100))["media_id"]
        return media

    @property
    def filename(self) -> str:
        return files.FILENAME

    @cached_property
    def review_id(self) -> str:
        """Of the course that the owner takes."""
        body = {"rating": 4, "comment": "Good"}
        review: str = self.owner.post(f"/api/v1/student/courses/{self._taken['course']}/review/", json=body).json()["id"]
        return review

    @cached_property
    def review_by_somebody(self) -> str:
        """Of the course that the owner teaches."""
        learner = self.api.sign_up()
        learner.post(f"/api/v1/courses/{self.course_id}/enroll/")
        body = {"rating": 5, "comment": "Very good"}
        review: str = learner.post(f"/api/v1/student/courses/{self.course_id}/review/", json=body).json()["id"]
        return review

    @cached_property
    def _transcript(self) -> str:
        """Of the owner's lesson."""
        body = {"format": "segments", "segments": [{"start": 0, "end": 2.5, "text": "What is said"}]}
        made: str = self.owner.put(f"/api/v1/content/lessons/{self.lesson_id}/transcript/", json=body).text
        return made

    @cached_property
    def caller(self) -> Person:
        """A learner who has nothing yet."""
        return self.api.sign_up()

    @cached_property
    def job_id(self) -> str:
        """Of one row, as a worker leaves it."""
        job: str = self.api.server.sql(JOB, self.owner.id, self.course_id)[0][0]
        self.api.server.sql(ROW, job)
        return job

    def invitation(self) -> str:
        """The token of one to the course."""
        token = uuid4().hex
        self.api.server.sql(INVITATION, self.course_id, self.owner.id, f"{token}@example.com", token_hash(token))
        return token

    @cached_property
    def student(self) -> Person:
        """Somebody who takes the course, whether it is published or not."""
        student = self.api.sign_up()
        self.api.server.sql("INSERT INTO enrollments (user_id, course_id) VALUES (%s, %s)", student.id, self.course_id)
        return student
