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
from unpuzzle_cli.errors import UsageError, guarded
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

    def run(operation: Operation, given: dict[str, Any], *more: str) -> dict[str, Any]:
        with pytest.raises(Told) as called:
            app([*command(operation), *more, *spoken(operation, given)], prog_name="unpuzzle", standalone_mode=False)
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


OF_TEXTS = [
    (operation, name)
    for operation in SENDING
    if operation.body
    for name, schema in spec.resolve(operation.body).get("properties", {}).items()
    if spec.resolve(spec.resolve(schema).get("additionalProperties") or {}).get("type") == "string"
]


@pytest.mark.parametrize(("operation", "name"), OF_TEXTS, ids=[f"{item.id}-{name}" for item, name in OF_TEXTS])
def test_a_text_that_looks_like_a_number_stays_one(
    told: Any, monkeypatch: pytest.MonkeyPatch, operation: Operation, name: str
) -> None:
    monkeypatch.setattr("unpuzzle_cli.console.ask_secretly", lambda *_: "a secret")
    option = declared(operation)[name].opts[0]
    others = {key: value for key, value in sayable(operation).items() if key != name}
    assert told(operation, others, option, "a=7", option, "b=true")[name] == {"a": "7", "b": "true"}


DELETING = [item for item in SENDING if item.method == "DELETE"]


@pytest.mark.parametrize("operation", DELETING, ids=named)
def test_nothing_is_deleted_that_nobody_has_confirmed(monkeypatch: pytest.MonkeyPatch, operation: Operation) -> None:
    """In a pipe there is nobody who could."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    monkeypatch.setattr(runner, "_method", lambda client, operation: pytest.fail("it was sent"))
    unsaid = [word for word in spoken(operation, sayable(operation)) if word != "--yes"]
    with pytest.raises(UsageError, match="nobody is there to confirm it"):
        app([*command(operation), *unsaid], prog_name="unpuzzle", standalone_mode=False)


SECRETIVE = [
    (operation, [name for name in spec.resolve(operation.body).get("properties", {}) if name.endswith(ASKED_FOR)])
    for operation in SENDING
    if operation.body and operation.body_type == "application/json"
]


@pytest.mark.parametrize(
    ("operation", "names"),
    [(item, names) for item, names in SECRETIVE if names],
    ids=[item.id for item, names in SECRETIVE if names],
)
def test_a_secret_arrives_as_it_was_typed(
    told: Any, monkeypatch: pytest.MonkeyPatch, operation: Operation, names: list[str]
) -> None:
    """Blanks around it are a part of it."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f" {name} \r\n" for name in names)))
    given = {**sayable(operation), **{f"{name}_stdin": True for name in names}}
    arrived = told(operation, given)
    assert {name: arrived[name] for name in names} == {name: f" {name} " for name in names}


@pytest.mark.parametrize(("status", "code"), [(401, 4), (403, 4), (404, 5), (409, 1), (422, 1), (429, 6), (500, 1)])
def test_a_program_is_told_by_its_exit_code_what_was_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, code: int
) -> None:
    envelope = {"status": "error", "error": {"code": "NEW_CODE", "message": "No"}, "request_id": "r"}
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, json=envelope))) as http_client:
        client = Unpuzzle(base_url="http://api", token="a-token", max_retries=0, http_client=http_client)
        monkeypatch.setattr(Choice, "client", lambda self, **_: client)
        given = ["courses", "get", "a-course"]
        assert guarded(lambda: app(given, prog_name="unpuzzle", standalone_mode=False) or 0) == code
    assert "No" in capsys.readouterr().err


HOW_MANY = [(["--all"], COUNT), (["--limit", "3"], 3)]


@pytest.mark.parametrize("operation", LISTS, ids=named)
def test_all_is_all(monkeypatch: pytest.MonkeyPatch, capsysbinary: Any, operation: Operation) -> None:
    """And as many as were asked for are as many."""
    shelf = Shelf(operation)
    given = {name: value for name, value in sayable(operation).items() if name not in ("page", "page_size")}
    for words, expected in HOW_MANY:
        with httpx.Client(transport=httpx.MockTransport(shelf.answer)) as http_client:
            client = Unpuzzle(base_url="http://api", token="a-token", http_client=http_client)
            monkeypatch.setattr(Choice, "client", lambda self, client=client, **_: client)
            app([*command(operation), *spoken(operation, given), *words, "--page-size", "2", "--json"], standalone_mode=False)
        assert len(json.loads(capsysbinary.readouterr().out)["results"]) == expected
