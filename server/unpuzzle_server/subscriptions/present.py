"""Plans and subscriptions as answers show them."""

from typing import Any

from sqlalchemy import Row

from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.subscriptions import queries
from unpuzzle_server.subscriptions.billing import Snapshot
from unpuzzle_server.subscriptions.service import amounts

Body = dict[str, Any]
WAITING = {"incomplete", "past_due"}
"""The states in which something may be left to do for the payer."""


def offer(settings: Settings, plan: Row[Any]) -> Body:
    prices = [
        {"interval": interval, "amount": float(amount), "currency": settings.plan_currency}
        for (offered, interval), amount in amounts(settings).items()
        if offered == plan.plan
    ]
    return {
        "plan": plan.plan,
        "name": plan.name,
        "description": plan.description,
        "limits": {"daily_limit": plan.daily_limit, "monthly_limit": plan.monthly_limit},
        "prices": prices,
        "trial_days": settings.trial_days if prices else 0,
    }


async def current(ctx: Context, snapshot: Snapshot | None) -> Body:
    """With what its payer needs to go on, while they have to."""
    async with ctx.transaction() as tx:
        found: Body = await tx.value(queries.CURRENT, user=tx.user.user_id)
    intent = snapshot.intent if snapshot and found["status"] in WAITING else None
    waits = intent is not None and intent.status != "succeeded"
    return {
        **found,
        "client_secret": intent.client_secret if intent and waits else None,
        "next_action_url": intent.next_action_url if intent and waits else None,
    }
