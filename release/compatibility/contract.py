"""What a program written for the released contract can't do any more with the one that may follow it.

The SDK's methods and the commands of the CLI are generated from the contract, so their arguments and options are held here too.
"""

from collections.abc import Iterator

from compatibility.schemas import Contracts, Node, resolved

METHODS = ("get", "put", "post", "patch", "delete")


def breaking_changes(old: Node, new: Node) -> list[str]:
    """Every break, as a sentence that names the operation or the schema."""
    contracts, found = Contracts(old, new), list(_codes(old, new))
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
    if old.get("x-unpuzzle-pagination", {}) != new.get("x-unpuzzle-pagination", {}):
        yield "it is another list, or none any more"


def _access(old: Node, new: Node) -> Iterator[str]:
    """Whom it lets in."""
    roles = old.get("x-unpuzzle-role"), new.get("x-unpuzzle-role")
    opened = roles[1] == "public" or (roles[1] == "user" and roles[0] != "public")
    if roles[0] != roles[1] and not opened:
        yield f"it needs the role {roles[1]}, needed {roles[0]}"
    ways = [way for way in old.get("security", ()) if way not in (new.get("security") or [way])]
    yield from (f"{' and '.join(way) or 'no sign-in'} does not suffice any more" for way in ways)
    if old.get("security") == [] and {} not in (new.get("security") or [{}]):
        yield "it needs a sign-in"
    scopes, needed = old.get("x-unpuzzle-scopes") or [], new.get("x-unpuzzle-scopes") or []
    if scopes and not needed:
        yield "it lets no API key in"
    yield from (f"API keys need the scope {scope}" for scope in needed if scopes and scope not in scopes)


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
    for status, raw in old["responses"].items():
        if status not in new["responses"]:
            if status < "300":  # an error less breaks nobody
                yield f"it does not answer {status} any more"
            continue
        before, after = resolved(contracts.old, raw), resolved(contracts.new, new["responses"][status])
        gone = before.get("headers", {}).keys() - after.get("headers", {}).keys()
        yield from (f"{status} lacks the header {name}" for name in gone)
        yield from _content(contracts, status, before, after, asked=False)


def _content(contracts: Contracts, where: str, old: Node, new: Node, *, asked: bool) -> Iterator[str]:
    before, after = old.get("content", {}), new.get("content", {})
    yield from (f"{where} is not {kind} any more" for kind in before if kind not in after)
    for kind in (kind for kind in before if kind in after):
        yield from contracts.schema(where, before[kind].get("schema", {}), after[kind].get("schema", {}), asked=asked)


def _stream(contracts: Contracts, old: Node, new: Node) -> Iterator[str]:
    changed = [key for key in ("flag", "final", "named", "text", "resumes") if key in old and old[key] != new.get(key)]
    yield from (f"its stream's {key} is {new.get(key)}, was {old[key]}" for key in changed)
    for name, schema in old.get("events", {}).items():
        if name in new.get("events", {}):
            yield from contracts.schema(f"the event {name}", schema, new["events"][name], asked=False)
        else:
            yield f"it does not tell {name} any more"
