"""A cache keeps nothing that it could not ask for again."""

from unpuzzle_cli.conformance.laws.exchange import Exchange

NO_CACHE, NO_STORE = "no-cache", "no-store"
"""Files, which never change at their addresses, have words of their own."""
KEEPABLE = (200, 206, 304)


def caching(exchange: Exchange) -> None:
    """What may be kept is what can be asked for again by its ETag; the rest is no-store."""
    check(exchange.operation.takes("If-None-Match"), exchange.reply.status, exchange.reply.headers.get("cache-control"))


def check(conditional: bool, status: int, told: str | None) -> None:
    """Whether a Cache-Control is that of its operation, which can be asked for by an ETag or not."""
    due = NO_CACHE if conditional and status in KEEPABLE else NO_STORE
    assert told not in (NO_CACHE, NO_STORE) or told == due, f"Cache-Control is {told}, not {due}"
