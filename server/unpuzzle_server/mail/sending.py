"""How a task sends a mail."""

from typing import Any

from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.mail.gateway import Mailer
from unpuzzle_server.mail.message import render


async def send(ctx: TaskContext, template: str, to: str, **values: Any) -> None:
    """Under an id that is the task's: whoever gets a mail twice can tell."""
    mailer: Mailer = ctx.kernel.gateways["mailer"]
    domain = ctx.kernel.settings.mail_from.rpartition("@")[2]
    await mailer.send(render(template, to=to, message_id=f"<{ctx.task_id}@{domain}>", **values))
