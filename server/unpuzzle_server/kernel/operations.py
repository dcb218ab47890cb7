"""Binds the operations of the spec to their handlers, and carries one request through one of them.

`courses.list_own` of the spec is `unpuzzle_server/courses/handlers.py: list_own`. Its first argument says how it runs:
`tx`: the whole handler is one transaction; `ctx`: it opens its own, because it does something slow between them.
"""

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from importlib import import_module
from typing import Any

import jsonschema_rs
import orjson
from connexion.middleware.abstract import RoutedAPI, RoutedMiddleware
from sqlalchemy.exc import DBAPIError
from starlette.types import Receive, Scope, Send

from unpuzzle_server.kernel import database, deprecation, idempotency, spec
from unpuzzle_server.kernel.answers import Answer, Body, Result, enveloped, etag, not_modified, refusal, send_answer
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.database import Database, Transaction
from unpuzzle_server.kernel.errors import Problem, as_problem
from unpuzzle_server.kernel.exchange import Exchange, Identity, exchange_of
from unpuzzle_server.kernel.pagination import Page, page_body
from unpuzzle_server.kernel.ratelimit import RateLimiter
from unpuzzle_server.kernel.security import SAFE_METHODS, Gate
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.kernel.streams import Event, Events, Stream, framed, only, send_stream
from unpuzzle_server.kernel.streams_in import OCTETS
from unpuzzle_server.kernel.streams_out import FileAnswer
from unpuzzle_server.kernel.validation import KERNEL_HEADERS, Reader

log = logging.getLogger(__name__)

ATTEMPTS = 4
Returned = Result | Page | Body
Flowing = Stream | FileAnswer
"""What is sent bit by bit."""
Handler = Callable[..., Awaitable[Any]]
"""Gives what is Returned; one that runs in `ctx`, something Flowing too."""


class BindingError(Exception):
    """The spec and the handlers do not fit together; the server refuses to start."""


@dataclass(frozen=True)
class Kernel:
    """What every operation needs; made once, in `app.py`."""

    settings: Settings
    clock: Clock
    database: Database
    limiter: RateLimiter
    gate: Gate
    gateways: dict[str, Any]
    """The domains' own services, by name."""

    async def close(self) -> None:
        """Ends every connection that was opened on the way."""
        for gateway in ("accounts", "stripe", "transcriber", "listener", "tutor"):
            if self.gateways[gateway] is not None:
                await self.gateways[gateway].close()
        await self.limiter.counters.close()
        await self.database.close()


@dataclass(frozen=True)
class Context:
    """The first argument of a handler that opens its own transactions."""

    exchange: Exchange
    kernel: Kernel

    @property
    def user(self) -> Identity:
        """Who asks, in operations that need somebody."""
        assert self.exchange.identity is not None, "this operation's role in the spec lets nobody in without a user"
        return self.exchange.identity

    def transaction(self) -> Any:
        return self.kernel.database.transaction(self.exchange.identity)


class Outside(Exception):
    """Raised by a handler that runs in `tx` where it can't go on within: something slow comes first.

    Its transaction is rolled back, `step` is done outside of any, and what it returns is the handler's last transaction. An
    `Idempotency-Key` stands for that one. It may return a stream in its place.
    """

    def __init__(self, step: Callable[[Context], Awaitable[Callable[[Transaction], Awaitable[Returned]] | Stream]]) -> None:
        super().__init__()
        self.step = step


class ContractBroken(Exception):
    """An answer is not what the spec says."""


def handler_of(operation_id: str) -> Handler:
    """Connexion's resolver: from an operationId to the function of that name."""
    tag, _, verb = operation_id.partition(".")
    module = import_module(f"unpuzzle_server.{tag}.handlers")
    found: Handler | None = getattr(module, verb, None)
    if found is None:
        raise BindingError(f"{operation_id}: there is no function {verb} in unpuzzle_server/{tag}/handlers.py")
    return found


def check_signature(operation: spec.Operation, handler: Handler) -> str:
    """How the handler runs, `tx` or `ctx`; raises BindingError when its arguments are not the spec's."""
    names = list(inspect.signature(handler).parameters)
    if not names or names[0] not in ("tx", "ctx"):
        raise BindingError(f"{operation.id}: the first argument must be tx or ctx")
    expected = {item.argument for item in operation.parameters if item.name not in KERNEL_HEADERS}
    expected |= {"body"} if operation.body else set()
    if set(names[1:]) != expected:
        raise BindingError(f"{operation.id}: the handler takes {sorted(names[1:])}, the spec gives {sorted(expected)}")
    if names[0] == "ctx" and operation.has("Idempotency-Key"):
        raise BindingError(f"{operation.id}: an answer can only be stored for a key in the handler's own transaction")
    if names[0] == "tx" and operation.stream and not operation.stream.flag:
        raise BindingError(f"{operation.id}: no transaction is held open while events come")
    return names[0]


def check_bindings() -> None:
    """Raises BindingError where the spec and the handlers do not fit; Connexion binds them only when it is first called."""
    for operation in spec.operations():
        check_signature(operation, handler_of(operation.id))


class BoundOperation:
    """One operation with its compiled reader and its handler."""

    def __init__(self, operation: spec.Operation, handler: Handler, kernel: Kernel) -> None:
        self.operation = operation
        self.handler = handler
        self.kernel = kernel
        self.runs_in = check_signature(operation, handler)
        settings = kernel.settings
        limit = settings.media_chunk_bytes if operation.body_type == OCTETS else settings.max_body_bytes
        self.reader = Reader(operation, limit)
        self.answers = {status: spec.compiled(schema) for status, schema in operation.responses.items() if schema}
        self.events = (
            {name: spec.compiled(schema) for name, schema in operation.stream.events.items()} if operation.stream else {}
        )
        self.conditional = operation.has("If-None-Match")
        self.stored = operation.has("Idempotency-Key")
        self.notice = deprecation.notice(operation.deprecation)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        self.kernel.gate.admit(exchange, self.operation)
        await self.kernel.limiter.count(exchange, self.operation)
        arguments = await self.reader.read(exchange)
        await self.kernel.limiter.count_by_field(exchange, self.operation, arguments.get("body") or {})
        answer = await self._perform(exchange, arguments)
        exchange.headers_out |= self.notice
        if isinstance(answer, FileAnswer):
            await answer.send(exchange, send)
            return
        if isinstance(answer, Answer) and not self._asks_for_stream(arguments):
            await send_answer(send, self._dressed(exchange, answer))
            return
        stream = self._whole(answer) if isinstance(answer, Answer) else answer
        try:
            await send_stream(exchange, send, stream, self._framed, partial(self._told, exchange))
        except Problem as problem:
            self._check_declared(problem)
            raise

    def _asks_for_stream(self, arguments: dict[str, Any]) -> bool:
        stream = self.operation.stream
        return stream is not None and (not stream.flag or bool(arguments["body"].get(stream.flag)))

    def _whole(self, answer: Answer) -> Stream:
        """An answer that is there already, such as one that was stored for a key, as the last event of its stream."""
        assert self.operation.stream is not None
        replayed = {name: value for name, value in answer.headers.items() if name in ("Idempotency-Replayed", "Location")}
        return Stream(only(Event(self.operation.stream.final, orjson.loads(answer.content))), replayed)

    def _framed(self, event: Event) -> bytes:
        return framed(event.name, self._valid(self.events[event.name], event.data), event.id)

    def _told(self, exchange: Exchange, error: Exception) -> bytes:
        """What has gone wrong in the middle, as the last event: the envelope that it would have been answered in."""
        try:
            problem = as_problem(error)
            self._check_declared(problem)
        except ContractBroken as broken:
            problem = as_problem(broken)
        return framed("error", refusal(problem, exchange.request_id, self.kernel.clock).content)

    async def _perform(self, exchange: Exchange, arguments: dict[str, Any]) -> Answer | Flowing:
        try:
            if self.runs_in == "ctx":
                returned = await self.handler(Context(exchange, self.kernel), **arguments)
                return returned if isinstance(returned, Flowing) else self._answer(exchange, arguments, returned)
            return await self._with_steps_outside(exchange, arguments)
        except Problem as problem:
            self._check_declared(problem)
            raise

    async def _with_steps_outside(self, exchange: Exchange, arguments: dict[str, Any]) -> Answer | Stream:
        try:
            return await self._retried(exchange, arguments, partial(self.handler, **arguments))
        except Outside as outside:
            return await self._stepped(exchange, arguments, outside)
        except Problem as problem:
            return await self._of_same_call(exchange, arguments, problem, times=1)

    async def _stepped(self, exchange: Exchange, arguments: dict[str, Any], outside: Outside) -> Answer | Stream:
        try:
            last = await outside.step(Context(exchange, self.kernel))
        except Problem as problem:
            return await self._of_same_call(exchange, arguments, problem, times=ATTEMPTS)
        if isinstance(last, Stream):
            return Stream(self._stored_at_its_end(exchange, arguments, last), last.headers)
        return await self._retried(exchange, arguments, last, waits=True)

    async def _of_same_call(self, exchange: Exchange, arguments: dict[str, Any], problem: Problem, times: int) -> Answer:
        """A conflict under a key may be with the same call, which does its step outside and holds no key: then its answer.

        That it has done something may be seen a moment before its answer is stored; raises the problem where none comes.
        """
        key = exchange.headers.get("idempotency-key") if self.stored else None
        if key is None or problem.status != HTTPStatus.CONFLICT or problem.code in KERNEL_CODES:
            raise problem
        mark = idempotency.fingerprint({**arguments, **exchange.path_params})
        for attempt in range(times):
            await database.pause(attempt)
            async with self._transaction(exchange) as tx:
                if stored := await idempotency.recall(tx, self.operation.id, key, mark):
                    return stored
        raise problem

    async def _stored_at_its_end(self, exchange: Exchange, arguments: dict[str, Any], stream: Stream) -> Events:
        """The same events; the last is stored for an `Idempotency-Key`, before it is sent."""
        key = exchange.headers.get("idempotency-key") if self.stored else None
        final = self.operation.stream.final if self.operation.stream else ""
        async with aclosing(stream.events):
            async for event in stream.events:
                if key is not None and isinstance(event, Event) and event.name == final:
                    mark = idempotency.fingerprint({**arguments, **exchange.path_params})
                    result = Result(dict(event.data), location=stream.headers.get("Location"))
                    answer = self._answer(exchange, arguments, result)
                    async with self.kernel.database.transaction(exchange.identity) as tx:
                        await idempotency.remember(tx, self.operation.id, key, mark, answer)
                yield event

    async def _retried(self, exchange: Exchange, arguments: dict[str, Any], work: Handler, *, waits: bool = False) -> Answer:
        """Runs the handler's transaction, again where PostgreSQL asks for that."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await self._in_transaction(exchange, arguments, work, waits)
            except DBAPIError as error:
                if not database.asks_to_retry(error):
                    raise
                await database.pause(attempt)
        return await self._in_transaction(exchange, arguments, work, waits)

    async def _in_transaction(self, exchange: Exchange, arguments: dict[str, Any], work: Handler, waits: bool) -> Answer:
        key = exchange.headers.get("idempotency-key") if self.stored else None
        async with self._transaction(exchange) as tx:
            if key is None:
                return self._answer(exchange, arguments, await work(tx))
            mark = idempotency.fingerprint({**arguments, **exchange.path_params})
            stored = await idempotency.recall(tx, self.operation.id, key, mark, waits=waits)
            if stored is not None:
                return stored
            answer = self._answer(exchange, arguments, await work(tx))
            await idempotency.remember(tx, self.operation.id, key, mark, answer)
            return answer

    def _transaction(self, exchange: Exchange) -> AbstractAsyncContextManager[Transaction]:
        if exchange.identity is None and self.operation.method in SAFE_METHODS:
            return self.kernel.database.reading()
        return self.kernel.database.transaction(exchange.identity)

    def _answer(self, exchange: Exchange, arguments: dict[str, Any], returned: Returned) -> Answer:
        assert not isinstance(returned, Stream), "a stream comes from outside of transactions"
        if isinstance(returned, Page):
            url = self.kernel.settings.public_url + exchange.path
            page, page_size = arguments["page"], arguments["page_size"]
            returned = page_body(returned, url, exchange.scope["query_string"], page, page_size)
        result = returned if isinstance(returned, Result) else Result(returned)
        status = result.status or self.operation.success
        if result.body is None:
            return Answer(status, b"", {"Location": result.location} if result.location else {}, result.cookies)
        content = result.body if isinstance(result.body, bytes) else self._checked(status, result.body)
        headers = {"Content-Type": result.media_type}
        if self.conditional or result.version is not None:
            headers["ETag"] = etag(result.version, content)
        if result.location is not None:
            headers["Location"] = result.location
        return Answer(status, content, headers, result.cookies)

    def _checked(self, status: int, body: dict[str, Any]) -> bytes:
        return self._valid(self.answers[status], body)

    def _valid(self, validator: jsonschema_rs.Draft202012Validator, body: Mapping[str, Any]) -> bytes:
        """The body as JSON; one that is not what the spec says is a fault of ours."""
        if not validator.is_valid(body):
            problems = "; ".join(f"{error.instance_path}: {error.kind.name}" for error in validator.iter_errors(body))
            if self.kernel.settings.environment != "production":
                raise ContractBroken(f"{self.operation.id}: {problems}")
            log.error("answer breaks the contract", extra={"operation": self.operation.id, "problems": problems})
        return orjson.dumps(body)

    def _check_declared(self, problem: Problem) -> None:
        """A refusal that the operation does not declare is a fault of the spec."""
        if problem.code in self.operation.errors or problem.code in KERNEL_CODES:
            return
        if self.kernel.settings.environment != "production":
            raise ContractBroken(f"{self.operation.id}: the spec does not say that it may answer {problem.code}")
        log.error("error is not declared", extra={"operation": self.operation.id, "code": problem.code})

    def _dressed(self, exchange: Exchange, answer: Answer) -> Answer:
        """The answer as this caller asked for it: not at all if it is still the same, or in the standard envelope."""
        tag = answer.headers.get("ETag")
        caching = ASKED_EACH_TIME if self.conditional else {"Cache-Control": "no-store"}
        if self.conditional and tag and not_modified(exchange.headers.get("if-none-match"), tag):
            return Answer(304, b"", {"ETag": tag, **caching})
        headers = {**answer.headers, **caching}
        content = answer.content
        if _wants_envelope(exchange) and headers.get("Content-Type") == "application/json":
            content = enveloped(content, self.kernel.clock.now)
            headers["Preference-Applied"] = "envelope=standard"
        return Answer(answer.status, content, headers, answer.cookies)


ASKED_EACH_TIME = {"Cache-Control": "no-cache", "Vary": "Authorization, Cookie, Prefer"}
"""A cache keeps the answer and asks whether it is still the same; to somebody else it may be another one."""

KERNEL_CODES = {
    "PRECONDITION_FAILED",
    "IDEMPOTENCY_IN_PROGRESS",
    "IDEMPOTENCY_MISMATCH",
    "RATE_LIMIT_EXCEEDED",
    "PAYLOAD_TOO_LARGE",
    "SERVICE_UNAVAILABLE",
}
"""Refusals that the kernel gives on an operation's behalf, and those of a vendor that is busy or away."""


STANDARD_ENVELOPE = re.compile(r'\s*envelope\s*=\s*("?)standard\1\s*(;.*)?', re.IGNORECASE)
"""One of the preferences of `Prefer`: its name has no case, its value may be quoted, and it may have parameters (RFC 7240)."""


def _wants_envelope(exchange: Exchange) -> bool:
    return any(STANDARD_ENVELOPE.fullmatch(part) for part in exchange.headers.get("prefer", "").split(","))


class OperationsAPI(RoutedAPI[BoundOperation]):
    """Connexion's part in binding: it resolves each operation of the spec to its handler."""

    def __init__(self, *args: Any, kernel: Kernel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kernel = kernel
        self.by_id = {operation.id: operation for operation in spec.operations()}
        self.add_paths()

    def make_operation(self, operation: Any) -> BoundOperation:
        return BoundOperation(self.by_id[operation.operation_id], operation.function, self.kernel)


class Operations(RoutedMiddleware[OperationsAPI]):
    api_cls = OperationsAPI
