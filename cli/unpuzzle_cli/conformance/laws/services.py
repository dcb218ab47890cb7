"""What a vendor tells is taken from that vendor."""

from unpuzzle_cli.conformance.laws.exchange import Exchange


def services(exchange: Exchange) -> None:
    """What only a service that signs may say is refused to everybody else."""
    if exchange.operation.role == "service":
        assert not exchange.reply.succeeded, "it was taken from somebody who can't have signed it"
