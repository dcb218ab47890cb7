"""Uses the clients that are installed beside this interpreter, and nothing else: no file of the repository is in reach.

python -I release/smoke.py ADDRESS [--cli] [--conformance]     against a server with the demo catalogue
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import metadata, version
from importlib.resources import files
from pathlib import Path

import unpuzzle_sdk
from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle, errors

COURSE = "introduction-to-python-programming"


def use_package() -> None:
    assert Path(unpuzzle_sdk.__file__).is_relative_to(sys.prefix), unpuzzle_sdk.__file__
    assert unpuzzle_sdk.__version__ == version("unpuzzle-sdk")
    assert (files("unpuzzle_sdk") / "py.typed").is_file()
    about = metadata("unpuzzle-sdk")
    assert about["License-Expression"] == "LicenseRef-Proprietary"
    assert about["Description-Content-Type"] == "text/markdown"


def use_client(address: str) -> None:
    with Unpuzzle(base_url=address) as client:
        assert COURSE in {course.slug for course in client.courses.list(sort="rating")}
        with contextlib.suppress(errors.AuthRequired):
            raise AssertionError(client.auth.get_profile())
        client.auth.sign_in(email="learner-1@demo.unpuzzle.com", password="learn-by-puzzling")
        assert client.auth.get_profile().email == "learner-1@demo.unpuzzle.com"


async def use_async_client(address: str) -> None:
    async with AsyncUnpuzzle(base_url=address) as client:
        course = await client.courses.get(COURSE)
        assert [found.slug async for found in client.courses.list(search=course.title, max_items=1)] == [COURSE]


def said(address: str, *arguments: str) -> str:
    """What the command line writes, without what anybody has configured."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"UNPUZZLE_BASE_URL": address, "UNPUZZLE_CONFIG_DIR": folder, "UNPUZZLE_NO_KEYRING": "1"}
        command = [str(Path(sys.executable).parent / "unpuzzle"), *arguments]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, check=False, stdout=subprocess.PIPE, text=True
        )
    assert done.returncode == 0, done.stdout
    return done.stdout


def use_command(address: str) -> None:
    assert said(address, "--version") == f"unpuzzle {version('unpuzzle-cli')}\n"
    found = json.loads(said(address, "courses", "list", "--search", "python", "--json"))
    assert COURSE in {course["slug"] for course in found["results"]}
    assert version("unpuzzle-cli") == version("unpuzzle-sdk")


def use_conformance(address: str) -> None:
    """With the contract that the wheel brought along, on what anybody may read."""
    said(address, "conformance", "--include", "courses.list_categories", "--max-examples", "2")


if __name__ == "__main__":
    use_package()
    use_client(sys.argv[1])
    asyncio.run(use_async_client(sys.argv[1]))
    if "--cli" in sys.argv:
        use_command(sys.argv[1])
    if "--conformance" in sys.argv:
        use_conformance(sys.argv[1])
