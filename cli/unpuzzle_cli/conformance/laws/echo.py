"""What was sent is what is there: a change answers the fields that it was given."""

from collections.abc import Callable, Iterator
from datetime import datetime
from html.parser import HTMLParser
from string import whitespace
from typing import Any
from urllib.parse import urlsplit

import nh3

from unpuzzle_cli.conformance.contract import Node
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Exchange

SAFE_HTML = {
    "a", "b", "blockquote", "br", "code", "em", "figcaption", "figure", "h2", "h3", "h4", "hr", "i", "img", "li", "ol", "p",
    "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
"""The elements that can't run, be mistaken for the page around them, or leak who reads it."""

NORMALISED: dict[str, Callable[[Any, Any], bool]] = {
    "in safe HTML": lambda sent, answered: words(answered) == words(sent) and elements(answered) <= SAFE_HTML,
    "in lower case": lambda sent, answered: bool(answered == sent.lower()),
    "each is kept once": lambda sent, answered: bool(answered == [*dict.fromkeys(sent)]),
    "less what a coupon takes off": lambda sent, answered: bool(0 <= answered <= sent),
    "a place past the end is the end": lambda sent, answered: bool(1 <= answered <= sent),
}
"""Words in the contract's description of a field, and what they let the server make of it."""

TRIMMED = {
    "full_name": "a name is shown beside others, and spaces around it would be taken for another person's",
    "name": "names of categories are unique, with and without spaces around them",
}


def echo(exchange: Exchange) -> None:
    """Each field of the request that the answer has too is as it was sent."""
    if exchange.operation.method == "get" or not exchange.reply.succeeded:
        return
    asked = CONTRACT.fields(exchange.operation.body_schema)
    found = [*differences(asked, exchange.fields, exchange.request.fields, exchange.reply.fields)]
    assert not found, "; ".join(found)


def differences(asked: dict[str, Node], given: dict[str, Node], sent: dict[str, Any], answered: dict[str, Any]) -> Iterator[str]:
    for name, value in sent.items():
        if asked.get(name, {}).get("x-unpuzzle-secret"):
            continue  # what comes back is another one, if any
        for field, found in places(name, given, answered):
            hints = description(asked.get(name, {})) + description(field)
            if isinstance(value, dict) and isinstance(found, dict):
                yield from differences(CONTRACT.fields(asked[name]), CONTRACT.fields(field), value, found)
            elif objects(value) and objects(found) and len(value) == len(found):
                fields = (items_of(asked.get(name, {})), items_of(field))
                for item, kept in zip(value, found, strict=True):
                    yield from differences(*fields, item, kept)
            elif not equal(name, hints, value, found):
                yield f"{name} was sent as {value!r} and answered as {found!r}"


def words(html: str) -> str:
    """The text that is read; what runs is none."""
    return nh3.clean(html, tags=set())


def elements(html: str) -> set[str]:
    """The names of the elements in HTML; one with a handler of events is a name of its own."""
    found = Elements()
    found.feed(html)
    return found.names


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        runs = any(name.startswith("on") or (value or "").lower().startswith("javascript:") for name, value in attrs)
        self.names.add(f"{tag} that runs" if runs else tag)


def objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def items_of(schema: Node) -> dict[str, Node]:
    """The properties of a list's items."""
    return CONTRACT.fields(CONTRACT.resolve(schema).get("items", {}))


def places(name: str, given: dict[str, Node], answered: dict[str, Any]) -> Iterator[tuple[Node, Any]]:
    """Where the answer repeats a field: under its own name, as the id of the object it names, or one object deeper."""
    if name in answered:
        yield given.get(name, {}), answered[name]
    elif (about := name.removesuffix("_id")) != name and about in given:
        yield {}, (answered[about] or {}).get("id")
    elif name.endswith("_ids") and "results" in given:
        yield {}, [item["id"] for item in answered["results"]]
    else:
        for around, value in answered.items():
            if isinstance(value, dict) and name in value:
                yield CONTRACT.fields(given.get(around, {})).get(name, {}), value[name]


def description(schema: Node) -> str:
    return str(schema.get("description", ""))


def equal(name: str, hints: str, sent: Any, answered: Any) -> bool:
    if sent is not None:
        for words, holds in NORMALISED.items():
            if words in hints:
                return holds(sent, answered)
    if (moment := as_moment(sent)) is not None and moment == as_moment(answered):
        return True  # in UTC, whatever offset it came with
    if name in TRIMMED:
        sent = sent.strip(whitespace)
    if name.endswith("_url") and isinstance(answered, str):
        answered = answered.removesuffix(f"?{urlsplit(answered).query}") if "?" not in str(sent) else answered  # it is signed
    return isinstance(sent, bool) == isinstance(answered, bool) and bool(sent == answered)


def as_moment(value: Any) -> datetime | None:
    """A date-time as the moment that it names."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None
