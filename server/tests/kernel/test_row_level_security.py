"""Row level security: what the application's role can't do, whatever its code asks for."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness import Api, Person, Server

# The tables without a policy, and why.
OPEN_TABLES = {"rate_limits": "counters of the kernel, by address or user id", "alembic_version": "the version of the schema"}


@pytest.fixture
def application(server: Server) -> Iterator[psycopg.Connection]:
    """A connection as the role that serves requests."""
    with psycopg.connect(server.settings.database_app_url) as connection:
        yield connection


def as_user(connection: psycopg.Connection, user_id: str, roles: str = "student") -> None:
    connection.rollback()
    connection.execute("SELECT set_config('app.user_id', %s, true), set_config('app.roles', %s, true)", [user_id, roles])


def count(connection: psycopg.Connection, table: str, where: str = "true", *values: Any) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}", values).fetchone()
    assert row
    return int(row[0])


def test_every_table_is_secured_or_says_why_not(server: Server) -> None:
    tables = server.sql("""
        SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public'
    """)
    assert {name for name, secured in tables if not secured} == OPEN_TABLES.keys()


def test_the_role_owns_nothing_and_bypasses_nothing(application: psycopg.Connection) -> None:
    rights = application.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert rights == (False, False, False, False)
    assert count(application, "pg_class", "pg_get_userbyid(relowner) = current_user") == 0
    assert count(application, "pg_proc", "pg_get_userbyid(proowner) = current_user") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT hash FROM passwords",
        "UPDATE passwords SET user_id = gen_random_uuid()",
        "SELECT hash FROM api_keys",
        "SELECT hash FROM one_time_tokens",
        "SELECT text FROM outbox_mails",
        "SELECT app.erase_account(gen_random_uuid(), now())",
        "UPDATE users SET roles = '{admin}'",
        "UPDATE users SET suspended_at = NULL",
        "UPDATE users SET email_verified = true",
        "INSERT INTO users (id, email, full_name, roles) VALUES (gen_random_uuid(), 'a@b.c', 'x', '{admin}')",
        "DELETE FROM users",
        "UPDATE course_stats SET rating_sum = 5",
        "UPDATE catalogue_counts SET courses_count = 0",
        "UPDATE instructor_applications SET status = 'approved'",
        "INSERT INTO reviews (enrollment_id, course_id, user_id, rating) SELECT id, id, id, 5 FROM gen_random_uuid() AS id",
        "DELETE FROM enrollments",
        "TRUNCATE courses",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE mine (id int)",
    ],
)
def test_the_role_may_not(application: psycopg.Connection, learner: Person, statement: str) -> None:
    as_user(application, learner.id, "student,admin")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)


def test_a_user_sees_only_what_is_theirs(application: psycopg.Connection, learner: Person, instructor: Person) -> None:
    as_user(application, learner.id)
    for table in ("users", "sessions", "refresh_tokens"):
        key = "id" if table == "users" else "user_id"
        assert count(application, table) == count(application, table, f"{key} = %s", learner.id) == 1
    as_user(application, "")
    assert [count(application, table) for table in ("users", "sessions", "refresh_tokens", "enrollments")] == [0] * 4


def test_nobody_acts_in_the_name_of_somebody_else(application: psycopg.Connection, learner: Person, instructor: Person) -> None:
    course = instructor.published_course()
    as_user(application, learner.id, "student,instructor")
    for statement in (
        f"INSERT INTO courses (instructor_id, title, slug) VALUES ('{instructor.id}', 'x', 'not-mine')",
        f"INSERT INTO enrollments (user_id, course_id) VALUES ('{instructor.id}', '{course['id']}')",
        f"INSERT INTO sections (course_id, title, position) VALUES ('{course['id']}', 'x', 99)",
        f"INSERT INTO sessions (id, user_id) VALUES (gen_random_uuid(), '{instructor.id}')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), application.transaction():
            application.execute(statement)
    for table in ("courses", "sections", "lessons"):
        key = "id" if table == "courses" else "course_id"
        changed = application.execute(f"UPDATE {table} SET title = 'taken' WHERE {key} = %s", [course["id"]])
        assert changed.rowcount == 0


def test_the_text_of_a_lesson_is_for_those_who_take_the_course(
    api: Api, application: psycopg.Connection, instructor: Person, learner: Person
) -> None:
    course = instructor.published_course()
    mine = "lesson_id IN (SELECT id FROM lessons WHERE course_id = %s)"
    for user_id, roles in (("", ""), (learner.id, "student"), (api.sign_up_instructor().id, "student,instructor")):
        as_user(application, user_id, roles)
        assert (
            count(application, "lessons", "course_id = %s", course["id"]),
            count(application, "lesson_texts", mine, course["id"]),
        ) == (1, 0)
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    for user_id in (learner.id, instructor.id):
        as_user(application, user_id)
        assert count(application, "lesson_texts", mine, course["id"]) == 1


def test_who_asked_is_forgotten_with_the_transaction(application: psycopg.Connection, learner: Person) -> None:
    as_user(application, learner.id)
    assert count(application, "users") == 1
    application.commit()
    assert count(application, "users") == 0
