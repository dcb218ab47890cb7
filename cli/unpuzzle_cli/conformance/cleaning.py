"""What a run that writes has left on the server goes at its end: things before who made them, and then the accounts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

import requests

from unpuzzle_cli.conformance.laws.exchange import Reply, Request, address, send
from unpuzzle_cli.conformance.people import NoAccountError, Person
from unpuzzle_cli.conformance.routes import ROUTES
from unpuzzle_cli.conformance.wire import Wire
from unpuzzle_cli.errors import STOPS

NEEDED = 409
DONE = (404, NEEDED, 410)
"""It is gone already, or there is nothing to cancel any more."""
FOR_THE_ACCOUNT = 3
"""Requests that it takes to sign in and delete an account."""
Step = tuple[str, str, Callable[[], Reply]]
"""What goes, whose it is, and how."""


@dataclass
class Cleaning:
    wire: Wire
    people: list[Person]
    """Who may have left something."""
    made: list[Person]
    """Whose accounts are to go."""
    notes: list[str] = field(default_factory=list)

    def run(self, interrupted: bool) -> BaseException | None:
        """Does all of it; whoever stops it is told what remains."""
        self.wire.cleaning = True
        steps = [*self._steps()]
        try:
            if steps:
                self.wire.tell(f"Deleting what was made; Ctrl-C{' again' * interrupted} leaves it.")
            while steps:
                self._do(*steps[0])
                steps.pop(0)
        except STOPS as stop:
            self.notes.append(f"Left on the server, for the end was interrupted: {', '.join(what for what, *_ in steps)}.")
            return stop
        return None

    def _steps(self) -> Iterator[Step]:
        """Sessions begin anew: to delete an account needs a young one."""
        base, left = self.wire.base_url, self.wire.left
        extra = [Person(base, email, password) for email, password in left.accounts.items() if email not in self._addresses]
        young = {person.email: Person(base, person.email, person.password) for person in [*self.people, *self.made, *extra]}
        for email, course in dict.fromkeys(left.published):  # whoever has taken one keeps it, and nobody else is to see it
            if person := young.get(email):
                yield f"Course {course}", email, partial(person.ask, "courses.archive", course_id=course)
        for email, payment in dict.fromkeys(reversed(left.intents)):
            if person := young.get(email):
                yield f"Payment {payment} of {email}", email, partial(person.ask, "payments.cancel_intent", payment_id=payment)
        for email in dict.fromkeys(left.subscribers):
            if person := young.get(email):
                yield f"The subscription of {email}", email, partial(self._cancel, person)
        for email, location in dict.fromkeys(reversed(left.things)):
            path = self._path(location)
            if email in young and ROUTES.find("DELETE", path):
                yield path, email, partial(self._delete, young[email], path)
        for person in [*self.made, *extra]:
            yield f"The account {person.email}", "", partial(young[person.email].ask, "auth.delete_account")

    @property
    def _addresses(self) -> set[str]:
        return {person.email for person in [*self.people, *self.made]}

    def _path(self, location: str) -> str:
        """Below the base URL, wherever the server thinks that it is: what was made here is deleted here."""
        return urlsplit(location).path.removeprefix(urlsplit(self.wire.base_url).path)

    def _cancel(self, person: Person) -> Reply:
        """It is paid for, and so it ends when that does."""
        reply = person.ask("subscriptions.cancel", {})
        if reply.succeeded:
            self.notes.append(f"The subscription of {person.email} is cancelled, and ends with what is paid for.")
        return reply

    def _delete(self, person: Person, path: str) -> Reply:
        """What can be deleted by itself; the rest goes with its account, or is kept as what was bought is."""
        reply = send(Request("DELETE", address(self.wire.base_url, path), {"Authorization": person.authorization}))
        if reply.status == NEEDED:
            self.notes.append(f"{path} stays, as something else needs it.")
        return reply

    def _do(self, what: str, owner: str, undo: Callable[[], Reply]) -> None:
        if owner and not self.wire.allowances.has_more_than(owner, FOR_THE_ACCOUNT):
            self.notes.append(f"{what} was left, as the limit of {owner} had to do for the account.")
            return
        try:
            reply = undo()
        except (NoAccountError, requests.RequestException) as error:
            self.notes.append(f"{what} could not be undone: {error}")
        else:
            if not reply.succeeded and reply.status not in DONE:
                self.notes.append(f"{what} could not be undone: {reply.status}.")
