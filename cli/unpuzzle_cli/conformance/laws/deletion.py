"""What was deleted is gone."""

from unpuzzle_cli.conformance.laws.exchange import OPERATIONS, Exchange

GONE = (401, 404, 410)
"""Whoever has ended their own session is nobody now."""


def deletion(exchange: Exchange) -> None:
    """What was deleted can be neither read nor deleted again."""
    operation = exchange.operation
    if operation.method != "delete" or not operation.names_one_thing or exchange.reply.status != 204 or exchange.is_replayed:
        return
    if not exchange.is_rare("deletion"):
        return
    again = exchange.request.without("if-match", "idempotency-key")
    reads = [exchange.request.to(exchange.request.url.partition("?")[0])] if ("GET", operation.path) in OPERATIONS else []
    for request in (*reads, again):
        status = exchange.send(request).status
        assert status in GONE, f"after it was deleted, {request.method} of it is {status}"
