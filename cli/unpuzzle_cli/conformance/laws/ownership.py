"""Nobody reads or changes what is another's."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS, Exchange, Reply, Request

REFUSED = (403, 404)


def ownership(exchange: Exchange) -> None:
    """What somebody may do with an object of theirs is refused to another of the same role, and changes nothing."""
    if not exchange.reply.succeeded or exchange.is_replayed or not is_somebodys(exchange.operation):
        return
    if exchange.operation.method == "delete":
        return  # it is nobody's now; while it could be read, the stranger tried to delete it
    own = readable_address(exchange.operation, exchange.request.url)
    before = exchange.read(own) if own else Reply(204)
    assert before.succeeded, f"{own} answers {before.status} to its owner"
    for attempt in attempts(exchange):
        reply = exchange.send(attempt.by(exchange.stranger()))
        assert reply.status in REFUSED, f"another user gets {reply.status} from {attempt.method} {attempt.url}"
    after = exchange.read(own) if own else before
    assert settled(before.fields) == settled(after.fields), f"another user's attempts changed {own} from {before} to {after}"


def settled(value: Any) -> Any:
    """What stays between two readings: addresses are signed anew, each until another moment."""
    match value:
        case dict():
            return {name: settled(item) for name, item in value.items()}
        case list():
            return [*map(settled, value)]
        case str() if value.startswith(("http://", "https://")):
            return value.partition("?")[0]
    return value


def is_somebodys(operation: Operation) -> bool:
    """Whether an operation is about one object that belongs to its caller."""
    return bool(operation.path_parameters) and operation.role not in ("public", "admin") and not is_about_public(operation)


def is_about_public(operation: Operation) -> bool:
    """Whether the object that the path names may be read by anybody at its own address, as a published course may."""
    reading = OPERATIONS.get(("GET", operation.path[: operation.path.rfind("}") + 1] + "/"))
    return reading is not None and reading.role == "public"


def attempts(exchange: Exchange) -> Iterator[Request]:
    """The same request; and where it read an object, to delete it."""
    yield exchange.request
    if exchange.operation.method == "get" and ("DELETE", exchange.operation.path) in OPERATIONS:
        yield replace(exchange.request, method="DELETE")


def readable_address(operation: Operation, url: str) -> str | None:
    """The nearest address at or above a request's that whoever sends it can read: there a change shows."""
    templates = operation.path.strip("/").split("/")
    actual = urlsplit(url).path.strip("/").split("/")
    above = max(0, len(actual) - len(templates))  # a server may be below a path of its own
    for length in range(len(templates), 0, -1):
        reading = OPERATIONS.get(("GET", f"/{'/'.join(templates[:length])}/"))
        if reading and reading.role in (operation.role, "public") and "}" in "".join(templates[:length]):
            return f"/{'/'.join(actual[: above + length])}/"
    return None
