"""Makes admins, from the command line only: no request can."""

from pathlib import Path
from uuid import uuid4

from argon2 import PasswordHasher
from sqlalchemy import Connection, create_engine, text

from unpuzzle_server import serving
from unpuzzle_server.auth.passwords import MIN_LENGTH, check_strength
from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.serving import ServeError

PROMOTE = text("UPDATE users SET roles = array_append(array_remove(roles, 'admin'), 'admin') WHERE email = :email RETURNING id")
ADD = text("""
    INSERT INTO users (id, email, full_name, roles, email_verified) VALUES (:id, :email, :name, '{student,admin}', true)
""")
ADD_PASSWORD = text("INSERT INTO passwords (user_id, hash) VALUES (:id, :hash)")


def create(data_dir: Path, settings: Settings, email: str, name: str, password: str) -> str:
    """Promotes the account of an address, or makes one; answers a sentence on what was done."""
    with serving.owners_database(data_dir, settings) as owner_url:
        return _create(owner_url, settings, email.strip().lower(), name, password)


def _create(owner_url: str, settings: Settings, email: str, name: str, password: str) -> str:
    engine = create_engine(sqlalchemy_url(owner_url), hide_parameters=True)
    try:
        with engine.begin() as connection:
            if connection.execute(PROMOTE, {"email": email}).first():
                return f"{email} is an admin now."
            _add(connection, settings, email, name, password)
            return f"Made the admin {email}."
    finally:
        engine.dispose()


def _add(connection: Connection, settings: Settings, email: str, name: str, password: str) -> None:
    if "@" not in email:
        raise ServeError(f"{email} is not an e-mail address.")
    if len(password) < MIN_LENGTH:
        raise ServeError(f"There is no account {email}: give a password of {MIN_LENGTH} characters or more to make one.")
    check_strength(password, email)
    hasher = PasswordHasher(time_cost=settings.password_passes, memory_cost=settings.password_memory_kib, parallelism=1)
    user_id = uuid4()
    connection.execute(ADD, {"id": user_id, "email": email, "name": name})
    connection.execute(ADD_PASSWORD, {"id": user_id, "hash": hasher.hash(password)})
