"""The suite: what we send ourselves, and Schemathesis with our laws, as one caller after the other."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any

import requests
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import CustomFailure, Failure, FailureGroup
from schemathesis.engine import Status, StopReason, events, from_schema
from schemathesis.engine.recorder import CheckNode, Interaction, ScenarioRecorder
from schemathesis.filters import FilterSet

from unpuzzle_cli.conformance import checks
from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.journey import GUEST, ODD, Journey
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Exchange, Reply, Request, send
from unpuzzle_cli.conformance.people import OPERATIONS, Person, ask
from unpuzzle_cli.conformance.probes import PROBES
from unpuzzle_cli.conformance.report import Outcome, Report, Stop, Tally
from unpuzzle_cli.conformance.settings import Caller, Options, config
from unpuzzle_cli.conformance.telling import Teller
from unpuzzle_cli.conformance.wire import TOO_MANY, LimitReachedError, UnsafeRequestError, Wire
from unpuzzle_cli.conformance.world import World
from unpuzzle_cli.errors import STOPS

JOURNEY, PROBING = "journey", "probes"
REFUSED = frozenset({400, 404, 405, 410, 415, 422})
"""How a request is refused that is malformed, or about what is not there."""
ABOUT_STATUS = frozenset({
    "ignored_auth", "use_after_free", "ensure_resource_availability", "unsupported_method", "missing_required_header",
    "negative_data_rejection", "positive_data_acceptance",
})  # fmt: skip
"""Checks of the status alone, which a limit hides: what is refused as too much says nothing of them."""
ENDS = {
    StopReason.INTERRUPTED: Stop.INTERRUPTED,
    StopReason.FAILURE_LIMIT: Stop.FIRST_FINDING,
    StopReason.SERVER_UNAVAILABLE: Stop.LOST,
}
Show = Callable[[str, str, int, int, int], None]
"""Shows the phase, the operation, how many rounds are done, how many there are, and how many requests were sent."""


@dataclass
class Suite:
    options: Options
    wire: Wire
    callers: list[Caller]
    teller: Teller
    show: Show
    people: Mapping[str, Person] = field(default_factory=dict)
    """Who can go the journey."""
    done: int = 0
    rounds: int = field(init=False)
    report: Report = field(init=False)
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        options, version = self.options, CONTRACT.document["info"]["version"]
        profile, started = "read-only" if options.read_only else "full", datetime.now(UTC).isoformat(timespec="seconds")
        self.report = Report(options.base_url, profile, options.seed, options.max_examples, version, started)
        self.rounds = len(self.operations) * (1 + len(options.phases[:3]))
        self.tally = Tally({operation.id: Outcome.of(operation) for operation in self.operations})

    @property
    def operations(self) -> list[Operation]:
        return [operation for caller in self.callers for operation in caller.operations]

    def run(self) -> Report:
        """All of it, or until it must stop: the report is whole in either case."""
        began = monotonic()
        try:
            self._run_all()
        except STOPS as stop:
            self.report.stopped = Stop.by(stop)
        except Exception as error:  # whatever it is, what was found until then is not to be lost
            self._note(f"It could not go on: {error!r}")
            self.report.stopped = Stop.BROKEN
        self.tally.saw(self.wire.seen)
        self.report.seconds, self.report.requests = round(monotonic() - began, 1), self.wire.sent
        self.report.limited = self.wire.limited
        self.report.operations = sorted(self.tally.outcomes.values(), key=lambda outcome: outcome.id)
        self.report.findings = sorted(self.tally.found.values(), key=lambda finding: (finding.operation, finding.check))
        return self.report

    def _run_all(self) -> None:
        with threads_that_died() as dead:
            if GUEST in self.people:
                self._run_within_limits(self._go)
            for caller in self.callers:
                if self.report.stopped in (Stop.NOT, Stop.LIMITED):  # each caller has limits of their own
                    self._run_within_limits(partial(self._run_as, caller))
        if dead:
            raise dead[0]

    def _run_within_limits(self, part: Callable[[], None]) -> None:
        before = self.report.stopped
        try:
            part()
        except LimitReachedError as error:
            self._note(f"{error} What was not sent until then was left.")
            self.report.stopped = Stop.LIMITED
        else:
            self.report.stopped = self.report.stopped or before

    def _go(self) -> None:
        """The journey, before what is made up has changed anything."""
        nobody, known = Caller(self.operations, World(self.options.base_url)), self.callers[0]
        checks.begin(
            checks.Run(JOURNEY, nobody.world, stranger=known.stranger, learner=known.learner, between=self.options.between)
        )
        load_all_checks()
        journey = Journey(self.people, frozenset(self.tally.outcomes), self._schema(nobody), self._arrived)
        self.rounds += journey.length
        for note in journey.go():
            self._note(note)
        self.done = journey.length
        if self._has_enough:
            self.report.stopped = Stop.FIRST_FINDING

    def _arrived(self, operation: Operation, case: checks.AnyCase, response: Any) -> None:
        request, reply = checks.request_of(response), checks.reply_of(response)
        if reply.status in REFUSED:
            self._failed(JOURNEY, operation, f"it is refused with {reply.status}", request, reply)
        every: list[Any] = CHECKS.get_all()
        for check in every:
            try:
                case.validate_response(response, checks=[check])
            except FailureGroup as group:
                for failure in group.exceptions:
                    self._failed(check.__name__, operation, said(failure), request, reply)
            else:
                self.tally.passed(operation.id, check.__name__)
        self._step(JOURNEY, operation.id)

    def _run_as(self, caller: Caller) -> None:
        checks.begin(
            checks.Run(
                "conformance",
                caller.world,
                stranger=caller.stranger,
                learner=caller.learner,
                roles=caller.roles,
                between=self.options.between,
                spares=caller.spares,
            )
        )
        for operation in caller.operations:
            with self._timed(operation.id):
                self._probe(operation, caller)
            self._step(PROBING, operation.id)
            if self._has_enough:
                self.report.stopped = Stop.FIRST_FINDING
            if self.report.stopped not in (Stop.NOT, Stop.LIMITED):
                return
        for event in from_schema(self._schema(caller)).execute():
            self._take(event)

    @property
    def _has_enough(self) -> bool:
        return self.options.fail_fast and bool(self.tally.found)

    def _probe(self, operation: Operation, caller: Caller) -> None:
        """What Schemathesis does not send."""
        try:
            for name, probe in PROBES.items():
                for request, expect in probe(operation, caller, self.options.base_url):
                    self._held(name, operation, request, expect)
        except ODD as error:
            self._failed("answers", operation, str(error) or repr(error), None, None)
            if not answers(self.options.base_url):
                self.report.stopped = Stop.LOST

    def _held(self, name: str, operation: Operation, request: Request, expect: Callable[[Exchange], None]) -> None:
        reply = send(request)
        try:
            told = checks.hold(expect, Exchange(operation, request, reply))
        except AssertionError as error:
            self._failed(name, operation, str(error), request, reply)
        else:
            if told:
                self.tally.passed(operation.id, name)

    def _schema(self, caller: Caller) -> Any:
        schema = schemathesis.openapi.from_dict(CONTRACT.document, config=config(self.options, caller))
        # `include` would add to what the settings name; these are to be all.
        schema.filter_set = FilterSet().with_include(operation_id=[operation.id for operation in caller.operations])
        if not caller.email:
            checks.sign(schema, caller.authorization)
        return schema

    def _take(self, event: events.EngineEvent) -> None:
        match event:
            case events.ScenarioFinished():
                self._count(event.recorder, event.elapsed_time)
                self._step(event.phase.value, named(event.recorder.label))
            case events.NonFatalError():
                self._could_not(event)
            case events.FatalError():
                raise event.exception
            case events.EngineFinished():
                self.report.stopped = ENDS.get(event.stop_reason, Stop.NOT)

    def _count(self, recorder: ScenarioRecorder, seconds: float) -> None:
        for case_id, nodes in recorder.checks.items():
            operation = operation_of(recorder.cases[case_id].value)
            self.tally.outcomes[operation.id].seconds += seconds / len(recorder.checks)
            for node in nodes:
                if node.status == Status.SUCCESS:
                    self.tally.passed(operation.id, node.name)
                elif node.failure_info:
                    self._found(operation, node, recorder.interactions.get(node.failure_info.failure.case_id or case_id))

    def _found(self, operation: Operation, node: CheckNode, met: Interaction | None) -> None:
        assert node.failure_info
        failure = node.failure_info.failure
        reply = checks.reply_of(met.response) if met and met.response else None
        self._failed(node.name, operation, said(failure), request_of(met) if met else None, reply)

    def _could_not(self, event: events.NonFatalError) -> None:
        """No answer, or none that could be looked at. A request that may not be sent is a fault of the suite, and ends it."""
        if isinstance(event.value, (UnsafeRequestError, LimitReachedError)):
            raise event.value
        operation = BY_LABEL.get(event.label)
        message = f"{event.info.title}: {event.info.message}"
        if operation is None or operation.id not in self.tally.outcomes:
            self._note(message.partition("\n")[0])
        else:
            self._failed("answers", operation, message, None, None, event.info.code_sample or "")

    def _failed(
        self, check: str, operation: Operation, message: str, request: Request | None, reply: Reply | None, curl: str = ""
    ) -> None:
        if self._has_enough or (reply and reply.status == TOO_MANY and check in ABOUT_STATUS):
            return
        self.teller.secrets |= self.wire.credentials
        finding = self.teller.finding(check, operation, message, request, reply)
        self.tally.failed(replace(finding, curl=finding.curl or self.teller.without_secrets(curl)))

    def _note(self, text: str) -> None:
        self.teller.secrets |= self.wire.credentials
        self.report.notes.append(self.teller.without_secrets(text))

    def _step(self, phase: str, label: str) -> None:
        self.done = min(self.done + (phase != "stateful"), self.rounds)
        self.show(phase, label, self.done, self.rounds, self.wire.sent)

    @contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        began = monotonic()
        yield
        self.tally.outcomes[operation].seconds += monotonic() - began


@contextmanager
def threads_that_died() -> Iterator[list[BaseException]]:
    """Why, for each: Schemathesis ends as if all had been sent when one of its threads is gone."""
    dead: list[BaseException] = []
    usual, threading.excepthook = threading.excepthook, lambda died: dead.append(died.exc_value or RuntimeError("no reason"))
    try:
        yield dead
    finally:
        threading.excepthook = usual


BY_LABEL = {f"{operation.method.upper()} {operation.path}": operation for operation in CONTRACT.operations}


def answers(base_url: str) -> bool:
    """Whether there is a server at all."""
    try:
        ask(base_url, "system.health")
    except requests.ConnectionError:
        return False
    except requests.RequestException:  # an answer, of a kind
        return True
    return True


def said(failure: Failure) -> str:
    return failure.message if isinstance(failure, CustomFailure) else f"{failure.title}: {failure.message}".rstrip(": ")


def named(label: str) -> str:
    return BY_LABEL[label].id if label in BY_LABEL else label


def operation_of(case: checks.AnyCase) -> Operation:
    """The operation that a case was made for, whatever method it is sent with."""
    return OPERATIONS[case.operation.definition.raw["operationId"]]


def request_of(met: Interaction) -> Request:
    texts = {name: value for name, (value, *_) in met.request.headers.items()}
    headers = {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in texts.items()}
    return Request(met.request.method, met.request.uri, headers, met.request.body or b"")
