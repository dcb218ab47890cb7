"""What the command `payments reconcile` does: the books here are held against Stripe's."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from unpuzzle_server import worker
from unpuzzle_server.app import wire
from unpuzzle_server.kernel.clock import Clock
from unpuzzle_server.kernel.errors import Problem
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.settings import Settings
from unpuzzle_server.payments import tasks as payments
from unpuzzle_server.serving import ServeError
from unpuzzle_server.subscriptions import tasks as subscriptions


def reconcile(data_dir: Path, settings: Settings, days: int) -> str:
    """Answers a sentence on what was done."""
    ready = worker.prepared(data_dir, settings)
    found = asyncio.run(_reconciled(replace(ready, database_app_url=ready.database_worker_url), timedelta(days=days)))
    return (
        f"Stripe knows {found['seen']} payments of the last {days} days; {found['mended']} stood otherwise here and were mended."
        f" {found['missed']} subscriptions had changed unheard, {found['overdue']} were asked about."
    )


async def _reconciled(settings: Settings, window: timedelta) -> dict[str, int]:
    kernel = wire(settings, Clock())
    try:
        ctx = TaskContext(kernel, uuid4())
        return {**await payments.reconcile(ctx, window), **await subscriptions.reconcile(ctx, window)}
    except Problem as problem:
        hint = (
            "" if settings.stripe_api_key else " Without STRIPE_API_KEY the server must be running; STRIPE_API_BASE says where."
        )
        raise ServeError(f"{problem.message}{hint}") from None
    finally:
        await kernel.close()
