"""What a worker does with the tasks of one person, and the mail that they get of it."""

import re
from dataclasses import dataclass, replace
from typing import Any

from harness import Person, Server
from workplace import Workplace

LINK = re.compile(r"https?://\S+")


@dataclass
class Mail:
    recipient: str
    subject: str
    text: str
    html: str
    message_id: str

    @property
    def token(self) -> str:
        """What the link carries."""
        link = LINK.search(self.text)
        assert link, self.text
        assert link[0] in self.html
        return link[0].partition("?token=")[2]


class Postman:
    """Does tasks at once, in this process, with whatever settings."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.place = Workplace(server)

    def waiting(self, about: str) -> list[tuple[str, str]]:
        """The tasks whose arguments name an address or an id, as (id, name)."""
        return self.server.sql("SELECT id::text, name FROM tasks WHERE position(%s in args::text) > 0 ORDER BY created_at", about)  # type: ignore[return-value]

    def deliver(self, *about: str, **settings: Any) -> list[str]:
        """Does what waits for each, with other settings if need be; answers the names."""
        done, place = [], Workplace(replace(self.server, settings=replace(self.server.settings, **settings)))
        for word in about:
            for task_id, name in self.waiting(word):
                self.server.sql("UPDATE tasks SET state = 'sent' WHERE id = %s", task_id)
                place.perform(task_id)
                done.append(name)
        return done

    def perform(self, name: str, **args: Any) -> None:
        """Asks for a task, and does it."""
        task_id = self.place.enqueue(name, **args)
        self.server.sql("UPDATE tasks SET state = 'sent' WHERE id = %s", task_id)
        self.place.perform(task_id)

    def mails(self, address: str) -> list[Mail]:
        """What the outbox has kept for an address, the oldest first."""
        columns = "recipient, subject, text, html, message_id"
        rows: list[Any] = self.server.sql(
            f"SELECT {columns} FROM outbox_mails WHERE recipient = %s ORDER BY created_at", address.lower()
        )
        return [Mail(*row) for row in rows]

    def mail_to(self, person: Person) -> Mail:
        """The newest mail, once everything that waits is done."""
        self.deliver(person.email, person.id)
        return self.mails(person.email)[-1]
