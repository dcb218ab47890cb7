"""What a page of another origin may send and read: all that the contract has of an operation, whatever is added to it."""

import pytest

from harness import CONTRACT, Api
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import named

ORIGIN = "https://app.unpuzzle.com"
OPERATIONS = [operation for operation in CONTRACT.operations.values() if operation.role != "service"]
ALWAYS_READ = {"Cache-Control"}
FOR_THE_BROWSER = {
    "Set-Cookie", "Vary", "X-Content-Type-Options", "WWW-Authenticate", "Content-Security-Policy", "X-Accel-Buffering",
}  # fmt: skip
"""Headers that are said to the browser or to what is between, and not to the page."""
SENT_BY_ALL = {"Authorization", "Content-Type", "X-CSRF-Token", "X-Request-ID", "X-Client-Version", "Prefer"}


def told(operation: Operation) -> set[str]:
    """The headers of all its answers."""
    answers = [spec.resolve_once(answer) for answer in CONTRACT.raw[operation.id]["responses"].values()]
    return {name for answer in answers for name in answer.get("headers", {})}


def listed(text: str) -> set[str]:
    return {name.lower() for name in text.split(", ")}


@pytest.fixture(scope="module")
def exposed(nobody: Api) -> set[str]:
    """It is the same on every answer."""
    return listed(nobody.get("/health/", headers={"Origin": ORIGIN}).headers["access-control-expose-headers"])


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_a_page_may_read_each_header_of_an_answer(exposed: set[str], operation: Operation) -> None:
    named_here = told(operation) - ALWAYS_READ - FOR_THE_BROWSER
    assert {name for name in named_here if name.lower() not in exposed} == set()


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_a_page_may_send_each_operation_with_each_header(api: Api, operation: Operation) -> None:
    wanted = SENT_BY_ALL | {item.name for item in operation.parameters if item.location == "header"}
    asked = {"Access-Control-Request-Method": operation.method, "Access-Control-Request-Headers": ", ".join(sorted(wanted))}
    # A preflight is no operation of the contract, so that nothing here looks at its answer.
    allowed = api.client.options(operation.path, headers={"Origin": ORIGIN, **asked})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert operation.method in allowed.headers["access-control-allow-methods"].split(", ")
    assert listed(", ".join(wanted)) <= listed(allowed.headers["access-control-allow-headers"])
