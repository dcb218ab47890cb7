"""An error is told by a code that its operation has, with the status of that code."""

from unpuzzle_cli.conformance.laws.exchange import CONTRACT, Exchange

OF_CALLERS = (401, 403)
"""Statuses about who asks, which every operation may give."""
LISTED = {code for operation in CONTRACT.operations for code in operation.errors}
EVERYWHERE = ({*CONTRACT.statuses} - LISTED) | {"NOT_FOUND"}
"""Codes that no operation names as its own, and that of an address where nothing is."""


def codes(exchange: Exchange) -> None:
    """An error has a code of its operation, and the status of that code."""
    error = exchange.reply.fields.get("error")
    if exchange.reply.status < 400 or not isinstance(error, dict) or error.get("code") not in CONTRACT.statuses:
        return  # that it has one is the schema's
    code, status = error["code"], exchange.reply.status
    assert CONTRACT.statuses[code] == status, f"{code} is answered with {status}, not {CONTRACT.statuses[code]}"
    if status not in OF_CALLERS and code not in EVERYWHERE:
        assert code in exchange.operation.errors, f"{exchange.operation.id} does not have the error {code}"
