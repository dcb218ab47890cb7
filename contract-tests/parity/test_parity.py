"""One name in four places: each operation of the contract is served, is in the SDK and the command line, and works there."""

import asyncio
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

import unpuzzle_server
from harness import CONTRACT, PASSWORD, Api, Server
from unpuzzle_sdk import AsyncStream, AsyncUnpuzzle, Stream, Unpuzzle
from unpuzzle_sdk._deprecations import NOTICES
from unpuzzle_server.kernel import operations, spec
from unpuzzle_server.kernel.spec import Operation
from world import named
from worlds import Worlds

OPERATIONS = {operation.id: operation for operation in spec.operations()}
TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"')


def method_of(client: Any, operation: Operation) -> Any:
    tag, verb = operation.id.split(".")
    return getattr(getattr(client, tag), verb)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=named)
def test_every_operation_works_through_the_sdk(api: Api, worlds: Worlds, operation: Operation) -> None:
    """What the server answers is what the SDK's models hold, to the last field."""
    world = worlds.of(operation)
    bodies: list[bytes] = []
    keep = {"response": [lambda response: None if is_stream(response) else bodies.append(response.read())]}
    token = world.caller_of(operation).tokens["access_token"]
    with httpx.Client(event_hooks=keep) as http_client:
        client = Unpuzzle(base_url=api.server.base_url, token=token, http_client=http_client)
        answer = method_of(client.raw, operation)(**world.arguments(operation))
    assert answer.status_code == operation.success
    assert answer.request_id
    if isinstance(answer.parsed, Stream):
        answer.parsed.close()
        return
    parsed = getattr(answer.parsed, "data", answer.parsed)  # a page carries its model
    if hasattr(parsed, "to_dict"):
        assert moments(json.dumps(parsed.to_dict())) == moments(bodies[-1].decode())
    elif "location" in answer.headers:
        assert parsed == answer.headers["location"]
    else:
        assert (parsed.encode() if isinstance(parsed, str) else parsed or b"") == bodies[-1]


def is_stream(response: httpx.Response) -> bool:
    """Whether an answer has no end."""
    return response.headers.get("content-type") == "text/event-stream"


def moments(text: str) -> Any:
    """JSON with its times in one form: the server writes no more digits of a second than there are."""
    return json.loads(TIME.sub(lambda found: f'"{datetime.fromisoformat(found[1]).isoformat()}"', text))


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=named)
def test_every_operation_works_through_the_asynchronous_sdk(api: Api, worlds: Worlds, operation: Operation) -> None:
    """And with a key that has no scope but the operation's, where a key may do it."""
    world = worlds.of(operation)
    caller = world.caller_of(operation)
    token = (world.with_key(caller, operation.scopes) if operation.scopes else caller).tokens["access_token"]

    async def call() -> Any:
        async with AsyncUnpuzzle(base_url=api.server.base_url, token=token) as client:
            answer = await method_of(client.raw, operation)(**world.arguments(operation))
            if isinstance(answer.parsed, AsyncStream):
                await answer.parsed.close()
            return answer

    assert asyncio.run(call()).status_code == operation.success


def test_a_session_goes_on_through_the_sdk(server: Server) -> None:
    """The client remembers who signed up, and forgets who signed out."""
    email = f"sdk-{uuid4().hex[:8]}@example.com"
    with Unpuzzle(base_url=server.base_url) as client:
        assert client.auth.sign_up(email=email, password=PASSWORD, full_name="Sdk").user.email == email
        assert client.auth.refresh().access_token
        assert client.auth.apply_as_instructor(motivation="Because").status == "approved"
        client.auth.sign_out()
        assert client.auth.sign_in(email=email, password=PASSWORD).user.roles == ["student", "instructor"]


@pytest.mark.parametrize("operation_id", sorted(OPERATIONS))
def test_every_operation_has_a_handler_that_fits(operation_id: str) -> None:
    assert operations.check_signature(OPERATIONS[operation_id], operations.handler_of(operation_id)) in ("tx", "ctx")


def test_no_handler_is_left_without_an_operation() -> None:
    """Whichever tags the contract has: a tag may have gone with all its operations."""
    tags = [file.parent.name for file in Path(unpuzzle_server.__file__).parent.glob("*/handlers.py")]
    assert tags
    for tag in tags:
        module = import_module(f"unpuzzle_server.{tag}.handlers")
        own = [name for name, value in vars(module).items() if not name.startswith("_") and _is_handler(module, value)]
        assert {f"{tag}.{name}" for name in own} <= OPERATIONS.keys()


def _is_handler(module: Any, value: Any) -> bool:
    return inspect.iscoroutinefunction(value) and value.__module__ == module.__name__


def test_the_served_contract_is_the_file(api: Api) -> None:
    assert api.get("/api/v1/openapi.yaml").content == spec.source()
    assert api.get("/api/v1/openapi.json").json() == spec.document()


def test_every_operation_of_the_contract_is_routed(api: Api) -> None:
    for operation_id, operation in OPERATIONS.items():
        response = api.request("OPTIONS", operation.path.replace("{", "").replace("}", ""))
        assert operation.method in response.headers["allow"], operation_id
    assert set(CONTRACT.operations) == set(OPERATIONS)


def test_the_contract_is_what_its_parts_make() -> None:
    bundle = Path(__file__).parents[2] / "openapi" / "bundle.py"
    assert subprocess.run([sys.executable, str(bundle), "--check"], check=False).returncode == 0


def test_the_sdk_and_the_commands_are_what_the_contract_makes(tmp_path: Path) -> None:
    """Generates both in a copy of the tree; a file that differs was written by hand, is out of date, or left to chance."""
    root = Path(__file__).parents[2]
    for part in ("openapi", "sdk", "cli"):
        shutil.copytree(
            root / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info", "tests")
        )
    for script in ("sdk/codegen/generate.py", "cli/codegen/generate.py"):
        # Whoever committed had another order of sets.
        chance = {**os.environ, "PYTHONHASHSEED": "31337"}
        made = subprocess.run([sys.executable, str(tmp_path / script)], capture_output=True, text=True, check=False, env=chance)
        assert made.returncode == 0, made.stdout + made.stderr
    differing = [
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob("*.py")
        if "__pycache__" not in path.parts and path.read_bytes() != _committed(root / path.relative_to(tmp_path))
    ]
    assert not differing, "run `nox -s generate` and commit"


def test_what_is_deprecated_is_so_everywhere() -> None:
    """The command line's tests hold each command against the same mark."""
    deprecated = {name for name, operation in CONTRACT.raw.items() if operation.get("deprecated", False)}
    assert deprecated == NOTICES.keys() == {name for name, operation in OPERATIONS.items() if operation.deprecation}


def _committed(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
