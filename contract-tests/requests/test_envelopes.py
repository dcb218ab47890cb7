"""The standard envelope, around whatever an operation answers."""

import pytest

from harness import CONTRACT
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import named
from worlds import Worlds

CONTRACT_ITSELF = {"system.openapi"}
READS = [
    item
    for item in CONTRACT.operations.values()
    if item.method == "GET" and item.responses[item.success] and not item.stream and item.id not in CONTRACT_ITSELF
]


@pytest.mark.parametrize("operation", READS, ids=named)
def test_the_envelope_holds_what_comes_without_it(worlds: Worlds, operation: Operation) -> None:
    answer = worlds.of(operation).send(operation, headers={"Prefer": "envelope=standard"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (operation.success, "envelope=standard")
    envelope = answer.json()
    assert envelope.keys() == {"status", "data", "message", "timestamp"}
    assert envelope["status"] == "success"
    assert [*spec.compiled(operation.responses[operation.success]).iter_errors(envelope["data"])] == []
