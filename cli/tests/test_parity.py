"""The contract and the commands: nothing is missing on either side."""

import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from loopback import load_contract

CLI = Path(__file__).parents[1]
CONTRACT = load_contract()
METHODS = ("get", "put", "post", "patch", "delete")
BY_HAND = {"__init__.py", "api.py", "conformance.py", "bulk.py", "own.py", "transcribed.py", "uploading.py"}
SPENT_ON_CLIENTS = {"X-API-Version", "If-None-Match"}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = CONTRACT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations() -> list[Any]:
    return [
        pytest.param({**item[method], "shared": item.get("parameters", [])}, id=item[method]["operationId"])
        for item in CONTRACT["paths"].values()
        for method in METHODS
        if method in item
    ]


@cache
def tag(name: str) -> Any:
    from unpuzzle_cli.tree import app

    group = app.commands[name]
    group.make_context(name, [], resilient_parsing=True)
    return group


def wanted(operation: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The arguments and the options that an operation should have."""
    parameters = [resolved(each) for each in [*operation["shared"], *operation.get("parameters", [])]]
    arguments = {each["name"] for each in parameters if each["in"] == "path"}
    options = {each["name"] for each in parameters if each["in"] != "path"} - SPENT_ON_CLIENTS
    if "requestBody" in operation:
        (body,) = operation["requestBody"]["content"].values()
        options |= set(resolved(body["schema"]).get("properties", {"input": {}}))
    return arguments, {"--" + name.lower().replace("_", "-") for name in options}


@pytest.mark.parametrize("operation", operations())
def test_every_operation_has_a_command_with_everything_it_takes(operation: dict[str, Any]) -> None:
    owner, _, verb = operation["operationId"].partition(".")
    command = tag(owner).commands[verb.replace("_", "-")]
    arguments, options = wanted(operation)
    assert arguments == {each.name for each in command.params if each.param_type_name == "argument"}
    spelled = {option.removesuffix("-stdin") for each in command.params for option in each.opts}
    assert not options - spelled
    assert command.deprecated == operation.get("deprecated", False)


def test_every_command_is_an_operation_or_stands_in_the_list_of_extras() -> None:
    from unpuzzle_cli.commands import own
    from unpuzzle_cli.tree import app

    known = {each.id for each in operations()}
    for name in CONTRACT["tags"]:
        for verb in tag(name["name"]).commands if name["name"] in app.commands else []:
            assert f"{name['name']}.{verb.replace('-', '_')}" in known | set(own.EXTRAS)


def test_every_deletion_asks() -> None:
    for item in CONTRACT["paths"].values():
        if "delete" in item:
            owner, _, verb = item["delete"]["operationId"].partition(".")
            assert "--yes" in {option for each in tag(owner).commands[verb.replace("_", "-")].params for option in each.opts}


def test_the_commands_are_those_that_the_contract_makes(tmp_path: Path) -> None:
    generate(tmp_path)
    for path in tmp_path.glob("*.py"):
        assert path.read_bytes() == (CLI / "unpuzzle_cli" / "commands" / path.name).read_bytes()
    made = {path.name for path in tmp_path.glob("*.py")}
    assert made == {path.name for path in (CLI / "unpuzzle_cli" / "commands").glob("*.py")} - BY_HAND


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_contract_does_not_hold_yet_can_be_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of objects, numbers that may be null, open lists of choices, bodies and answers that are files."""
    made = tmp_path / "contract.yaml"
    made.write_text(FUTURE)
    generate(tmp_path, made)
    import typer.main

    from unpuzzle_cli import commands as package

    monkeypatch.setattr(package, "options", loaded(tmp_path / "options.py"), raising=False)
    module = loaded(tmp_path / "media.py")

    commands = typer.main.get_group(module.app).commands
    types = {each.name: each.type.name for each in commands["change"].params}
    assert types["from_"] == "str"
    assert {"points", "items", "score", "note", "secret_stdin", "ready"} <= set(types)
    assert commands["change"].deprecated
    assert "--input" in {option for each in commands["upload"].params for option in each.opts}
    assert "--output" in {option for each in commands["download"].params for option in each.opts}
    told: list[tuple[str, dict[str, Any]]] = []
    for runs in ("call", "follow"):
        setattr(module, runs, lambda _, name, arguments, runs=runs, **__: told.append((f"{runs} {name}", arguments)))
    for command, *given in (("ask", "7"), ("ask", "7", "--question", "why", "--stream"), ("watch",)):
        commands[command].main(given, standalone_mode=False)
    asked = {"file_id": "7", "question": "why"}
    assert told == [("call media.ask", {"file_id": "7"}), ("follow media.ask_stream", asked), ("follow media.watch", {})]


def test_a_name_that_every_command_has_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "contract.yaml"
    made.write_text(FUTURE.replace("points:", "fields:"))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        generate(tmp_path, made)
    assert "media.change: the names fields are taken" in refused.value.stderr


def generate(folder: Path, contract: Path | None = None) -> None:
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1])\nfrom generate import write, Contract\n"
        "write(Contract.load(*map(pathlib.Path, sys.argv[3:])), pathlib.Path(sys.argv[2]))"
    )
    arguments = [str(CLI / "codegen"), str(folder), *([str(contract)] if contract else [])]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)


FUTURE = """
tags: [{name: media, description: Files.}]
paths:
  /files/{file_id}/:
    parameters: [{name: file_id, in: path, required: true, description: The id., schema: {type: string}}]
    patch:
      operationId: media.change
      tags: [media]
      summary: Change a file
      description: Changes `x` [or y] and "z".
      deprecated: true
      x-unpuzzle-role: owner
      parameters: [{name: from, in: query, schema: {type: string}}]
      requestBody:
        content:
          application/json:
            schema:
              type: object
              properties:
                points: {type: array, items: {type: integer}}
                items: {type: array, items: {type: object}}
                score: {type: number, nullable: true}
                note: {type: string, nullable: true, maxLength: 5000}
                secret: {type: string}
                ready: {type: boolean}
                anything: {oneOf: [{type: string}, {type: object}]}
                limits: {type: object, properties: {day: {type: integer}, name: {type: string}}}
                kind: {type: string, description: Later versions may add kinds., enum: [a, b]}
                state: {type: string, nullable: true, enum: [on, off, null]}
      responses: {'200': {content: {application/json: {}}}}
    put:
      operationId: media.upload
      tags: [media]
      summary: Upload a file
      description: Sends bytes.
      x-unpuzzle-role: owner
      requestBody: {content: {application/octet-stream: {schema: {type: string, format: binary}}}}
      responses: {'200': {content: {application/json: {}}}}
    get:
      operationId: media.download
      tags: [media]
      summary: Download a file
      description: Gives bytes.
      x-unpuzzle-role: public
      responses: {'200': {content: {application/pdf: {}}}}
    post:
      operationId: media.ask
      tags: [media]
      summary: Ask about a file
      description: Answers, or streams.
      x-unpuzzle-role: user
      x-unpuzzle-stream: {flag: stream, final: done, events: {done: {}}}
      requestBody:
        content:
          application/json: {schema: {type: object, properties: {question: {type: string}, stream: {type: boolean}}}}
      responses: {'200': {content: {application/json: {}, text/event-stream: {}}}}
  /watch/:
    get:
      operationId: media.watch
      tags: [media]
      summary: Watch the files
      description: Streams.
      x-unpuzzle-role: user
      x-unpuzzle-stream: {events: {changed: {}}}
      responses: {'200': {content: {text/event-stream: {}}}}
"""
