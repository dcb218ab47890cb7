"""Tasks of the tag `notifications`: what is told by mail."""

from sqlalchemy import text

from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import task
from unpuzzle_server.mail.gateway import Mailer
from unpuzzle_server.mail.message import render

MAIL = text("SELECT * FROM app.find_notification_mail(:notification)")
NOTE_MAIL = text("SELECT app.note_mail(:notification)")


@task("notifications.mail")
async def mail(ctx: TaskContext, notification_id: str) -> None:
    """What was deleted meanwhile, or is not wanted any more, is not sent."""
    async with ctx.transaction() as tx:
        found = await tx.row(MAIL, notification=notification_id)
    if found is not None:
        mailer: Mailer = ctx.kernel.gateways["mailer"]
        settings = ctx.kernel.settings
        domain = settings.mail_from.rpartition("@")[2]
        values = {"name": found.full_name, "title": found.title, "message": found.message}
        values |= {"link": f"{settings.app_url}{found.action_url}"} if found.action_url else {}
        page = f"{settings.app_url}/settings/notifications"
        mail = render("notification", to=found.email, message_id=f"<{ctx.task_id}@{domain}>", preferences=page, **values)
        await mailer.send(mail)
    async with ctx.transaction() as tx:
        await tx.execute(NOTE_MAIL, notification=notification_id)
