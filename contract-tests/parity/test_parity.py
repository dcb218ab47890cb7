"""One name in four places: each operation of the contract is served, is in the SDK and the command line, and works there."""

import asyncio
import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from harness import CONTRACT, PASSWORD, Api, Person, Server
from unpuzzle_sdk import AsyncUnpuzzle, Unpuzzle
from unpuzzle_server.kernel import operations, spec

OPERATIONS = {operation.id: operation for operation in spec.operations()}
TOLD_APART = {"auth.sign_up", "auth.sign_in", "auth.refresh", "auth.sign_out", "auth.apply_as_instructor", "enrollments.enroll"}
"""Operations that change who is asking, or that an admin can't do to a course of their own: each has a caller of its own."""


@dataclass
class World:
    """An admin with a course that is ready to be published, made anew for each operation."""

    admin: Person
    ids: dict[str, str]

    @classmethod
    def made(cls, api: Api) -> "World":
        admin = api.sign_up_admin()
        category = api.category()
        course = admin.course(description="About it", price=0, category_id=category["id"])
        section = admin.section(course, is_published=True)
        lesson = admin.lesson(section, body="<p>Text</p>")
        ids = {"course_id": course["id"], "section_id": section["id"], "lesson_id": lesson["id"], "category_id": category["id"]}
        return cls(admin, ids)

    def arguments(self, operation_id: str) -> dict[str, Any]:
        """The path parameters of this world, and the body of the contract's own example with ids that exist."""
        operation = OPERATIONS[operation_id]
        path = {item.name: self.ids[item.name] for item in operation.parameters if item.location == "path"}
        body = dict(spec.resolve(operation.body)["example"]) if operation.body else {}
        if "slug" in body or operation_id == "courses.create_category":
            body |= {"name": f"Category {uuid4().hex[:8]}", "slug": f"category-{uuid4().hex[:8]}"}
        replaced = {
            "category_id": self.ids["category_id"],
            "section_ids": [self.ids["section_id"]],
            "lesson_ids": [self.ids["lesson_id"]],
        }
        return {**path, **{name: replaced.get(name, value) for name, value in body.items()}}


@pytest.fixture
def world(api: Api) -> World:
    # An unused category, so that deleting it is allowed, and one for the course.
    made = World.made(api)
    made.ids["unused_category_id"] = api.category()["id"]
    return made


@pytest.fixture
def client(server: Server, world: World) -> Iterator[Unpuzzle]:
    with Unpuzzle(base_url=server.base_url, token=world.admin.tokens["access_token"]) as found:
        yield found


def method_of(client: Any, operation_id: str) -> Any:
    tag, verb = operation_id.split(".")
    return getattr(getattr(client, tag), verb)


@pytest.mark.parametrize("operation_id", sorted(OPERATIONS.keys() - TOLD_APART))
def test_every_operation_works_through_the_sdk(client: Unpuzzle, world: World, operation_id: str) -> None:
    arguments = world.arguments(operation_id)
    if operation_id == "courses.delete_category":
        arguments["category_id"] = world.ids["unused_category_id"]
    answer = method_of(client.raw, operation_id)(**arguments)
    assert answer.status_code == OPERATIONS[operation_id].success
    assert answer.request_id


@pytest.mark.parametrize("operation_id", sorted(OPERATIONS.keys() - TOLD_APART))
def test_every_operation_works_through_the_asynchronous_sdk(server: Server, world: World, operation_id: str) -> None:
    arguments = world.arguments(operation_id)
    if operation_id == "courses.delete_category":
        arguments["category_id"] = world.ids["unused_category_id"]

    async def call() -> Any:
        async with AsyncUnpuzzle(base_url=server.base_url, token=world.admin.tokens["access_token"]) as client:
            return await method_of(client.raw, operation_id)(**arguments)

    assert asyncio.run(call()).status_code == OPERATIONS[operation_id].success


def test_accounts_work_through_the_sdk(server: Server, world: World) -> None:
    """Every operation that the tests above leave to a caller of its own."""
    email = f"sdk-{uuid4().hex[:8]}@example.com"
    world.admin.post(f"/api/v1/instructor/courses/{world.ids['course_id']}/publish/")
    with Unpuzzle(base_url=server.base_url) as client:
        assert client.auth.sign_up(email=email, password=PASSWORD, full_name="Sdk").user.email == email
        assert client.auth.refresh().access_token
        assert client.auth.apply_as_instructor(motivation="Because").status == "approved"
        assert client.enrollments.enroll(world.ids["course_id"]).course_id == world.ids["course_id"]
        client.auth.sign_out()
        assert client.auth.sign_in(email=email, password=PASSWORD).user.roles == ["student", "instructor"]


@pytest.mark.parametrize("operation_id", sorted(OPERATIONS))
def test_every_operation_has_a_handler_that_fits(operation_id: str) -> None:
    assert operations.check_signature(OPERATIONS[operation_id], operations.handler_of(operation_id)) in ("tx", "ctx")


def test_no_handler_is_left_without_an_operation() -> None:
    for tag in {operation_id.split(".")[0] for operation_id in OPERATIONS}:
        module = inspect.getmodule(operations.handler_of(next(name for name in OPERATIONS if name.startswith(f"{tag}."))))
        own = [name for name, value in vars(module).items() if _is_handler(module, value)]
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
    """Generates both in a copy of the tree; a file that differs was written by hand or is out of date."""
    root = Path(__file__).parents[2]
    for part in ("openapi", "sdk", "cli"):
        shutil.copytree(
            root / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", ".*_cache", "*.egg-info", "tests")
        )
    for script in ("sdk/codegen/generate.py", "cli/codegen/generate.py"):
        made = subprocess.run([sys.executable, str(tmp_path / script)], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
    differing = [
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob("*.py")
        if "__pycache__" not in path.parts and path.read_bytes() != _committed(root / path.relative_to(tmp_path))
    ]
    assert not differing, "run `nox -s generate` and commit"


def _committed(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
