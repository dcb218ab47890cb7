"""What is there of those who take the owner's course: a part of the world of the contract tests."""

from functools import cached_property
from uuid import uuid4

from harness import Api, Person
from unpuzzle_server.auth.recovery import token_hash

JOB = "INSERT INTO bulk_jobs (user_id, course_id, is_dry_run, finished_at) VALUES (%s, %s, false, now()) RETURNING id::text"
ROW = "INSERT INTO bulk_rows (job_id, position, email, outcome, message) VALUES (%s, 1, 'x', 'invalid', 'It is none.')"
INVITATION = """
    INSERT INTO invitations (course_id, user_id, email, hash, expires_at) VALUES (%s, %s, %s, %s, now() + interval '1 hour')
"""


class Taught:
    api: Api
    owner: Person
    course_id: str

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
