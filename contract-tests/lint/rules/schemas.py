"""Rules about schemas: what all tools read alike, what a request is held to, and what an answer promises."""

import re
from collections.abc import Iterator

from unpuzzle_cli.conformance.contract import Contract, Node

from .. import samples
from .registry import asked, components, contracts, rule, schemas

NUMBERS = {"integer", "number"}
JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
FORMATS = {"_at": "date-time", "_timestamp": "date-time", "_url": "uri", "_next": "uri", "_previous": "uri", "_id": "uuid"}
SECRET = re.compile(r"(^|_)(password|secret|token|verifier|Authorization)$")
# Made by Stripe, by Backblaze or by the caller.
OPAQUE = {
    "file_id",
    "payment_id",
    "payment_intent_id",
    "payment_method_id",
    "refund_id",
    "subscription_id",
    "invoice_id",
    "request_id",
    "AuthEvent.id",
    "StripeEvent.id",
    "StripeEvent.data.object.id",
    "ServerSentEvent.id",
}
# These alone may be missing from an answer.
OF_A_PAYMENT = {f"Error.{name}" for name in ("payment_id", "client_secret", "status", "decline_code", "next_action_url")}
OF_AN_ALLOWANCE = {"Error.daily_reset", "Error.monthly_reset"}
SOMETIMES = {"Error.details", "Error.retry_after", *OF_A_PAYMENT, *OF_AN_ALLOWANCE}
# The error envelope is ours for good; other answers may grow.
CLOSED = {"ErrorEnvelope", "Error", "ErrorDetail"}
# The contract describes itself only this far.
FREE = {"OpenApiDocument.info", "OpenApiDocument.paths"}


@rule(components)
def components_have_no_title(schema: Node) -> Iterator[str]:
    """A named schema has no title: it would rename the Python class."""
    if "title" in schema:
        yield f"it is titled {schema['title']}"


@rule(schemas)
def schemas_have_a_type(schema: Node) -> Iterator[str]:
    """A schema has a type, refers to one that has, or is made of some."""
    if schema and not schema.keys() & {"type", "$ref", "allOf", "oneOf"}:
        yield f"it has only {', '.join(schema)}"


@rule(contracts)
def names_tell_the_format(contract: Contract) -> Iterator[str]:
    """`…_at` is a date-time, `…_url` a URI (or a reference) and `…_id` a UUID, unless another service made it."""
    for where, schema in contract.schemas:
        for name, field in schema.get("properties", {}).items():
            wanted = next((FORMATS[ending] for ending in FORMATS if f"_{name}".endswith(ending)), None)
            has = field.get("format", "").removesuffix("-reference")
            if field.get("type") == "string" and wanted not in (None, has) and OPAQUE.isdisjoint({name, f"{where}.{name}"}):
                yield f"{where}.{name} is no {wanted}"


@rule(contracts)
def secrets_are_marked(contract: Contract) -> Iterator[str]:
    """What is called a secret is marked as one, so that no client shows or logs it."""
    for where, schema in contract.schemas:
        for name, field in schema.get("properties", {}).items():
            if field.get("type") == "string" and SECRET.search(name) and "x-unpuzzle-secret" not in field:
                yield f"{where}.{name} is not marked as secret"


@rule(contracts)
def updates_follow_creations(contract: Contract) -> Iterator[str]:
    """A field means the same in `…Update` as in `…Create`, and an update requires none."""
    named = contract.components("schemas")
    for name in (name for name in named if name.endswith("Update")):
        twin = f"{name.removesuffix('Update')}Create"
        if named[name].get("required"):
            yield f"{name} requires {', '.join(named[name]['required'])}"
        for field, schema in named[name].get("properties", {}).items():
            if twin in named and schema != named[twin]["properties"].get(field):
                yield f"{name}.{field} is not that of {twin}"


@rule(contracts)
def everything_is_described(contract: Contract) -> Iterator[str]:
    """Every named schema, every property and every header has a description, or is a reference to what has one."""
    places = [*contract.components("schemas").items(), *contract.headers]
    for where, schema in contract.schemas:
        places += [(f"{where}.{name}", field) for name, field in schema.get("properties", {}).items()]
    for where, node in places:
        if not node.get("description") and "$ref" not in node:
            yield f"{where} has no description"


@rule(contracts)
def samples_are_valid(contract: Contract) -> Iterator[str]:
    """Every named schema and header has an example, and every example is what its schema says."""
    for name, schema in contract.components("schemas").items():
        if "example" not in schema:
            yield f"{name} has no example"
    for where, schema, sample in _samples(contract):
        yield from (f"{where}: {problem}" for problem in samples.problems(contract, schema, sample))


def _samples(contract: Contract) -> Iterator[tuple[str, Node, object]]:
    for where, schema in contract.schemas:
        if "example" in schema:
            yield where, schema, schema["example"]
    for where, node in [*contract.parameters, *contract.headers]:
        yield where, node.get("schema", {}), node.get("example")
    for name, response in contract.components("responses").items():
        for media in response.get("content", {}).values():
            for key, example in media.get("examples", {}).items():
                yield f"{name} {key}", media["schema"], example["value"]


@rule(schemas)
def null_stands_beside_a_type(schema: Node) -> Iterator[str]:
    """`nullable` stands beside the type of an inline schema, and null in no enum: elsewhere each tool differs."""
    if schema.get("nullable") and ("type" not in schema or "$ref" in schema or "allOf" in schema):
        yield "it is nullable without a type"
    if None in schema.get("enum", ()):
        yield "null is one of its values"


@rule(contracts)
def unions_say_which(contract: Contract) -> Iterator[str]:
    """A union is `oneOf` with a discriminator that is a required one-value enum in each branch, and nothing beside."""
    for where, schema in contract.schemas:
        if "anyOf" in schema or "not" in schema:
            yield f"{where} has anyOf or not"
        if "oneOf" not in schema:
            continue
        if schema.keys() & {"properties", "allOf", "type"}:
            yield f"{where} has fields of its own beside oneOf"
        name = schema.get("discriminator", {}).get("propertyName")
        for branch in schema["oneOf"]:
            kind = contract.resolve(contract.fields(branch).get(name, {}))
            if len(kind.get("enum", ())) != 1 or name not in contract.required(branch):
                yield f"{where} has a branch that does not say which it is"


@rule(contracts)
def compositions_do_not_overlap(contract: Contract) -> Iterator[str]:
    """`allOf` joins objects that share no property."""
    for where, schema in contract.schemas:
        branches = [contract.fields(branch) for branch in schema.get("allOf", ())]
        names = [name for branch in branches for name in branch]
        if not all(branches) or len(names) != len({*names}):
            yield f"{where} joins what is no object, or the same property twice"


@rule(schemas)
def enums_have_one_type(schema: Node) -> Iterator[str]:
    """The values of an enum have its type, and differ in more than case."""
    values = schema.get("enum", [])
    if any(JSON_TYPES[type(value)] != schema.get("type") for value in values):
        yield "a value of its enum has another type"
    if len({str(value).lower() for value in values}) != len(values):
        yield "values of its enum differ in case only"


@rule(contracts)
def inline_names_are_free(contract: Contract) -> Iterator[str]:
    """The name that the generator makes up for an inline enum or object is not one of a named schema."""
    names = contract.components("schemas")
    for name, schema in names.items():
        for field, inner in schema.get("properties", {}).items():
            made_up = name + field.title().replace("_", "")
            if made_up in names and ("enum" in inner or "properties" in inner) and not inner.get("nullable"):
                yield f"{name}.{field} would be {made_up}, which is another schema"


@rule(schemas)
def arrays_have_items(schema: Node) -> Iterator[str]:
    """An array says what it holds; without that the generator drops the whole schema."""
    if schema.get("type") == "array" and not schema.get("items"):
        yield "it has no items"


@rule(schemas)
def directions_have_own_schemas(schema: Node) -> Iterator[str]:
    """No readOnly, writeOnly or deprecated: the generator ignores them; write one schema for each direction."""
    yield from (f"it has {key}" for key in ("readOnly", "writeOnly", "deprecated") if schema.get(key) is True)


@rule(schemas)
def floats_have_no_steps(schema: Node) -> Iterator[str]:
    """No `multipleOf` on a float: 79.99 is no multiple of 0.01."""
    if schema.get("type") == "number" and "multipleOf" in schema:
        yield "it has multipleOf"


@rule(contracts)
def objects_have_fields(contract: Contract) -> Iterator[str]:
    """An object says what it holds: fields, or values of one type."""
    for where, schema in contract.schemas:
        holds = schema.get("properties") or isinstance(schema.get("additionalProperties"), dict)
        if schema.get("type") == "object" and not holds and where not in FREE:
            yield f"{where} could hold anything"


@rule(contracts)
def required_fields_exist(contract: Contract) -> Iterator[str]:
    """What is required is a property."""
    for where, schema in contract.schemas:
        for name in {*schema.get("required", ())} - schema.get("properties", {}).keys():
            yield f"{where} requires {name}, which it does not have"


@rule(asked)
def request_strings_are_bounded(schema: Node) -> Iterator[str]:
    """A string in a request has an end and no NUL, which PostgreSQL cannot store; a UUID, a date and an enum are so already."""
    if schema.get("type") != "string" or "enum" in schema or schema.get("format") in ("uuid", "date", "binary"):
        return
    if "maxLength" not in schema:
        yield "it has no maxLength"
    if not refuses_nul(schema.get("pattern", "")):
        yield f"its pattern {schema.get('pattern')} lets NUL through"


def refuses_nul(pattern: str) -> bool:
    """Whether no text with a NUL matches: every part of the pattern is anchored and names what it takes, or excludes NUL."""
    sets = re.findall(r"\[(?:\\.|[^\]\\])*\]", pattern)
    rest = re.sub(r"\[(?:\\.|[^\]\\])*\]", "", pattern)
    is_anchored = pattern[:1] == "^" and pattern[-1:] == "$" and "|" not in re.sub(r"\([^()]*\)", "", rest)
    takes_anything = re.search(r"(?<!\\)\.|\\[SDW]", rest) or any(_takes_nul(characters) for characters in sets)
    return is_anchored and not takes_anything


def _takes_nul(characters: str) -> bool:
    return r"\u0000" not in characters if characters.startswith("[^") else bool(re.search(r"\\[SDW]", characters))


@rule(asked)
def request_lists_are_bounded(schema: Node) -> Iterator[str]:
    """A list in a request has an end."""
    if schema.get("type") == "array" and "maxItems" not in schema:
        yield "it has no maxItems"


@rule(asked)
def request_numbers_are_bounded(schema: Node) -> Iterator[str]:
    """A number in a request has a least and a greatest value."""
    if schema.get("type") in NUMBERS and not {"minimum", "maximum"} <= schema.keys():
        yield "it has no minimum or no maximum"


@rule(asked)
def request_objects_are_closed(schema: Node) -> Iterator[str]:
    """An object in a request takes no unknown field, or is a bounded map of values with a type, or says that others add to it."""
    values = schema.get("additionalProperties")
    is_map = isinstance(values, dict) and values and "maxProperties" in schema
    if schema.get("type") == "object" and values is not False and not is_map and not schema.get("x-unpuzzle-open"):
        yield "it takes unknown fields"


@rule(contracts)
def answers_are_whole(contract: Contract) -> Iterator[str]:
    """Every field of an answer is always there, null where unknown."""
    for where, schema in contract.answered:
        for name in schema.get("properties", {}).keys() - {*schema.get("required", ())}:
            if f"{where}.{name}" not in SOMETIMES:
                yield f"{where}.{name} may be missing"


@rule(contracts)
def answered_numbers_have_a_floor(contract: Contract) -> Iterator[str]:
    """A number in an answer has a least value: most of them can't be negative."""
    for where, schema in contract.answered:
        if schema.get("type") in NUMBERS and "minimum" not in schema:
            yield f"{where} has no minimum"


@rule(contracts)
def answers_may_grow(contract: Contract) -> Iterator[str]:
    """Objects in answers are open, so that clients outlive new fields; only the error envelope is closed."""
    for where, schema in contract.answered:
        if (schema.get("additionalProperties") is False) != (where in CLOSED):
            yield f"{where} is {'open' if where in CLOSED else 'closed'}"
