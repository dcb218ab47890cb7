"""What is sent again with its key is done once."""

from unpuzzle_cli.conformance.laws.exchange import Exchange

SIGNED_OUT = 401


def repetition(exchange: Exchange) -> None:
    """The same request with the same Idempotency-Key is answered as before, and says so."""
    keyed = exchange.operation.takes("Idempotency-Key") and exchange.request.header("Idempotency-Key")
    if not keyed or not exchange.reply.succeeded or exchange.is_replayed or exchange.is_stream:
        return
    if not exchange.is_rare("repetition"):
        return
    again = exchange.send(exchange.request)
    if again.status == SIGNED_OUT:
        return  # it has ended the session: nobody is there to send it again
    assert (again.status, again.content) == (exchange.reply.status, exchange.reply.content), (
        "sent again, it is answered otherwise"
    )
    assert again.headers.get("idempotency-replayed") == "true", "sent again, Idempotency-Replayed is not true"
