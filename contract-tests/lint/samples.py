"""Holds samples against the schemas of the contract, in a closed world: what is not declared may not be there."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from unpuzzle_cli.conformance.contract import Contract, Node, json_schema


def problems(contract: Contract, schema: Node, sample: Any) -> Iterator[str]:
    """Everything that keeps a sample from being what its schema says."""
    for error in _validator(contract, schema).iter_errors(sample):
        path = ".".join(map(str, error.instance_path))
        yield f"{path or 'the sample'}: {error.message}"
    for key in undeclared(contract, schema, sample):
        yield f"{key}: is not declared"


def undeclared(contract: Contract, schema: Node, sample: Any, where: str = "") -> Iterator[str]:
    """The keys of a sample that its schema does not know, by their paths."""
    schema = contract.resolve(schema)
    if isinstance(sample, list):
        for number, item in enumerate(sample):
            yield from undeclared(contract, schema.get("items", {}), item, f"{where}{number}.")
    if "oneOf" in schema:
        branches = [[*undeclared(contract, branch, sample, where)] for branch in schema["oneOf"]]
        yield from min(branches, key=len)
    fields = contract.fields(schema)
    if isinstance(sample, dict) and (fields or schema.get("type") == "object") and not schema.get("additionalProperties"):
        yield from (f"{where}{key}" for key in sample if key not in fields)
        for key in sample.keys() & fields.keys():
            yield from undeclared(contract, fields[key], sample[key], f"{where}{key}.")


def _validator(contract: Contract, schema: Node) -> jsonschema_rs.Draft202012Validator:
    whole = {**json_schema(schema), "components": contract.json_components}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
