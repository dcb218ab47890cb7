"""Tasks of the tag `notifications`: what is told by mail, and reminders to learn."""

from datetime import timedelta

from sqlalchemy import text

from unpuzzle_server.kernel.database import Transaction
from unpuzzle_server.kernel.runner import TaskContext
from unpuzzle_server.kernel.tasks import task
from unpuzzle_server.mail.sending import send

BATCH = 1000

MAIL = text("SELECT * FROM app.find_notification_mail(:notification)")
NOTE_MAIL = text("SELECT app.note_mail(:notification)")
REMIND = text("SELECT app.remind_learners(:size)")
REMINDER = text("SELECT * FROM app.find_reminder(:user)")


@task("notifications.mail")
async def mail(ctx: TaskContext, notification_id: str) -> None:
    """What was deleted meanwhile, or is not wanted any more, is not sent."""
    async with ctx.transaction() as tx:
        found = await tx.row(MAIL, notification=notification_id)
    if found is not None:
        link = {"link": f"{ctx.kernel.settings.app_url}{found.action_url}"} if found.action_url else {}
        values = {"name": found.full_name, "title": found.title, "message": found.message, **link}
        await send(ctx, "notification", found.email, preferences=_preferences(ctx), **values)
    async with ctx.transaction() as tx:
        await tx.execute(NOTE_MAIL, notification=notification_id)


@task("notifications.remind", every=timedelta(hours=1))
async def remind(tx: Transaction) -> None:
    """Asks for the mails in the transaction that notes them: nobody is reminded twice in a week, however often this is done."""
    while await tx.value(REMIND, size=BATCH) == BATCH:
        pass


@task("notifications.mail_reminder")
async def mail_reminder(ctx: TaskContext, user_id: str) -> None:
    async with ctx.transaction() as tx:
        found = await tx.row(REMINDER, user=user_id)
    if found is not None:  # nobody who has learnt meanwhile
        link = f"{ctx.kernel.settings.app_url}/courses/{found.slug}/learn"
        values = {"name": found.full_name, "course": found.title, "link": link}
        await send(ctx, "reminder", found.email, preferences=_preferences(ctx), **values)


def _preferences(ctx: TaskContext) -> str:
    """Where somebody chooses what they are told."""
    return f"{ctx.kernel.settings.app_url}/settings/notifications"
