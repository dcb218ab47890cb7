"""What is sent besides what Schemathesis makes up: safe requests whose answers HTTP and the contract's own words settle."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS, Exchange, Request, address
from unpuzzle_cli.conformance.people import WRONG_TOKEN
from unpuzzle_cli.conformance.settings import Caller

Sent = Iterator[tuple[Request, Callable[[Exchange], None]]]
"""A request, and what its answer is held against."""
ENVELOPE = {"status", "data", "message", "timestamp"}
METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")


def wrong_token(operation: Operation, caller: Caller, base_url: str) -> Sent:
    """A token that is none is refused where tokens are taken, even where none is needed."""
    if operation.method == "get" and any("bearer" in way for way in operation.node.get("security", ())):
        yield Request("GET", place(operation, caller, base_url), {"Authorization": WRONG_TOKEN}), has_status(401)


def accept_is_ignored(operation: Operation, caller: Caller, base_url: str) -> Sent:
    """Who wants XML gets what there is."""
    if is_read(operation):
        yield (
            Request("GET", place(operation, caller, base_url), {**signed(caller), "Accept": "application/xml"}),
            is_like_without_accept,
        )


def head(operation: Operation, caller: Caller, base_url: str) -> Sent:
    """HEAD has the status of GET, and no body."""
    if is_read(operation):
        yield Request("HEAD", place(operation, caller, base_url), signed(caller)), is_like_get


def unsupported_method(operation: Operation, caller: Caller, base_url: str) -> Sent:
    """GET at a path without one is 405, and Allow tells what there is."""
    if ("GET", operation.path) not in OPERATIONS and is_first(operation):
        yield Request("GET", place(operation, caller, base_url), signed(caller)), is_not_allowed


def unchanged(operation: Operation, caller: Caller, base_url: str) -> Sent:
    """Who has the ETag of an answer is told that nothing is new."""
    if is_read(operation) and any(answer.status == "304" for answer in operation.answers):
        yield Request("GET", place(operation, caller, base_url), signed(caller)), is_not_modified_when_known


def envelope(operation: Operation, caller: Caller, base_url: str) -> Sent:
    """Who prefers the standard envelope gets what there is within it."""
    if is_read(operation) and any(answer.sends("Preference-Applied") and answer.schema for answer in operation.successes):
        headers = {**signed(caller), "Prefer": "envelope=standard"}
        yield Request("GET", place(operation, caller, base_url), headers), is_enveloped


def without_slash(operation: Operation, caller: Caller, base_url: str) -> Sent:
    """A path without its trailing slash is served as if it had one."""
    if is_read(operation) and operation.path.endswith("/"):
        yield Request("GET", place(operation, caller, base_url).rstrip("/"), signed(caller)), is_like_with_slash


PROBES: dict[str, Callable[[Operation, Caller, str], Sent]] = {
    probe.__name__: probe
    for probe in (wrong_token, accept_is_ignored, head, unsupported_method, unchanged, envelope, without_slash)
}


def place(operation: Operation, caller: Caller, base_url: str) -> str:
    """Where the operation's object is, one of the caller's or else the contract's example."""
    examples = {item["name"]: str(item.get("example", "none")) for item in operation.parameters if item["in"] == "path"}
    ids = examples | caller.world.ids_for(operation, caller.authorization())
    path = operation.path.format(**{name: quote(value, safe="") for name, value in ids.items()})
    return address(base_url, path)


def signed(caller: Caller) -> dict[str, str]:
    authorization = caller.authorization()
    return {"Authorization": authorization} if authorization else {}


def is_read(operation: Operation) -> bool:
    return operation.method == "get" and not operation.stream


def is_first(operation: Operation) -> bool:
    """Whether it is the first at its path: what is asked of a path is asked once."""
    return next(found for (_, path), found in OPERATIONS.items() if path == operation.path) is operation


def has_status(status: int) -> Callable[[Exchange], None]:
    def held(exchange: Exchange) -> None:
        assert exchange.reply.status == status, f"the status is {exchange.reply.status}, not {status}"

    return held


def is_like_without_accept(exchange: Exchange) -> None:
    headers = {name: value for name, value in exchange.request.headers.items() if name != "Accept"}
    other = exchange.send(Request("GET", exchange.request.url, headers))
    kinds = [(reply.status, reply.headers.get("content-type")) for reply in (exchange.reply, other)]
    assert kinds[0] == kinds[1], f"with Accept: application/xml it is {kinds[0]}, without {kinds[1]}"


def is_like_get(exchange: Exchange) -> None:
    assert exchange.reply.content == b"", "the answer to HEAD has a body"
    got = exchange.read(exchange.request.url)
    assert got.status == exchange.reply.status, f"HEAD is {exchange.reply.status} where GET is {got.status}"
    kinds = [reply.headers.get("content-type") for reply in (exchange.reply, got)]
    assert kinds[0] == kinds[1], f"HEAD has the Content-Type {kinds[0]} where GET has {kinds[1]}"


def is_enveloped(exchange: Exchange) -> None:
    if exchange.reply.status != 200:
        return
    applied = exchange.reply.headers.get("preference-applied")
    assert applied == "envelope=standard", f"Preference-Applied is {applied}, not envelope=standard"
    assert exchange.reply.fields.keys() == ENVELOPE, f"the envelope has {', '.join(sorted(exchange.reply.fields))}"
    assert exchange.reply.fields["status"] == "success", f"the status in the envelope is {exchange.reply.fields['status']!r}"


def is_like_with_slash(exchange: Exchange) -> None:
    found = exchange.read(f"{exchange.request.url}/").status
    assert exchange.reply.status == found, f"without the slash it is {exchange.reply.status}, with it {found}"


def is_not_allowed(exchange: Exchange) -> None:
    has_status(405)(exchange)
    allowed = {name.strip() for name in exchange.reply.headers.get("allow", "").split(",")}
    missing = {method for method in METHODS if (method, exchange.operation.path) in OPERATIONS} - allowed
    assert not missing, f"Allow does not name {', '.join(sorted(missing))}"


def is_not_modified_when_known(exchange: Exchange) -> None:
    etag = exchange.reply.headers.get("etag")
    if exchange.reply.status != 200 or etag is None:
        return
    request = exchange.request
    again = exchange.send(Request("GET", request.url, {**request.headers, "If-None-Match": etag}))
    assert again.status == 304, f"If-None-Match with the ETag of this answer is {again.status}, not 304"
    assert again.content == b"", "304 has a body"
