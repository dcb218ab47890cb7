"""How mail leaves: by SMTP, or into the outbox of the database where no SMTP server is set."""

from typing import Protocol
from urllib.parse import unquote, urlsplit

from sqlalchemy import text

from unpuzzle_server.kernel.database import Database
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.mail.message import Mail

SECONDS = 30
KEEP = text("""
    INSERT INTO outbox_mails (message_id, recipient, subject, text, html)
    VALUES (:message_id, :recipient, :subject, :text, :html) ON CONFLICT (message_id) DO NOTHING
""")


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Returns when somebody else has taken the responsibility for the mail; raises when nobody has."""


class SmtpMailer:
    """A real SMTP server: `smtp://user:password@host:587` (STARTTLS where it is offered), `smtps://` for TLS from the start."""

    def __init__(self, url: str, sender: str) -> None:
        self.url = urlsplit(url)
        self.sender = sender

    def __repr__(self) -> str:
        return f"SmtpMailer({self.url.hostname}:{self.url.port})"

    async def send(self, mail: Mail) -> None:
        import aiosmtplib  # only where mail is sent

        await aiosmtplib.send(
            mail.as_message(self.sender),
            hostname=self.url.hostname,
            port=self.url.port,
            username=unquote(self.url.username) if self.url.username else None,
            password=unquote(self.url.password) if self.url.password else None,
            use_tls=self.url.scheme == "smtps",
            timeout=SECONDS,
        )


class OutboxMailer:
    """Keeps each mail in the database, for `unpuzzle-server outbox`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def send(self, mail: Mail) -> None:
        values = {"message_id": mail.message_id, "recipient": mail.to, "subject": mail.subject}
        async with self.database.transaction(None) as tx:
            await tx.execute(KEEP, **values, text=mail.text, html=mail.html)


def mailer(settings: Settings, database: Database) -> Mailer:
    return SmtpMailer(settings.smtp_url, settings.mail_from) if settings.smtp_url else OutboxMailer(database)
