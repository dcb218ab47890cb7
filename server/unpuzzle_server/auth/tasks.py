"""What auth does by itself."""

from datetime import timedelta

from sqlalchemy import text

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.tasks import task

# A spent token stays as long as it would have lived: when it comes again, it ends its family.
FORGET_TOKENS = text("""
    DELETE FROM refresh_tokens t
     WHERE expires_at <= app.now() OR EXISTS (SELECT FROM sessions s WHERE s.id = t.session_id AND s.ended_at IS NOT NULL)
""")


@task("auth.purge", every=timedelta(hours=1))
async def purge(tx: Transaction) -> None:
    """Removes refresh tokens that have expired or whose session has ended."""
    await tx.execute(FORGET_TOKENS)
