"""Reading notifications. They are made by the triggers of the tables where events happen, in the same transaction."""

from typing import Any, cast

from sqlalchemy import Row

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import not_found
from unpuzzle_server.kernel.pagination import Page, window
from unpuzzle_server.notifications import queries


async def list_notifications(tx: Transaction, page: int, page_size: int, *, unread_only: bool, kind: str | None) -> Page:
    values = {**window(page, page_size), **({"type": kind} if kind else {})}
    statement = queries.notifications(unread_only=unread_only, typed=kind is not None)
    found = cast("Row[Any]", await tx.row(statement, user=tx.user.user_id, **values))
    return Page(found.results, found.total, {"unread_count": found.unread})


async def mark_read(tx: Transaction, notification_id: str) -> None:
    """What was read before keeps its time."""
    if await tx.value(queries.MARK, user=tx.user.user_id, notification=notification_id) is None:
        raise not_found("notification")


async def delete(tx: Transaction, notification_id: str) -> None:
    if await tx.value(queries.DELETE, user=tx.user.user_id, notification=notification_id) is None:
        raise not_found("notification")


async def mark_all_read(tx: Transaction) -> int:
    marked = await tx.execute(queries.MARK_ALL, user=tx.user.user_id)
    return int(marked.rowcount)
