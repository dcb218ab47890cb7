"""Accounts as answers show them."""

from typing import Any

from sqlalchemy import Row

from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.plans.service import Allowance, subscription


def user(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "email": row.email,
        "full_name": row.full_name,
        "avatar_url": row.avatar_url,
        "bio": row.bio,
        "roles": row.roles,
        "subscription": subscription(Allowance(row.plan, row.daily_limit, row.daily_used, row.valid_until)),
        "preferences": {
            "email_notifications": row.email_notifications,
            "learning_reminders": row.learning_reminders,
            "timezone": row.timezone,
        },
        "email_verified": row.email_verified,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
