"""`unpuzzle_sdk.testing.local_server`: the real server, as the SDK's users have it in their tests."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from unpuzzle_sdk import errors
from unpuzzle_sdk.testing import LocalServer, local_server


@pytest.fixture(scope="module")
def local() -> Iterator[LocalServer]:
    handlers = logging.getLogger().handlers[:]
    with local_server() as server:
        assert logging.getLogger().handlers == handlers
        yield server


def test_each_demo_account_signs_in_by_its_role(local: LocalServer) -> None:
    for role, account in local.accounts.items():
        with local.client(role) as client:
            profile = client.auth.get_profile()
        assert profile.email == account.email
        assert role in profile.roles
    with pytest.raises(ValueError, match="there are instructor, student, admin"):
        local.client("teacher")


def test_what_an_instructor_writes_is_kept(local: LocalServer) -> None:
    with local.client("instructor") as instructor, local.client() as nobody:
        course = instructor.courses.create(title="Written in a test")
        assert instructor.courses.get_own(course.id).title == "Written in a test"
        with pytest.raises(errors.CourseNotFound):
            nobody.courses.get(course.id)


def test_a_client_for_asyncio_is_signed_in_too(local: LocalServer) -> None:
    async def email() -> str:
        async with local.async_client("student") as client:
            return (await client.auth.get_profile()).email

    assert asyncio.run(email()) == local.accounts["student"].email


def test_whoever_is_not_signed_in_stays_so(local: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNPUZZLE_TOKEN", "a-real-token")
    with local.client() as nobody, pytest.raises(errors.AuthRequired):
        nobody.auth.get_profile()
    with pytest.raises(ValueError, match="no account of the role 'student'; there are none: start it with demo=True"):
        LocalServer(local.url, {}).client("student")
