"""Uses the clients that are installed beside this interpreter, and nothing else: no file of the repository is in reach.

python -I release/smoke.py ADDRESS [--cli]     against a server with the demo catalogue
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


def use_command(address: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {"UNPUZZLE_BASE_URL": address, "UNPUZZLE_CONFIG_DIR": folder, "UNPUZZLE_NO_KEYRING": "1"}

        def said(*arguments: str) -> str:
            command = [str(Path(sys.executable).parent / "unpuzzle"), *arguments]
            return subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True, text=True).stdout

        assert said("--version") == f"unpuzzle {version('unpuzzle-cli')}\n"
        found = json.loads(said("courses", "list", "--search", "python", "--json"))
        assert COURSE in {course["slug"] for course in found["results"]}
        assert version("unpuzzle-cli") == version("unpuzzle-sdk")


if __name__ == "__main__":
    use_package()
    use_client(sys.argv[1])
    asyncio.run(use_async_client(sys.argv[1]))
    if "--cli" in sys.argv:
        use_command(sys.argv[1])
