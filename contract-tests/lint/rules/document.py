"""Rules about the file as a whole."""

import re
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from unpuzzle_cli.conformance.contract import Contract, walk

from .registry import contracts, rule

EXTENSIONS = {
    f"x-unpuzzle-{name}"
    for name in (
        "deprecation",
        "errors",
        "headers",
        "limit",
        "meanings",
        "money",
        "open",
        "pagination",
        "role",
        "scopes",
        "session",
        "statuses",
        "stream",
    )
}
JSON_SCALARS = (str, int, float, bool, type(None))
# What the kernel answers by itself, whatever the operation: no operation has to name these.
KERNEL_CODES = {
    "MALFORMED_REQUEST",
    "UNSUPPORTED_VERSION",
    "AUTH_REQUIRED",
    "AUTH_INVALID_TOKEN",
    "AUTH_USER_NOT_FOUND",
    "PERMISSION_DENIED",
    "ACCOUNT_SUSPENDED",
    "CSRF_FAILED",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "IDEMPOTENCY_IN_PROGRESS",
    "PRECONDITION_FAILED",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "VALIDATION_ERROR",
    "IDEMPOTENCY_MISMATCH",
    "RATE_LIMIT_EXCEEDED",
    "INTERNAL_ERROR",
    "SERVICE_UNAVAILABLE",
}


@rule(contracts)
def yaml_is_json(contract: Contract) -> Iterator[str]:
    """Every key is a string and every value JSON: an unquoted status or date is not."""
    for place, key, value in walk(contract.document):
        if not isinstance(key, str):
            yield f"{place} has a key that is not a string"
        if not isinstance(value, (*JSON_SCALARS, dict, list)):
            yield f"{place} is a {type(value).__name__}, not JSON"


@rule(contracts)
def no_templates(contract: Contract) -> Iterator[str]:
    """No text holds `{{` or `{%`: loaders that take the file for a Jinja template would eat it."""
    for place, key, value in walk(contract.document):
        if any(mark in str(text) for mark in ("{{", "{%") for text in (key, value) if isinstance(text, str)):
            yield f"{place} looks like a template"


@rule(contracts)
def no_references_in_samples(contract: Contract) -> Iterator[str]:
    """No sample has a key `$ref`: bundlers would follow it."""
    prose = {place for place, _, _ in walk(contract.document, samples=False)}
    for place, key, _ in walk(contract.document):
        if key == "$ref" and place not in prose:
            yield f"{place} would be followed"


@rule(contracts)
def references_are_local(contract: Contract) -> Iterator[str]:
    """References name components of this file, and stand alone: what is beside one is lost."""
    for place, _, value in walk(contract.document, samples=False):
        if isinstance(value, dict) and "$ref" in value and not place.endswith("/properties"):
            if not contract.knows(value["$ref"]):
                yield f"{place} refers to {value['$ref']}, which is no component here"
            if len(value) > 1:
                yield f"{place} has {sorted(value.keys() - {'$ref'})} beside a reference"


@rule(contracts)
def paths_are_inline(contract: Contract) -> Iterator[str]:
    """No path is a reference: the generator would lose its operations."""
    for path, item in contract.document.get("paths", {}).items():
        if "$ref" in item:
            yield f"{path} is a reference"


@rule(contracts)
def paths_end_in_a_slash(contract: Contract) -> Iterator[str]:
    """Every path ends in a slash, except files."""
    for path in contract.document.get("paths", {}):
        last = path.rpartition("/")[2]
        if last and "." not in last and last != "{filename}":
            yield f"{path} does not end in a slash"


@rule(contracts)
def security_stands_on_operations(contract: Contract) -> Iterator[str]:
    """There is no security for the whole file: the generator does not inherit it."""
    if "security" in contract.document:
        yield "security stands at the root"


@rule(contracts)
def extensions_are_known(contract: Contract) -> Iterator[str]:
    """Extensions are ours and known: a misspelt one would do nothing, without a word."""
    for place, key, _ in walk(contract.document, samples=False):
        if isinstance(key, str) and key.startswith("x-") and key not in EXTENSIONS:
            yield f"{place} is no extension of ours"


@rule(contracts)
def python_is_not_named(contract: Contract) -> Iterator[str]:
    """Nothing names Python modules: the contract does not know what implements it."""
    for place, _, value in walk(contract.document):
        if isinstance(value, str) and re.search(r"\bunpuzzle_(server|sdk|cli)\b|\bhandlers\.\w|\.py\b", value):
            yield f"{place} names Python: {value}"


@rule(contracts)
def operation_ids_are_unique(contract: Contract) -> Iterator[str]:
    """No two operations share an id: the later would replace the earlier, its security too."""
    for name, times in Counter(operation.id for operation in contract.operations).items():
        if times > 1:
            yield f"{name} stands {times} times"


@rule(contracts)
def codes_have_a_status(contract: Contract) -> Iterator[str]:
    """`x-unpuzzle-statuses` gives a status to each code of the enum, and to nothing else."""
    codes = contract.components("schemas").get("ErrorCode", {}).get("enum", [])
    for code in {*codes} ^ contract.statuses.keys():
        yield f"{code} stands in only one of enum and x-unpuzzle-statuses"


@rule(contracts)
def codes_have_a_meaning(contract: Contract) -> Iterator[str]:
    """`x-unpuzzle-meanings` says in a sentence when each code comes: clients show it where the code is documented."""
    meanings = contract.components("schemas").get("ErrorCode", {}).get("x-unpuzzle-meanings", {})
    for code in {*meanings} ^ contract.statuses.keys():
        yield f"{code} stands in only one of x-unpuzzle-statuses and x-unpuzzle-meanings"
    yield from (f"{code} is not told in a sentence" for code, text in meanings.items() if not re.fullmatch(r"[A-Z`].+\.", text))


@rule(contracts)
def codes_have_an_example(contract: Contract) -> Iterator[str]:
    """Each code has an example under its own name in an answer of its status."""
    shown = {(code, answer.status) for answer in contract.answers for code in _examples(answer.content)}
    for code, status in contract.statuses.items():
        # 405 is no operation's answer: a path that takes the method has none.
        if status != HTTPStatus.METHOD_NOT_ALLOWED and (code, str(status)) not in shown:
            yield f"{code} has no example under {status}"


@rule(contracts)
def codes_are_used(contract: Contract) -> Iterator[str]:
    """Each code is named by an operation that answers it, or is the kernel's."""
    named = {code for operation in contract.operations for code in operation.errors}
    for code in contract.statuses.keys() - named - KERNEL_CODES:
        yield f"no operation answers {code}"


def _examples(content: dict[str, Any]) -> dict[str, Any]:
    examples: dict[str, Any] = content.get("application/json", {}).get("examples", {})
    return examples
