"""The plan of an account and its allowance of AI requests, as `app.allowance` finds them; what there is stands in `plans`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from unpuzzle_server.kernel.clock import rfc3339


@dataclass(frozen=True)
class Allowance:
    plan: str
    ai_requests_a_day: int | None
    """None for no limit."""
    ai_requests_today: int = 0
    valid_until: datetime | None = None


def subscription(allowance: Allowance) -> dict[str, Any]:
    return {
        "plan": allowance.plan,
        "ai_limit": allowance.ai_requests_a_day,
        "ai_used": allowance.ai_requests_today,
        "valid_until": rfc3339(allowance.valid_until) if allowance.valid_until else None,
    }
