"""Brings a database to the newest schema, and makes the role that serves requests."""

import hashlib
import hmac
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from psycopg import sql
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from unpuzzle_server.kernel.database import sqlalchemy_url

MIGRATIONS = Path(__file__).parents[1] / "migrations"
LOCK = 0x756E70757A7A6C65
"""The advisory lock that keeps two servers from migrating at once ("unpuzzle")."""

PLAN_ONCE = "ALTER ROLE {} SET plan_cache_mode = force_generic_plan"
"""To plan a page of the catalogue under row level security takes longer than to read it."""


class SchemaError(Exception):
    """The database can't be used; the message says why and what to do."""


class Roles(NamedTuple):
    """The URLs of those who work with the database."""

    app_url: str
    worker_url: str


def prepare(owner_url: str, secret_key: str, app_url: str = "", worker_url: str = "") -> Roles:
    """Migrates and answers the URLs of the application's and the workers' roles, making those that are not named."""
    engine = create_engine(sqlalchemy_url(owner_url), connect_args={"connect_timeout": 5}, hide_parameters=True)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            roles = Roles(
                app_url or _with_role(owner_url, *_make_role(connection, "app", secret_key)),
                worker_url or _with_role(owner_url, *_make_role(connection, "worker", secret_key)),
            )
            _migrate(connection, *(urlsplit(url).username or "" for url in roles))
            return roles
    except OperationalError as error:
        raise SchemaError(f"The database can't be reached: {_first_line(error)} Check DATABASE_URL.") from None
    except ProgrammingError as error:
        raise SchemaError(f"The database can't be prepared: {_first_line(error)} DATABASE_URL needs the owner's role.") from None
    finally:
        engine.dispose()


def _make_role(connection: Connection, purpose: str, secret_key: str) -> tuple[str, str]:
    """A role of this database; its password follows from SECRET_KEY, so every machine knows it."""
    database = connection.execute(text("SELECT current_database()")).scalar_one()
    name = f"{database}_{purpose}"
    password = hmac.new(secret_key.encode(), f"role:{name}".encode(), hashlib.sha256).hexdigest()
    exists = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}).scalar()
    verb = "ALTER ROLE {}" if exists else "CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
    statement = sql.SQL(verb + " PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
    connection.exec_driver_sql(statement.as_string())
    connection.exec_driver_sql(sql.SQL(PLAN_ONCE).format(sql.Identifier(name)).as_string())
    return name, password


def _with_role(url: str, name: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{host}"))


def _migrate(connection: Connection, app_role: str, worker_role: str) -> None:
    current = _current_revision(connection)
    known = sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    if current == known[-1]:
        return
    if current is not None and current not in known:
        raise SchemaError(f"The database has schema {current}, which is newer than this server. Install a newer unpuzzle-server.")
    from alembic import command  # most starts have nothing to migrate, and it takes 11 MB and 0.1 s
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, app_role=f'"{app_role}"', worker_role=f'"{worker_role}"')
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaError(f"The database can't be migrated: {error}") from None


def _current_revision(connection: Connection) -> str | None:
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().partition("\n")[0].rstrip(".") + "."
