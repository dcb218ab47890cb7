"""What a schema of the contract no longer takes, or no longer promises.

What is asked for may become less, what is answered may become more. Enums of answers are open: the SDK keeps a value that
it does not know, so that a new one breaks nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Node = dict[str, Any]

AT_MOST = ("maximum", "maxLength", "maxItems", "maxProperties")
AT_LEAST = ("minimum", "minLength", "minItems", "minProperties")
FIXED = ("type", "format", "x-unpuzzle-money")
"""What makes another type of it, in the SDK too."""
FIXED_FOR_CALLERS = ("pattern", "multipleOf", "exclusiveMinimum", "exclusiveMaximum", "default")


@dataclass(frozen=True)
class Contracts:
    """The released contract and the one that may follow it; each pair of components is compared once in each direction."""

    old: Node
    new: Node
    compared: set[tuple[str, str, bool]] = field(default_factory=set)

    def schema(self, where: str, old: Node, new: Node, *, asked: bool) -> Iterator[str]:
        """What breaks between two schemas; `asked` says that callers send it, else they are answered with it."""
        if "$ref" in old and "$ref" in new:
            pair = (old["$ref"], new["$ref"], asked)
            if pair in self.compared:
                return
            self.compared.add(pair)
            where = _name(old)
        old, new = whole(self.old, old), whole(self.new, new)
        yield from (f"{where}: {what}" for what in (_asked if asked else _answered)(old, new))
        yield from (f"{where}: {key} is {new.get(key)}, was {old.get(key)}" for key in FIXED if old.get(key) != new.get(key))
        yield from self._parts(where, old, new, asked=asked)

    def _parts(self, where: str, old: Node, new: Node, *, asked: bool) -> Iterator[str]:
        before, after = old["properties"], new["properties"]
        yield from (f"{where}.{name} is gone" for name in before if name not in after)
        pairs = [(f"{where}.{name}", before[name], after[name]) for name in before if name in after]
        pairs += [(f"{where}[]", old[key], new[key]) for key in ("items", "additionalProperties") if _both(key, old, new)]
        for kind in ("oneOf", "anyOf"):
            branches = {_name(branch): branch for branch in new.get(kind, ())}
            known = {_name(branch): branch for branch in old.get(kind, ())}
            yield from (f"{where}: {name} is not taken any more" for name in known if asked and name not in branches)
            pairs += [(where, branch, branches[name]) for name, branch in known.items() if name in branches]
        for part, one, other in pairs:
            yield from self.schema(part, one, other, asked=asked)


def _asked(old: Node, new: Node) -> Iterator[str]:
    """What was taken and would be refused."""
    for key in AT_MOST:
        if new.get(key, float("inf")) < old.get(key, float("inf")):
            yield f"{key} is {new[key]}, was {old.get(key, 'not limited')}"
    for key in AT_LEAST:
        if new.get(key, float("-inf")) > old.get(key, float("-inf")):
            yield f"{key} is {new[key]}, was {old.get(key, 'not limited')}"
    for key in FIXED_FOR_CALLERS:
        if old.get(key) != new.get(key) and (key in new or key == "default"):
            yield f"{key} is {new.get(key)}, was {old.get(key)}"
    if new.get("uniqueItems") and not old.get("uniqueItems"):
        yield "its items must differ"
    if old.get("nullable") and not new.get("nullable"):
        yield "it can't be null any more"
    if "enum" in new:
        gone = [value for value in old["enum"] if value not in new["enum"]] if "enum" in old else ["any other value"]
        yield from (f"{value} is not taken any more" for value in gone)
    if old.get("additionalProperties", True) is not False and new.get("additionalProperties", True) is False:
        yield "fields that are not known are refused"
    yield from (f"{name} is required" for name in sorted({*new["required"]} - {*old["required"]}))


def _answered(old: Node, new: Node) -> Iterator[str]:
    """What was promised and would not be there."""
    if new.get("nullable") and not old.get("nullable"):
        yield "it may be null"
    always = {*old["required"]} & new["properties"].keys()
    yield from (f"{name} may be missing" for name in sorted(always - {*new["required"]}))


def resolved(document: Node, node: Node) -> Node:
    """What a node refers to, or itself."""
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def whole(document: Node, schema: Node) -> Node:
    """A schema with what it refers to, and the parts of its `allOf` as one."""
    schema = resolved(document, schema)
    merged: Node = {}
    for part in [*(whole(document, each) for each in schema.get("allOf", ())), schema]:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged = {**merged, **part, "properties": properties, "required": required}
    return merged


def _both(key: str, old: Node, new: Node) -> bool:
    return isinstance(old.get(key), dict) and isinstance(new.get(key), dict)


def _name(branch: Node) -> str:
    return str(branch.get("$ref") or branch.get("type")).rpartition("/")[2]
