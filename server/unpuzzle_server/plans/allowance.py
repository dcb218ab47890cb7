"""What an account may ask of the tutor: a request is reserved before the tutor is asked, and given back on failure."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from math import ceil
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, text

from unpuzzle_server.kernel.clock import rfc3339
from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.errors import Problem

FIND = text("SELECT * FROM app.find_allowance(app.user_id())")
RESERVE = text("SELECT app.reserve_ai_request(:request, :agent, :lease)")
SETTLE = text("SELECT app.settle_ai_request(:request, :kept_as, :model, :prompt_tokens, :completion_tokens, :cost_usd)")
RELEASE = text("SELECT app.release_ai_request(:request)")


@dataclass(frozen=True)
class Spent:
    """What a request took, for the books."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal

    def shown(self) -> dict[str, Any]:
        total = self.prompt_tokens + self.completion_tokens
        counted = {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens, "total_tokens": total}
        return {**counted, "cost_usd": float(self.cost_usd)}


async def find(tx: Transaction) -> Row[Any]:
    return cast("Row[Any]", await tx.row(FIND))


async def reserve(tx: Transaction, request: UUID, agent: str, lease: timedelta) -> None:
    """Counts from when this transaction commits; after the lease it does so only if it was settled."""
    outcome = await tx.value(RESERVE, request=request, agent=agent, lease=lease)
    if outcome == "in progress":
        raise Problem("IDEMPOTENCY_IN_PROGRESS", "The first call with this key is still under way.")
    if outcome != "reserved":
        raise await _used_up(tx, outcome)


async def _used_up(tx: Transaction, period: str) -> Problem:
    mine = await find(tx)
    limit, reset = (mine.daily_limit, mine.daily_reset) if period == "day" else (mine.monthly_limit, mine.monthly_reset)
    seconds = max(1, ceil((reset - tx.clock.now()).total_seconds()))
    return Problem(
        "AI_LIMIT_EXCEEDED",
        f"Your plan allows {limit} requests to the tutor a {period}.",
        retry_after=seconds,
        headers={"X-Should-Retry": "false"},
        about={"daily_reset": rfc3339(mine.daily_reset), "monthly_reset": rfc3339(mine.monthly_reset)},
    )


async def settle(tx: Transaction, request: UUID, spent: Spent, kept_as: UUID | None = None) -> None:
    """Counts for good what was reserved; under another id where no answer is kept that the same key could repeat."""
    await tx.execute(SETTLE, request=request, kept_as=kept_as or request, **vars(spent))


async def release(tx: Transaction, request: UUID) -> None:
    await tx.execute(RELEASE, request=request)
