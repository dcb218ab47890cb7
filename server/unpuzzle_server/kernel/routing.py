"""From a path to an operation, by a tree of its segments; a literal segment wins over a parameter."""

from dataclasses import dataclass, field
from typing import Any

from connexion.middleware.abstract import ROUTING_CONTEXT, SpecMiddleware
from connexion.spec import Specification
from starlette.types import ASGIApp, Receive, Scope, Send

from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.answers import Answer, send_answer
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import exchange_of


@dataclass
class Node:
    literals: dict[str, "Node"] = field(default_factory=dict)
    parameter: "Node | None" = None
    methods: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    """From a method to the operation's id and the names of the parameters in its path."""


class Tree:
    def __init__(self) -> None:
        self.root = Node()

    def add(self, method: str, path: str, operation_id: str) -> None:
        node, names = self.root, []
        for segment in path.split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.parameter = node.parameter or Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, Node())
        node.methods[method] = (operation_id, names)

    def find(self, path: str) -> tuple[Node, tuple[str, ...]] | None:
        """The place of a path and the values of its parameters; with or without the trailing slash."""
        segments = path.split("/")
        found = _walk(self.root, segments, ())
        return found or (None if segments[-1] == "" else _walk(self.root, [*segments, ""], ()))


def _walk(node: Node, segments: list[str], values: tuple[str, ...]) -> tuple[Node, tuple[str, ...]] | None:
    if not segments:
        return (node, values) if node.methods else None
    segment, rest = segments[0], segments[1:]
    if segment in node.literals and (found := _walk(node.literals[segment], rest, values)):
        return found
    if node.parameter and segment:
        return _walk(node.parameter, rest, (*values, segment))
    return None


class Routing(SpecMiddleware):
    """Tells the middlewares behind it which operation a request is for; 404 and 405 are answered here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.tree = Tree()
        self.base_path = ""

    def add_api(self, specification: Specification, base_path: str | None = None, **_: Any) -> None:
        self.base_path = specification.base_path if base_path is None else base_path
        for operation in spec.operations():
            self.tree.add(operation.method, operation.path, operation.id)
            if operation.method == "GET":
                self.tree.add("HEAD", operation.path, operation.id)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        found = self.tree.find(scope["path"])
        if found is None:
            raise Problem("NOT_FOUND", "There is nothing at this path.")
        node, values = found
        if scope["method"] == "OPTIONS":
            await send_answer(send, Answer(204, b"", {"Allow": allow(node)}))
            return
        if scope["method"] not in node.methods:
            raise _method_not_allowed(scope["method"], node)
        operation_id, names = node.methods[scope["method"]]
        exchange_of(scope).operation_id = operation_id
        scope["path_params"] = dict(zip(names, values, strict=True))
        context = {"api_base_path": self.base_path, "operation_id": operation_id}
        scope["extensions"] = {**(scope.get("extensions") or {}), ROUTING_CONTEXT: context}
        await self.app(scope, receive, send)


def allow(node: Node) -> str:
    """The `Allow` header of a path."""
    return ", ".join(sorted({*node.methods, "OPTIONS"}))


def _method_not_allowed(method: str, node: Node) -> Problem:
    message = f"{method[:20]} is not a method of this path."
    return Problem("METHOD_NOT_ALLOWED", message, headers={"Allow": allow(node)})
