"""What is sent is what is there: each request with a value for every field, held against its answer by the law of echoes."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from generated import values
from harness import CONTRACT
from unpuzzle_cli.conformance.laws.echo import description, differences
from unpuzzle_cli.conformance.laws.exchange import CONTRACT as SCHEMAS
from unpuzzle_cli.conformance.laws.exchange import OPERATIONS as DECLARED
from unpuzzle_cli.conformance.laws.exchange import Exchange, Reply, Request
from unpuzzle_cli.conformance.laws.locations import locations
from unpuzzle_server.kernel import spec
from unpuzzle_server.kernel.spec import Operation
from world import named
from worlds import Worlds

MADE_ANEW = {
    "auth.refresh", "auth.receive_webhook", "payments.receive_webhook", "media.complete_upload", "learning.record_progress",
}  # fmt: skip
"""What they answer is not what they were sent, though it has its names: other tokens, a receipt, what was watched in all."""
ANSWERED_BY_A_RECEIPT = {"enrollments.enroll", "enrollments.accept_invitation"}
"""Where their Location leads, the enrolment is shown as a whole."""
SENDING = [
    operation
    for operation in CONTRACT.operations.values()
    if operation.body_type == "application/json" and operation.responses[operation.success] and operation.id not in MADE_ANEW
]
ALONE = settings(derandomize=True, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
HTML = "<p>It is <b onclick='x()'>so</b><script>x()</script></p>"
MOMENT = "2031-05-05T00:30:00+02:00"
"""With an offset, so that it is another one in UTC."""
SECRETIVE = ("_id", "_ids", "token", "password", "email", "code", "amount", "currency", "coupon_code", "plan", "timezone")
"""Fields whose values have to fit something else."""


def filled(operation: Operation, body: dict[str, Any], *, moments: bool = True) -> dict[str, Any]:
    """The body with something in the fields that it leaves out, and in those of texts something else."""
    found = dict(body)
    for name, schema in spec.resolve(operation.body).get("properties", {}).items():
        resolved = spec.resolve(schema)
        if "HTML" in description(resolved):
            found[name] = HTML
        elif resolved.get("type") == "array" and resolved["items"].get("type") == "string" and not name.endswith(SECRETIVE):
            found[name] = ["zeta", "alpha"] if "enum" not in spec.resolve(resolved["items"]) else body.get(name, [])
        elif name not in body and not name.endswith(SECRETIVE) and resolved.get("type") != "object":
            if resolved.get("format") == "date-time":
                found |= {name: MOMENT} if moments else {}
                continue
            found[name] = find(values(schema), lambda value: value is not None, settings=ALONE)
    return found


@pytest.mark.parametrize("operation", SENDING, ids=named)
def test_what_is_sent_is_what_is_answered(worlds: Worlds, operation: Operation) -> None:
    world = worlds.of(operation)
    declared = DECLARED[operation.method, operation.path]
    asked, given = SCHEMAS.fields(declared.body_schema), SCHEMAS.fields(declared.successes[0].schema)
    example = world.body(operation)
    for body in (filled(operation, example), filled(operation, example, moments=False), example):
        answer = world.send(operation, json=body)
        if answer.status_code == operation.success:
            assert [*differences(asked, given, body, answer.json())] == []
            if operation.id in ANSWERED_BY_A_RECEIPT:
                return
            sent = Request(operation.method, str(answer.request.url), dict(answer.request.headers))
            locations(Exchange(declared, sent, Reply(answer.status_code, dict(answer.headers), answer.content)))
            return
    raise AssertionError(f"{operation.id} takes not even the contract's example: {answer.text}")
