"""What a program written for the released contract can't do any more with the one that may follow it.

The SDK's methods and the commands of the CLI are generated from the contract, so their arguments and options are held here too.
"""

from collections.abc import Iterator

from compatibility.schemas import Contracts, Node, resolved

METHODS = ("get", "put", "post", "patch", "delete")
ROLES = ("public", "user", "instructor", "admin")
"""Each lets in fewer than the one before."""
SIGN_IN = ("type", "scheme", "in", "name")
"""What a program has to know of a way to sign in."""


def breaking_changes(old: Node, new: Node) -> list[str]:
    """Every break, as a sentence that names the operation or the schema."""
    contracts, found = Contracts(old, new), [*_codes(old, new), *_ways_in(old, new)]
    after = operations(new)
    for name, before in operations(old).items():
        if name in after:
            found += (f"{name}: {what}" for what in _operation(contracts, before, after[name]))
        else:
            found.append(f"{name} is gone")
    return sorted({*found})


def operations(document: Node) -> dict[str, Node]:
    """The operations by their names, each with its address and all its parameters."""
    found = {}
    for path, item in document.get("paths", {}).items():
        for method in (method for method in METHODS if method in item):
            operation = item[method]
            listed = [*item.get("parameters", ()), *operation.get("parameters", ())]
            parameters = [resolved(document, each) for each in listed]
            found[operation["operationId"]] = {**operation, "address": f"{method.upper()} {path}", "parameters": parameters}
    return found


def _codes(old: Node, new: Node) -> Iterator[str]:
    """Each error code is an exception, whose parent is that of its status."""
    before, after = _statuses(old), _statuses(new)
    yield from (f"the error code {code} is gone" for code in before if code not in after)
    changed = [code for code in before if before[code] != after.get(code, before[code])]
    yield from (f"{code} has the status {after[code]}, had {before[code]}" for code in changed)


def _ways_in(old: Node, new: Node) -> Iterator[str]:
    """Where a client asks that is told nothing else, and how it says who asks."""
    before, after = (document.get("servers", [{}])[0].get("url") for document in (old, new))
    if before != after:
        yield f"the API is at {after}, was at {before}"
    schemes = (document.get("components", {}).get("securitySchemes", {}) for document in (old, new))
    known, present = ({name: {key: each.get(key) for key in SIGN_IN} for name, each in found.items()} for found in schemes)
    yield from (f"the way to sign in {name} is another, or gone" for name in known if known[name] != present.get(name))


def _statuses(document: Node) -> dict[str, int]:
    schemas = document.get("components", {}).get("schemas", {})
    found: dict[str, int] = schemas.get("ErrorCode", {}).get("x-unpuzzle-statuses", {})
    return found


def _operation(contracts: Contracts, old: Node, new: Node) -> Iterator[str]:
    if old["address"] != new["address"]:
        yield f"it is at {new['address']}, was at {old['address']}"
    yield from _access(old, new)
    yield from _parameters(contracts, old, new)
    yield from _body(contracts, old, new)
    yield from _answers(contracts, old, new)
    streams = old.get("x-unpuzzle-stream", {}), new.get("x-unpuzzle-stream", {})
    yield from _stream(contracts, *streams)
    same = {
        "x-unpuzzle-pagination": "it is another list, or none any more",
        "x-unpuzzle-session": "it does something else to sessions",
    }
    yield from (says for key, says in same.items() if old.get(key) != new.get(key))


def _access(old: Node, new: Node) -> Iterator[str]:
    """Whom it lets in."""
    before, after = old.get("x-unpuzzle-role"), new.get("x-unpuzzle-role")
    opened = {before, after} <= {*ROLES} and ROLES.index(after) < ROLES.index(before)
    if before != after and not opened:
        yield f"it needs the role {after}, needed {before}"
    ways = [way for way in old.get("security", ()) if way not in (new.get("security") or [way])]
    yield from (f"{' and '.join(way) or 'no sign-in'} does not suffice any more" for way in ways)
    if old.get("security") == [] and {} not in (new.get("security") or [{}]):
        yield "it needs a sign-in"
    known, needed = _scopes(old), _scopes(new)
    if known is not None and needed is None:
        yield "it lets no API key in"
    yield from (f"API keys need the scope {scope}" for scope in needed or () if known is not None and scope not in known)


def _scopes(operation: Node) -> list[str] | None:
    """The scopes that an API key needs; None where no key will do."""
    scopes: list[str] | None = operation.get("x-unpuzzle-scopes")
    return scopes or ([] if scopes is None and operation.get("x-unpuzzle-role") == "public" else None)


def _parameters(contracts: Contracts, old: Node, new: Node) -> Iterator[str]:
    before, after = ({(each["in"], each["name"]): each for each in operation["parameters"]} for operation in (old, new))
    yield from (f"it does not take {name} in the {place}" for place, name in before if (place, name) not in after)
    for (place, name), parameter in after.items():
        known = before.get((place, name), {})
        if parameter.get("required") and not known.get("required"):
            yield f"it requires {name} in the {place}"
        if known:
            yield from contracts.schema(name, known.get("schema", {}), parameter.get("schema", {}), asked=True)


def _body(contracts: Contracts, old: Node, new: Node) -> Iterator[str]:
    before = resolved(contracts.old, old.get("requestBody", {}))
    after = resolved(contracts.new, new.get("requestBody", {}))
    if after.get("required") and not before.get("required"):
        yield "it requires a body"
    yield from _content(contracts, "the body", before, after, asked=True)


def _answers(contracts: Contracts, old: Node, new: Node) -> Iterator[str]:
    yield from _successes(contracts, old, new)
    for status, raw in old["responses"].items():
        if status not in new["responses"]:
            if status < "300":  # an error less breaks nobody
                yield f"it does not answer {status} any more"
            continue
        before, after = resolved(contracts.old, raw), resolved(contracts.new, new["responses"][status])
        yield from _headers(contracts, status, before.get("headers", {}), after.get("headers", {}))
        yield from _content(contracts, status, before, after, asked=False)


def _successes(contracts: Contracts, old: Node, new: Node) -> Iterator[str]:
    """The first is the usual one, and together they are what the SDK's method gives; a 202 beside it is an exception."""
    before, after = _given(contracts.old, old), _given(contracts.new, new)
    if (first := next(iter(before), "")) != (now := next(iter(after), "")):
        yield f"its usual answer is {now}, was {first}"
    others = (status for status in after if status not in before and status != "202")
    yield from (f"it answers {status} too, with something else" for status in others if after[status] not in before.values())


def _given(document: Node, operation: Node) -> dict[str, Node]:
    """What each success holds, by its status."""
    answers = {status: raw for status, raw in operation["responses"].items() if status < "304"}
    contents = {status: resolved(document, raw).get("content", {}) for status, raw in answers.items()}
    return {status: {kind: each.get("schema") for kind, each in found.items()} for status, found in contents.items()}


def _headers(contracts: Contracts, status: str, old: Node, new: Node) -> Iterator[str]:
    for name, raw in old.items():
        if name not in new:
            yield f"{status} lacks the header {name}"
            continue
        before, after = resolved(contracts.old, raw), resolved(contracts.new, new[name])
        if before.get("required") and not after.get("required"):
            yield f"{status} may lack the header {name}"
        yield from contracts.schema(f"{status} {name}", before.get("schema", {}), after.get("schema", {}), asked=False)


def _content(contracts: Contracts, where: str, old: Node, new: Node, *, asked: bool) -> Iterator[str]:
    before, after = old.get("content", {}), new.get("content", {})
    yield from (f"{where} is not {kind} any more" for kind in before if kind not in after)
    for kind in (kind for kind in before if kind in after):
        yield from contracts.schema(where, before[kind].get("schema", {}), after[kind].get("schema", {}), asked=asked)


def _stream(contracts: Contracts, old: Node, new: Node) -> Iterator[str]:
    if new and not old and "flag" not in new:
        yield "it answers with events"
    shaping = [key for key in ("flag", "final", "named") if old]
    changed = [key for key in (*shaping, *({"text", "resumes"} & old.keys())) if old.get(key) != new.get(key)]
    yield from (f"its stream's {key} is {new.get(key)}, was {old.get(key)}" for key in changed)
    for name, schema in old.get("events", {}).items():
        if name in new.get("events", {}):
            yield from contracts.schema(f"the event {name}", schema, new["events"][name], asked=False)
        else:
            yield f"it does not tell {name} any more"
