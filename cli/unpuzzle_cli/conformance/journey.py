"""The journey: people go a way that leads somewhere, and each answer on it is held against the contract.

Few requests that are made up succeed where something has to be done first. What has to be done stands in `journey.yaml`.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import reduce
from importlib.resources import files
from operator import or_
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import requests

from unpuzzle_cli.conformance.checks import MALFORMED
from unpuzzle_cli.conformance.contract import Operation, load
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, json_object
from unpuzzle_cli.conformance.people import OPERATIONS, NoAccountError, Person
from unpuzzle_cli.conformance.world import at, examples, given_ids

SOURCES = files("unpuzzle_cli.conformance")
FILE = (SOURCES / "journey.pdf").read_bytes()
"""One empty page."""
NOBODY, GUEST = "nobody", "guest"
"""Whoever has no account, and who is there for the journey alone, so that it takes nothing from the learner."""
PATIENCE, PAUSE = 20.0, 0.5
"""Seconds until what a worker does must be done, and between two looks at it."""
Step = Mapping[str, Any]
Held = Callable[[Operation, Any, Any], None]
"""Takes the operation, the case and its answer."""


class StuckError(Exception):
    """A chapter can't go on."""


ODD = (StuckError, requests.RequestException, NoAccountError, *MALFORMED)
"""What comes of no answer, or of one that makes no sense where something else was to be learnt from it."""


@dataclass
class Journey:
    """Goes through the chapters that selected operations need."""

    people: Mapping[str, Person]
    """By how the steps call them."""
    selected: frozenset[str]
    schema: Any
    """Schemathesis's, which makes cases of requests."""
    held: Held
    known: dict[str, Any] = field(default_factory=dict)
    """What the present chapter knows, by its names."""

    @property
    def length(self) -> int:
        """How many answers are to be held."""
        return sum(step["do"] in self.selected for name in chapters(self.selected) for step in CHAPTERS[name]["steps"])

    def go(self) -> Iterator[str]:
        """Answers why chapters ended early, as they do."""
        guest, learnt = self.people[GUEST], dict[str, dict[str, Any]]()
        at_first = {"email": guest.email, "password": guest.password, "size": len(FILE), "unique": f"C{uuid4().hex[:10]}"}
        for name in chapters(self.selected):
            before = CHAPTERS[name].get("after", [])
            if not learnt.keys() >= {*before}:
                continue  # why, has been told of the chapter before
            self.known = reduce(or_, (learnt[earlier] for earlier in before), at_first)
            try:
                for step in CHAPTERS[name]["steps"]:
                    self._take(step)
            except ODD as reason:
                yield f"The journey's chapter {name} ended early: {reason}."
            else:
                learnt[name] = self.known

    def _take(self, step: Step) -> None:
        operation = OPERATIONS[step["do"]]
        if step["as"] != NOBODY and step["as"] not in self.people:
            return  # an admin, without whom the others go on
        end = time.monotonic() + (PATIENCE if step.get("waits") else 0)
        while missing := self._asked(step, operation, is_last=time.monotonic() > end):
            if time.monotonic() > end:
                raise StuckError(f"{operation.id} did not tell {', '.join(missing)}")
            time.sleep(PAUSE)

    def _asked(self, step: Step, operation: Operation, *, is_last: bool) -> list[str]:
        """Sends a step's request and answers what is missing in its answer, which is held unless it is asked for again."""
        case = self._case(step, operation)
        response = case.call()
        succeeded, told, kept = 200 <= response.status_code < 300, json_object(response.content), step.get("keep", {})
        found = {name: at(told, pointer) for name, pointer in {**given_ids(operation), **kept}.items()}
        missing = [name for name in kept if not found[name]]
        missing += [name for name, value in step.get("until", {}).items() if at(told, name) != value]
        if operation.id in self.selected and (is_last or not missing or not succeeded):
            self.held(operation, case, response)
        if not succeeded:
            raise StuckError(f"{operation.id} answered {response.status_code} {at(told, 'error/code')}".rstrip())
        self.known |= {name: value for name, value in found.items() if value}
        return missing

    def _case(self, step: Step, operation: Operation) -> Any:
        person = self.people.get(step["as"])
        ids = {name: self._filled(f"${name}") for name in sorted(operation.path_parameters)}
        link = urlsplit(self._filled(step.get("link", "")))
        if link.path and not link.path.endswith(operation.path.format(**ids)):
            raise StuckError(f"what {operation.id} is for leads elsewhere, to {link.netloc}")
        return self.schema.find_operation_by_id(operation.id).Case(
            path_parameters=ids,
            query=dict(parse_qsl(link.query)),
            headers={
                **({"Authorization": person.authorization} if person else {}),
                **({"Idempotency-Key": str(uuid4())} if operation.takes("Idempotency-Key") else {}),
            },
            **(self._body(step, operation) if operation.body else {}),
        )

    def _body(self, step: Step, operation: Operation) -> dict[str, Any]:
        if "file" in step:
            return {"body": FILE, "media_type": "application/octet-stream"}
        of_example = {} if "body" in step else self._of_example(operation) | step.get("with", {})
        return {"body": self._filled(step.get("body", of_example)), "media_type": "application/json"}

    def _of_example(self, operation: Operation) -> dict[str, Any]:
        """The contract's example, with what is known by the names of its ids, and without those that nobody knows."""
        example: dict[str, Any] = next(examples(operation))
        fields = CONTRACT.fields(operation.body_schema)
        ids = {name for name in example if name.endswith("_id") and CONTRACT.resolve(fields[name]).get("format") == "uuid"}
        known = {name: self.known[name] for name in ids & self.known.keys()}
        return {name: value for name, value in example.items() if name not in ids} | known

    def _filled(self, value: Any) -> Any:
        """With what is known in the place of each $name."""
        match value:
            case dict():
                return {name: self._filled(item) for name, item in value.items()}
            case list():
                return [self._filled(item) for item in value]
            case str() if value.startswith("$"):
                if value[1:] not in self.known:
                    raise StuckError(f"no {value[1:]} is known")
                return self.known[value[1:]]
        return value


def chapters(selected: Set[str]) -> list[str]:
    """The names of those with a selected operation, of what they come after, and of what closes it."""
    wanted = {name for name, chapter in CHAPTERS.items() if selected & {step["do"] for step in chapter["steps"]}}
    for name in reversed(CHAPTERS):
        if name in wanted:
            wanted |= {*CHAPTERS[name].get("after", ())}
    closing = {name for name, chapter in CHAPTERS.items() if "always" in chapter and wanted >= {*chapter["after"]}}
    return [name for name in CHAPTERS if name in wanted | closing]


CHAPTERS: dict[str, Any] = load((SOURCES / "journey.yaml").read_text(encoding="utf-8"))
