"""What was created can be read where the answer says."""

from unpuzzle_cli.conformance.laws.exchange import Exchange


def locations(exchange: Exchange) -> None:
    """A Location answers 200 to the same caller, with the object as it was created."""
    location = exchange.reply.headers.get("location")
    if exchange.reply.status != 201 or location is None or exchange.is_replayed:
        return
    found = exchange.read(location)
    assert found.status == 200, f"{location} answers {found.status}"
    created = exchange.reply.fields
    differing = {name for name, value in found.fields.items() if name in exchange.fields and created.get(name) != value}
    assert not differing, f"{location} shows other {', '.join(sorted(differing))} than were created"
