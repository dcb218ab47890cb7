"""The mails that the server has kept because no SMTP server is set, for whoever runs it."""

from typing import Any

from sqlalchemy import Row, create_engine, text

from unpuzzle_server.kernel.database import sqlalchemy_url
from unpuzzle_server.serving import ServeError

LIST = text("SELECT message_id, recipient, subject, created_at FROM outbox_mails ORDER BY created_at DESC LIMIT :limit")
SHOW = text("SELECT * FROM outbox_mails WHERE message_id LIKE :begins ORDER BY created_at DESC LIMIT 2")
NEWEST = text("SELECT * FROM outbox_mails ORDER BY created_at DESC LIMIT 1")


def list_mails(owner_url: str, limit: int) -> str:
    """A line for each mail, the newest first."""
    mails = _rows(owner_url, LIST, limit=limit)
    if not mails:
        return "There is no mail."
    widest = max(len(mail.recipient) for mail in mails)
    return "\n".join(
        f"{_short(mail)}  {mail.created_at:%Y-%m-%d %H:%M:%S}  {mail.recipient:<{widest}}  {mail.subject}" for mail in mails
    )


def show_mail(owner_url: str, begins: str) -> str:
    """The text of one mail, by the beginning of its id; the newest for `last`."""
    mails = _rows(owner_url, NEWEST) if begins == "last" else _rows(owner_url, SHOW, begins=f"<{begins.strip('<>')}%")
    if len(mails) != 1:
        reason = "There is no such mail" if not mails else f"More than one mail begins with {begins}"
        raise ServeError(f"{reason}: see `unpuzzle-server outbox list`.")
    mail = mails[0]
    return f"To: {mail.recipient}\nSubject: {mail.subject}\nMessage-ID: {mail.message_id}\n\n{mail.text}"


def _short(mail: Row[Any]) -> str:
    return str(mail.message_id).strip("<")[:8]


def _rows(owner_url: str, statement: Any, **values: Any) -> list[Row[Any]]:
    engine = create_engine(sqlalchemy_url(owner_url), hide_parameters=True)
    try:
        with engine.connect() as connection:
            return list(connection.execute(statement, values))
    finally:
        engine.dispose()
