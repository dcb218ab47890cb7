"""Objects for requests to meet where nothing may be made: what the lists of the contract show."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Request, address, send
from unpuzzle_cli.conformance.world import tag_of

LISTS = [operation for operation in CONTRACT.operations if "x-unpuzzle-pagination" in operation.node]


@dataclass
class Found:
    base_url: str
    _known: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Values of parameters, by the operation, the parameter and whose they are; empty where there is none."""

    def ids_for(self, operation: Operation, authorization: str) -> dict[str, str]:
        """Path parameters that lead to an object; none where the lists show none to the caller."""
        names = operation.path_parameters
        found = {name: self._value(operation, name, authorization, frozenset()) for name in sorted(names)}
        return found if all(found.values()) else {}

    def body_for(self, operation: Operation, body: dict[str, Any], url: str, authorization: str) -> dict[str, Any]:
        """What is only read has no body."""
        return body

    def forget(self, ids: Iterable[str]) -> None:
        """What the lists show stays."""

    def _value(self, operation: Operation, name: str, authorization: str, above: frozenset[str]) -> str:
        key = operation.id, name, authorization
        if key not in self._known:
            offered = (self._shown(listing, name, authorization, above) for listing in listings(operation, name))
            self._known[key] = next(filter(None, offered), "")
        return self._known[key]

    def _shown(self, listing: Operation, name: str, authorization: str, above: frozenset[str]) -> str:
        """The first that a list shows, whose own parameters come from lists above it."""
        if listing.id in above:
            return ""
        above |= {listing.id}
        ids = {needed: self._value(listing, needed, authorization, above) for needed in sorted(listing.path_parameters)}
        if not all(ids.values()):
            return ""
        path = listing.path.format(**{needed: quote(value, safe="") for needed, value in ids.items()})
        asked = {"Authorization": authorization} if authorization else {}
        page = send(Request("GET", address(self.base_url, path), asked)).fields
        match page.get(listing.node["x-unpuzzle-pagination"]["items"]):
            case [dict() as first, *_]:
                return str(first.get(name) or first.get("id") or "")
        return ""


def listings(operation: Operation, name: str) -> Iterator[Operation]:
    """The lists whose items a path parameter may name: the one above it, then those called so, then those that tell it."""
    above = operation.path.partition(f"{{{name}}}")[0]
    called = f"/{plural(name.removesuffix('_id'))}/"
    kinds = [([each.path == above, each.path.endswith(called), shows(each, name)], each) for each in LISTS]
    found = [(kind.index(True), listing) for kind, listing in kinds if any(kind)]
    yield from (listing for _, listing in sorted(found, key=lambda pair: (pair[0], *strangeness(pair[1], operation))))


def strangeness(listing: Operation, operation: Operation) -> tuple[bool, int, bool]:
    """How far a list is from an operation: for others, deep in the paths, of another tag."""
    return listing.role != operation.role, len(listing.path_parameters), tag_of(listing) != tag_of(operation)


def plural(word: str) -> str:
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def shows(listing: Operation, name: str) -> bool:
    """Whether the items of a list have a field of the parameter's name."""
    page = CONTRACT.fields(listing.successes[0].schema)
    items = CONTRACT.resolve(page[listing.node["x-unpuzzle-pagination"]["items"]]).get("items", {})
    return name in CONTRACT.fields(items)
