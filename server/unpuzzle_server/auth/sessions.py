"""The rules of sessions: where somebody is signed in, and how that ends."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.auth import queries
from unpuzzle_server.auth.tokens import REFRESH_LIFE
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found
from unpuzzle_server.kernel.pagination import Page, window


async def list_sessions(tx: Transaction, page: int, page_size: int) -> Page:
    """Those whose refresh token may still be used."""
    since = tx.clock.now() - REFRESH_LIFE
    values = {"user": tx.user.user_id, "session": tx.user.session_id, "since": since}
    found = cast("Row[Any]", await tx.row(queries.SESSIONS, **values, **window(page, page_size)))
    return Page(found.results, found.total)


async def revoke(tx: Transaction, session_id: str) -> None:
    ended = await tx.execute(queries.END_SESSION, session=session_id, user=tx.user.user_id)
    if ended.rowcount == 0:
        raise not_found("session")


async def revoke_others(tx: Transaction) -> int:
    ended = await tx.execute(queries.END_OTHER_SESSIONS, session=tx.user.session_id, user=tx.user.user_id)
    return int(ended.rowcount)
