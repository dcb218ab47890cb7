"""Nobody changes what they have not seen."""

from dataclasses import replace

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
    dropped = ("if-match", "idempotency-key")
    headers = {name: value for name, value in exchange.request.headers.items() if name.lower() not in dropped}
    reply = exchange.send(replace(exchange.request, headers={**headers, "If-Match": OF_NOTHING}))
    assert reply.status in REFUSED, f"with If-Match: {OF_NOTHING} it is {reply.status}, not 412"
