"""What answers say of operations that are going away, by a contract in which one is."""

import copy
from collections.abc import Iterator

import httpx
import pytest

from harness import Server, running_server
from unpuzzle_server.kernel import spec

NAMES = ("deprecation", "sunset", "link")
NOTICE = {
    "deprecated_at": "2026-08-31",
    "sunset_at": "2027-03-01",
    "use": "courses.get",
    "guide": "https://docs.unpuzzle.com/api/learning#quizzes",
}


@pytest.fixture(scope="module")
def server(postgres: str) -> Iterator[Server]:
    document = copy.deepcopy(spec.document())
    document["paths"]["/api/v1/courses/"]["get"] |= {"deprecated": True, "x-unpuzzle-deprecation": NOTICE}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spec, "document", lambda: document)
        with running_server(postgres) as running:
            yield running


def said(server: Server, path: str) -> tuple[int, dict[str, str]]:
    response = httpx.get(server.base_url + path)
    return response.status_code, {name: response.headers[name] for name in NAMES if name in response.headers}


def test_what_is_deprecated_says_since_when_until_when_and_where_it_is_told_what_to_do(server: Server) -> None:
    guide = NOTICE["guide"]
    told = {
        "deprecation": "@1788134400",
        "sunset": "Mon, 01 Mar 2027 00:00:00 GMT",
        "link": f'<{guide}>; rel="deprecation", <{guide}>; rel="sunset"',
    }
    assert said(server, "/api/v1/courses/") == (200, told)


@pytest.mark.parametrize(("path", "status"), [("/api/v1/courses/?page=0", 422), ("/api/v1/categories/", 200), ("/no/", 404)])
def test_a_refusal_says_nothing_of_it_nor_does_what_stays(server: Server, path: str, status: int) -> None:
    assert said(server, path) == (status, {})
