"""The lint of the contract against what was made of it: nothing was dropped, and nothing was added by hand.

The parameters and body fields of every method, in both clients, are held against the contract in `test_contract`.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from reading import CONTRACT, OPERATIONS, SECRET, resolve, sample, walk

import unpuzzle_sdk
from unpuzzle_sdk import _error_codes, _secrets, models
from unpuzzle_sdk._core.events import StreamOperation
from unpuzzle_sdk._core.model import Model
from unpuzzle_sdk._core.operation import Operation

PACKAGE = Path(unpuzzle_sdk.__file__).parent
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]


def fields(schema: Any) -> set[str]:
    schema = resolve(schema)
    return {name for part in schema.get("allOf", []) for name in fields(part)} | {*schema.get("properties", {})}


def made_operations() -> Iterator[Operation[Any]]:
    for path in sorted((PACKAGE / "api").glob("*/*.py")):
        if path.stem != "__init__":
            yield import_module(f"unpuzzle_sdk.api.{path.parent.name}.{path.stem}").OPERATION


def test_every_operation_is_made_once_with_its_method_and_its_path() -> None:
    made = [(operation.name, operation.method, operation.path) for operation in made_operations()]
    twins = [operation for operation in made_operations() if isinstance(operation, StreamOperation) and operation.flag]
    assert len(made) == len(OPERATIONS) + len(twins)
    assert {*made} == {(name, method, path) for name, (method, path, _) in OPERATIONS.items()}


def test_what_an_operation_promises_is_what_the_contract_says() -> None:
    for operation in made_operations():
        _, _, raw = OPERATIONS[operation.name]
        taken = {resolve(parameter)["name"] for parameter in raw.get("parameters", [])}
        assert operation.keyed == ("Idempotency-Key" in taken), operation.name
        assert operation.authenticated == bool(raw["security"]), operation.name
        if not isinstance(operation, StreamOperation):
            good = {int(status) for status in raw["responses"] if status[0] in "23" and status != "304"}
            assert good - operation.answers.keys() <= {202}, operation.name
            assert operation.answers.keys() <= good, operation.name


def test_resources_have_the_methods_of_the_contract_and_no_others() -> None:
    by_hand = {"media.upload"}
    made = set()
    for path in sorted((PACKAGE / "resources").glob("[a-z]*.py")):
        module = import_module(f"unpuzzle_sdk.resources.{path.stem}")
        kind = getattr(module, "".join(word.capitalize() for word in path.stem.split("_")))
        functions = inspect.getmembers(kind, inspect.isfunction)
        made |= {f"{path.stem}.{name}" for name, _ in functions if not name.startswith("_")}
    streams = {name: raw.get("x-unpuzzle-stream", {}) for name, (_, _, raw) in OPERATIONS.items()}
    twins = {
        f"{name.partition('.')[0]}.{stream.get('named', name.partition('.')[2] + '_stream')}"
        for name, stream in streams.items()
        if "flag" in stream
    }
    assert made == {*OPERATIONS} | twins | by_hand


@pytest.mark.parametrize("name", [name for name in SCHEMAS if fields(SCHEMAS[name])])
def test_every_field_of_a_schema_is_one_of_its_model_at_any_depth(name: str) -> None:
    value = sample(SCHEMAS[name])
    model = getattr(models, name).from_dict(value)
    assert not strangers(model)
    assert model.to_dict() == value
    assert len(attrs.fields(type(model))) - 1 == len(fields(SCHEMAS[name]))


def strangers(value: Any) -> list[str]:
    """The fields that models found in a value but have not themselves."""
    if isinstance(value, list):
        return [name for item in value for name in strangers(item)]
    if not isinstance(value, Model):
        return []
    own = [field.name for field in attrs.fields(type(value)) if field.init]
    return [*value.additional_properties, *(name for field in own for name in strangers(getattr(value, field)))]


def test_every_enum_is_one_of_the_models_with_all_its_values() -> None:
    schemas = [schema for schema in walk([SCHEMAS, CONTRACT["paths"]]) if isinstance(schema.get("enum"), list)]
    promised = {frozenset(value for value in schema["enum"] if isinstance(value, str)) for schema in schemas}
    made = {frozenset(get_args(getattr(models, name))) for name in models.__all__} - {frozenset()}
    assert made == promised - {frozenset()}


def test_every_error_code_has_a_class_and_no_class_is_left_over() -> None:
    codes = SCHEMAS["ErrorCode"]["enum"]
    assert {*_error_codes.BY_CODE} == {*codes}
    assert len({*_error_codes.__all__}) == len(codes)


def test_every_secret_that_is_marked_is_known_and_no_other() -> None:
    def marked(node: Any, seen: set[str]) -> set[str]:
        found = set()
        for part in walk(node):
            found |= {name for name, field in part.get("properties", {}).items() if SECRET in field}
            found |= {part["name"]} if SECRET in part and "in" in part else set()
            if isinstance(part.get("$ref"), str) and part["$ref"] not in seen:
                seen.add(part["$ref"])
                found |= marked(resolve(part), seen)
        return found

    for name, (_, _, raw) in OPERATIONS.items():
        asked = marked([raw.get("parameters", []), raw.get("requestBody", {})], set())
        answers = [answer for status, answer in raw["responses"].items() if status[0] == "2"]
        told = marked([answers, raw.get("x-unpuzzle-stream", {})], set())
        assert _secrets.SECRETS.get(name, (set(), set())) == (asked, told), name


KNOWN: dict[str, set[str]] = {
    # Headers of HTTP, which are fields where the contract describes those of an upload.
    "_core/exchange.py": {"Authorization"},
    # As above; and the page of a list that is asked for next.
    "_core/operation.py": {"Content-Type", "page"},
    # Tokens, and the argument that is one.
    "_core/auth.py": {"access_token", "expires_in", "refresh_token"},
    "_core/options.py": {"token"},
    "_core/session.py": {"refresh_token"},
    # The envelopes of answers and of errors.
    "_core/pages.py": {"data"},
    "_core/response.py": {"code", "data", "details", "error", "field", "message", "retry_after"},
    # What goes on after a 402.
    "_core/errors.py": {"client_secret", "decline_code", "error", "next_action_url", "payment_id", "status"},
    # The standard of server-sent events.
    "_core/sse.py": {"data", "event", "id", "message"},
    "_core/events.py": {"error"},
    # `media.upload` calls the operations of an upload with their arguments.
    "_upload_job.py": {
        *("content", "course_id", "description", "duration_seconds", "name", "retry_after", "title", "upload_id")
    },
    "uploads.py": {"completed"},
}
"""The fields that hand-written modules know by name, and why."""


def by_hand() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if not path.read_text(encoding="utf-8").startswith("# Generated by"):
            yield path


def texts(path: Path) -> set[str]:
    """The texts of a module that are no documentation."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    }


def test_hand_written_code_names_no_path_and_no_operation() -> None:
    paths = [re.sub(r"\{.*", "", path) for _, path, _ in OPERATIONS.values()]
    for module in by_hand():
        for text in texts(module):
            assert text not in OPERATIONS, (module, text)
            assert not [path for path in paths if len(path) > 1 and path in text], (module, text)


def test_hand_written_code_names_only_the_fields_that_it_must_know() -> None:
    names = {
        name for schema in walk(CONTRACT) if isinstance(schema.get("properties"), dict) for name in schema["properties"]
    }
    # What plays the API in tests has all of its envelopes.
    modules = [module for module in by_hand() if PACKAGE / "testing" not in module.parents]
    found = {str(module.relative_to(PACKAGE)): texts(module) & names for module in modules}
    assert {module: known for module, known in found.items() if known} == KNOWN
