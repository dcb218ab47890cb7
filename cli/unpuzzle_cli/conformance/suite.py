"""The suite: what we send ourselves, and Schemathesis with our laws, as one caller after the other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import requests
import schemathesis
from schemathesis.core.failures import CustomFailure
from schemathesis.engine import Status, StopReason, events, from_schema
from schemathesis.engine.recorder import CheckNode, Interaction, ScenarioRecorder
from schemathesis.filters import FilterSet

from unpuzzle_cli.conformance import checks
from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Exchange, Reply, Request, send
from unpuzzle_cli.conformance.people import OPERATIONS, ask
from unpuzzle_cli.conformance.probes import PROBES
from unpuzzle_cli.conformance.report import Outcome, Report, Stop, Tally
from unpuzzle_cli.conformance.settings import Caller, Options, config
from unpuzzle_cli.conformance.telling import Teller
from unpuzzle_cli.conformance.wire import UnsafeRequestError, Wire

PROBING = "probes"
STOPS = {
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
    done: int = 0
    report: Report = field(init=False)
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        options, version = self.options, CONTRACT.document["info"]["version"]
        profile, started = "read-only" if options.read_only else "full", datetime.now(UTC).isoformat(timespec="seconds")
        self.report = Report(options.base_url, profile, options.seed, options.max_examples, version, started)
        self.tally = Tally({operation.id: Outcome.of(operation) for operation in self.operations})

    @property
    def operations(self) -> list[Operation]:
        return [operation for caller in self.callers for operation in caller.operations]

    def run(self) -> Report:
        """All of it, or until it must stop: the report is whole in either case."""
        began = monotonic()
        try:
            for caller in self.callers:
                if not self.report.stopped:
                    self._run_as(caller)
        except KeyboardInterrupt:
            self.report.stopped = Stop.INTERRUPTED
        self.tally.saw(self.wire.seen)
        self.report.seconds, self.report.requests = round(monotonic() - began, 1), self.wire.sent
        self.report.operations = sorted(self.tally.outcomes.values(), key=lambda outcome: outcome.id)
        self.report.findings = sorted(self.tally.found.values(), key=lambda finding: (finding.operation, finding.check))
        return self.report

    def _run_as(self, caller: Caller) -> None:
        self.wire.caller = caller.email
        checks.begin(checks.Run("conformance", caller.world, caller.stranger, self.options.between, caller.spares))
        for operation in caller.operations:
            with self._timed(operation.id):
                self._probe(operation, caller)
            self._step(PROBING, operation.id)
            if self.options.fail_fast and self.tally.found:
                self.report.stopped = Stop.FIRST_FINDING
            if self.report.stopped:
                return
        for event in from_schema(self._schema(caller)).execute():
            self._take(event)

    def _probe(self, operation: Operation, caller: Caller) -> None:
        """What Schemathesis does not send."""
        try:
            for name, probe in PROBES.items():
                for request, expect in probe(operation, caller, self.options.base_url):
                    self._held(name, operation, request, expect)
        except requests.ConnectionError as error:
            self._failed("answers", operation, str(error), None, None)
            if not answers(self.options.base_url):
                self.report.stopped = Stop.LOST

    def _held(self, name: str, operation: Operation, request: Request, expect: Callable[[Exchange], None]) -> None:
        reply = send(request)
        try:
            checks.hold(expect, Exchange(operation, request, reply))
        except AssertionError as error:
            self._failed(name, operation, str(error), request, reply)
        else:
            self.tally.passed(operation.id, name)

    def _schema(self, caller: Caller) -> Any:
        schema = schemathesis.openapi.from_dict(CONTRACT.document, config=config(self.options, caller))
        # `include` would add to what the settings name; these are to be all.
        schema.filter_set = FilterSet().with_include(operation_id=[operation.id for operation in caller.operations])
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
                self.report.stopped = STOPS.get(event.stop_reason, Stop.NOT)

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
        message = failure.message if isinstance(failure, CustomFailure) else f"{failure.title}: {failure.message}".rstrip(": ")
        reply = checks.reply_of(met.response) if met and met.response else None
        self._failed(node.name, operation, message, request_of(met) if met else None, reply)

    def _could_not(self, event: events.NonFatalError) -> None:
        """No answer, or none that could be looked at. A request that may not be sent is a fault of the suite, and ends it."""
        if isinstance(event.value, UnsafeRequestError):
            raise event.value
        operation = BY_LABEL.get(event.label)
        message = f"{event.info.title}: {event.info.message}"
        if operation is None or operation.id not in self.tally.outcomes:
            self.report.notes.append(self.teller.without_secrets(message.partition("\n")[0]))
        else:
            self._failed("answers", operation, message, None, None, event.info.code_sample or "")

    def _failed(
        self, check: str, operation: Operation, message: str, request: Request | None, reply: Reply | None, curl: str = ""
    ) -> None:
        self.teller.secrets |= self.wire.credentials
        finding = self.teller.finding(check, operation, message, request, reply)
        self.tally.failed(replace(finding, curl=finding.curl or self.teller.without_secrets(curl)))

    def _step(self, phase: str, label: str) -> None:
        rounds = len(self.operations) * (1 + len(self.options.phases[:3]))
        self.done = min(self.done + (phase != "stateful"), rounds)
        self.show(phase, label, self.done, rounds, self.wire.sent)

    @contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        began = monotonic()
        yield
        self.tally.outcomes[operation].seconds += monotonic() - began


BY_LABEL = {f"{operation.method.upper()} {operation.path}": operation for operation in CONTRACT.operations}


def answers(base_url: str) -> bool:
    """Whether there is a server at all."""
    try:
        ask(base_url, "system.health")
    except requests.ConnectionError:
        return False
    return True


def named(label: str) -> str:
    return BY_LABEL[label].id if label in BY_LABEL else label


def operation_of(case: checks.AnyCase) -> Operation:
    """The operation that a case was made for, whatever method it is sent with."""
    return OPERATIONS[case.operation.definition.raw["operationId"]]


def request_of(met: Interaction) -> Request:
    texts = {name: value for name, (value, *_) in met.request.headers.items()}
    headers = {name: value if isinstance(value, str) else value.decode("latin-1") for name, value in texts.items()}
    return Request(met.request.method, met.request.uri, headers, met.request.body or b"")
