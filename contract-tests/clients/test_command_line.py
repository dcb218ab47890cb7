"""What a command is told goes to the method of its operation as it was said, and every result of a list comes out."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients.shelf import COUNT, Shelf, examples

from harness import CONTRACT
from unpuzzle_cli import runner
from unpuzzle_cli.session import Choice
from unpuzzle_cli.tree import app
from unpuzzle_sdk import Unpuzzle
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import OCTETS, in_path, named

BY_HAND = {"auth.sign_in", "auth.sign_out", "enrollments.bulk_enroll", "media.initiate_upload", "auth.link_identity"}
"""They keep a session, read a file, open a browser: see cli/tests."""
ASKED_FOR = ("password", "token", "secret")
"""What is called so is not written on a command line."""
SENDING = [item for item in CONTRACT.operations.values() if item.id not in BY_HAND and item.body_type != OCTETS]
LISTS = [CONTRACT.operations[name] for name, raw in CONTRACT.raw.items() if "x-unpuzzle-pagination" in raw]


class Told(Exception):
    """What the method of an operation was called with."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments


@pytest.fixture(autouse=True)
def _as_somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"UNPUZZLE_TOKEN": "a-token", "UNPUZZLE_CONFIG_DIR": str(tmp_path), "UNPUZZLE_NO_KEYRING": "1"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command as far as the method that it calls, and gives what that was told."""

    def method(**arguments: Any) -> None:
        raise Told(arguments)

    monkeypatch.setattr(runner, "_method", lambda client, operation: method)

    def run(operation: Operation, given: dict[str, Any]) -> dict[str, Any]:
        with pytest.raises(Told) as called:
            app([*command(operation), *spoken(operation, given)], prog_name="unpuzzle", standalone_mode=False)
        return called.value.arguments

    return run


def command(operation: Operation) -> list[str]:
    tag, verb = operation.id.split(".")
    return [tag, verb.replace("_", "-")]


def declared(operation: Operation) -> dict[str, Any]:
    """The options of a command by the names of what they say."""
    tag, verb = command(operation)
    group = app.commands[tag]
    group.make_context(tag, [], resilient_parsing=True)
    return {str(each.name).rstrip("_"): each for each in group.commands[verb].params}


def spoken(operation: Operation, given: dict[str, Any]) -> Iterator[str]:
    """The words of a command line that say all of this."""
    options = declared(operation)
    if operation.method == "DELETE" and "yes" in options:
        yield "--yes"
    for name, value in given.items():
        if name not in in_path(operation):
            yield from words(options[name], value)
    yield from (str(given[name]) for name in in_path(operation))


def words(option: Any, value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield option.opts[0] if value else (option.secondary_opts or [f"{option.opts[0]}=false"])[0]
        return
    for each in (value or [""]) if isinstance(value, list) else [value]:
        yield option.opts[0]
        yield "null" if each is None else json.dumps(each) if isinstance(each, dict | float) else str(each)


def sayable(operation: Operation) -> dict[str, Any]:
    """The contract's examples, without what nobody writes on a command line."""
    known = declared(operation)
    return {name: value for name, value in examples(operation).items() if name in known and not name.endswith(ASKED_FOR)}


@pytest.mark.parametrize("operation", SENDING, ids=named)
def test_what_a_command_is_told_arrives(told: Any, monkeypatch: pytest.MonkeyPatch, operation: Operation) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a secret\n" * 5))
    monkeypatch.setattr("unpuzzle_cli.console.ask_secretly", lambda *_: "a secret")
    given = sayable(operation)
    arrived = told(operation, given)
    assert {name: plain(arrived[name]) for name in given} == given


def plain(value: Any) -> Any:
    """Decimals as the numbers that they were."""
    return json.loads(json.dumps(value, default=float))


NULLABLE = [
    (operation, name)
    for operation in SENDING
    if operation.body and operation.method in ("PATCH", "PUT")
    for name, schema in spec.resolve(operation.body).get("properties", {}).items()
    if schema.get("nullable")
]


@pytest.mark.parametrize(("operation", "name"), NULLABLE, ids=[f"{item.id}-{name}" for item, name in NULLABLE])
def test_what_is_to_be_cleared_is_null(told: Any, operation: Operation, name: str) -> None:
    given = {key: value for key, value in sayable(operation).items() if key in in_path(operation)}
    required = {
        key: value for key, value in sayable(operation).items() if key in spec.resolve(operation.body).get("required", ())
    }
    arrived = told(operation, {**given, **required, name: None})
    assert arrived[name] is None


@pytest.mark.parametrize("operation", LISTS, ids=named)
def test_all_is_all(monkeypatch: pytest.MonkeyPatch, capsysbinary: Any, operation: Operation) -> None:
    shelf = Shelf(operation)
    with httpx.Client(transport=httpx.MockTransport(shelf.answer)) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", http_client=http_client)
        monkeypatch.setattr(Choice, "client", lambda self, **_: client)
        given = {name: value for name, value in sayable(operation).items() if name not in ("page", "page_size")}
        app([*command(operation), *spoken(operation, given), "--all", "--page-size", "2", "--json"], standalone_mode=False)
    assert len(json.loads(capsysbinary.readouterr().out)["results"]) == COUNT
