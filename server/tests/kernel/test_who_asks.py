"""Whoever asked before on the same connection is forgotten, and what runs with the owner's rights can't be bent."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from harness import Api, Person, Server, in_parallel, running_server

PROFILE, OWN = "/api/v1/auth/profile/", "/api/v1/instructor/courses/"


@pytest.fixture
def narrow(server: Server) -> Iterator[Api]:
    """A caller of a server with one connection for everybody."""
    with running_server(server.owner_url, database_pool_size=1) as found, Api(found) as caller:
        yield caller


def at(caller: Api, person: Person) -> Person:
    return Person(caller, person.id, person.email, person.tokens)


def test_nobody_inherits_what_the_last_caller_may_see(narrow: Api, instructor: Person, other_instructor: Person) -> None:
    mine, other = at(narrow, instructor), at(narrow, other_instructor)
    draft = mine.course()
    public, own = f"/api/v1/courses/{draft['id']}/", f"{OWN}{draft['id']}/"
    for _ in range(3):
        assert mine.get(own).status_code == 200
        assert narrow.get(public).status_code == 404
        assert narrow.get(own).status_code == 401
        assert other.get(own).status_code == 404
        assert other.get(OWN).json()["count"] == 0


def test_nobody_inherits_it_from_a_request_that_failed(narrow: Api, instructor: Person) -> None:
    mine = at(narrow, instructor)
    draft = mine.course()
    for status, refused in (
        (412, mine.patch(f"{OWN}{draft['id']}/", json={"title": "x"}, headers={"If-Match": '"9"'})),
        (422, mine.post(f"{OWN}{draft['id']}/publish/")),
        (404, mine.get(f"{OWN}00000000-0000-0000-0000-000000000000/")),
    ):
        assert refused.status_code == status
        assert narrow.get(f"/api/v1/courses/{draft['id']}/").status_code == 404


def test_callers_at_once_each_get_their_own(server: Server, api: Api) -> None:
    people = [api.sign_up() for _ in range(4)]

    def asks(person: Person) -> Any:
        return lambda caller: {at(caller, person).get(PROFILE).json()["id"] for _ in range(15)} == {person.id}

    with running_server(server.owner_url, database_pool_size=2) as shared:
        assert in_parallel(shared, [asks(person) for person in people * 3]) == [True] * 12


def test_roles_are_those_of_now(learner: Person) -> None:
    create = {"json": {"title": "x"}}
    assert learner.post(f"{OWN}create/", **create).status_code == 403
    learner.api.server.sql("UPDATE users SET roles = '{student,instructor}' WHERE id = %s", learner.id)
    assert learner.post(f"{OWN}create/", **create).status_code == 201
    learner.api.server.sql("UPDATE users SET roles = '{student}' WHERE id = %s", learner.id)
    assert learner.post(f"{OWN}create/", **create).status_code == 403


def test_functions_with_the_owners_rights_look_only_where_they_should(server: Server) -> None:
    bent = server.sql("""
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = 'app' AND p.prosecdef
           AND NOT coalesce(p.proconfig @> ARRAY['search_path=public, app, pg_temp'], false)
    """)
    assert bent == []


def test_functions_of_the_schema_are_for_the_application_alone(server: Server) -> None:
    for_everybody = server.sql("""
        SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = 'app'
           AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) acl WHERE acl.grantee = 0)
    """)
    assert for_everybody == []


@pytest.fixture
def application(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.settings.database_app_url) as connection:
        yield connection


def become_admin(application: psycopg.Connection, person: Person) -> None:
    """As far as a session's variables make one."""
    application.execute("SELECT set_config('app.user_id', %s, true), set_config('app.roles', 'admin', true)", [person.id])


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        "CREATE VIEW app.mine AS SELECT 1",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "ALTER FUNCTION app.now() SECURITY DEFINER",
        "CREATE POLICY mine ON users USING (true)",
        "UPDATE alembic_version SET version_num = '0'",
        "UPDATE users SET id = gen_random_uuid()",
        "UPDATE users SET email = 'a@example.com'",
        "UPDATE users SET created_at = now(), version = 1",
        "UPDATE sessions SET user_id = gen_random_uuid()",
        "UPDATE refresh_tokens SET expires_at = 'infinity'",
        "DELETE FROM sessions",
        "COPY users TO PROGRAM 'cat'",
    ],
)
def test_the_application_may_not(application: psycopg.Connection, learner: Person, statement: str) -> None:
    become_admin(application, learner)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement)


def test_the_application_can_not_become_the_owner(application: psycopg.Connection, server: Server) -> None:
    [(owner,)] = server.sql("SELECT current_user")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(f'SET ROLE "{owner}"')


def test_even_for_an_admin_anybody_sees_of_those_who_teach_what_is_public(
    application: psycopg.Connection, learner: Person, instructor: Person
) -> None:
    become_admin(application, learner)
    shown = application.execute("SELECT * FROM instructors WHERE id = %s", [instructor.id])
    assert [column.name for column in shown.description or []] == ["id", "name", "avatar_url", "bio"]
    assert shown.rowcount == 1
    assert application.execute("SELECT count(*) FROM instructors WHERE id = %s", [learner.id]).fetchone() == (0,)


def test_the_application_approves_no_application_but_the_callers_own(
    application: psycopg.Connection, server: Server, learner: Person, api: Api
) -> None:
    other = api.sign_up()
    insert = "INSERT INTO instructor_applications (user_id) VALUES (%s) RETURNING id"
    [(theirs,)] = server.sql(insert, other.id)
    application.execute("SELECT set_config('app.user_id', %s, true)", [learner.id])
    assert application.execute("SELECT app.approve_own_application(%s)", [theirs]).fetchone() == (None,)
    assert server.sql("SELECT roles FROM users WHERE id = %s", other.id) == [(["student"],)]
