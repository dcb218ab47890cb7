"""Amounts: minor units inside, numbers with the currency's decimals outside."""

from decimal import ROUND_DOWN, Decimal

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.payments import queries


async def minor_units(tx: Transaction, amount: float | str, currency: str) -> int:
    """Raises PRICE_INVALID for an amount with more decimals than its currency has."""
    decimals = await tx.value(queries.DECIMALS, currency=currency)
    scaled = Decimal(str(amount)).scaleb(decimals)
    if scaled != scaled.to_integral_value(ROUND_DOWN):
        raise Problem("PRICE_INVALID", f"An amount in {currency} has at most {decimals} decimals.")
    return int(scaled)
