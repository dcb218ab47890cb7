"""Row level security holds where a service forgets to filter: every statement, run as somebody else, straight on the database."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, TextClause, create_engine, text
from sqlalchemy.exc import ProgrammingError

from harness import Api, Person, Server
from unpuzzle_server.enrollments import queries as enrollments
from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.learning import queries as learning
from unpuzzle_server.notifications import queries as notifications
from unpuzzle_server.reflections import queries as reflections

SECRET, MOMENT = "what only its author may read", 123.456
TABLES = ("enrollments", "lesson_progress", "study_time", "reviews", "notifications", "reflections")
MADE = {
    "enrollments.enrollments": enrollments.enrollments("active", "progress", "asc"),
    "enrollments.student_courses": enrollments.student_courses(None, None, None),
    "learning.tree": learning.tree(texts=True),
    "learning.update_review": learning.update_review(["rating"]),
    "notifications.notifications": notifications.notifications(unread_only=True, typed=True),
    "reflections.reflections": reflections.reflections(("lesson_id",), "created_at", "desc"),
    "reflections.insert": reflections.insert(["content"]),
    "reflections.update": reflections.update(["content"]),
}
"""What a module makes by function, once each."""
STATEMENTS = MADE | {
    f"{module.__name__.split('.')[1]}.{name}": statement
    for module in (enrollments, learning, notifications, reflections)
    for name, statement in vars(module).items()
    if isinstance(statement, TextClause)
}
OFFERS = {"enrollments.OFFER", "enrollments.EXISTS", "learning.LESSON_EXISTS"}
"""What anybody may know: that there is such a course."""
ANYTHING = {
    "status": "active", "limit": 20, "offset": 0, "rating": 1, "comment": "x", "type": "course", "content": "x", "slug": None,
    "position": 1.0, "recorded_at": "2026-01-01T00:00:00Z", "watched": "{[0,1)}", "length": 600, "active": 5, "at_first": 60,
    "at_most": 600,
}  # fmt: skip


class Owner:
    """A learner who has one of everything."""

    def __init__(self, api: Api) -> None:
        teacher = api.sign_up_instructor()
        self.server, self.person, course = api.server, api.sign_up(), teacher.published_course()
        lesson = teacher.lesson(teacher.section(course, is_published=True), type="video", duration_seconds=600)
        post = self.person.post
        enrolled = post(f"/api/v1/courses/{course['id']}/enroll/").json()
        body = {"position_seconds": MOMENT, "watched": [{"start": 0, "end": MOMENT}]}
        self.person.put(f"/api/v1/student/lessons/{lesson['id']}/progress/", json=body)
        review = post(f"/api/v1/student/courses/{course['id']}/review/", json={"rating": 4}).json()
        reflection = post("/api/v1/reflections/", json={"lesson_id": lesson["id"], "content": SECRET}).json()
        notification = self.person.get("/api/v1/notifications/").json()["results"][0]
        self.values = {
            **ANYTHING,
            "user": self.person.id,
            "course": course["id"],
            "course_id": course["id"],
            "lesson": lesson["id"],
            "lesson_id": lesson["id"],
            "enrollment": enrolled["enrollment_id"],
            "review": review["id"],
            "reflection": reflection["id"],
            "notification": notification["id"],
        }

    def rows(self) -> list[Any]:
        """Everything of theirs, whoever looks."""
        return [
            self.server.sql(f"SELECT t::text FROM {table} t WHERE user_id = %s ORDER BY 1", self.person.id) for table in TABLES
        ]


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Owner]:
    with Api(server) as api:
        yield Owner(api)


@pytest.fixture(scope="module")
def stranger(server: Server) -> Iterator[Person]:
    with Api(server) as api:
        yield api.sign_up_instructor()


@pytest.fixture(scope="module")
def application(server: Server) -> Iterator[Connection]:
    """As the role that serves requests."""
    engine = create_engine(sqlalchemy_url(server.settings.database_app_url))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def run_as(connection: Connection, user_id: str, roles: str, statement: TextClause, values: dict[str, Any]) -> str:
    """What somebody gets; what they change stays changed."""
    connection.execute(
        text("SELECT set_config('app.user_id', :user, true), set_config('app.roles', :roles, true)"),
        {"user": user_id, "roles": roles},
    )
    names = statement.compile().params.keys()
    try:
        result = connection.execute(statement, {name: values[name] for name in names})
        found = str([tuple(row) for row in result]) if result.returns_rows else ""  # a Row shortens itself
        connection.commit()
    except ProgrammingError as error:
        connection.rollback()
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            return ""
        raise
    return found


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_a_statement_shows_and_changes_nothing_of_anybody_else(
    application: Connection, owner: Owner, stranger: Person, name: str
) -> None:
    before = owner.rows()
    found = run_as(application, stranger.id, "student,instructor", STATEMENTS[name], owner.values)
    assert owner.rows() == before
    if name not in OFFERS:
        for secret in (SECRET, str(MOMENT), owner.values["enrollment"], owner.values["notification"], owner.values["reflection"]):
            assert secret not in found


@pytest.mark.parametrize(
    "name", ["reflections.GET", "learning.LESSON_PROGRESS", "enrollments.GET", "notifications.notifications"]
)
def test_the_same_statement_shows_its_owner_what_is_theirs(application: Connection, owner: Owner, name: str) -> None:
    found = run_as(application, owner.person.id, "student", STATEMENTS[name], owner.values)
    secrets = (SECRET, str(MOMENT), owner.values["enrollment"], owner.values["notification"])
    assert any(secret in found for secret in secrets)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_shows_and_changes_nothing_of_anybody_else(
    application: Connection, owner: Owner, stranger: Person, table: str
) -> None:
    before = owner.rows()
    for statement in (f"DELETE FROM {table}", *(f"UPDATE {table} SET {column}" for column in COLUMNS[table])):
        run_as(application, stranger.id, "student,instructor", text(statement), {})
    assert owner.rows() == before
    if table != "reviews":  # they are public
        assert (
            run_as(application, stranger.id, "student", text(f"SELECT user_id::text FROM {table}"), {}).count(owner.person.id)
            == 0
        )


COLUMNS = {
    "enrollments": ["status = 'cancelled'"],
    "lesson_progress": ["watched = '{}'", "completed_at = now()"],
    "study_time": ["seconds = 0"],
    "reviews": ["rating = 1"],
    "notifications": ["read_at = now()", "message = 'x'"],
    "reflections": ["content = 'x'"],
}


def test_views_show_only_what_is_ones_own(application: Connection, owner: Owner, stranger: Person) -> None:
    for view in ("own_enrollments", "own_lessons"):
        statement = text(f"SELECT * FROM {view}")
        assert str(owner.values["enrollment"]) in run_as(application, owner.person.id, "student", statement, {})
        assert run_as(application, stranger.id, "student,instructor,admin", statement, {}) == "[]"
        assert run_as(application, "", "", statement, {}) == "[]"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO notifications (user_id, type, title, message, icon) VALUES ('{me}', 'system', 'x', 'x', 'x')",
        "UPDATE notifications SET message = 'x'",
        "SELECT app.notify_of_lessons('{course}', 1)",
        "INSERT INTO reviews (enrollment_id, course_id, user_id, rating) VALUES ('{enrollment}', '{course}', '{me}', 5)",
        """INSERT INTO reflections (user_id, lesson_id, lesson_title, course_title, content)
           VALUES ('{me}', '{lesson}', 'x', 'x', 'x')""",
        "INSERT INTO reflections (user_id, lesson_title, course_title, content) VALUES ('{owner}', 'x', 'x', 'x')",
        "INSERT INTO lesson_progress (user_id, lesson_id, positioned_at) VALUES ('{me}', '{lesson}', now())",
        "INSERT INTO study_time (user_id, course_id, quarter, seconds) VALUES ('{me}', '{course}', now(), 60)",
    ],
)
def test_nobody_writes_what_they_have_no_right_to(
    application: Connection, owner: Owner, stranger: Person, statement: str
) -> None:
    """A notification is made by what happens; a review, progress and a reflection need the course."""
    values = {**owner.values, "owner": owner.person.id, "me": stranger.id}
    application.execute(text("SELECT set_config('app.user_id', :user, true)"), {"user": stranger.id})
    with pytest.raises(ProgrammingError, match="InsufficientPrivilege"):
        application.execute(text(statement.format(**values)))
    application.rollback()
