"""Row level security holds where the service forgets to ask whose something is: its statements, run with another's ids."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine, TextClause, create_engine, text
from sqlalchemy.exc import DBAPIError

from harness import Api, Person, Server
from unpuzzle_server.ai import queries as ai
from unpuzzle_server.analytics import queries as analytics
from unpuzzle_server.enrollments import queries as enrollments
from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.learning import attempt_queries as attempts
from unpuzzle_server.learning import certificate_queries as certificates
from unpuzzle_server.learning import queries as learning
from unpuzzle_server.notifications import queries as notifications
from unpuzzle_server.reflections import queries as reflections

MODULES = [ai, analytics, enrollments, learning, attempts, certificates, notifications, reflections]
FLAGS = (False, True)
BUILT: dict[Callable[..., TextClause], list[tuple[Any, ...] | dict[str, Any]]] = {
    ai.sessions: [((),), (tuple(ai.SESSION_FILTERS),)],
    enrollments.enrollments: list(product([None, "active"], [None, *enrollments.SORTS], [None, "asc"])),
    enrollments.student_courses: list(product([None, "active"], [None, *enrollments.SORTS], [None, "asc"])),
    enrollments.students: [((), "enrolled_at", None), (("status", "search"), "last_accessed_at", "asc")],
    enrollments.job_rows: [{"filtered": flag} for flag in FLAGS],
    learning.tree: [{"texts": flag} for flag in FLAGS],
    learning.update_review: [(["rating", "comment"],)],
    notifications.notifications: [{"unread_only": unread, "typed": typed} for unread, typed in product(FLAGS, FLAGS)],
    notifications.prefer: [(["email_notifications", "learning_reminders", "mailed", "muted"],)],
    reflections.reflections: [((), "created_at", "desc"), (tuple(reflections.FILTERS), "created_at", "asc")],
    reflections.shared: [{"asked": tuple(reflections.FILTERS), "teaches": flag} for flag in FLAGS],
    reflections.insert: [(["content"],)],
    reflections.update: [(list(reflections.COLUMNS),)],
}
"""The statements that are put together, and with what."""

PERSONAL_TABLES = """
    SELECT c.relname, has_column_privilege(%s, c.oid, a.attnum, 'SELECT'), has_table_privilege(%s, c.oid, 'DELETE'),
           array(SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND attgenerated = ''
                                                    AND has_column_privilege(%s, c.oid, attnum, 'SELECT')
                                                    AND has_column_privilege(%s, c.oid, attnum, 'UPDATE'))
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'user_id'
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
"""
BE = "SELECT set_config('app.user_id', %s, true), set_config('app.roles', %s, true)"
PAID = """
    INSERT INTO payments (user_id, course_id, instructor_id, title, list_minor, currency, status, paid_at, intent)
    SELECT %s, id, instructor_id, title, 500, 'USD', 'succeeded', now(), 'pi_' || id FROM courses WHERE id = %s
"""
CERTIFIED = """
    INSERT INTO certificates (enrollment_id, user_id, course_id, learner_name, course_title, instructor_name, issued_at)
    SELECT id, user_id, course_id, '', '', '', now() FROM enrollments WHERE user_id = %s
"""
ASKED = [
    """INSERT INTO ai_sessions (id, user_id, title, course_id, lesson_id)
       SELECT gen_random_uuid(), user_id, 'Mine', course_id, lesson_id FROM reflections WHERE user_id = %s""",
    """INSERT INTO ai_messages (id, session_id, user_id, role, content, model)
       SELECT gen_random_uuid(), id, user_id, 'assistant', 'Mine', 'm' FROM ai_sessions WHERE user_id = %s""",
    """INSERT INTO ai_quizzes (id, user_id, questions, model, prompt_tokens, completion_tokens, cost_usd)
       VALUES (gen_random_uuid(), %s, '[]', 'm', 1, 1, 1)""",
    """INSERT INTO ai_requests (id, user_id, agent, expires_at, settled_at, prompt_tokens)
       VALUES (gen_random_uuid(), %s, 'chat', now(), now(), 7)""",
]
"""As the tutor keeps what it was asked."""
SUBSCRIBED = """
    WITH known AS (INSERT INTO stripe_customers (user_id, customer) VALUES (%s, 'cus_' || gen_random_uuid())),
         given AS (INSERT INTO plan_grants (user_id, plan) VALUES (%s, 'premium')),
         made AS (INSERT INTO subscriptions (user_id, plan, "interval", amount_minor, currency)
                  VALUES (%s, 'premium', 'month', 1900, 'USD') RETURNING id)
    INSERT INTO invoices (id, subscription_id, user_id, status, plan, "interval", total_minor, paid_minor, currency, period_start,
                          period_end, created_at)
    SELECT 'in_' || id, id, %s, 'paid', 'premium', 'month', 1900, 1900, 'USD', now(), now(), now() FROM made
"""
SOLD = """
    INSERT INTO earnings (user_id, payment_id, course_id, kind, amount_minor, currency)
    SELECT %s, id, course_id, 'sale', 500, 'USD' FROM payments WHERE user_id = %s
"""
FILES = (
    """INSERT INTO media (id, user_id, filename, title, content_type, kind, file_size, storage_key, storage_id)
       VALUES (gen_random_uuid(), %s, 'mine.mp4', 'Mine', 'video/mp4', 'video', 9, gen_random_uuid()::text, 'x')""",
    """INSERT INTO uploads (user_id, filename, title, content_type, kind, file_size, chunk_size, storage_key, expires_at)
       VALUES (%s, 'mine.mp4', 'Mine', 'video/mp4', 'video', 9, 9, gen_random_uuid()::text, now() + interval '1 day')""",
)
READ_BY_OTHERS = {
    "reviews": {"anonymous", "a fellow learner", "the instructor", "somebody else"},
    "enrollments": {"the instructor"},
}
"""Who reads what is somebody else's, as the policies mean it; nobody changes it."""


MEANT = {("the instructor", "unpuzzle_server.enrollments.queries.students")}
"""What shows somebody, to whom it is meant to."""


def statements() -> Iterator[tuple[str, TextClause]]:
    for module in MODULES:
        yield from ((f"{module.__name__}.{name}", value) for name, value in vars(module).items() if isinstance(value, TextClause))
    for build, calls in BUILT.items():
        for call in calls:
            name = f"{build.__module__}.{build.__name__}({call})"
            yield name, build(**call) if isinstance(call, dict) else build(*call)


@dataclass
class World:
    """Somebody with a row in every table, and who else there is."""

    owner: Person
    course: str
    lesson: str
    quiz: str
    ids: dict[str, str]
    """By the names that statements know them by."""
    others: dict[str, tuple[str, str]]
    """User ids and roles of those whose all this is not."""


@pytest.fixture(scope="module")
def world(server: Server) -> Iterator[World]:
    with Api(server) as api:
        instructor, owner, fellow = api.sign_up_instructor(), api.sign_up_instructor(), api.sign_up()
        course = instructor.published_course()
        for person in (owner, fellow):
            person.post(f"/api/v1/courses/{course['id']}/enroll/", headers={"Idempotency-Key": uuid4().hex})
        lesson = server.sql("SELECT id::text FROM lessons WHERE course_id = %s", course["id"])[0][0]
        owner.put(f"/api/v1/student/lessons/{lesson}/progress/", json={"active_seconds": 60})
        # Completed around the application, so that completing the course is left to do.
        server.sql("UPDATE lesson_progress SET completed_at = now() WHERE user_id = %s", owner.id)
        owner.post(f"/api/v1/student/courses/{course['id']}/review/", json={"rating": 5})
        quiz = instructor.quiz({"id": lesson})
        attempt = owner.post(f"/api/v1/student/quizzes/{quiz['id']}/attempts/").json()
        # It is left open, so that submitting it is left to do; completing the course waits for none.
        server.sql("UPDATE quizzes SET is_required = false WHERE id = %s", quiz["id"])
        owner.post("/api/v1/reflections/", json={"lesson_id": lesson, "content": "Mine", "tags": ["x"]})
        owner.post("/api/v1/auth/api-keys/", json={"name": "script", "scopes": ["courses:read"]})
        owner.post("/api/v1/auth/account/export/")
        link = "INSERT INTO one_time_tokens (hash, user_id, purpose, email, expires_at) VALUES ('x', %s, 'email', 'x', now())"
        server.sql(link, owner.id)
        server.sql("INSERT INTO identities (user_id, provider, subject) VALUES (%s, 'google', 'somebody')", owner.id)
        server.sql("INSERT INTO coupons (user_id, code, percentage) VALUES (%s, %s, 5)", owner.id, uuid4().hex)
        server.sql("INSERT INTO bulk_jobs (user_id, course_id, is_dry_run) VALUES (%s, %s, true)", owner.id, course["id"])
        judged = """INSERT INTO bulk_rows (job_id, position, email, outcome)
                    SELECT id, 1, 'x', 'invalid' FROM bulk_jobs WHERE user_id = %s"""
        server.sql(judged, owner.id)
        invited = "INSERT INTO invitations (course_id, user_id, email, expires_at) VALUES (%s, %s, %s, now())"
        server.sql(invited, course["id"], owner.id, uuid4().hex)
        server.sql("INSERT INTO reminders VALUES (%s, now())", owner.id)
        answered = """INSERT INTO reflection_responses (reflection_id, user_id, content)
                      SELECT id, user_id, 'x' FROM reflections WHERE user_id = %s"""
        server.sql(answered, owner.id)
        server.sql("UPDATE notifications SET number = 1 WHERE user_id = %s", owner.id)
        server.sql(PAID, owner.id, course["id"])
        server.sql(CERTIFIED, owner.id)
        server.sql(PAID, fellow.id, owner.published_course(price=5)["id"])
        server.sql(SUBSCRIBED, *[owner.id] * 4)
        server.sql(SOLD, owner.id, owner.id)
        for statement in FILES:
            server.sql(statement, owner.id)
        for statement in ASKED:
            server.sql(statement, owner.id)
        tables = {"session": "ai_sessions", "answer": "ai_messages", "practice": "ai_quizzes"}
        tables |= {"job": "bulk_jobs", "response": "reflection_responses"}
        tables |= {"enrollment": "enrollments", "notification": "notifications", "review": "reviews", "reflection": "reflections"}
        owned = "SELECT id::text FROM {} WHERE user_id = %s LIMIT 1"
        ids = {name: server.sql(owned.format(table), owner.id)[0][0] for name, table in tables.items()}
        others = {
            "anonymous": ("", ""),
            "a fellow learner": (fellow.id, "student"),
            "the instructor": (instructor.id, "student,instructor"),
            "somebody else": (api.sign_up().id, "student"),
        }
        ids |= {"user": owner.id, "attempt": attempt["id"]}
        yield World(owner, course["id"], lesson, quiz["id"], ids, others)


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Engine]:
    """Connects as the role that serves requests."""
    found = create_engine(sqlalchemy_url(server.settings.database_app_url))
    yield found
    found.dispose()


def values_of(world: World, ids: dict[str, str]) -> dict[str, Any]:
    public = {
        "course": world.course, "slug": None, "lesson": world.lesson, "quiz": world.quiz, "course_id": world.course,
        "lesson_id": world.lesson, "given": "{}", "public_url": "https://api.unpuzzle.com", "code": "X", "reason": "x",
        "period": "month", "days": 30, "first_month": None, "last_month": None, "sold": None, "rule": "streak-7",
    }  # fmt: skip
    progress = {
        "position": 1, "recorded_at": datetime.now(UTC), "watched": "{[0,1)}", "length": None, "active": 0, "at_first": 60,
        "at_most": 600,
    }  # fmt: skip
    written = {"rating": 1, "comment": "x", "content": "x", "tags": ["x"], "visibility": "private", "timestamp_seconds": 1}
    preferred = {"email_notifications": True, "learning_reminders": True, "mailed": [], "muted": [], "last": 0}
    told = {
        "title": "x",
        "message": "x",
        "dry_run": True,
        "emails": ["x"],
        "are_addresses": [True],
        "hash": b"x",
        "answered": str(uuid4()),
        "new_job": str(uuid4()),
    }
    asked = {
        **preferred,
        **told,
        "search": "%",
        "outcome": "invalid",
        "status": "active",
        "type": "puzzle",
        "tag": "x",
        "limit": 100,
        "offset": 0,
    }
    spent = {"model": "m", "prompt_tokens": 1, "completion_tokens": 1, "cost_usd": 1, "percentage": 1, "passed": False}
    answered = {"references": "[]", "actions": "[]", "questions": "[]", "verdict": "helpful", **spent}
    days = {"start_date": datetime.now(UTC).date(), "end_date": datetime.now(UTC).date()}
    looked_for = {"asked": "text", "goal": "text", "q": "text", "most": 9, **days}
    return {**public, **progress, **written, **asked, **answered, **looked_for, **ids}


def outcome(engine: Engine, user: tuple[str, str], statement: TextClause, values: dict[str, Any]) -> str:
    """What a statement shows to somebody, with its ids by their names; nothing of it stays."""
    with engine.connect() as connection:
        connection.exec_driver_sql(BE, user)
        try:
            result = connection.execute(statement, {name: values[name] for name in statement.compile().params})
        except DBAPIError as error:
            return f"refused: {error.orig.sqlstate}"  # type: ignore[union-attr]
        return str([tuple(row) for row in result] if result.returns_rows else result.rowcount)


def test_every_statement_that_is_put_together_is_tried() -> None:
    builders = {
        value
        for module in MODULES
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and value.__module__ == module.__name__
        if inspect.signature(value).return_annotation is TextClause
    }
    assert builders == BUILT.keys()


def test_with_the_ids_of_somebody_else_every_statement_does_what_it_does_with_ids_of_nothing(
    world: World, engine: Engine
) -> None:
    nothing = {name: str(uuid4()) for name in world.ids}
    for name, statement in statements():
        for who, user in world.others.items():
            shown = outcome(engine, user, statement, values_of(world, world.ids))
            assert shown == outcome(engine, user, statement, values_of(world, nothing)), f"{name} by {who}"
            if (who, name.partition("(")[0]) not in MEANT:
                assert not [private for private in world.ids.values() if private in shown], f"{name} by {who}"


def test_with_ones_own_ids_every_statement_that_asks_for_them_does_something(world: World, engine: Engine) -> None:
    """Else the test above would show nothing."""
    nothing = {name: str(uuid4()) for name in world.ids}
    owner = (world.owner.id, "student,instructor")
    idle = {
        name
        for name, statement in statements()
        if world.ids.keys() & statement.compile().params.keys()
        and outcome(engine, owner, statement, values_of(world, world.ids))
        == outcome(engine, owner, statement, values_of(world, nothing))
    }
    assert idle == set()


def test_a_statement_without_a_condition_meets_ones_own_rows_only(world: World, server: Server) -> None:
    with psycopg.connect(server.settings.database_app_url) as connection:
        role = connection.info.user
        tables = server.sql(PERSONAL_TABLES, *[role] * 4)
        assert {"lesson_progress", "study_time", "notifications", "reflections", "enrollments", "reviews"} <= {
            t[0] for t in tables
        }
        for table, may_select, may_delete, columns in tables:
            assert server.sql(f"SELECT EXISTS (SELECT FROM {table} WHERE user_id = %s)", world.owner.id) == [(True,)], table
            acts = [f"UPDATE {table} SET {', '.join(f'{column} = {column}' for column in columns)}"] if columns else []
            acts += [f"DELETE FROM {table}"] if may_delete else []
            for who, (user_id, roles) in world.others.items():
                reads = [f"SELECT user_id FROM {table}"] if may_select and who not in READ_BY_OTHERS.get(table, ()) else []
                own = server.sql(f"SELECT count(*) FROM {table} WHERE user_id = nullif(%s, '')::uuid", user_id)[0][0]
                for act in reads + acts:
                    connection.rollback()
                    connection.execute(BE, [user_id, roles])
                    assert connection.execute(act).rowcount == own, f"{act} by {who}"


def test_the_views_of_ones_own_show_nothing_else(world: World, engine: Engine) -> None:
    everybody = {**world.others, "the owner": (world.owner.id, "student"), "an admin": (str(uuid4()), "student,admin")}
    for view, column in (("own_enrollments", "id"), ("own_lessons", "enrollment_id")):
        for who, user in everybody.items():
            shown = outcome(engine, user, text(f"SELECT DISTINCT {column}::text FROM {view}"), {})
            assert (world.ids["enrollment"] in shown) == (who == "the owner"), f"{view} by {who}"


def test_an_admin_reads_nobodys_progress_notifications_or_reflections(world: World, engine: Engine) -> None:
    for table in ("lesson_progress", "study_time", "notifications", "reflections"):
        assert outcome(engine, (str(uuid4()), "student,instructor,admin"), text(f"SELECT count(*) FROM {table}"), {}) == "[(0,)]"
