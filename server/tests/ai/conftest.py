"""Lessons that say something, and the tutor's two engines."""

from collections.abc import Iterator

import pytest

from classroom import Classroom
from harness import Api, Person, Server, running_server
from vendor import Vendor


@pytest.fixture(scope="module")
def classroom(server: Server) -> Iterator[Classroom]:
    """A course about compilers with a lesson that is spoken, one that is written, and an empty one; tests leave it as it is."""
    with Api(server) as api:
        yield Classroom.of(api.sign_up_instructor())


@pytest.fixture
def own_classroom(instructor: Person) -> Classroom:
    """The same for a test that changes it."""
    return Classroom.of(instructor)


@pytest.fixture
def student(classroom: Classroom, learner: Person) -> Person:
    """Somebody who takes the course, with as many requests as they like."""
    return classroom.joined_by(learner)


@pytest.fixture(scope="session")
def vendor() -> Iterator[Vendor]:
    """A language model's API on a socket of this process; it answers what a test has told it to."""
    with Vendor() as found:
        yield found


@pytest.fixture(scope="session")
def modelled(postgres: str, vendor: Vendor) -> Iterator[Server]:
    """A server with a language model."""
    with running_server(postgres, **vendor.settings) as found:
        yield found


@pytest.fixture(params=["the one that finds and quotes", "a language model"])
def either(request: pytest.FixtureRequest, server: Server) -> Iterator[tuple[Api, Vendor | None]]:
    """Each engine."""
    if request.param == "a language model":
        vendor: Vendor = request.getfixturevalue("vendor")
        vendor.reset()
        with Api(request.getfixturevalue("modelled")) as api:
            yield api, vendor
    else:
        with Api(server) as api:
            yield api, None
