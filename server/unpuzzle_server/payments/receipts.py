"""Receipts of what was paid."""

import asyncio
from typing import Any

from sqlalchemy import Row

from unpuzzle_server.documents import receipt
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.payments import checkout, queries


async def find(tx: Transaction, payment_id: str) -> Row[Any]:
    found = await tx.row(queries.RECEIPT, user=tx.user.user_id, **checkout.by(payment_id))
    if found is None:
        raise not_found("receipt")
    return found


async def printed(ctx: Context, payment_id: str) -> bytes:
    """As a PDF, drawn while others are served."""
    async with ctx.transaction() as tx:
        found = await find(tx, payment_id)
    return await asyncio.to_thread(receipt.printed, found.receipt, found.decimals, ctx.kernel.settings.document_fonts)
