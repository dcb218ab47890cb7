"""Objects for requests to meet: the contract's examples of what is public, and what the caller makes through the contract."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from unpuzzle_cli.conformance.contract import Operation
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Reply, Request, address, send
from unpuzzle_cli.conformance.laws.ownership import is_about_public, readable_address

BODY = "$response.body#/"


@dataclass
class World:
    base_url: str
    made: dict[str, dict[str, str]] = field(default_factory=dict)
    """The ids that each creating operation gave."""

    def ids_for(self, operation: Operation, authorization: str) -> dict[str, str]:
        """Path parameters that lead to an object; none where nothing is made, or the caller may not make it."""
        if not authorization:
            return {}
        if is_about_public(operation):
            return {item["name"]: item["example"] for item in operation.parameters if item["in"] == "path"}
        maker = maker_of(frozenset(operation.path_parameters), tag_of(operation))
        found = self.made.get(maker.id) or self._make(maker, authorization) if maker else {}
        return {name: found[name] for name in operation.path_parameters if found}

    def body_for(self, operation: Operation, body: dict[str, Any], url: str, authorization: str) -> dict[str, Any]:
        """The body with ids of things that are there: those of the contract's example, and those of the list at hand."""
        if not authorization:
            return body
        example = CONTRACT.resolve(operation.body_schema).get("example", {})
        known = {name: example[name] for name in body if name.endswith("_id") and body[name] and name in example}
        listed = {name: self._listed(operation, url, authorization) for name in body if name.endswith("_ids")}
        return {**body, **known, **{name: ids for name, ids in listed.items() if ids}}

    def _listed(self, operation: Operation, url: str, authorization: str) -> list[str]:
        """The ids of the list at or above an address, the last first."""
        path = readable_address(operation, url)
        reply = send(Request("GET", address(self.base_url, path), {"Authorization": authorization})) if path else Reply(404)
        listed = reply.fields.get("results")
        items = listed if isinstance(listed, list) else []
        return [str(item["id"]) for item in reversed(items) if isinstance(item, dict) and "id" in item]

    def forget(self, ids: Iterable[str]) -> None:
        """Something is gone: what has one of its ids is made anew when it is needed."""
        gone = set(ids)
        self.made = {maker: given for maker, given in self.made.items() if gone.isdisjoint(given.values())}

    def _make(self, maker: Operation, authorization: str) -> dict[str, str]:
        ids = self.ids_for(maker, authorization) if maker.path_parameters else {}
        if ids.keys() != maker.path_parameters:
            return {}
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        url = address(self.base_url, maker.path.format(**ids))
        for body in examples(maker):
            reply = send(Request("POST", url, headers, json.dumps(body).encode()))
            if not reply.succeeded:
                continue
            given = {name: at(reply.fields, pointer) for name, pointer in given_ids(maker).items()}
            if all(given.values()):  # else its schema is found broken where this operation is held to it
                self.made[maker.id] = given
            break
        return self.made.get(maker.id, {})


def examples(maker: Operation) -> Iterator[dict[str, Any]]:
    """The contract's example; and without what it may leave out of what is there already, which another server has not."""
    example: dict[str, Any] = CONTRACT.resolve(maker.body_schema).get("example", {})
    yield example
    required = CONTRACT.required(maker.body_schema) if maker.body else set()
    yield {name: value for name, value in example.items() if name in required or not name.endswith("_id")}


def tag_of(operation: Operation) -> str:
    return operation.id.partition(".")[0]


@cache
def maker_of(parameters: frozenset[str], tag: str) -> Operation | None:
    """The operation that gives some path parameters in its links without needing them all; of the tag, or the plainest."""
    found = [
        operation
        for operation in CONTRACT.operations
        if parameters and parameters <= given_ids(operation).keys() and not parameters <= operation.path_parameters
    ]
    plainest = sorted(found, key=lambda operation: (len(given_ids(operation)), len(operation.path_parameters)))
    return next((operation for operation in plainest if tag_of(operation) == tag), next(iter(plainest), None))


def given_ids(operation: Operation) -> dict[str, str]:
    """The path parameters that the links of what an operation creates take from its body."""
    links = [link for answer in operation.successes for link in answer.node.get("links", {}).values()]
    parameters = [(name, value) for link in links for name, value in link.get("parameters", {}).items()]
    return {name: value for name, value in parameters if value.startswith(BODY)}


def at(fields: Any, pointer: str) -> str:
    """What a link points to in an answer; empty where that has none."""
    for part in pointer.removeprefix(BODY).split("/"):
        match fields:
            case dict():
                fields = fields.get(part)
            case list() if part.isdecimal() and int(part) < len(fields):
                fields = fields[int(part)]
            case _:
                return ""
    return fields if isinstance(fields, str) else ""
