"""Every public method says what it takes, gives and raises, and shows a program that runs: here each one is run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from public_api import CLASSES, CLIENTS, ERRORS, METHODS, WITH_EXAMPLE, WRITTEN, doc_of, of_a_server, programs, run

from unpuzzle_sdk._core.options import DEFAULT_MAX_RETRIES, DEFAULT_MAX_RETRY_TIME, DEFAULT_TIMEOUT
from unpuzzle_sdk.testing import MockUnpuzzle
from unpuzzle_sdk.testing._contract import contract

PART = 2**16


@pytest.fixture
def mock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MockUnpuzzle:
    monkeypatch.chdir(tmp_path)
    Path("lecture.mp4").write_bytes(bytes(PART))
    mock = MockUnpuzzle()
    mock.on("media.initiate_upload").reply(chunk_size=PART, total_chunks=1, parts=[])
    return mock


def test_nothing_public_is_without_a_docstring() -> None:
    assert [name for name, member in {**METHODS, **CLASSES, **WRITTEN, **ERRORS}.items() if not doc_of(member)] == []


def test_no_method_is_without_an_example() -> None:
    assert [name for name, member in WITH_EXAMPLE.items() if not programs(member)] == []


@pytest.mark.parametrize("name", METHODS)
def test_the_example_of_a_method_calls_it(name: str, mock: MockUnpuzzle) -> None:
    (program,) = programs(METHODS[name])
    client, tag, verb = name.split(".")
    assert run(program, name, mock) == (client == "AsyncUnpuzzle")
    assert f"client.{tag}.{verb}(" in program
    assert mock.requests[0].operation.startswith(f"{tag}.")


@pytest.mark.parametrize(
    "name", [name for name in WITH_EXAMPLE if name not in METHODS and not of_a_server(WITH_EXAMPLE[name])]
)
def test_the_example_runs(name: str, mock: MockUnpuzzle) -> None:
    for program in programs(WITH_EXAMPLE[name]):
        run(program, name, mock)


def gaps(member: Any) -> Iterator[str]:
    """What a docstring does not say."""
    doc, signature = doc_of(member), inspect.signature(member)
    for argument in signature.parameters:
        if argument != "self" and not re.search(rf"^    {argument}: \S", doc, re.MULTILINE):
            yield argument
    if ("\nReturns:\n" in doc) != (signature.return_annotation != "None"):
        yield "Returns"
    if "\nRaises:\n    errors." not in doc:
        yield "Raises"


def test_a_docstring_tells_each_argument_what_comes_and_what_may_go_wrong() -> None:
    assert {name: missing for name, member in METHODS.items() if (missing := [*gaps(member)])} == {}


def test_each_operation_has_an_example_for_each_client() -> None:
    operations = contract().operations.values()
    streaming = [operation for operation in operations if operation.stream and operation.stream["flag"]]
    uploads = 1
    assert len(METHODS) == 2 * (len(operations) + len(streaming) + uploads)


def test_the_defaults_of_a_client_are_those_that_its_docstring_names() -> None:
    for client in CLIENTS.values():
        doc = inspect.getdoc(type(client).__init__) or ""
        told = [float(number) for number in re.findall(r"(\d+) by default", doc)]
        assert told == [DEFAULT_TIMEOUT, DEFAULT_MAX_RETRIES, DEFAULT_MAX_RETRY_TIME]
