"""The world is closed: an answer holds what the contract declares and nothing else."""

import json
from fnmatch import fnmatchcase
from functools import cache

from jsonschema_rs import Draft202012Validator

from unpuzzle_cli.conformance.contract import Node, json_schema
from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Exchange

BRANCHES = ("allOf", "oneOf", "anyOf")
TRANSPORT = {"content-type", "content-length", "date", "transfer-encoding"}
"""Headers of HTTP itself, which OpenAPI leaves undeclared."""
CORS = ("access-control-",)


def closed_world(exchange: Exchange) -> None:
    """No undeclared status, header, media type or field."""
    declared = exchange.declared
    assert declared is not None, f"the status {exchange.reply.status} is not declared"
    assert not (headers := undeclared_headers(exchange, declared)), f"undeclared headers: {headers}"
    content = declared.get("content", {})
    media_type = exchange.reply.headers.get("content-type")
    if not content:
        assert (media_type, exchange.reply.content) == (None, b""), f"an undeclared body of {media_type}"
        return
    assert any(fnmatchcase(str(media_type), range_) for range_ in content), f"undeclared media type {media_type}"
    if media_type == "application/json":
        extra = undeclared_fields(exchange.operation.id, exchange.reply.status, exchange.reply.content)
        assert not extra, "; ".join(extra)


def undeclared_headers(exchange: Exchange, declared: Node) -> set[str]:
    known = TRANSPORT | exchange.between | {name.lower() for name in declared.get("headers", {})}
    from_elsewhere = any(name.lower() == "origin" for name in exchange.request.headers)
    return {name for name in exchange.reply.headers if name not in known and not (from_elsewhere and name.startswith(CORS))}


def undeclared_fields(operation_id: str, status: int, body: bytes) -> list[str]:
    problems = validator(operation_id, str(status)).iter_errors(json.loads(body))
    return [f"/{'/'.join(map(str, problem.instance_path))}: {problem.message}" for problem in problems]


@cache
def validator(operation_id: str, status: str) -> Draft202012Validator:
    schemas = [a.schema for a in CONTRACT.answers if a.operation.id == operation_id and a.status == status]
    return Draft202012Validator(json_schema(closed(schemas[0])))


def closed(schema: Node, branch: bool = False) -> Node:
    """The schema without references, where objects take no fields but those they name, in whichever branch.

    Branches stay open themselves: what one does not name another may.
    """
    schema = CONTRACT.resolve(schema)
    made = {**schema}
    for key in BRANCHES:
        if key in schema:
            made[key] = [closed(child, branch=True) for child in schema[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = closed(schema[key])
    if "properties" in schema:
        made["properties"] = {name: closed(child) for name, child in schema["properties"].items()}
    if not branch and schema.keys() & {"properties", *BRANCHES}:
        made["unevaluatedProperties"] = False
    return made
