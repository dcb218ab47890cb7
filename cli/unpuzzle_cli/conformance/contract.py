"""The contract as its lint and its laws see it: operations, answers and schemas, each with a name to find it by."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[3]
"""Where this was checked out; an installed wheel has no repository around it."""
PACKAGED = Path(__file__).parent / "unpuzzle.yaml"
FILE = PACKAGED if PACKAGED.is_file() else REPOSITORY / "openapi" / "unpuzzle.yaml"
"""The contract, inside the wheel or in the checkout."""
METHODS = ("get", "put", "post", "patch", "delete")
Node = dict[str, Any]


class StrictLoader(yaml.CSafeLoader):
    """YAML as JSON has it: PyYAML alone would let the last of two equal keys win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def load(text: str) -> Node:
    document: Node = StrictLoader(text).get_single_data()
    return document


@dataclass(frozen=True)
class Answer:
    """What an operation answers with one status."""

    contract: "Contract"
    operation: "Operation"
    status: str
    raw: Node

    @property
    def node(self) -> Node:
        return self.contract.resolve(self.raw)

    @property
    def is_success(self) -> bool:
        return self.status < "300"

    @property
    def content(self) -> Node:
        content: Node = self.node.get("content", {})
        return content

    @property
    def schema(self) -> Node:
        """The schema of the JSON body, a reference unresolved; empty where there is none."""
        schema: Node = self.content.get("application/json", {}).get("schema", {})
        return schema

    def sends(self, header: str, always: bool = False) -> bool:
        """Whether the answer declares a header, with `always` as a required one."""
        declared = self.node.get("headers", {}).get(header)
        return declared is not None and (not always or self.contract.resolve(declared).get("required", False))


@dataclass(frozen=True)
class Operation:
    contract: "Contract"
    path: str
    method: str
    node: Node
    shared: tuple[Node, ...]

    @property
    def id(self) -> str:
        return str(self.node.get("operationId", f"{self.method} {self.path}"))

    @property
    def parameters(self) -> list[Node]:
        declared = [*self.shared, *self.node.get("parameters", [])]
        return [self.contract.resolve(item) for item in declared]

    def takes(self, parameter: str) -> bool:
        return any(item["name"] == parameter for item in self.parameters)

    @property
    def path_parameters(self) -> set[str]:
        return {item["name"] for item in self.parameters if item["in"] == "path"}

    @property
    def body(self) -> Node:
        """The request body, empty where there is none."""
        return self.contract.resolve(self.node.get("requestBody", {}))

    @property
    def body_schema(self) -> Node:
        media: Node = next(iter(self.body.get("content", {}).values()), {})
        schema: Node = media.get("schema", {})
        return schema

    @property
    def answers(self) -> list[Answer]:
        return [Answer(self.contract, self, str(key), raw) for key, raw in self.node.get("responses", {}).items()]

    @property
    def successes(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.is_success]

    @property
    def role(self) -> str:
        return str(self.node.get("x-unpuzzle-role"))

    @property
    def errors(self) -> list[str]:
        errors: list[str] = self.node.get("x-unpuzzle-errors", [])
        return errors

    @property
    def stream(self) -> Node | None:
        """What the operation says of the events that it streams."""
        stream: Node | None = self.node.get("x-unpuzzle-stream")
        return stream

    @property
    def events(self) -> Node:
        """The schema of what each event of its stream tells, by its name."""
        events: Node = (self.stream or {}).get("events", {})
        return events

    @property
    def is_limited(self) -> bool:
        return bool(self.node.get("x-unpuzzle-limit", {}).get("name") != "none")

    @property
    def is_unsafe(self) -> bool:
        return self.method != "get"

    @property
    def names_one_thing(self) -> bool:
        """Whether the path ends in a parameter: it is the address of one resource."""
        return self.path.endswith("}/")

    @property
    def carries_secret(self) -> bool:
        """Whether its request or its answer holds what nobody may keep, so that it can't be stored for a replay."""
        bodies = [self.body_schema] if self.body else []
        schemas = [*bodies, *(answer.schema for answer in self.successes)]
        marked = any(field.get("x-unpuzzle-secret") for schema in schemas for field in self.contract.fields(schema).values())
        return marked or any(answer.sends("Set-Cookie") for answer in self.successes)


@dataclass(frozen=True)
class Contract:
    document: Node
    root: Path = REPOSITORY
    """Where paths to documentation start."""

    def resolve(self, node: Node) -> Node:
        """What a node is once its references are followed."""
        while "$ref" in node:
            node = self.lookup(node["$ref"])
        return node

    def knows(self, reference: str) -> bool:
        """Whether a reference names a component of this document."""
        kind, _, name = reference.removeprefix("#/components/").partition("/")
        return reference.startswith("#/components/") and name in self.components(kind)

    def lookup(self, reference: str) -> Node:
        node = self.document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        return node

    def components(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document.get("components", {}).get(kind, {})
        return found

    @cached_property
    def json_components(self) -> Node:
        components: Node = json_schema(self.document.get("components", {}))
        return components

    @cached_property
    def operations(self) -> list[Operation]:
        return [
            Operation(self, path, method, item[method], tuple(item.get("parameters", ())))
            for path, item in self.document.get("paths", {}).items()
            for method in METHODS
            if method in item
        ]

    @property
    def answers(self) -> Iterator[Answer]:
        for operation in self.operations:
            yield from operation.answers

    @property
    def documentation(self) -> str:
        """The address under which the pages of `docs/` are published."""
        return str(self.document.get("externalDocs", {}).get("url"))

    @property
    def statuses(self) -> dict[str, int]:
        """The status of each error code."""
        found: dict[str, int] = self.components("schemas").get("ErrorCode", {}).get("x-unpuzzle-statuses", {})
        return found

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The names of the fields that hold what nobody may see."""
        fields = (item for _, schema in self.schemas for item in schema.get("properties", {}).items())
        return frozenset(name for name, node in fields if node.get("x-unpuzzle-secret"))

    def fields(self, schema: Node) -> dict[str, Node]:
        """The properties of an object, those of its `allOf` branches too."""
        schema = self.resolve(schema)
        own: dict[str, Node] = schema.get("properties", {})
        return {name: field for branch in schema.get("allOf", ()) for name, field in self.fields(branch).items()} | own

    def required(self, schema: Node) -> set[str]:
        """The properties that are always there."""
        schema = self.resolve(schema)
        return {name for branch in schema.get("allOf", ()) for name in self.required(branch)} | {*schema.get("required", ())}

    def reached(self, roots: Iterable[tuple[str, Node]]) -> Iterator[tuple[str, Node]]:
        """Every schema below some others, through references; each once, by its name or its place."""
        seen: set[str] = set()
        waiting = [*roots]
        while waiting:
            for where, schema in tree(*waiting.pop()):
                yield where, schema
                reference = schema.get("$ref")
                if reference is not None and reference not in seen:
                    seen.add(reference)
                    waiting.append((name_of(schema), self.lookup(reference)))

    @property
    def parameters(self) -> Iterator[tuple[str, Node]]:
        """Every parameter once."""
        yield from self.components("parameters").items()
        holders = [
            *self.document.get("paths", {}).items(),
            *((operation.id, operation.node) for operation in self.operations),
        ]
        for where, holder in holders:
            inline = (parameter for parameter in holder.get("parameters", ()) if "$ref" not in parameter)
            yield from ((f"{where} {parameter['name']}", parameter) for parameter in inline)

    @property
    def headers(self) -> Iterator[tuple[str, Node]]:
        yield from self.components("headers").items()

    @property
    def schemas(self) -> Iterator[tuple[str, Node]]:
        """Every schema of the document with all below it, references not followed."""
        roots = [*self.components("schemas").items()]
        roots += [(where, item.get("schema", {})) for where, item in [*self.parameters, *self.headers]]
        roots += [(f"{operation.id} body", operation.body_schema) for operation in self.operations]
        roots += [(f"{answer.operation.id} {answer.status}", answer.schema) for answer in self.answers]
        for root in roots:
            yield from tree(*root)

    @property
    def asked(self) -> Iterator[tuple[str, Node]]:
        """Every schema that a request is held against."""
        bodies = [(f"{operation.id} body", operation.body_schema) for operation in self.operations]
        return self.reached([*((where, item.get("schema", {})) for where, item in self.parameters), *bodies])

    @property
    def answered(self) -> Iterator[tuple[str, Node]]:
        """Every schema that describes an answer."""
        events = ((f"{op.id} {name}", schema) for op in self.operations for name, schema in op.events.items())
        return self.reached([*((f"{answer.operation.id} {answer.status}", answer.schema) for answer in self.answers), *events])


def tree(where: str, schema: Node) -> Iterator[tuple[str, Node]]:
    """A schema and all that are written inside it."""
    yield where, schema
    for name, child in schema.get("properties", {}).items():
        yield from tree(f"{where}.{name}", child)
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            yield from tree(f"{where}[]", schema[key])
    for key in ("allOf", "oneOf", "anyOf"):
        for number, child in enumerate(schema.get(key, ())):
            yield from tree(f"{where}|{number}", child)


def name_of(reference: Node) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def json_schema(node: Any) -> Any:
    """OpenAPI 3.0 schemas as JSON Schema, where null is a type."""
    if isinstance(node, list):
        return [json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    translated = {key: json_schema(value) for key, value in node.items()}
    if node.get("nullable") is True and "type" in node:
        translated["type"] = [node["type"], "null"]
        if "enum" in node:
            translated["enum"] = [*node["enum"], None]
    return translated


def walk(node: Any, where: str = "", samples: bool = True) -> Iterator[tuple[str, Any, Any]]:
    """Every key and value of a document, with or without its samples: `(place, key, value)`."""
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, dict):
        pairs = node.items()
    elif isinstance(node, list):
        pairs = ((str(number), item) for number, item in enumerate(node))
    for key, value in pairs:
        # A property may be called "example", and then it is a schema.
        is_sample = key in ("example", "examples") and not where.endswith("/properties")
        if samples or not is_sample:
            yield f"{where}/{key}", key, value
            yield from walk(value, f"{where}/{key}", samples)
