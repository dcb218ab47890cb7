"""What needs a role is refused to whoever does not have it."""

from unpuzzle_cli.conformance.laws.exchange import Exchange

OF_A_ROLE = ("instructor", "admin")


def roles(exchange: Exchange) -> None:
    """What is for instructors or admins is refused to others."""
    needed = exchange.operation.role
    if needed not in OF_A_ROLE or not exchange.reply.succeeded:
        return
    own = exchange.roles
    assert own is None or own & {needed, "admin"}, f"it needs the role {needed}, and was done for {', '.join(sorted(own))}"
    if exchange.learner and exchange.is_rare("roles"):
        reply = exchange.send(exchange.request.by(exchange.learner()))
        assert reply.status == 403, f"it needs the role {needed}, and a learner gets {reply.status}"
