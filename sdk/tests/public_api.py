"""What is public of the SDK, and the programs that its docstrings show."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import unpuzzle_sdk
from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors, testing
from unpuzzle_sdk.testing import MockUnpuzzle

OF_THE_SDK = {
    *("ad_hoc", "answer", "call", "exchange", "page", "page_from", "send_elsewhere", "stream"),
    *("from_answer", "from_headers", "of", "take"),
}
"""Methods that generated code and other parts of the SDK call, and nobody else."""
FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXPORTED = {name: getattr(module, name) for module in (unpuzzle_sdk, testing) for name in module.__all__}
CLASSES = {name: found for name, found in EXPORTED.items() if isinstance(found, type)}
FUNCTIONS = {name: found for name, found in EXPORTED.items() if isinstance(found, FunctionType)}
CLIENTS = {"Unpuzzle": Unpuzzle(base_url="http://x"), "AsyncUnpuzzle": AsyncUnpuzzle(base_url="http://x")}


def resources() -> Iterator[tuple[str, type]]:
    """The classes of `client.courses` and its like, by how they are reached."""
    for client_name, client in CLIENTS.items():
        for name in [name for name, member in vars(type(client)).items() if isinstance(member, property)]:
            resource = type(getattr(client, name))
            if resource.__module__.startswith("unpuzzle_sdk.resources"):
                yield f"{client_name}.{name}", resource


def members(owner: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class of ours, those that it inherits too."""
    ours = [
        base
        for base in owner.__mro__
        if base.__module__.startswith("unpuzzle_sdk") and not vars(base).get("_is_protocol")
    ]
    for name in dict.fromkeys(name for base in ours for name in vars(base)):
        member = inspect.getattr_static(owner, name)
        if not name.startswith("_") and isinstance(member, (FunctionType, classmethod, property)):
            yield name, member


METHODS = {f"{owner}.{name}": member for owner, kind in resources() for name, member in members(kind)}
"""One for each operation of the contract and client, a second where it streams too, and uploads."""
WRITTEN = {
    f"{owner}.{name}": member
    for owner, kind in {**CLASSES, **{f"{name}.raw": type(client.raw) for name, client in CLIENTS.items()}}.items()
    for name, member in members(kind)
    if isinstance(member, property) or name not in OF_THE_SDK
}
ERRORS = {f"errors.{name}": getattr(errors, name) for name in errors.__all__}
WITH_EXAMPLE = {
    **METHODS,
    **CLASSES,
    **FUNCTIONS,
    **{name: member for name, member in WRITTEN.items() if not isinstance(member, property)},
    **{name: kind for name, kind in ERRORS.items() if "__init__" in vars(kind)},
}
"""What one calls or makes. Properties are shown with their class, those of exceptions with `APIStatusError`."""


def doc_of(member: Any) -> str:
    return inspect.cleandoc(member.__doc__ or "")


def programs(member: Any) -> list[str]:
    return FENCED.findall(textwrap.dedent(doc_of(member).partition("Example:\n")[2]))


def run(program: str, name: str, mock: MockUnpuzzle) -> bool:
    """Runs a program as a reader would, with a client; gives whether it is one for asyncio."""
    code = compile(program, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    is_async = bool(code.co_flags & inspect.CO_COROUTINE)
    client = mock.async_client() if is_async else mock.client()
    result = eval(code, {"__name__": "__main__", "client": client, "mock": mock})

    async def wait() -> None:
        async with client:
            await result

    if is_async:
        asyncio.run(wait())
    return is_async


def of_a_server(member: Any) -> bool:
    """Whether an example starts the real server: `docs/test_snippets.py`, which has one, runs it."""
    return any("local_server()" in program for program in programs(member))
