"""One request to the tutor: reserved, asked outside of transactions, then settled, or given back where it fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4, uuid5

from sqlalchemy.exc import SQLAlchemyError

from unpuzzle_server.ai.engine import Engine, Tokens, Unavailable
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.exchange import ClientGone
from unpuzzle_server.kernel.operations import Context
from unpuzzle_server.plans import allowance
from unpuzzle_server.plans.allowance import Spent

T = TypeVar("T")
log = logging.getLogger(__name__)

USUAL_PRICE = Decimal("0.00003")
"""Of a token, in US dollars, for models without a price of their own."""


@dataclass(frozen=True)
class Tutor:
    """The engine of one deployment, and what it costs."""

    engine: Engine
    price: Decimal
    """Of a token, in US dollars."""
    context_tokens: int
    """How much of a conversation the engine is given."""
    lease: timedelta
    """How long a request may take; one that was cut short counts no longer."""
    moderated: bool = False

    def spent(self, tokens: Tokens) -> Spent:
        return Spent(self.engine.model, tokens.prompt, tokens.completion, (tokens.prompt + tokens.completion) * self.price)

    async def check(self, text: str) -> None:
        """Raises MESSAGE_REFUSED for what the rules of use forbid."""
        if self.moderated and text and not await self.engine.allows(text):
            raise Problem("MESSAGE_REFUSED", "The tutor does not answer this: it goes against the rules of use.")

    async def close(self) -> None:
        await self.engine.close()


async def unless_gone(ctx: Context, asking: Coroutine[Any, Any, T]) -> T:
    """What is asked for; whoever asks and leaves meanwhile stops it."""
    asked, gone = asyncio.create_task(asking), asyncio.create_task(_left(ctx))
    try:
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            return asked.result()
        raise ClientGone
    finally:
        for task in (asked, gone):
            task.cancel()
        await asyncio.gather(asked, gone, return_exceptions=True)


async def _left(ctx: Context) -> None:
    while (await ctx.exchange.receive())["type"] != "http.disconnect":
        pass


def tutor_of(ctx: Any) -> Tutor:
    found: Tutor = ctx.kernel.gateways["tutor"]
    return found


def request_of(ctx: Context) -> UUID:
    """Under a key the request is the same one again, as long as keys are kept: two at once are not two."""
    key, today = ctx.exchange.headers.get("idempotency-key"), ctx.kernel.clock.now().date()
    return uuid5(ctx.user.user_id, f"{ctx.exchange.operation_id} {key} {today}") if key else uuid4()


@asynccontextmanager
async def given_back(ctx: Context, request: UUID) -> AsyncIterator[None]:
    """A request that fails costs nothing, whoever's fault it is."""
    try:
        yield
    except Unavailable as error:
        await asyncio.shield(release(ctx, request))
        log.warning("the tutor is not available: %s", error)
        raise Problem(
            "AI_SERVICE_ERROR", "The tutor is not available now. Nothing was counted.", retry_after=error.retry_after
        ) from None
    except BaseException:
        await asyncio.shield(release(ctx, request))
        raise


async def release(ctx: Context, request: UUID) -> None:
    try:
        async with ctx.transaction() as tx:
            await allowance.release(tx, request)
    except SQLAlchemyError:  # the lease ends it
        log.warning("a request to the tutor could not be given back", exc_info=True)
