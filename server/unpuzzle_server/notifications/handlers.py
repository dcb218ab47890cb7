"""Operations of the tag `notifications`."""

from typing import Any

from unpuzzle_server.kernel.answers import Result
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.pagination import Page
from unpuzzle_server.kernel.streams import Stream
from unpuzzle_server.notifications import live, preferences, service


async def list(tx: Transaction, page: int, page_size: int, unread_only: bool, type: str | None) -> Page:
    return await service.list_notifications(tx, page, page_size, unread_only=unread_only, kind=type)


async def mark_read(tx: Transaction, notification_id: str) -> dict[str, Any]:
    await service.mark_read(tx, notification_id)
    return {"message": "Notification marked as read", "notification_id": notification_id.lower()}


async def mark_all_read(tx: Transaction) -> dict[str, Any]:
    return {"message": "All notifications marked as read", "marked_count": await service.mark_all_read(tx)}


async def delete(tx: Transaction, notification_id: str) -> None:
    await service.delete(tx, notification_id)


async def stream(ctx: Context, last_event_id: str | None) -> Stream:
    return Stream(live.follow(ctx, last_event_id))


async def get_preferences(tx: Transaction) -> Result:
    return await preferences.get(tx)


async def update_preferences(tx: Transaction, body: dict[str, Any], if_match: str | None) -> Result:
    return await preferences.update(tx, body, if_match)
