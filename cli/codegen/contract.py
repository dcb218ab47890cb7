"""The contract as the generator reads it: operations with their parameters and bodies, references resolved."""

import re
from pathlib import Path
from typing import Any

import yaml

CONTRACT = Path(__file__).parents[2] / "openapi" / "unpuzzle.yaml"
METHODS = ("get", "put", "post", "patch", "delete")
FIELDS = ("application/json", "application/x-www-form-urlencoded")
# The client sends these by itself, or they make no sense for a command.
CLIENT_HEADERS = ("X-API-Version", "If-None-Match")

Node = dict[str, Any]


class ContractError(Exception):
    """The contract holds something that the command line can't express."""


class Contract:
    def __init__(self, document: Node) -> None:
        self.document = document

    @classmethod
    def load(cls, path: Path = CONTRACT) -> "Contract":
        return cls(yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))

    @property
    def tags(self) -> dict[str, str]:
        """Every tag that has an operation, with its description."""
        used = {operation.tag for operation in self.operations()}
        return {tag["name"]: tag["description"] for tag in self.document["tags"] if tag["name"] in used}

    @property
    def money(self) -> list[str]:
        """The names of all fields that are amounts of money."""
        found: set[str] = set()
        nodes: list[Any] = [self.document.get("components", {})]
        while nodes:
            node = nodes.pop()
            nodes += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
            fields = node.get("properties") if isinstance(node, dict) else None
            found |= {name for name, field in (fields or {}).items() if "x-unpuzzle-money" in field}
        return sorted(found)

    def operations(self) -> list["Operation"]:
        return [
            Operation(self, path, method, item)
            for path, item in self.document["paths"].items()
            for method in METHODS
            if method in item
        ]

    def resolved(self, node: Node) -> Node:
        """What a reference points to; the parts of an `allOf` as one."""
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        merged: Node = {}
        for part in map(self.resolved, node.get("allOf", [])):
            merged = {**merged, **part, "properties": {**merged.get("properties", {}), **part.get("properties", {})}}
        return {**merged, **node}


class Operation:
    """One operation, in the words of the contract."""

    def __init__(self, contract: Contract, path: str, method: str, item: Node) -> None:
        self.contract = contract
        self.path = path
        self.method = method
        self.raw: Node = item[method]
        self.name: str = self.raw["operationId"]
        self.tag, _, self.verb = self.name.partition(".")
        listed = [*item.get("parameters", []), *self.raw.get("parameters", [])]
        self.parameters = [contract.resolved(each) for each in listed]

    @property
    def notice(self) -> str:
        """What is said of an operation that is going away; empty of others."""
        if "x-unpuzzle-deprecation" not in self.raw:
            return ""
        found = self.raw["x-unpuzzle-deprecation"]
        successor = found["use"].replace(".", " ").replace("_", "-")
        return f"It will be gone on {found['sunset_at']}: use `unpuzzle {successor}`. See {found['guide']}"

    @property
    def is_list(self) -> bool:
        return "x-unpuzzle-pagination" in self.raw

    @property
    def deletes(self) -> bool:
        return self.method == "delete"

    @property
    def edits(self) -> bool:
        """Whether the body is a set of changes, at least one of which should be there."""
        return self.method in ("patch", "put") and bool(self.fields) and not self.body.get("required")

    @property
    def only_streams(self) -> bool:
        """Whether it answers with events and nothing else."""
        return "x-unpuzzle-stream" in self.raw and not self.stream_flag

    @property
    def stream_name(self) -> str:
        """The SDK's method that gives events where there is JSON besides."""
        named: str = self.raw.get("x-unpuzzle-stream", {}).get("named", f"{self.verb}_stream")
        return f"{self.tag}.{named}"

    @property
    def stream_flag(self) -> str:
        """The field of the body that asks for events in the place of JSON; empty if none does."""
        flag: str = self.raw.get("x-unpuzzle-stream", {}).get("flag", "")
        return flag

    @property
    def answers_a_file(self) -> bool:
        kinds = [kind for status, answer in self.raw["responses"].items() if status < "3" for kind in answer.get("content", {})]
        return bool(kinds) and "application/json" not in kinds and not self.only_streams

    @property
    def has_ranges(self) -> bool:
        """Whether parts of the answer can be asked for."""
        return any((each["in"], each["name"]) == ("header", "Range") for each in self.parameters)

    @property
    def body_type(self) -> str:
        """The media type of the body; empty if there is none."""
        return next(iter(self.raw.get("requestBody", {}).get("content", {})), "")

    @property
    def body(self) -> Node:
        return self.contract.resolved(self.raw["requestBody"]["content"][self.body_type]["schema"]) if self.body_type else {}

    @property
    def fields(self) -> Node:
        """The fields of an object or a form in the body."""
        found: Node = self.body.get("properties", {}) if self.body_type in FIELDS else {}
        return found

    @property
    def key(self) -> str:
        """The column of a list that names an item to the next command: a slug where the contract takes one."""
        next_ones = re.compile(re.escape(self.path) + r"\{(\w+)\}/")
        for path, item in self.contract.document["paths"].items():
            if found := next_ones.match(path):
                parameters = map(self.contract.resolved, item["parameters"])
                taken = next(each for each in parameters if (each["in"], each["name"]) == ("path", found[1]))
                return self._naming(found[1], "id" if taken["schema"].get("format") == "uuid" else "slug")
        return "id"

    def _naming(self, parameter: str, own: str) -> str:
        """The column that holds what a parameter takes, as `course_id` is the `id` of a course."""
        if "id" in self.item:
            return own
        return parameter if parameter in self.item else f"{parameter.removesuffix('_id')}.{own}"

    @property
    def answer(self) -> Node:
        """The fields of the answer, or of what a list holds; none where it is no object."""
        if self.is_list:
            return self.item
        for status, answer in self.raw["responses"].items():
            if status < "3" and "schema" in (content := answer.get("content", {}).get("application/json", {})):
                found: Node = self.contract.resolved(content["schema"]).get("properties", {})
                return found
        return {}

    @property
    def item(self) -> Node:
        """The fields of what a list holds."""
        answer = self.contract.resolved(self.raw["responses"]["200"]["content"]["application/json"]["schema"])
        listed = self.contract.resolved(answer["properties"][self.raw["x-unpuzzle-pagination"]["items"]])
        found: Node = self.contract.resolved(listed["items"]).get("properties", {})
        return found

    def located(self, *places: str) -> list[Node]:
        """The parameters in the path, the query or the headers that a command takes."""
        return [each for each in self.parameters if each["in"] in places and each["name"] not in CLIENT_HEADERS]
