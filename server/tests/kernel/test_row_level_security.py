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
        "SELECT keys FROM quiz_attempt_keys",
        "UPDATE quiz_attempts SET points = total_points",
        "DELETE FROM quiz_attempts",
        "INSERT INTO certificates (code) VALUES ('X')",
        "UPDATE certificates SET learner_name = 'x'",
        "DELETE FROM certificates",
        "UPDATE course_counts SET enrolled = 1000",
        "DELETE FROM learner_days",
        "INSERT INTO achievements (user_id, rule) SELECT app.user_id(), 'streak-100'",
        "SELECT app.rebuild_analytics()",
        "SELECT * FROM app.recounted_monthly_earnings",
        "UPDATE quizzes SET total_points = 1",
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
        "INSERT INTO reviews (id, rating) VALUES (gen_random_uuid(), 5)",
        "UPDATE reviews SET user_id = NULL",
        "UPDATE reviews SET version = 1, created_at = now()",
        "INSERT INTO notifications (user_id, type, title, message, icon) VALUES (app.user_id(), 'system', 'x', 'x', 'x')",
        "UPDATE notifications SET message = 'x'",
        "UPDATE notifications SET user_id = NULL",
        "UPDATE notifications SET number = 1",
        "UPDATE notifications SET is_shown = false",
        "SELECT app.find_notification_mail(gen_random_uuid())",
        "SELECT app.notify_of_lessons(gen_random_uuid(), 1)",
        "SELECT app.notify_of_review()",
        "INSERT INTO study_time VALUES (app.user_id(), gen_random_uuid(), now(), 1)",
        "UPDATE study_time SET seconds = 0",
        "DELETE FROM lesson_progress",
        "UPDATE reflections SET lesson_id = NULL",
        "UPDATE reflections SET user_id = NULL",
        "DELETE FROM enrollments",
        "INSERT INTO ai_requests (id, user_id, agent, expires_at) VALUES (gen_random_uuid(), app.user_id(), 'chat', now())",
        "DELETE FROM ai_requests",
        "UPDATE ai_requests SET settled_at = NULL",
        "UPDATE ai_messages SET content = 'x'",
        "UPDATE ai_quizzes SET questions = '[]'",
        "SELECT app.forget_tutor(app.user_id())",
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


def test_a_transcript_is_read_with_its_lesson_and_written_by_who_teaches_it(
    api: Api, application: psycopg.Connection, instructor: Person, learner: Person
) -> None:
    course = instructor.published_course()
    lesson = instructor.lesson(instructor.section(course, is_published=True))
    said = {"format": "segments", "segments": [{"start": 0, "end": 1, "text": "Paid for"}]}
    assert instructor.put(f"/api/v1/content/lessons/{lesson['id']}/transcript/", json=said).status_code == 200
    written = f"SELECT app.put_transcript('{lesson['id']}', 'en', 'upload', '{{0}}', '{{1}}', '{{x}}')"

    def read() -> list[int]:
        tables = ("transcripts", "transcript_segments", f"app.segments_of('{lesson['id']}')")
        return [count(application, table, "lesson_id = %s", lesson["id"]) for table in tables]

    for user_id, roles in (("", ""), (learner.id, "student"), (api.sign_up_instructor().id, "student,instructor")):
        as_user(application, user_id, roles)
        assert read() == [0, 0, 0]
        assert application.execute("DELETE FROM transcripts").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(written)
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    as_user(application, learner.id)
    assert read() == [1, 1, 1]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(written)
    as_user(application, instructor.id, "student,instructor")
    application.execute(written)
    assert read() == [1, 1, 1]


def test_who_asked_is_forgotten_with_the_transaction(application: psycopg.Connection, learner: Person) -> None:
    as_user(application, learner.id)
    assert count(application, "users") == 1
    application.commit()
    assert count(application, "users") == 0


def test_functions_with_the_owners_rights_look_nowhere_else_and_nothing_is_for_everybody(server: Server) -> None:
    """A definer's function that searched the caller's path could be made to run what the caller has put there."""
    unsafe = """SELECT proname FROM pg_proc WHERE pronamespace = 'app'::regnamespace AND prosecdef
                   AND proconfig IS DISTINCT FROM ARRAY['search_path=public, app, pg_temp']"""
    callable_by_all = """SELECT proname FROM pg_proc WHERE pronamespace = 'app'::regnamespace
                            AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))"""
    open_to_all = """SELECT relname FROM pg_class, aclexplode(relacl) WHERE grantee = 0
                        AND relnamespace IN ('public'::regnamespace, 'app'::regnamespace)"""
    creatable = "SELECT nspname FROM pg_namespace, aclexplode(nspacl) WHERE grantee = 0 AND privilege_type = 'CREATE'"
    assert [server.sql(query) for query in (unsafe, callable_by_all, open_to_all, creatable)] == [[]] * 4


def test_the_role_calls_no_function_that_notifies(application: psycopg.Connection) -> None:
    notifying = "pronamespace = 'app'::regnamespace AND proname LIKE 'notify%%'"
    assert count(application, "pg_proc", notifying) > 0
    assert count(application, "pg_proc", f"{notifying} AND has_function_privilege(oid, 'EXECUTE')") == 0


def test_a_review_is_by_who_takes_the_course_and_on_their_own_enrolment(
    api: Api, application: psycopg.Connection, instructor: Person, learner: Person
) -> None:
    one, two = instructor.published_course(), instructor.published_course()
    other, gone = api.sign_up(), api.sign_up()

    def enroll(person: Person, course: dict[str, Any]) -> str:
        enrollment: str = person.post(f"/api/v1/courses/{course['id']}/enroll/").json()["enrollment_id"]
        return enrollment

    mine, also_mine, theirs, left = enroll(learner, one), enroll(learner, two), enroll(other, one), enroll(gone, one)
    gone.post(f"/api/v1/courses/{one['id']}/unenroll/")
    unprivileged, unlinked = psycopg.errors.InsufficientPrivilege, psycopg.errors.ForeignKeyViolation
    attempts = [
        (learner, theirs, one, other, unprivileged),
        (learner, theirs, one, learner, unlinked),
        (learner, also_mine, one, learner, unlinked),
        (gone, left, one, gone, unprivileged),
        (instructor, mine, one, instructor, unprivileged),
    ]
    insert = "INSERT INTO reviews (enrollment_id, course_id, user_id, rating) VALUES (%s, %s, %s, 1)"
    for asking, enrollment, course, author, refusal in attempts:
        as_user(application, asking.id)
        with pytest.raises(refusal):
            application.execute(insert, [enrollment, course["id"], author.id])
    as_user(application, learner.id)
    application.execute(insert, [mine, one["id"], learner.id])


def test_progress_is_ones_own_and_in_a_course_one_takes(
    application: psycopg.Connection, instructor: Person, learner: Person, server: Server
) -> None:
    course = instructor.published_course()
    lesson = server.sql("SELECT id::text FROM lessons WHERE course_id = %s", course["id"])[0][0]
    insert = "INSERT INTO lesson_progress (user_id, lesson_id, positioned_at, completed_at) VALUES (%s, %s, now(), now())"
    for outside in (learner, instructor):
        as_user(application, outside.id, "student,instructor")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(insert, [outside.id, lesson])
    learner.post(f"/api/v1/courses/{course['id']}/enroll/")
    as_user(application, instructor.id, "student,admin")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(insert, [learner.id, lesson])
    as_user(application, learner.id)
    application.execute(insert, [learner.id, lesson])
