"""Nobody changes what they have not seen."""

from unpuzzle_cli.conformance.laws.exchange import Exchange

OF_NOTHING = '"0-of-nothing"'
REFUSED = (404, 412)
"""What was changed may be in no state any more to be changed again."""


def conditions(exchange: Exchange) -> None:
    """A change under an ETag that the object does not have is refused."""
    if not exchange.operation.takes("If-Match") or not exchange.reply.succeeded or exchange.operation.method == "delete":
        return
    if exchange.is_replayed or not exchange.is_rare("conditions"):
        return
    reply = exchange.send(exchange.request.without("if-match", "idempotency-key").having("If-Match", OF_NOTHING))
    assert reply.status in REFUSED, f"with If-Match: {OF_NOTHING} it is {reply.status}, not 412"
