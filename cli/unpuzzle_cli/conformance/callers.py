"""Who sends what: one caller with a token reads, or accounts of each role that are made, used and deleted."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import requests

from unpuzzle_cli.conformance.cleaning import Cleaning
from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.found import Found
from unpuzzle_cli.conformance.journey import GUEST, chapters
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, nobody
from unpuzzle_cli.conformance.people import OPERATIONS, NoAccountError, Person, ask
from unpuzzle_cli.conformance.settings import Caller
from unpuzzle_cli.conformance.wire import TOO_MANY, Wire
from unpuzzle_cli.conformance.world import World, tag_of
from unpuzzle_cli.errors import UsageError

PREPARED = {role: f"UNPUZZLE_CONFORMANCE_{role.upper()}" for role in ("learner", "instructor", "admin")}
"""Variables of the environment with `email:password` of accounts that are there."""
STRANGER = "stranger"
"""Who teaches, and owns nothing."""


@dataclass(frozen=True)
class Selection:
    """Which operations are wanted: globs of their names, and tags."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Operation]:
        return (operation for operation in CONTRACT.operations if self._takes(operation.id))

    @property
    def misses(self) -> list[str]:
        """What names no operation."""
        names = [operation.id for operation in CONTRACT.operations]
        globs = [*self.include, *self.exclude, *(f"{tag}.*" for tag in self.tags)]
        return [glob for glob in globs if not any(matches(name, [glob]) for name in names)]

    def _takes(self, name: str) -> bool:
        wanted = (not self.tags or name.partition(".")[0] in self.tags) and (not self.include or matches(name, self.include))
        return wanted and not matches(name, self.exclude)


def is_about_oneself(operation: Operation) -> bool:
    """Whether an operation may change its caller's account or sessions."""
    return operation.is_unsafe and operation.role == "user" and tag_of(operation) == "auth"


def matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def prepared() -> dict[str, tuple[str, str]]:
    """The addresses and passwords of the environment, by their roles."""
    given = {role: os.environ.get(name, "").partition(":") for role, name in PREPARED.items()}
    for role, (email, _, password) in given.items():
        if bool(email) != bool(password):
            raise UsageError(f"{PREPARED[role]} is not of the form email:password.", f"Set it so, or: unset {PREPARED[role]}")
    return {role: (email, password) for role, (email, _, password) in given.items() if email}


def reader(selection: Selection, base_url: str, authorization: Callable[[], str], roles: frozenset[str] | None = None) -> Caller:
    """Reads what there is: all that GET reads, but where a provider sends people back to, which uses up what they bring."""
    read = [operation for operation in selection if operation.method == "get" and not operation.node.get("x-unpuzzle-open")]
    return Caller(read, Found(base_url), authorization=authorization, roles=roles)


@dataclass
class Cast:
    """The accounts of a run that writes, and what they leave."""

    base_url: str
    wire: Wire
    notes: list[str] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=dict)
    """By whom operations are for."""
    made: list[Person] = field(default_factory=list)
    refused: str = ""
    """Why nobody new was let in, if so."""
    interrupted: bool = False
    """Whether the run was."""
    stopped: BaseException | None = None
    """What interrupted the end."""

    @contextmanager
    def on_stage(self) -> Iterator[None]:
        """From the sign-ups until everything is gone again."""
        try:
            self._enter()
            yield
        finally:
            self._leave()

    def callers(self, selection: Selection) -> list[Caller]:
        """Each operation is sent by whom it is for. Where nobody is, by somebody whom it refuses."""
        wanted: dict[str, list[Operation]] = {role: [] for role in self.people if role not in (STRANGER, GUEST)}
        for operation in selection:
            role = operation.role if operation.role in wanted else "user"
            wanted[role].append(operation)
        callers = {role: self._spared(self.people[role], operations) for role, operations in wanted.items()}
        return [self._caller(self.people[role], operations) for role, operations in callers.items() if operations]

    def invite(self, selection: Selection) -> None:
        """Has somebody there for the journey, where one leads to what is selected."""
        if not chapters({operation.id for operation in selection}):
            return
        if guest := self._signed_up(teaches=False):
            self.people[GUEST] = guest
        else:
            self.notes.append(f"Nobody went the journey, on which most operations succeed: {self.refused}.")

    def _spared(self, person: Person, operations: list[Operation]) -> list[Operation]:
        """An account that was there before is to be there after: what could delete it or sign it out is not sent as it."""
        if person in self.made:
            return operations
        kept = [operation for operation in operations if not is_about_oneself(operation)]
        if left := [operation.id for operation in operations if operation not in kept]:
            self.notes.append(f"Not sent as {person.email}, whose account it could change: {', '.join(left)}.")
        return kept

    def _caller(self, person: Person, operations: list[Operation]) -> Caller:
        return Caller(
            operations,
            World(self.base_url),
            email=person.email,
            password=person.password,
            authorization=lambda: person.authorization,
            stranger=self._stranger(),
            learner=self._learner(),
            roles=self._roles(person),
            spares=person is self.people.get("admin"),
        )

    def _stranger(self) -> Callable[[], str]:
        other = self.people.get(STRANGER)
        return (lambda: other.authorization) if other else nobody

    def _learner(self) -> Callable[[], str] | None:
        """One of our own: somebody who was there before may be more than that."""
        found = self.people["user"]
        return (lambda: found.authorization) if found in self.made else None

    def _roles(self, person: Person) -> frozenset[str] | None:
        """Those of the learner, who also sends what there is nobody for."""
        if person is not self.people["user"]:
            return None
        return frozenset({"student"} if person in self.made else person.roles)

    def _enter(self) -> None:
        for role in ("instructor", STRANGER):
            if person := self._prepared(role) or self._signed_up(teaches=True):
                self.people[role] = person
        if admin := self._prepared("admin"):
            self.people["admin"] = admin
        for role in ("instructor", "admin"):
            if (person := self._prepared(role)) and role not in person.roles:
                self.notes.append(f"{person.email} of {PREPARED[role]} is no {role}.")
        learner = self._prepared("learner") or self._signed_up(teaches=False)
        if learner is None:
            raise NoAccountError(
                f"Nobody can sign up here: {self.refused}. Prepare accounts, and name them in {', '.join(PREPARED.values())}."
            )
        self.people["user"] = learner
        for role in ("instructor", "admin"):
            if role not in self.people:
                self.notes.append(f"There is no {role}: operations for one were seen to refuse, and no more.")

    def _prepared(self, role: str) -> Person | None:
        email, password = prepared().get(role, ("", ""))
        return Person(self.base_url, email, password) if email else None

    def _signed_up(self, *, teaches: bool) -> Person | None:
        """Somebody new; nobody where that needs more than an address and a password."""
        person = Person(self.base_url, f"conformance-{secrets.token_hex(8)}@example.com", secrets.token_urlsafe(18))
        example: dict[str, Any] = CONTRACT.resolve(OPERATIONS["auth.sign_up"].body_schema)["example"]
        try:
            reply = ask(self.base_url, "auth.sign_up", {**example, "email": person.email, "password": person.password})
        except requests.RequestException as error:
            self.refused = f"sign-up gives no answer: {error}"
            return None
        if not reply.succeeded:
            self.refused = f"sign-up answers {reply.status}{', a limit' if reply.status == TOO_MANY else ''}"
            return None
        self.made.append(person)
        if teaches:
            person.ask("auth.apply_as_instructor", {})
        return person if not teaches or "instructor" in person.roles else None

    def _leave(self) -> None:
        cleaning = Cleaning(self.wire, [*self.people.values()], self.made, self.notes)
        self.stopped = cleaning.run(self.interrupted)
