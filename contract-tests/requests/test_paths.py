"""Every path says what it takes, written with the slash at its end or without."""

import pytest

from harness import CONTRACT, Api
from unpuzzle_server.kernel.spec import Operation
from world import named

OPERATIONS = list(CONTRACT.operations.values())


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_a_path_says_what_it_takes_with_or_without_its_slash(api: Api, operation: Operation) -> None:
    there = {item.method for item in OPERATIONS if item.path == operation.path}
    expected = there | {"OPTIONS"} | ({"HEAD"} if "GET" in there else set())
    path = operation.path.replace("{", "").replace("}", "")
    for written in (path, path.removesuffix("/")):
        answer = api.request("OPTIONS", written)
        assert (answer.status_code, {*answer.headers["allow"].split(", ")}) == (204, expected), written
