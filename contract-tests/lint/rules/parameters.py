"""Rules about parameters and request bodies: what Connexion and the generator read alike."""

from collections.abc import Iterator

from unpuzzle_cli.conformance.contract import Contract, Node, Operation

from .registry import contracts, operations, parameters, rule

SCALARS = {"string", "integer", "number", "boolean"}
# Names of the generated function's own variables, and of the handlers' first argument.
TAKEN = {"headers", "params", "cookies", "body", "kwargs", "response", "tx", "ctx", "self"}
NAMED = {"application/json", "application/x-www-form-urlencoded"}
BODIES = NAMED | {"application/octet-stream"}


@rule(parameters)
def parameters_have_a_schema(parameter: Node) -> Iterator[str]:
    """A parameter has a schema; with `content` the generator would lose it."""
    if "content" in parameter or "schema" not in parameter:
        yield "it has no schema"


@rule(contracts)
def parameters_are_scalars(contract: Contract) -> Iterator[str]:
    """A parameter is one scalar, or in the query a list of them; in a path, header or cookie it is a string."""
    for where, parameter in contract.parameters:
        schema = contract.resolve(parameter.get("schema", {}))
        item = contract.resolve(schema.get("items", {})) if parameter["in"] == "query" else {}
        kind = item.get("type") if schema.get("type") == "array" else schema.get("type")
        if kind not in (SCALARS if parameter["in"] == "query" else {"string"}):
            yield f"{where} is a {kind}"


@rule(parameters)
def header_parameters_are_plain(parameter: Node) -> Iterator[str]:
    """A header parameter has no format: the generator would hand httpx a UUID or a date."""
    if parameter["in"] == "header" and "format" in parameter.get("schema", {}):
        yield f"it is a {parameter['schema']['format']}"


@rule(parameters)
def path_parameters_have_a_form(parameter: Node) -> Iterator[str]:
    """A path parameter is a UUID or has a pattern."""
    if parameter["in"] == "path" and parameter["schema"].get("format") != "uuid" and "pattern" not in parameter["schema"]:
        yield "it could be anything"


@rule(parameters)
def lists_are_repeated_keys(parameter: Node) -> Iterator[str]:
    """A list is sent as repeated keys: the generator ignores any other style, and Connexion keeps only the last."""
    is_other = parameter["in"] == "query" and parameter.get("style", "form") != "form"
    if is_other or not parameter.get("explode", True):
        yield "its style is not form with explode"


@rule(parameters)
def parameter_names_are_free(parameter: Node) -> Iterator[str]:
    """A parameter is not called what generated code or a handler calls its own."""
    if parameter["name"].lower().replace("-", "_") in TAKEN:
        yield f"the name {parameter['name']} is taken"


@rule(parameters)
def parameters_are_described(parameter: Node) -> Iterator[str]:
    """A parameter has a description and an example."""
    yield from (f"it has no {key}" for key in ("description", "example") if parameter.get(key) in (None, ""))


@rule(operations)
def bodies_are_of_one_kind(op: Operation) -> Iterator[str]:
    """A request body is JSON, or a form that a browser posts, with a schema that has a name; uploads are octets."""
    content = op.body.get("content", {})
    if op.body and (len(content) != 1 or content.keys() - BODIES):
        yield f"it takes {' and '.join(content) or 'nothing'}"
    if content.keys() & NAMED and "$ref" not in op.body_schema:
        yield "its body is no named schema"


@rule(operations)
def defaults_are_for_queries(op: Operation) -> Iterator[str]:
    """Only a parameter of the query has a default: in a body the generator sends it, and an update would write it."""
    for parameter in op.parameters:
        if parameter["in"] != "query" and "default" in op.contract.resolve(parameter.get("schema", {})):
            yield f"{parameter['name']} has a default"
    for where, schema in op.contract.reached([("body", op.body_schema)]):
        if "default" in schema:
            yield f"{where} has a default"
