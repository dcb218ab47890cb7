"""What keeps the kernel's tables small."""

from datetime import timedelta

from sqlalchemy import text

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.idempotency import KEPT
from unpuzzle_server.kernel.tasks import task

FORGET_KEYS = text("DELETE FROM idempotency_keys WHERE created_at <= :since")
FORGET_LIMITS = text("DELETE FROM rate_limits WHERE resets_at <= app.now()")


@task("system.purge", every=timedelta(hours=1))
async def purge(tx: Transaction) -> None:
    """Removes answers that no key can ask for any more, and counts of periods that are over."""
    await tx.execute(FORGET_KEYS, since=tx.clock.now() - KEPT)
    await tx.execute(FORGET_LIMITS)
